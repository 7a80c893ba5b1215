//! Importers of foreign histories.
