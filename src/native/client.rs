//! In: the backends of a snapshot and its resolved secrets. Out: a client that turns one native call into one outcome.
//!
//! Bounds: calls under way and waiting per backend, time to connect, time per attempt, time per request, bytes per
//! reply, repetitions, and one new credential per call.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::credential::Attached;
use super::forward::Forwarded;
use super::kept::Keeping;
use super::request::Unsendable;
use super::upstream::Upstream;
use super::{request, retry};
use crate::auth::AuthKind;
use crate::config::secret::Secret;
use crate::config::{Backend, Limits, OutboundAuth, ResolvedSecrets, Snapshot};
use crate::plan::{Demand, NativeCall, NativeFailure, NativeOutcome, demand};
use crate::telemetry::Metrics;
use crate::telemetry::events::CredentialRefused;
use crate::telemetry::series::RetryReason;
use crate::telemetry::trace::Recording;

/// Sends native calls to the backends of one snapshot.
#[derive(Debug)]
pub struct NativeClient {
    upstreams: Vec<Upstream>,
    /// Secrets that bodies may hold.
    body_secrets: ResolvedSecrets,
    metrics: Arc<Metrics>,
}

/// What all calls of one SCIM request share.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// Index of the backend.
    pub backend: usize,
    /// When the SCIM request must be answered.
    pub deadline: Instant,
    /// Headers passed on for tracing, and the caller's credential.
    pub forwarded: &'a Forwarded<'a>,
    /// Route variables by `Snapshot::variables` index: a login may read them.
    pub variables: &'a [Option<serde_json::Value>],
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
    /// `https` without anything to trust, or with something that cannot be.
    #[error("backend {backend}: {source}")]
    Tls {
        /// The backend.
        backend: Arc<str>,
        /// What is wrong.
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
    /// A credential that is missing or cannot stand where it is sent, or `https` without root certificates.
    pub fn new(
        snapshot: &Snapshot,
        secrets: &ResolvedSecrets,
        metrics: Arc<Metrics>,
    ) -> Result<Self, NativeClientError> {
        Self::for_backends(&snapshot.backends, secrets, &snapshot.limits, &credential_secrets(snapshot), metrics)
    }

    /// As [`Self::new`]; `never_in_bodies` are secrets that no mapping may send, so that no request body, however it
    /// was made, can carry them to where they might be read again.
    pub(super) fn for_backends(
        backends: &[Backend],
        secrets: &ResolvedSecrets,
        limits: &Limits,
        never_in_bodies: &[usize],
        metrics: Arc<Metrics>,
    ) -> Result<Self, NativeClientError> {
        let upstream = |backend: &Backend| Upstream::new(backend, secrets, limits, &metrics);
        let upstreams = backends.iter().map(upstream).collect::<Result<_, _>>()?;
        let mut body_secrets: BTreeMap<usize, Secret> = secrets.clone();
        body_secrets.retain(|index, _| !never_in_bodies.contains(index));
        Ok(Self { upstreams, body_secrets, metrics })
    }

    /// Carries out one call. It ends by the deadline of the context, with [`NativeFailure::Timeout`] at the latest.
    /// What cannot be written as an HTTP request is not sent: [`NativeFailure::Unsendable`], and the log says why.
    pub async fn call(&self, call: &NativeCall, context: &CallContext<'_>) -> Completed {
        match context.forwarded.recording() {
            None => self.complete(call, context).await,
            // Boxed, as most calls are not recorded and need not make room for it.
            Some(recording) => Box::pin(self.recorded(call, context, recording)).await,
        }
    }

    /// As [`Self::call`], under a span of its own.
    async fn recorded(&self, call: &NativeCall, context: &CallContext<'_>, recording: &Recording) -> Completed {
        let (begun, span) = (std::time::Instant::now(), recording.new_span());
        let forwarded = context.forwarded.of_call(recording, span);
        let done = self.complete(call, &CallContext { forwarded: &forwarded, ..*context }).await;
        if let Some(upstream) = self.upstreams.get(context.backend) {
            let outcome = (&done.outcome, done.attempts);
            recording.native_call(span, None, begun, call, &upstream.backend, outcome);
        }
        done
    }

    async fn complete(&self, call: &NativeCall, context: &CallContext<'_>) -> Completed {
        let begun = Instant::now();
        let mut attempts = 0;
        let outcome = self.carry_out(call, context, &mut attempts).await;
        let outcome = outcome.unwrap_or_else(|reason| {
            tracing::error!(origin = %call.origin, slot = call.slot.as_str(), %reason, "native call not sent");
            NativeOutcome::Failed(NativeFailure::Unsendable)
        });
        Completed { outcome, duration: begun.elapsed(), attempts, kept: false }
    }

    async fn carry_out(
        &self,
        call: &NativeCall,
        context: &CallContext<'_>,
        attempts: &mut u32,
    ) -> Result<NativeOutcome, Unsendable> {
        let upstream = self.upstreams.get(context.backend).ok_or(Unsendable::Backend)?;
        if upstream.may_log_in() {
            // Before a login: what cannot be sent needs none.
            request::build(&upstream.envelope, call, Attached::Nothing, context.forwarded, &self.body_secrets)?;
        }
        let (mut refused, mut repeated) = (None, 0);
        loop {
            let held = match upstream.credential(refused, context).await {
                Ok(held) => held,
                Err(failure) => return Ok(NativeOutcome::Failed(failure)),
            };
            let attached = held.attached(context.forwarded);
            let request = request::build(&upstream.envelope, call, attached, context.forwarded, &self.body_secrets)?;
            let outcome = upstream.line.send(&request, retry::repeatable(call), context.deadline, attempts).await;
            let NativeOutcome::Reply(reply) = &outcome else { return Ok(outcome) };
            match demand(&upstream.backend, call, reply) {
                Demand::Nothing => return Ok(outcome),
                // A call that was refused was not carried out, so that any may be sent again: once.
                Demand::Credential => match held.generation().filter(|_| refused.is_none()) {
                    Some(generation) => {
                        upstream.line.series.retried(RetryReason::Credential);
                        refused = Some(generation);
                    }
                    None => {
                        self.note_refusal(upstream, call);
                        return Ok(outcome);
                    }
                },
                Demand::Repeat(rule) => {
                    if repeated >= rule.max || Instant::now() + rule.after >= context.deadline {
                        return Ok(outcome);
                    }
                    repeated += 1;
                    upstream.line.series.retried(RetryReason::Rule);
                    Box::pin(sleep(rule.after)).await;
                }
            }
        }
    }

    fn note_refusal(&self, upstream: &Upstream, call: &NativeCall) {
        // A credential that is passed on is the caller's business.
        if !matches!(upstream.backend.auth, OutboundAuth::Forward) {
            let (backend, slot) = (&*upstream.backend.name, call.slot);
            CredentialRefused { backend, slot, origin: &call.origin }.emit(&self.metrics);
        }
    }

    /// Takes the credentials of a backend out of a text that it may have sent back.
    pub fn redact(&self, backend: usize, text: &mut String) {
        let Some(upstream) = self.upstreams.get(backend) else { return };
        for secret in upstream.secret_texts() {
            // Short ones would be found everywhere.
            if secret.expose().len() >= REDACTED_MIN_BYTES && text.contains(secret.expose()) {
                *text = text.replace(secret.expose(), "***");
            }
        }
    }
}

/// Secrets that authenticate somebody: inbound tokens and the backends' own credentials.
fn credential_secrets(snapshot: &Snapshot) -> Vec<usize> {
    let inbound = snapshot.authenticators.iter().flat_map(|authenticator| match &authenticator.kind {
        AuthKind::Bearer { tokens } => tokens.clone(),
        AuthKind::None => Vec::new(),
    });
    let outbound = snapshot.backends.iter().flat_map(|backend| backend.auth.secrets());
    let certificates = snapshot.backends.iter().flat_map(|backend| {
        let (cert, key) = backend.tls.client.unzip();
        [backend.tls.ca, cert, key].into_iter().flatten()
    });
    let collector = snapshot.trace.iter().flat_map(|trace| {
        let (cert, key) = trace.tls.client.unzip();
        trace.headers.iter().map(|(_, secret)| *secret).chain([trace.tls.ca, cert, key].into_iter().flatten())
    });
    inbound.chain(outbound).chain(certificates).chain(collector).collect()
}

/// Tokens shorter than this are not looked for in texts.
const REDACTED_MIN_BYTES: usize = 8;
