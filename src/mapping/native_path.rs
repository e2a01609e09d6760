//! Paths into native documents.
