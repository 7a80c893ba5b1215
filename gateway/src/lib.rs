//! DaoDB gateway.
