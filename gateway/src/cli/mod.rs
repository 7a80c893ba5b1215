//! The commands of `daodb`, one file each.
