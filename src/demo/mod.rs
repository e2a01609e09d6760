//! Everything that is for showing and trying the sidecar: a sample application, provisioning cycles, a client.
//!
//! `acme` depends on nothing else in this crate: it is written as if SCIM did not exist. `cycle` and `client` know
//! SCIM from the outside, as an identity provider does. `sidecar` is the server itself, in this process, and `command`
//! puts them together. Nothing outside this folder depends on it but the command line.

pub mod acme;
pub mod client;
pub mod command;
pub mod cycle;
pub mod sidecar;
