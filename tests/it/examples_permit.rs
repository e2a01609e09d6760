//! The example `permit`.
