//! The stages of a request, about one line each, as hooks of the proxy library.
//!
//! In: sessions whose head was inspected. Out: SCIM answers from the [`ScimService`](super::edge::ScimService) of the
//! configuration in force when the request began; everything else goes to the application and streams both ways.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures_util::FutureExt;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use prometheus::IntGauge;
use tokio::sync::watch;

use super::body;
use super::edge::{Admission, EdgeRequest, EdgeResponse, Exchange, Live, RequestHead, RequestLabels};
use super::forward::{self, origin};
use super::respond;
use super::upstream::Tunnel;
use crate::scim::ScimError;
use crate::telemetry::Metrics;
use crate::telemetry::events::{Panicked, PassedThrough, ScimAnswered};

/// The proxy.
pub struct ScimProxy {
    current: Arc<ArcSwap<Live>>,
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
}

impl ScimProxy {
    /// A proxy that takes its configuration from `current` at the start of each request. Once `stopping` is true,
    /// answers close their connection.
    pub fn new(current: Arc<ArcSwap<Live>>, metrics: Arc<Metrics>, stopping: watch::Receiver<bool>) -> Self {
        Self { current, metrics, stopping }
    }

    /// Answers a request that is SCIM's: reads its body, has it answered, writes the answer.
    async fn serve(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        exchange: Box<dyn Exchange>,
    ) -> pingora::Result<()> {
        ctx.in_flight = Some(InFlight::begin(&self.metrics.requests_in_flight));
        let labels = exchange.labels();
        let bounds = &ctx.live.bounds;
        let response = match body::read(session, bounds.body_max_bytes, bounds.body_timeout).await {
            Err(fault) => EdgeResponse::error(&fault.into(), labels),
            Ok(body) => {
                let request = edge_request(session, ctx, body);
                // A panic is a bug in the adapter; it costs this request and nothing else.
                match AssertUnwindSafe(exchange.answer(request)).catch_unwind().await {
                    Ok(response) => response,
                    Err(_) => {
                        Panicked { request_id: &ctx.request_id }.emit(&self.metrics);
                        EdgeResponse::error(&ScimError::internal("the adapter failed; see its log"), labels)
                    }
                }
            }
        };
        self.write(session, ctx, response).await
    }

    async fn write(&self, session: &mut Session, ctx: &mut Context, response: EdgeResponse) -> pingora::Result<()> {
        self.close_if_stopping(session);
        let sent = respond::scim(session, &response, &ctx.request_id).await;
        ctx.outcome = Some(Outcome::Scim(response));
        sent
    }

    fn close_if_stopping(&self, session: &mut Session) {
        if *self.stopping.borrow() {
            session.set_keepalive(None);
        }
    }
}

/// What is kept about one request.
pub struct Context {
    live: Arc<Live>,
    started: Instant,
    request_id: String,
    peer: SocketAddr,
    peer_trusted: bool,
    /// `None` while it is undecided, and for what passes through.
    outcome: Option<Outcome>,
    in_flight: Option<InFlight>,
}

enum Outcome {
    Scim(EdgeResponse),
    Page(u16),
}

#[async_trait]
impl ProxyHttp for ScimProxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context {
            live: self.current.load_full(),
            started: Instant::now(),
            request_id: String::new(),
            peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            peer_trusted: false,
            outcome: None,
            in_flight: None,
        }
    }

    fn init_downstream_modules(&self, _: &mut pingora::modules::http::HttpModules) {
        // None: the compression module that the library adds by itself would only ever be switched off.
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<()> {
        if let Some(peer) = session.client_addr().and_then(|address| address.as_inet()) {
            ctx.peer = *peer;
            ctx.peer_trusted = ctx.live.trusted.contain(peer.ip());
        }
        ctx.request_id = forward::request_id(&session.req_header().headers);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<bool> {
        let request = session.req_header();
        let head = RequestHead { method: &request.method, path: request.uri.path(), headers: &request.headers };
        let admission = AssertUnwindSafe(ctx.live.scim.admit(&head)).catch_unwind().await;
        match admission {
            Ok(Admission::Scim(exchange)) => self.serve(session, ctx, exchange).await?,
            Ok(Admission::Answer(response)) => self.write(session, ctx, response).await?,
            Ok(Admission::PassThrough) if ctx.live.upstream.is_some() => return Ok(false),
            Ok(Admission::PassThrough) => {
                self.close_if_stopping(session);
                respond::page(session, 404, &ctx.request_id).await?;
                ctx.outcome = Some(Outcome::Page(404));
            }
            Err(_) => {
                Panicked { request_id: &ctx.request_id }.emit(&self.metrics);
                let error = ScimError::internal("the adapter failed; see its log");
                self.write(session, ctx, EdgeResponse::error(&error, RequestLabels::default())).await?;
            }
        }
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        let tunnel = if session.is_upgrade_req() { Tunnel::Yes } else { Tunnel::No };
        let peer = ctx.live.upstream.as_ref().and_then(|upstream| upstream.peer(tunnel));
        peer.ok_or_else(|| Error::new_up(ErrorType::ConnectError))
    }

    async fn upstream_request_filter(
        &self,
        _: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> pingora::Result<()> {
        forward::rewrite_request(request, ctx.peer, ctx.peer_trusted, &ctx.request_id)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> pingora::Result<()> {
        self.close_if_stopping(session);
        if response.status == http::StatusCode::SWITCHING_PROTOCOLS {
            // From here on these are the two ends' own bytes, and silence is their own affair.
            session.set_read_timeout(Some(super::upstream::TUNNEL_IDLE));
            return Ok(());
        }
        for name in forward::hop_by_hop(&response.headers) {
            response.remove_header(&name);
        }
        response.insert_header(forward::REQUEST_ID, &ctx.request_id)
    }

    fn fail_to_connect(&self, _: &mut Session, _: &HttpPeer, ctx: &mut Context, error: Box<Error>) -> Box<Error> {
        if let Some(upstream) = &ctx.live.upstream {
            upstream.rotate();
        }
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Context) -> FailToProxy {
        let answered = session.response_written().is_some();
        let status = if answered { 0 } else { status_of(error) };
        if status > 0 {
            // The body may be half read, so that the connection cannot be used again.
            session.set_keepalive(None);
            if respond::page(session, status, &ctx.request_id).await.is_ok() {
                session.as_downstream_mut().shutdown().await;
            }
            ctx.outcome = Some(Outcome::Page(status));
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Context) {
        ctx.in_flight = None;
        let duration = ctx.started.elapsed();
        let request_id = ctx.request_id.as_str();
        if let Some(Outcome::Scim(response)) = &ctx.outcome {
            let EdgeResponse { labels, status, scim_type, .. } = response;
            ScimAnswered { labels, status: *status, scim_type: *scim_type, request_id, duration }.emit(&self.metrics);
            return;
        }
        let sent = session.response_written().map_or(0, |response| response.status.as_u16());
        let status = match ctx.outcome {
            Some(Outcome::Page(status)) => status,
            _ => sent,
        };
        let error = error.map(|error| error.etype().as_str());
        PassedThrough { status, request_id, duration, error }.emit(&self.metrics);
    }

    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _: &Session, _: &Context, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, ctx: &Context) -> String {
        // Never the path: it holds ids, and its query holds names.
        ctx.request_id.clone()
    }
}

fn edge_request(session: &Session, ctx: &Context, body: bytes::Bytes) -> EdgeRequest {
    let request = session.req_header();
    EdgeRequest {
        method: request.method.clone(),
        path: request.uri.path().to_owned(),
        query: request.uri.query().map(str::to_owned),
        headers: request.headers.clone(),
        body,
        origin: origin(&request.headers, ctx.peer_trusted),
        request_id: ctx.request_id.clone(),
        peer: ctx.peer.ip(),
    }
}

/// What the client is told of a failed pass-through; 0 if nobody is there to be told.
fn status_of(error: &Error) -> u16 {
    match (error.etype(), error.esource()) {
        (ErrorType::HTTPStatus(status), _) => *status,
        (
            ErrorType::ConnectTimedout
            | ErrorType::TLSHandshakeTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout,
            ErrorSource::Upstream,
        ) => 504,
        (_, ErrorSource::Upstream) => 502,
        (ErrorType::ReadTimedout, ErrorSource::Downstream) => 408,
        (
            ErrorType::WriteError | ErrorType::WriteTimedout | ErrorType::ReadError | ErrorType::ConnectionClosed,
            ErrorSource::Downstream,
        ) => 0,
        (_, ErrorSource::Downstream) => 400,
        (_, ErrorSource::Internal | ErrorSource::Unset) => 500,
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
