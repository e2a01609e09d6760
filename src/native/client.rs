//! In: the backends of a snapshot and its resolved secrets. Out: a client that turns one native call into one outcome.
//!
//! Bounds: calls under way per backend, time to connect, time per attempt, time per request, bytes per reply, and at
//! most two repetitions, by the rules of the module `retry`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::forward::Forwarded;
use super::kept::Keeping;
use super::request::{Envelope, Unsendable};
use super::transport::{Transport, TransportOptions};
use super::{request, retry};
use crate::auth::AuthKind;
use crate::config::secret::Secret;
use crate::config::{Backend, Limits, OutboundAuth, ResolvedSecrets, Snapshot};
use crate::plan::{NativeCall, NativeFailure, NativeOutcome};

/// Sends native calls to the backends of one snapshot.
#[derive(Debug)]
pub struct NativeClient {
    upstreams: Vec<Upstream>,
    /// Secrets that bodies may hold.
    body_secrets: ResolvedSecrets,
}

/// What all calls of one SCIM request share.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// Index of the backend.
    pub backend: usize,
    /// When the SCIM request must be answered.
    pub deadline: Instant,
    /// Headers passed on for tracing.
    pub forwarded: &'a Forwarded,
    /// Replies that may be used again; without them every call is carried out.
    pub keeping: Option<Keeping<'a>>,
}

/// A call that has been carried out, or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// What became of it.
    pub outcome: NativeOutcome,
    /// How long it took, waiting and retries included.
    pub duration: Duration,
    /// How often it was tried.
    pub attempts: u32,
    /// Answered from a reply that was kept: nothing was sent.
    pub kept: bool,
}

/// Why no client can be made of a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum NativeClientError {
    /// `https` without anything to trust.
    #[error("backend {backend}: no system root certificates: {source}")]
    NoRoots {
        /// The backend.
        backend: Arc<str>,
        /// What the system says.
        source: io::Error,
    },
    /// A secret was not resolved.
    #[error("backend {backend}: its credential is not resolved")]
    NoSecret {
        /// The backend.
        backend: Arc<str>,
    },
    /// URL or credential cannot stand in a request.
    #[error("backend {backend}: {what} cannot stand in an HTTP request")]
    Unsendable {
        /// The backend.
        backend: Arc<str>,
        /// Which of its settings.
        what: &'static str,
    },
}

impl NativeClient {
    /// Makes the client of a snapshot. Nothing connects before the first call; system root certificates are read only
    /// if some backend is `https`.
    ///
    /// # Errors
    ///
    /// A credential that is missing or cannot stand in a header, or `https` without root certificates.
    pub fn new(snapshot: &Snapshot, secrets: &ResolvedSecrets) -> Result<Self, NativeClientError> {
        Self::for_backends(&snapshot.backends, secrets, &snapshot.limits, &credential_secrets(snapshot))
    }

    /// As [`Self::new`]; `never_in_bodies` are secrets that only headers may hold, so that no request body, however it
    /// was made, can carry them to where they might be read again.
    pub(super) fn for_backends(
        backends: &[Backend],
        secrets: &ResolvedSecrets,
        limits: &Limits,
        never_in_bodies: &[usize],
    ) -> Result<Self, NativeClientError> {
        let upstreams =
            backends.iter().map(|backend| Upstream::new(backend, secrets, limits)).collect::<Result<_, _>>()?;
        let mut body_secrets: BTreeMap<usize, Secret> = secrets.clone();
        body_secrets.retain(|index, _| !never_in_bodies.contains(index));
        Ok(Self { upstreams, body_secrets })
    }

    /// Carries out one call. It ends by the deadline of the context, with [`NativeFailure::Timeout`] at the latest.
    /// What cannot be written as an HTTP request is not sent: [`NativeFailure::Unsendable`], and the log says why.
    pub async fn call(&self, call: &NativeCall, context: &CallContext<'_>) -> Completed {
        let begun = Instant::now();
        let (outcome, attempts) = match self.prepare(call, context) {
            Ok((upstream, request)) => self.send_with_retries(upstream, &request, call, context.deadline).await,
            Err(reason) => {
                tracing::error!(origin = %call.origin, slot = call.slot.as_str(), %reason, "native call not sent");
                (NativeOutcome::Failed(NativeFailure::Unsendable), 0)
            }
        };
        Completed { outcome, duration: begun.elapsed(), attempts, kept: false }
    }

    fn prepare(
        &self,
        call: &NativeCall,
        context: &CallContext<'_>,
    ) -> Result<(&Upstream, Request<Full<Bytes>>), Unsendable> {
        let upstream = self.upstreams.get(context.backend).ok_or(Unsendable::Backend)?;
        let request = request::build(&upstream.envelope, call, context.forwarded, &self.body_secrets)?;
        Ok((upstream, request))
    }

    async fn send_with_retries(
        &self,
        upstream: &Upstream,
        request: &Request<Full<Bytes>>,
        call: &NativeCall,
        deadline: Instant,
    ) -> (NativeOutcome, u32) {
        let mut attempts = 0;
        loop {
            let permit = timeout_at(deadline, upstream.gate.acquire()).await;
            // A turn that comes with the deadline comes too late.
            if permit.is_err() || Instant::now() >= deadline {
                return (NativeOutcome::Failed(NativeFailure::Timeout), attempts);
            }
            attempts += 1;
            let outcome = Self::attempt(upstream, request.clone(), deadline).await;
            drop(permit);
            let Some(pause) = retry::pause(call, &outcome, attempts, retry::jitter()) else {
                return (outcome, attempts);
            };
            if Instant::now() + pause >= deadline {
                return (outcome, attempts);
            }
            tracing::debug!(backend = %upstream.name, slot = call.slot.as_str(), attempts, "native call is repeated");
            sleep(pause).await;
        }
    }

    async fn attempt(upstream: &Upstream, request: Request<Full<Bytes>>, deadline: Instant) -> NativeOutcome {
        let until = deadline.min(Instant::now() + upstream.timeout);
        match timeout_at(until, upstream.transport.exchange(request)).await {
            Ok(Ok(reply)) => NativeOutcome::Reply(reply),
            Ok(Err(failure)) => NativeOutcome::Failed(failure),
            Err(_) => NativeOutcome::Failed(NativeFailure::Timeout),
        }
    }
}

/// One backend.
#[derive(Debug)]
struct Upstream {
    name: Arc<str>,
    transport: Transport,
    /// One permit per call under way.
    gate: Semaphore,
    /// Time per attempt.
    timeout: Duration,
    envelope: Envelope,
}

impl Upstream {
    fn new(backend: &Backend, secrets: &ResolvedSecrets, limits: &Limits) -> Result<Self, NativeClientError> {
        let concurrency = backend.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let transport = Transport::new(TransportOptions {
            name: Arc::clone(&backend.name),
            tls: backend.url.tls,
            connect_timeout: limits.upstream_connect_timeout,
            idle_max: concurrency,
            reply_max_bytes: limits.reply_max_bytes,
        })
        .map_err(|source| NativeClientError::NoRoots { backend: Arc::clone(&backend.name), source })?;
        Ok(Self {
            name: Arc::clone(&backend.name),
            transport,
            gate: Semaphore::new(concurrency),
            timeout: backend.timeout,
            envelope: Envelope::new(backend, secrets)?,
        })
    }
}

/// Secrets that authenticate somebody: inbound tokens and the backends' own credentials.
fn credential_secrets(snapshot: &Snapshot) -> Vec<usize> {
    let inbound = snapshot.authenticators.iter().flat_map(|authenticator| match &authenticator.kind {
        AuthKind::Bearer { tokens } => tokens.as_slice(),
        AuthKind::None => &[],
    });
    let outbound = snapshot.backends.iter().filter_map(|backend| match &backend.auth {
        OutboundAuth::None => None,
        OutboundAuth::Bearer(secret)
        | OutboundAuth::Header { token: secret, .. }
        | OutboundAuth::Basic { password: secret, .. } => Some(secret),
    });
    inbound.chain(outbound).copied().collect()
}
