//! DaoDB storage.
