//! One backend: its line, what its calls have in common, and its credential.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::breaker::Breaker;
use super::client::{CallContext, NativeClientError};
use super::credential::{Attached, Token};
use super::forward::Forwarded;
use super::line::Line;
use super::outgoing::Outgoing;
use super::request::{self, Envelope};
use super::session::{Fresh, Held, SessionKey, Sessions};
use super::transport::{Transport, TransportOptions};
use super::turns::Turns;
use super::{login, retry, tls};
use crate::config::secret::Secret;
use crate::config::{
    Backend, BackendTls, BaseUrl, ClientCredentials, Limits, OutboundAuth, ResolvedSecrets, SessionLogin,
};
use crate::plan::{NativeFailure, login_call};
use crate::telemetry::Metrics;
use crate::telemetry::events::LoggedIn;
use crate::telemetry::series::LineSeries;

/// One backend.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) backend: Backend,
    pub(super) envelope: Envelope,
    pub(super) line: Line,
    credential: Credential,
}

#[derive(Debug)]
enum Credential {
    None,
    /// The caller's own.
    Caller,
    Fixed(Token),
    Session {
        login: Box<SessionLogin>,
        /// Secrets of the login's body.
        secrets: ResolvedSecrets,
        sessions: Sessions,
    },
    OAuth2 {
        client: Box<ClientCredentials>,
        secret: Secret,
        line: Box<Line>,
        sessions: Sessions,
    },
}

/// What one call is sent with.
#[derive(Debug)]
pub(super) enum Carried<'u> {
    Nothing,
    Caller,
    Fixed(&'u Token),
    Fetched(Held),
}

impl Carried<'_> {
    pub(super) fn attached<'a>(&'a self, forwarded: &'a Forwarded<'_>) -> Attached<'a> {
        match self {
            Self::Nothing => Attached::Nothing,
            Self::Caller => Attached::Caller(forwarded.authorization()),
            Self::Fixed(token) => Attached::Token(token),
            Self::Fetched(held) => Attached::Token(&held.token),
        }
    }

    /// Which fetch the token came from, if another fetch may give another one.
    pub(super) fn generation(&self) -> Option<u64> {
        match self {
            Self::Fetched(held) => Some(held.generation),
            Self::Nothing | Self::Caller | Self::Fixed(_) => None,
        }
    }
}

impl Upstream {
    pub(super) fn new(
        backend: &Backend,
        secrets: &ResolvedSecrets,
        limits: &Limits,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, NativeClientError> {
        let series = LineSeries::new(&metrics.native, &backend.name);
        let line = Line {
            name: Arc::clone(&backend.name),
            transport: transport(backend, &backend.url, &backend.tls, secrets, limits)?,
            turns: Turns::new(backend.concurrency, backend.queue, backend.spacing, series.queued.clone()),
            breaker: Breaker::new(backend.breaker),
            timeout: backend.timeout,
            retry: backend.retry,
            metrics: Arc::clone(metrics),
            series,
        };
        line.note_breaker();
        Ok(Self {
            envelope: Envelope::new(backend)?,
            credential: Credential::new(backend, secrets, limits, metrics)?,
            backend: backend.clone(),
            line,
        })
    }

    /// Whether a call may have to wait for a login.
    pub(super) fn may_log_in(&self) -> bool {
        matches!(self.credential, Credential::Session { .. } | Credential::OAuth2 { .. })
    }

    /// What a call is to be sent with; `refused` is the fetch whose token was not accepted.
    pub(super) async fn credential(
        &self,
        refused: Option<u64>,
        context: &CallContext<'_>,
    ) -> Result<Carried<'_>, NativeFailure> {
        let deadline = context.deadline;
        // Boxed, as a call whose credential is fixed need not make room for it.
        let held = match &self.credential {
            Credential::None => return Ok(Carried::Nothing),
            Credential::Caller => return Ok(Carried::Caller),
            Credential::Fixed(token) => return Ok(Carried::Fixed(token)),
            Credential::Session { login, secrets, sessions } => {
                let session = sessions.of(key(login, context.variables));
                let fetch = async { self.note_login(Box::pin(self.log_in(login, secrets, context)).await) };
                Box::pin(async move { session.token(refused, deadline, fetch).await }).await
            }
            Credential::OAuth2 { client, secret, line, sessions } => {
                let session = sessions.of(SessionKey::new());
                let fetch =
                    async { self.note_login(Box::pin(self.access_token(client, secret, line, deadline)).await) };
                Box::pin(async move { session.token(refused, deadline, fetch).await }).await
            }
        };
        held.map(Carried::Fetched)
    }

    async fn log_in(
        &self,
        login: &SessionLogin,
        secrets: &ResolvedSecrets,
        context: &CallContext<'_>,
    ) -> Result<Fresh, NativeFailure> {
        let unsendable = |reason: &dyn std::fmt::Display| {
            tracing::error!(backend = %self.backend.name, origin = %login.login.origin, %reason, "login not sent");
            NativeFailure::Unsendable
        };
        let call = login_call(&self.backend, login, context.variables).map_err(|error| unsendable(&error.detail))?;
        let begun = std::time::Instant::now();
        let recorded = context.forwarded.recording().map(|recording| (recording, recording.new_span()));
        let own = recorded.map(|(recording, span)| context.forwarded.of_call(recording, span));
        let forwarded = own.as_ref().unwrap_or(context.forwarded);
        let request = request::build(&self.envelope, &call, Attached::Nothing, forwarded, secrets)
            .map_err(|reason| unsendable(&reason))?;
        let mut attempts = 0;
        let outcome = self.line.send(&request, retry::repeatable(&call), context.deadline, &mut attempts).await;
        if let Some((recording, span)) = recorded {
            let below = context.forwarded.span();
            recording.native_call(span, below, begun, &call, &self.backend, (&outcome, attempts));
        }
        login::session_token(login, &outcome, &self.backend.name)
    }

    async fn access_token(
        &self,
        client: &ClientCredentials,
        secret: &Secret,
        line: &Line,
        deadline: Instant,
    ) -> Result<Fresh, NativeFailure> {
        let request = login::token_request(client, secret).map_err(|_| NativeFailure::Unsendable)?;
        let request = Outgoing::of(&request).ok_or(NativeFailure::Unsendable)?;
        // Asking twice gives two tokens and does no harm.
        let outcome = line.send(&request, true, deadline, &mut 0).await;
        login::access_token(client, &outcome, &self.backend.name)
    }

    fn note_login(&self, result: Result<Fresh, NativeFailure>) -> Result<Fresh, NativeFailure> {
        let outcome = result.as_ref().map_or_else(|failure| failure.as_str(), |_| "ok");
        LoggedIn { backend: &self.backend.name, outcome }.emit(&self.line.metrics);
        result
    }

    /// Every text that nobody outside may read.
    pub(super) fn secret_texts(&self) -> Vec<Secret> {
        match &self.credential {
            Credential::None | Credential::Caller => Vec::new(),
            Credential::Fixed(token) => vec![token.bare().clone(), token.text().clone()],
            Credential::Session { secrets, sessions, .. } => {
                sessions.texts().into_iter().chain(secrets.values().cloned()).collect()
            }
            Credential::OAuth2 { secret, sessions, .. } => {
                sessions.texts().into_iter().chain([secret.clone()]).collect()
            }
        }
    }
}

impl Credential {
    fn new(
        backend: &Backend,
        secrets: &ResolvedSecrets,
        limits: &Limits,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, NativeClientError> {
        let missing = || NativeClientError::NoSecret { backend: Arc::clone(&backend.name) };
        let secret = |index: &usize| secrets.get(index).ok_or_else(missing);
        let unsendable =
            |_| NativeClientError::Unsendable { backend: Arc::clone(&backend.name), what: "its credential" };
        Ok(match &backend.auth {
            OutboundAuth::None => Self::None,
            OutboundAuth::Forward => Self::Caller,
            OutboundAuth::Basic { user, password } => {
                let token = Token::basic(user, secret(password)?).map_err(unsendable)?;
                Self::Fixed(token)
            }
            OutboundAuth::Token { token, send } => {
                Self::Fixed(Token::new(send, secret(token)?.expose()).map_err(unsendable)?)
            }
            OutboundAuth::Session(login) => {
                let own = login.secrets.iter().map(|index| Ok((*index, secret(index)?.clone())));
                let secrets = own.collect::<Result<_, _>>()?;
                Self::Session { login: login.clone(), secrets, sessions: Sessions::default() }
            }
            OutboundAuth::OAuth2(client) => {
                let url = &client.token_url;
                // What is said about the backend's certificate holds for the same host only.
                let same = url.host == backend.url.host;
                let tls = if same { backend.tls.clone() } else { BackendTls::default() };
                let series = LineSeries::new(&metrics.native, &backend.name);
                let line = Line {
                    name: Arc::clone(&backend.name),
                    transport: transport(backend, url, &tls, secrets, limits)?,
                    turns: Turns::new(1, backend.queue, None, series.queued.clone()),
                    // A failed login is not tried again for a while, whoever asks.
                    breaker: Breaker::new(None),
                    timeout: backend.timeout,
                    retry: backend.retry,
                    metrics: Arc::clone(metrics),
                    series,
                };
                let secret = secret(&client.client_secret)?.clone();
                let sessions = Sessions::default();
                Self::OAuth2 { client: client.clone(), secret, line: Box::new(line), sessions }
            }
        })
    }
}

fn transport(
    backend: &Backend,
    url: &BaseUrl,
    tls: &BackendTls,
    secrets: &ResolvedSecrets,
    limits: &Limits,
) -> Result<Transport, NativeClientError> {
    let fault = |source| NativeClientError::Tls { backend: Arc::clone(&backend.name), source };
    let tls = if url.tls { Some(tls::trust(tls, secrets).map_err(fault)?) } else { None };
    Ok(Transport::new(TransportOptions {
        name: Arc::clone(&backend.name),
        tls,
        connect_timeout: limits.upstream_connect_timeout,
        idle_max: backend.concurrency,
        reply_max_bytes: limits.reply_max_bytes,
    }))
}

/// Requests whose login would be the same share a session.
fn key(login: &SessionLogin, variables: &[Option<Value>]) -> SessionKey {
    let text = |index: &usize| variables.get(*index)?.as_ref()?.as_str().map(str::to_owned);
    login.variables.iter().map(text).collect()
}
