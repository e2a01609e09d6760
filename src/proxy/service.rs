//! What passes through, as hooks of the proxy library.
//!
//! In: sessions whose head was inspected and whose path nobody claimed. Out: the application's answers, streamed both
//! ways; a page of one line where there is none. SCIM never comes here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use tokio::sync::watch;

use super::edge::Live;
use super::forward;
use super::listener::Phase;
use super::respond;
use super::upstream::Tunnel;
use crate::telemetry::Metrics;
use crate::telemetry::events::PassedThrough;
use crate::telemetry::trace::{Passing, RequestTrace};

/// The proxy.
pub struct ScimProxy {
    current: Arc<ArcSwap<Live>>,
    metrics: Arc<Metrics>,
    phase: watch::Receiver<Phase>,
}

impl ScimProxy {
    /// A proxy that takes its configuration from `current` at the start of each request. Once the `phase` is
    /// [`Phase::Leaving`], answers close their connection.
    pub fn new(current: Arc<ArcSwap<Live>>, metrics: Arc<Metrics>, phase: watch::Receiver<Phase>) -> Self {
        Self { current, metrics, phase }
    }

    fn close_if_leaving(&self, session: &mut Session) {
        if *self.phase.borrow() >= Phase::Leaving {
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
    /// Status of a page of our own.
    page: Option<u16>,
    trace: RequestTrace,
    /// When it set out for the application, if that is recorded.
    set_out: Option<Instant>,
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
            page: None,
            trace: RequestTrace::default(),
            set_out: None,
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
        let headers = &session.req_header().headers;
        ctx.request_id = forward::request_id(headers);
        if ctx.live.tracer.is_some() {
            ctx.trace = RequestTrace::begin(ctx.live.tracer.as_ref(), headers, ctx.started);
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<bool> {
        if ctx.live.upstream.is_some() {
            return Ok(false);
        }
        self.close_if_leaving(session);
        // Boxed, so that what passes through makes no room for it.
        Box::pin(respond::page(session.as_downstream_mut(), 404, &ctx.request_id)).await?;
        ctx.page = Some(404);
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        if ctx.trace.recording().is_some() {
            ctx.set_out.get_or_insert_with(Instant::now);
        }
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
        if ctx.live.tracer.is_some() {
            forward::continue_trace(request, &ctx.trace)?;
        }
        forward::rewrite_request(request, ctx.peer, ctx.peer_trusted, &ctx.request_id)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> pingora::Result<()> {
        self.close_if_leaving(session);
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
            if respond::page(session.as_downstream_mut(), status, &ctx.request_id).await.is_ok() {
                session.as_downstream_mut().shutdown().await;
            }
            ctx.page = Some(status);
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Context) {
        let (duration, request_id) = (ctx.started.elapsed(), ctx.request_id.as_str());
        let sent = session.response_written().map_or(0, |response| response.status.as_u16());
        let status = ctx.page.unwrap_or(sent);
        let error = error.map(|error| error.etype().as_str());
        let request = session.req_header();
        if ctx.live.tracer.is_none() && PassedThrough::is_heard(error) {
            ctx.trace = RequestTrace::passed_on(&request.headers);
        }
        let trace_id = ctx.trace.id();
        PassedThrough { status, request_id, trace_id, duration, error }.emit(&self.metrics);
        if let Some(recording) = ctx.trace.recording() {
            let target = ctx.live.upstream.as_ref().map(|upstream| upstream.target());
            let call = target.zip(ctx.set_out).map(|(target, begun)| (target.host.as_str(), target.port, begun));
            recording.passed(&Passing { method: &request.method, status, error, request_id, call });
        }
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
