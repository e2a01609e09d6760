//! A SCIM request on its connection, from the head to the end of the answer.
//!
//! In: a [`Conversation`] with a client whose request was inspected and claimed. Out: whether its connection can be
//! used again. The proxying half of the library has no part in this: there is nothing to proxy.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use pingora::protocols::http::ServerSession;
use tokio::sync::watch;

use super::body::{self, BodyFault};
use super::edge::{
    Admission, Claim, EdgeRequest, EdgeResponse, Exchange, HeaderList, Live, RequestHead, RequestLabels,
};
use super::listener::Phase;
use super::{forward, respond};
use crate::scim::ScimError;
use crate::telemetry::Metrics;
use crate::telemetry::events::{Panicked, ScimAnswered};
use crate::telemetry::series::Counted;
use crate::telemetry::trace::RequestTrace;

/// What is known of a request besides its bytes.
pub(super) struct Incoming<'a> {
    pub(super) live: Arc<Live>,
    pub(super) started: Instant,
    pub(super) peer: SocketAddr,
    /// `None`: deciding whose it is failed.
    pub(super) claim: Option<Box<dyn Claim>>,
    /// Once it is leaving, answers close their connection.
    pub(super) phase: &'a watch::Receiver<Phase>,
}

/// One request and its answer, however the two are read and written.
pub(super) trait Conversation: Send {
    /// What is known of the request before its body.
    fn head(&self) -> RequestHead<'_>;

    /// The headers, which nobody needs here any more.
    fn take_headers(&mut self) -> HeaderList;

    /// Reads the body.
    fn body(&mut self, max_bytes: usize, allowed: Duration) -> impl Future<Output = Result<Bytes, BodyFault>> + Send;

    /// The answer is the last one on this connection.
    fn close(&mut self);

    /// Writes the answer. Returns whether all went well, so that the connection may be used again if the two ends want
    /// it.
    fn answer(&mut self, response: &EdgeResponse, request_id: &str) -> impl Future<Output = bool> + Send;
}

/// Carries on a conversation to its end. Returns whether the connection may be used again.
pub(super) async fn serve(conversation: &mut impl Conversation, incoming: Incoming<'_>, metrics: &Metrics) -> bool {
    let Incoming { live, started, peer, claim, phase } = incoming;
    let request_id = forward::request_id(conversation.head().headers);
    let trace = RequestTrace::begin(live.tracer.as_ref(), conversation.head().headers, started);
    if let Some(recording) = trace.recording() {
        recording.stage("route", None, Vec::new());
    }
    let context = Context { live: &live, peer, request_id: &request_id, trace: &trace, metrics };
    let response = context.answer(conversation, claim).await;
    if *phase.borrow() >= Phase::Leaving {
        conversation.close();
    }
    let whole = conversation.answer(&response, &request_id).await;
    if let Some(recording) = trace.recording() {
        recording.answered(conversation.head().method, &response, &request_id);
    }
    let EdgeResponse { labels, status, scim_type, bound, work, .. } = response;
    let (ended, request_id, trace_id) = (Instant::now(), request_id.as_str(), trace.id());
    let (labels, duration) = (&labels, ended.saturating_duration_since(started));
    ScimAnswered { labels, status, scim_type, bound, request_id, trace_id, duration, ended, work }.emit(metrics);
    whole
}

/// A conversation by way of the proxy library: for bodies that frame themselves.
pub(super) struct Framed {
    pub(super) session: ServerSession,
    headers: HeaderList,
}

impl Framed {
    /// Of a session whose head was read.
    pub(super) fn new(session: ServerSession) -> Self {
        let headers = HeaderList::from(&session.req_header().headers);
        Self { session, headers }
    }
}

impl Conversation for Framed {
    fn head(&self) -> RequestHead<'_> {
        let request = self.session.req_header();
        let (path, query) = (request.uri.path(), request.uri.query());
        RequestHead { method: &request.method, path, query, headers: &self.headers }
    }

    fn take_headers(&mut self) -> HeaderList {
        std::mem::take(&mut self.headers)
    }

    async fn body(&mut self, max_bytes: usize, allowed: Duration) -> Result<Bytes, BodyFault> {
        body::read(&mut self.session, max_bytes, allowed).await
    }

    fn close(&mut self) {
        self.session.set_keepalive(None);
    }

    async fn answer(&mut self, response: &EdgeResponse, request_id: &str) -> bool {
        respond::scim(&mut self.session, response, request_id).await.is_ok()
    }
}

struct Context<'a> {
    live: &'a Live,
    peer: SocketAddr,
    request_id: &'a str,
    trace: &'a RequestTrace,
    metrics: &'a Metrics,
}

impl Context<'_> {
    async fn answer(&self, conversation: &mut impl Conversation, claim: Option<Box<dyn Claim>>) -> EdgeResponse {
        let head = conversation.head();
        let recorded = self.trace.recording().map(|recording| (recording, Instant::now()));
        // A panic is a bug in the adapter; it costs this request and nothing else.
        let admission = catch_unwind(AssertUnwindSafe(|| claim.map(|claim| claim.admit(&head))));
        if let Some((recording, begun)) = recorded {
            recording.stage("auth", Some(begun), Vec::new());
        }
        match admission {
            Ok(Some(Admission::Scim(exchange))) => self.carry_out(conversation, exchange).await,
            Ok(Some(Admission::Answer(response))) => response,
            Ok(None) | Err(_) => self.failed(RequestLabels::default()),
        }
    }

    async fn carry_out(&self, conversation: &mut impl Conversation, exchange: Box<dyn Exchange>) -> EdgeResponse {
        let _in_flight = Counted::begin(&self.metrics.requests_in_flight);
        let labels = exchange.labels();
        let bounds = &self.live.bounds;
        match conversation.body(bounds.body_max_bytes, bounds.body_timeout).await {
            Err(fault) => EdgeResponse::error(&fault.into(), labels),
            Ok(body) => {
                let request = self.request(conversation, body);
                let answered = AssertUnwindSafe(exchange.answer(request)).catch_unwind().await;
                answered.unwrap_or_else(|_| self.failed(labels))
            }
        }
    }

    fn failed(&self, labels: RequestLabels) -> EdgeResponse {
        Panicked { request_id: self.request_id }.emit(self.metrics);
        EdgeResponse::error(&ScimError::internal("the adapter failed; see its log"), labels)
    }

    fn request(&self, conversation: &mut impl Conversation, body: Bytes) -> EdgeRequest {
        let RequestHead { method, path, query, headers } = conversation.head();
        let origin = forward::origin(headers, self.live.trusted.contain(self.peer.ip()));
        let (method, path, query) = (method.clone(), path.to_owned(), query.map(str::to_owned));
        let (request_id, peer) = (self.request_id.to_owned(), self.peer.ip());
        let (headers, trace) = (conversation.take_headers(), self.trace.clone());
        EdgeRequest { method, path, query, headers, body, origin, request_id, peer, trace }
    }
}
