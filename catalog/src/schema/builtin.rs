//! The built-in attributes (`:db/ident` and so on): part of every schema, never datoms.
