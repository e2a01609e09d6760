//! The sidecar in this process: a configuration in, a server out that remembers what it did.
//!
//! It is the server that `run` starts, without its reloads and signals: the configuration is a text, secrets may be
//! given as values, and every exchange is kept for a moment, so that a cycle can show what a request became.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::Uri;

use super::cycle::Observer;
use crate::adapter::{ExchangeRecord, ExchangeSink, ResourceLocks, Shared};
use crate::auth::AuthKind;
use crate::config::reload::{self, LoadError, Outcome};
use crate::config::secret::{Secret, SecretKind};
use crate::config::{BaseUrl, ResolvedSecrets, Snapshot, Source, compile, render};
use crate::server::load::{prepare, resolve_secrets};
use crate::server::{self, BindError, Listeners, RunOptions, Running};
use crate::telemetry::Metrics;
use crate::telemetry::events::ConfigLoaded;

/// What a sidecar is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Name of the configuration; files that it refers to are looked for beside it.
    pub file: PathBuf,
    /// The configuration.
    pub text: String,
    /// Where to listen, instead of where the configuration says.
    pub listen: SocketAddr,
    /// Where the application is, instead of where the configuration says.
    pub upstream: Option<String>,
    /// Secrets by the name of the environment variable that they stand for; others come from the environment.
    pub variables: Vec<(&'static str, String)>,
    /// When its credentials expire, where the configuration does not say: seconds since 1970.
    pub expires: Option<i64>,
}

/// A running sidecar. It stops with [`Sidecar::stop`] or with the process.
#[derive(Debug)]
pub struct Sidecar {
    running: Running,
    seen: Arc<Seen>,
    locks: Arc<ResourceLocks>,
    base_path: String,
    token: String,
}

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The configuration is wrong; everything that is.
    #[error("{0}")]
    Config(String),
    /// The address of the application is none.
    #[error("{0} is not the URL of an application")]
    Upstream(String),
    /// The configuration cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The metrics cannot be registered, which a test excludes.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The server.
    #[error(transparent)]
    Start(#[from] io::Error),
}

impl Sidecar {
    /// Compiles the configuration and serves it.
    ///
    /// # Errors
    /// [`SidecarError`].
    pub async fn start(setup: Setup) -> Result<Sidecar, SidecarError> {
        let source = Source { name: setup.file.display().to_string().into(), text: setup.text };
        let mut snapshot = compile(source).map_err(|findings| SidecarError::Config(render(&findings)))?;
        if let Some(url) = setup.upstream {
            let url = base_url(&url).ok_or(SidecarError::Upstream(url))?;
            for backend in &mut snapshot.backends {
                backend.url = url.clone();
            }
        }
        supply(&mut snapshot, &setup.variables);
        if let Some(at) = setup.expires {
            end_at(&mut snapshot, at);
        }
        let secrets = resolve_secrets(&snapshot, setup.file.parent().unwrap_or(Path::new(""))).await?;
        let token = inbound_token(&snapshot, &secrets);
        let base_path = snapshot.routes.first().map(|route| sample_path(&route.label)).unwrap_or_default();
        let any_port = SocketAddr::new(setup.listen.ip(), 0);
        let listeners = Listeners::bind(setup.listen, any_port).await?;
        let metrics = Metrics::new()?;
        let seen = Arc::new(Seen::default());
        let sink: Arc<dyn ExchangeSink> = Arc::<Seen>::clone(&seen);
        let locks = Arc::new(ResourceLocks::default());
        let shared = Shared { metrics: Arc::clone(&metrics), locks: Arc::clone(&locks), sink: Some(sink) };
        let options = RunOptions { max_connections: snapshot.server.max_connections };
        let live = prepare(Arc::new(snapshot), &secrets, shared).await?;
        let (hash, now) = (&live.hash, reload::now());
        ConfigLoaded { outcome: Outcome::Applied.as_str(), success: true, hash, now, remarks: &[] }.emit(&metrics);
        let running = server::start(Arc::new(ArcSwap::from_pointee(live)), listeners, options, metrics)?;
        Ok(Sidecar { running, seen, locks, base_path, token })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.running.data_addr
    }

    /// Where its metrics and probes are.
    pub fn admin_addr(&self) -> SocketAddr {
        self.running.admin_addr
    }

    /// Requests that wait for another one to the same resource.
    pub fn waiting(&self) -> usize {
        self.locks.waiting()
    }

    /// The SCIM base URL of the first route; variables in its path get a sample value.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.running.data_addr, self.base_path)
    }

    /// A token it accepts; empty if it asks for none.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What it makes of requests.
    pub fn observer(&self) -> &impl Observer {
        &*self.seen
    }

    /// Stops without waiting for anybody: told again, each phase of stopping gives way to the next.
    pub fn stop(&self) {
        for _ in 0..3 {
            self.running.stop();
        }
    }
}

/// The latest exchanges.
#[derive(Debug, Default)]
struct Seen(Mutex<VecDeque<ExchangeRecord>>);

impl ExchangeSink for Seen {
    fn exchange(&self, record: ExchangeRecord) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == SEEN_MAX {
            records.pop_front();
        }
        records.push_back(record);
    }
}

impl Observer for Seen {
    fn observed(&self, request_id: &str) -> Option<ExchangeRecord> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().rev().find(|record| record.request_id == request_id).cloned()
    }
}

/// Observes nothing: for a sidecar in another process.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere;

impl Observer for Elsewhere {
    fn observed(&self, _request_id: &str) -> Option<ExchangeRecord> {
        None
    }
}

/// Puts the given values in the place of environment variables.
fn supply(snapshot: &mut Snapshot, variables: &[(&'static str, String)]) {
    for reference in &mut snapshot.secrets {
        let SecretKind::Env(name) = &reference.kind else { continue };
        if let Some((_, value)) = variables.iter().find(|(known, _)| known == name) {
            reference.kind = SecretKind::Plain(Secret::new(value.as_str()));
        }
    }
}

/// Has credentials expire that say nothing of the kind.
fn end_at(snapshot: &mut Snapshot, at: i64) {
    for token in snapshot.authenticators.iter_mut().flat_map(|authenticator| &mut authenticator.tokens) {
        token.expires.get_or_insert(at);
    }
    for backend in &mut snapshot.backends {
        if !backend.auth.secrets().is_empty() {
            backend.expires.get_or_insert(at);
        }
    }
}

/// The first token of the first route.
fn inbound_token(snapshot: &Snapshot, secrets: &ResolvedSecrets) -> String {
    let authenticator = snapshot.routes.first().and_then(|route| snapshot.authenticators.get(route.auth?));
    let index = authenticator.and_then(|authenticator| match &authenticator.kind {
        AuthKind::Bearer { tokens } => tokens.first(),
        AuthKind::None => None,
    });
    index.and_then(|index| secrets.get(index)).map(|secret| secret.expose().to_owned()).unwrap_or_default()
}

/// A path that the route matches, if its variables take a plain word.
fn sample_path(label: &str) -> String {
    let word = |segment: &str| if segment.starts_with('{') { "demo".to_owned() } else { segment.to_owned() };
    label.split('/').map(word).collect::<Vec<_>>().join("/")
}

fn base_url(url: &str) -> Option<BaseUrl> {
    let uri: Uri = url.parse().ok()?;
    let tls = match uri.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let path = uri.path().trim_end_matches('/').to_owned();
    Some(BaseUrl { tls, host: uri.host()?.to_owned(), port, path })
}

/// Enough for the requests of one step.
const SEEN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{base_url, sample_path};

    #[test]
    fn variables_get_sample_values() {
        assert_eq!(sample_path("/scim/v2/{project}/{env}"), "/scim/v2/demo/demo");
        assert_eq!(sample_path("/scim/v2"), "/scim/v2");
    }

    #[test]
    fn an_upstream_is_a_url() {
        let url = base_url("http://127.0.0.1:18101/hub/api/").unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.port, url.path.as_str()), (false, "127.0.0.1", 18101, "/hub/api"));
        assert_eq!(
            base_url("https://app.example").map(|url| (url.tls, url.port, url.path)),
            Some((true, 443, String::new()))
        );
        for bad in ["", "app", "ftp://app", "/api"] {
            assert!(base_url(bad).is_none(), "{bad}");
        }
    }
}
