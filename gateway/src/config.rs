//! Settings: flags, `DAODB_*` variables and a TOML file share their names.
