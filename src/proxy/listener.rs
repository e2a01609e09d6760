//! Accepting connections, and letting go of them.
//!
//! In: a bound socket. Out: each connection served request by request, never more than the limit at once; at the end
//! an orderly stop. The loop is our own because that of the proxy library knows no limit, no deadline for a header and
//! no way to tell which port it got, and goes on without a listener when the port is taken.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::{Shutdown as _, Stream};
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::configuration::ServerConf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::direct::Direct;
use super::downstream::{Downstream, HeadBounds, HeadEnd};
use super::edge::{Bounds, Live};
use super::exchange::{self, Framed, Incoming};
use super::respond;
use super::service::ScimProxy;
use crate::telemetry::Metrics;
use crate::telemetry::events::{ConnectionRejected, Panicked, ProtocolRefused};
use crate::telemetry::series::Counted;

/// How far a stop has come. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running,
    /// Still accepting, so that those who have not heard yet are served; answers close their connection.
    Leaving,
    /// No longer accepting; what is under way is finished.
    Draining,
    /// Whatever is left is cut off.
    Cut,
}

/// Requests of the data side, for whoever waits for their end.
#[derive(Debug, Default)]
pub struct Traffic {
    under_way: AtomicUsize,
    begun: AtomicU64,
}

impl Traffic {
    /// Requests that are not answered yet, tunnels included.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    /// Requests so far.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        UnderWay(self)
    }
}

/// One request, until dropped.
struct UnderWay<'a>(&'a Traffic);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The data side.
pub struct DataListener {
    listener: TcpListener,
    connections: Connections,
    phase: watch::Receiver<Phase>,
    stopping: watch::Sender<bool>,
}

/// What every connection needs.
#[derive(Clone)]
struct Connections {
    app: Arc<HttpProxy<ScimProxy>>,
    current: Arc<ArcSwap<Live>>,
    metrics: Arc<Metrics>,
    phase: watch::Receiver<Phase>,
    stopping: watch::Receiver<bool>,
    traffic: Arc<Traffic>,
    slots: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    limit: usize,
}

impl DataListener {
    /// Prepares to serve `listener` with at most `limit` connections at once.
    pub fn new(
        listener: TcpListener,
        limit: usize,
        current: Arc<ArcSwap<Live>>,
        metrics: Arc<Metrics>,
        phase: watch::Receiver<Phase>,
        traffic: Arc<Traffic>,
    ) -> Self {
        let (stopping, watch_stopping) = watch::channel(false);
        let proxy = ScimProxy::new(current.clone(), metrics.clone(), phase.clone());
        let mut app = http_proxy(&Arc::new(server_conf()), proxy);
        app.server_options = None;
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let connections = Connections {
            app: Arc::new(app),
            current,
            metrics,
            phase: phase.clone(),
            stopping: watch_stopping,
            traffic,
            slots: Arc::new(Semaphore::new(limit)),
            refusals: Arc::new(Semaphore::new(REFUSALS_AT_ONCE)),
            limit,
        };
        Self { listener, connections, phase, stopping }
    }

    /// Serves until the phase is [`Phase::Draining`], then until the last connection ends or the phase is
    /// [`Phase::Cut`]. Returns how many connections were cut off.
    pub async fn run(mut self) -> usize {
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = self.phase.wait_for(|phase| *phase >= Phase::Draining) => break,
                accepted = self.listener.accept() => accepted,
                Some(ended) = tasks.join_next() => {
                    self.connections.note_end(&ended);
                    continue;
                }
            };
            match accepted {
                Ok((socket, peer)) => self.connections.take(&mut tasks, socket, peer),
                // No descriptors left, most likely: the socket stays ready, so that trying at once would spin.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
        drop(self.listener);
        self.stopping.send_replace(true);
        loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    Some(ended) => self.connections.note_end(&ended),
                    None => return 0,
                },
                _ = self.phase.wait_for(|phase| *phase >= Phase::Cut) => return tasks.len(),
            }
        }
    }
}

impl Connections {
    fn take(&self, tasks: &mut JoinSet<()>, socket: TcpStream, peer: SocketAddr) {
        // Answers are written as head and body; without this the body waits for the head to be acknowledged.
        let _ = socket.set_nodelay(true);
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            tasks.spawn(self.clone().serve(socket, peer, slot));
            return;
        }
        ConnectionRejected { limit: self.limit }.emit(&self.metrics);
        // Saying why takes a moment, and only so many are given one.
        if let Ok(refusal) = self.refusals.clone().try_acquire_owned() {
            let answer = respond::too_many_connections(self.limit);
            tasks.spawn(async move {
                Downstream::new(socket, peer, ACCEPT_PAUSE).refuse(&answer).await;
                drop(refusal);
            });
        }
    }

    async fn serve(self, socket: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        let _open = Counted::begin(&self.metrics.connections);
        let stopping = self.stopping.clone();
        let mut watched = stopping.clone();
        // One for all requests of the connection.
        let mut stop = pin!(async move { watched.wait_for(|stopping| *stopping).await.is_ok() });
        let timeout = self.current.load().bounds.body_timeout;
        let mut connection = Box::new(Downstream::new(socket, peer, timeout));
        loop {
            let bounds = self.current.load().bounds;
            let head_bounds = HeadBounds {
                max_bytes: bounds.header_max_bytes,
                timeout: bounds.header_timeout,
                idle: bounds.keepalive_timeout,
            };
            match connection.next_request(&head_bounds, stop.as_mut()).await {
                Ok(()) => {}
                Err(HeadEnd::Closed) => break,
                Err(HeadEnd::Refused(refusal)) => {
                    ProtocolRefused { refusal, peer }.emit(&self.metrics);
                    Box::pin(connection.refuse(&respond::refusal(refusal, &head_bounds))).await;
                    break;
                }
            }
            match self.serve_request(connection, peer, &bounds, &stopping).await {
                Some(same) => connection = same,
                None => break,
            }
        }
        drop(slot);
    }

    /// Serves the request that is readable on a connection. Returns the connection if it can be used again.
    async fn serve_request(
        &self,
        mut connection: Box<Downstream>,
        peer: SocketAddr,
        bounds: &Bounds,
        stopping: &watch::Receiver<bool>,
    ) -> Option<Box<Downstream>> {
        let (live, started) = (self.current.load_full(), Instant::now());
        let _under_way = self.traffic.begin();
        let claim = match catch_unwind(AssertUnwindSafe(|| live.scim.claim(connection.path()))) {
            Ok(None) => {
                let session = session(connection, bounds);
                return again(self.app.process_new_http(session, stopping).await.map(|reused| reused.consume().0));
            }
            Ok(claim) => claim,
            Err(_) => None,
        };
        let incoming = Incoming { live, started, peer, claim, phase: &self.phase };
        if let Some(mut direct) = Direct::take(&mut connection) {
            if exchange::serve(&mut direct, incoming, &self.metrics).await {
                return Some(connection);
            }
            connection.shutdown().await;
            return None;
        }
        // Boxed, as few requests come this way.
        Box::pin(self.serve_framed(connection, bounds, incoming)).await
    }

    /// The same for a request whose body frames itself.
    async fn serve_framed(
        &self,
        connection: Box<Downstream>,
        bounds: &Bounds,
        incoming: Incoming<'_>,
    ) -> Option<Box<Downstream>> {
        let mut session = session(connection, bounds);
        // A head that was inspected is not refused, so that otherwise this is a client that went away.
        if !matches!(session.read_request().await, Ok(true)) {
            session.shutdown().await;
            return None;
        }
        let mut framed = Framed::new(session);
        if !exchange::serve(&mut framed, incoming, &self.metrics).await {
            framed.session.shutdown().await;
            return None;
        }
        again(framed.session.finish().await.ok().flatten().map(|reusable| reusable.into_parts().0))
    }

    fn note_end(&self, ended: &Result<(), tokio::task::JoinError>) {
        if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
            Panicked { request_id: "" }.emit(&self.metrics);
        }
    }
}

/// A connection as the proxy library reads it.
fn session(connection: Box<Downstream>, bounds: &Bounds) -> ServerSession {
    let mut session = ServerSession::new_http1(connection);
    // Any number will do: how long to wait for the next head is decided here and not in the library.
    session.set_keepalive(Some(bounds.keepalive_timeout.as_secs().max(1)));
    session.set_total_drain_timeout(Some(DRAIN_BODY));
    session
}

/// A connection that the library gives back.
fn again(stream: Option<Stream>) -> Option<Box<Downstream>> {
    stream?.into_any().downcast::<Downstream>().ok()
}

/// The library's own settings; its file, its signals and its server are not used.
fn server_conf() -> ServerConf {
    ServerConf {
        // The first try and one more, which the library makes only for idempotent requests on a reused connection that
        // closed before an answer.
        max_retries: 2,
        ..ServerConf::default()
    }
}

/// Connections over the limit that are told so at the same time; others are closed without a word.
const REFUSALS_AT_ONCE: usize = 64;

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the rest of a body is read to keep a connection.
const DRAIN_BODY: Duration = Duration::from_secs(2);
