//! A SCIM request on its connection, from the head to the end of the answer.
//!
//! In: a connection whose next request was inspected and claimed. Out: the same connection, if it can be used again.
//! The proxying half of the library has no part in this: there is nothing to proxy.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use pingora::protocols::http::ServerSession;
use prometheus::IntGauge;
use tokio::sync::watch;

use super::edge::{Admission, Claim, EdgeRequest, EdgeResponse, Exchange, Live, RequestHead, RequestLabels};
use super::listener::Phase;
use super::{body, forward, respond};
use crate::scim::ScimError;
use crate::telemetry::Metrics;
use crate::telemetry::events::{Panicked, ScimAnswered};

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

/// Answers the request that is readable on `session`. Returns whether head and answer were whole, so that the
/// connection may be used again if the two ends want it.
pub(super) async fn serve(session: &mut ServerSession, incoming: Incoming<'_>, metrics: &Metrics) -> bool {
    if !matches!(session.read_request().await, Ok(true)) {
        // Its head was inspected, so that this is a client that went away.
        session.shutdown().await;
        return false;
    }
    let Incoming { live, started, peer, claim, phase } = incoming;
    let request_id = forward::request_id(&session.req_header().headers);
    let context = Context { live: &live, peer, request_id: &request_id, metrics };
    let response = context.answer(session, claim).await;
    if *phase.borrow() >= Phase::Leaving {
        session.set_keepalive(None);
    }
    let sent = respond::scim(session, &response, &request_id).await;
    let EdgeResponse { labels, status, scim_type, .. } = &response;
    let (duration, request_id) = (started.elapsed(), request_id.as_str());
    ScimAnswered { labels, status: *status, scim_type: *scim_type, request_id, duration }.emit(metrics);
    if sent.is_err() {
        session.shutdown().await;
    }
    sent.is_ok()
}

struct Context<'a> {
    live: &'a Live,
    peer: SocketAddr,
    request_id: &'a str,
    metrics: &'a Metrics,
}

impl Context<'_> {
    async fn answer(&self, session: &mut ServerSession, claim: Option<Box<dyn Claim>>) -> EdgeResponse {
        let request = session.req_header();
        let head = RequestHead { method: &request.method, path: request.uri.path(), headers: &request.headers };
        // A panic is a bug in the adapter; it costs this request and nothing else.
        match catch_unwind(AssertUnwindSafe(|| claim.map(|claim| claim.admit(&head)))) {
            Ok(Some(Admission::Scim(exchange))) => self.carry_out(session, exchange).await,
            Ok(Some(Admission::Answer(response))) => response,
            Ok(None) | Err(_) => self.failed(RequestLabels::default()),
        }
    }

    async fn carry_out(&self, session: &mut ServerSession, exchange: Box<dyn Exchange>) -> EdgeResponse {
        let _in_flight = InFlight::begin(&self.metrics.requests_in_flight);
        let labels = exchange.labels();
        let bounds = &self.live.bounds;
        match body::read(session, bounds.body_max_bytes, bounds.body_timeout).await {
            Err(fault) => EdgeResponse::error(&fault.into(), labels),
            Ok(body) => {
                let request = self.request(session, body);
                let answered = AssertUnwindSafe(exchange.answer(request)).catch_unwind().await;
                answered.unwrap_or_else(|_| self.failed(labels))
            }
        }
    }

    fn failed(&self, labels: RequestLabels) -> EdgeResponse {
        Panicked { request_id: self.request_id }.emit(self.metrics);
        EdgeResponse::error(&ScimError::internal("the adapter failed; see its log"), labels)
    }

    fn request(&self, session: &ServerSession, body: bytes::Bytes) -> EdgeRequest {
        let request = session.req_header();
        EdgeRequest {
            method: request.method.clone(),
            path: request.uri.path().to_owned(),
            query: request.uri.query().map(str::to_owned),
            headers: request.headers.clone(),
            body,
            origin: forward::origin(&request.headers, self.live.trusted.contain(self.peer.ip())),
            request_id: self.request_id.to_owned(),
            peer: self.peer.ip(),
        }
    }
}

/// One request under way, until dropped: a request that ends in no ordinary way is still counted out.
struct InFlight(IntGauge);

impl InFlight {
    fn begin(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
