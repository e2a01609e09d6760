//! Sample applications the adapter is shown, tested and measured against.
//!
//! Nothing outside this folder depends on it, and nothing in it depends on the rest of the crate: a sample
//! application is written as if SCIM did not exist.

pub mod acme;
