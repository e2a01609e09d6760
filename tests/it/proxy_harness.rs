//! A server on loopback, a scripted application behind it, and a client that writes bytes as they are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use scimshim::config::LogRule;
use scimshim::proxy::edge::{
    Admission, Bounds, Claim, EdgeRequest, EdgeResponse, Exchange, Live, RequestHead, RequestLabels, ScimService,
};
use scimshim::proxy::forward::TrustedProxies;
use scimshim::proxy::upstream::{Upstream, UpstreamTarget};
use scimshim::scim::ScimError;
use scimshim::server::{Listeners, RunOptions, Running, start};
use scimshim::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes, shorter than anybody's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Bounds that no test meets by accident.
pub(crate) fn bounds() -> Bounds {
    Bounds {
        header_max_bytes: 8192,
        header_timeout: PATIENCE,
        body_max_bytes: 65536,
        body_timeout: PATIENCE,
        keepalive_timeout: PATIENCE,
        keep_accepting: Duration::ZERO,
        drain_timeout: PATIENCE,
    }
}

/// What a test server is made of.
pub(crate) struct Setup {
    pub bounds: Bounds,
    pub trusted: TrustedProxies,
    pub upstream: Option<SocketAddr>,
    pub max_connections: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self { bounds: bounds(), trusted: TrustedProxies::default(), upstream: None, max_connections: 100 }
    }
}

pub(crate) struct Server {
    pub running: Running,
    pub metrics: Arc<Metrics>,
}

impl Setup {
    pub(crate) async fn start(self) -> Server {
        let metrics = Metrics::new().unwrap();
        let current = Arc::new(ArcSwap::from_pointee(live(self.bounds, self.trusted, self.upstream).await));
        let any = "127.0.0.1:0".parse().unwrap();
        let listeners = Listeners::bind(any, any).await.unwrap();
        let options = RunOptions { max_connections: self.max_connections };
        let running = start(current, listeners, options, metrics.clone()).unwrap();
        Server { running, metrics }
    }
}

pub(crate) async fn live(bounds: Bounds, trusted: TrustedProxies, upstream: Option<SocketAddr>) -> Live {
    let upstream = match upstream {
        Some(address) => Some(Upstream::start(target(address)).await),
        None => None,
    };
    Live {
        hash: "test".to_owned(),
        log: LogRule::default(),
        bounds,
        trusted,
        upstream,
        tracer: None,
        scim: Arc::new(Echo { name: "test".into() }),
    }
}

fn target(address: SocketAddr) -> UpstreamTarget {
    UpstreamTarget {
        name: "app".into(),
        tls: None,
        host: address.ip().to_string(),
        port: address.port(),
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(10),
        generation: 1,
    }
}

/// A SCIM service without SCIM: `/scim/...` answers with what it was given, or does as the path says.
pub(crate) struct Echo {
    pub name: Arc<str>,
}

struct EchoExchange {
    name: Arc<str>,
}

impl ScimService for Echo {
    fn claim(&self, path: &str) -> Option<Box<dyn Claim>> {
        path.starts_with("/scim/").then(|| Box::new(EchoExchange { name: self.name.clone() }) as Box<dyn Claim>)
    }
}

impl Claim for EchoExchange {
    fn admit(self: Box<Self>, head: &RequestHead<'_>) -> Admission {
        if head.headers.get(&http::header::AUTHORIZATION).is_none() {
            return Admission::Answer(EdgeResponse::error(&ScimError::new(401, "no credential"), labels()));
        }
        assert!(head.path != "/scim/panic-early", "on request");
        Admission::Scim(self)
    }
}

#[async_trait]
impl Exchange for EchoExchange {
    fn labels(&self) -> RequestLabels {
        labels()
    }

    async fn answer(self: Box<Self>, request: EdgeRequest) -> EdgeResponse {
        match request.path.as_str() {
            "/scim/panic" => panic!("on request"),
            "/scim/slow" => tokio::time::sleep(Duration::from_millis(400)).await,
            "/scim/name" => return answer(200, Bytes::from(self.name.to_string())),
            "/scim/gone" => return answer(204, Bytes::new()),
            "/scim/origin" => return answer(200, Bytes::from(request.origin)),
            _ => {}
        }
        let text = format!("{} {} {}", request.method, request.path, String::from_utf8_lossy(&request.body));
        answer(200, Bytes::from(text))
    }
}

fn answer(status: u16, body: Bytes) -> EdgeResponse {
    EdgeResponse { status, headers: Vec::new(), body, scim_type: None, bound: None, work: None, labels: labels() }
}

fn labels() -> RequestLabels {
    RequestLabels::new("/scim".into(), "User".into(), "get")
}

/// A connection that says what it is told to say.
pub(crate) struct Client {
    pub socket: TcpStream,
    pending: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap(), pending: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.socket.write_all(bytes.as_ref()).await.unwrap();
        self
    }

    /// An answer with `Content-Length`, chunked, without a body, or up to the end of the connection.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.take_until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect(&head);
        let mut answer = Answer { status, head, body: String::new() };
        if let Some(length) = answer.header("content-length").map(|length| length.parse().unwrap()) {
            answer.body = self.take(length).await;
        } else if answer.header("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(self.take_until("\r\n").await.trim(), 16).unwrap();
                answer.body.push_str(&self.take(size).await);
                self.take(2).await;
                if size == 0 {
                    break;
                }
            }
        }
        answer
    }

    /// Sends and takes the answer.
    pub(crate) async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes).await.answer().await
    }

    pub(crate) async fn take_until(&mut self, mark: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.pending);
            if let Some(position) = text.find(mark) {
                return self.take(position + mark.len()).await;
            }
            assert!(self.more().await, "the connection ended before {mark:?}: {text:?}", text = self.pending_text());
        }
    }

    pub(crate) async fn take(&mut self, length: usize) -> String {
        while self.pending.len() < length {
            assert!(self.more().await, "the connection ended early: {:?}", self.pending_text());
        }
        String::from_utf8(self.pending.drain(..length).collect()).unwrap()
    }

    /// Whether the other side closed, having said no more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.pending.is_empty() && !self.more().await
    }

    fn pending_text(&self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }

    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.socket.read_buf(&mut self.pending)).await.expect("no answer in time");
        matches!(read, Ok(1..))
    }
}

/// An application of which each connection is handed to the test.
pub(crate) struct App {
    listener: TcpListener,
}

impl App {
    pub(crate) async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The next connection, seen from the application.
    pub(crate) async fn accept(&self) -> Client {
        let (socket, _) = timeout(PATIENCE, self.listener.accept()).await.expect("no connection in time").unwrap();
        Client { socket, pending: Vec::new() }
    }

    /// Whether nobody has connected so far.
    pub(crate) async fn is_unasked(&self) -> bool {
        timeout(Duration::ZERO, self.listener.accept()).await.is_err()
    }
}

/// What an admin listener says about everything that is counted.
pub(crate) async fn scrape(admin: SocketAddr) -> String {
    Client::connect(admin).await.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.body
}

/// Waits until a scrape holds all of these lines.
pub(crate) async fn counted(admin: SocketAddr, lines: &[&str]) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let text = scrape(admin).await;
        let missing = lines.iter().find(|line| !text.lines().any(|found| found == **line));
        let Some(missing) = missing else { return };
        assert!(tokio::time::Instant::now() < deadline, "never: {missing}\n{text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for something to become true.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
