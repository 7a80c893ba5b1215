//! DaoDB catalog.
