//! The sidecar in this process: a configuration in, a server on loopback out that remembers what it did.
//!
//! It is the server that `run` starts, without its files and signals: the configuration is a text, secrets come from
//! a function, and every exchange is kept for a moment, so that a cycle can show what a request became.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::Uri;

use super::cycle::Observer;
use crate::adapter::{Adapter, AdapterError, ExchangeRecord, ExchangeSink, ResourceLocks, Shared};
use crate::auth::AuthKind;
use crate::config::{self, BaseUrl, ResolvedSecrets, Snapshot, Source};
use crate::server::{self, BindError, Listeners, Running};
use crate::telemetry::Metrics;

/// What a sidecar is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Name of the configuration, for what is said about it.
    pub name: String,
    /// The configuration.
    pub text: String,
    /// Where to listen, instead of where the configuration says.
    pub listen: SocketAddr,
    /// Where the application is, instead of where the configuration says.
    pub upstream: Option<String>,
}

/// A running sidecar.
#[derive(Debug)]
pub struct Sidecar {
    running: Running,
    seen: Arc<Seen>,
    base_path: String,
    token: String,
}
