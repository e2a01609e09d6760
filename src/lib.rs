//! scimshim: a reverse-proxy sidecar that makes an application SCIM-capable by configuration alone.
//!
//! The modules are the stages of a request, in order. Everything but the last group is pure: no sockets, no clocks,
//! no files; it builds without the `server` feature.

pub mod route;

pub mod auth;

pub mod scim;

pub mod dialect;

pub mod expr;

pub mod mapping;

pub mod plan;

pub mod config;

#[cfg(feature = "server")]
pub mod native;

#[cfg(feature = "server")]
pub mod demo;
