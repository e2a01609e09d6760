//! scimshim: a reverse-proxy sidecar that makes an application SCIM-capable by configuration alone.
//!
//! The modules are the stages of a request, in order; `ARCHITECTURE.md` tells what passes between them. The first
//! group is pure: no sockets, no clocks, no files. It builds without the `server` feature.

pub mod pattern;

pub mod route;

pub mod auth;

pub mod scim;

pub mod document;

pub mod dialect;

pub mod expr;

pub mod mapping;

pub mod plan;

pub mod config;

pub mod cases;
pub mod explain;

#[cfg(feature = "server")]
pub mod native;

#[cfg(feature = "server")]
pub mod adapter;

#[cfg(feature = "server")]
pub mod proxy;

#[cfg(feature = "server")]
pub mod telemetry;

#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "server")]
pub mod online;

#[cfg(feature = "server")]
pub mod cli;

#[cfg(feature = "server")]
pub mod demo;
