//! DaoDB sqltests.
