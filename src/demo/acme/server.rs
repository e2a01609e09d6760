//! The sockets around the pure application: connections, bodies within a bound, faults and call records.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::{Request, answer, authorise};
use super::fault::{Fault, Faults};
use super::fields::{self, Document, EMPLOYEE, TEAM};
use super::id::{Id, Ids};
use super::pages::{self, Body};
use super::record::{self, CallRecord, Records};
use super::reply::{Refusal, Response};
use super::store::{Settings, Store};
use super::table::rfc3339;

/// What an [`Acme`] is started with. [`AcmeOptions::new`] fills in everything but the token.
#[derive(Clone)]
pub struct AcmeOptions {
    /// What callers must send as `X-Api-Key`.
    pub token: String,
    /// How ids are written.
    pub ids: Ids,
    /// Whether a team takes only employees that exist; otherwise any id is stored as it comes.
    pub check_members: bool,
    /// Whether calls are kept for [`Acme::calls`].
    pub record: bool,
    /// How many connections are served at once; more wait to be accepted.
    pub connections_max: usize,
    /// How many employees, teams, and members of one team there may be; more are refused with 507.
    pub rows_max: usize,
    /// Where `created_at` and `updated_at` come from.
    pub clock: fn() -> Timestamp,
}

impl AcmeOptions {
    /// Numeric ids, checked members, calls recorded, the system's clock.
    pub fn new(token: impl Into<String>) -> AcmeOptions {
        AcmeOptions {
            token: token.into(),
            ids: Ids::default(),
            check_members: true,
            record: true,
            connections_max: 4096,
            rows_max: 1_000_000,
            clock: Timestamp::now,
        }
    }
}

/// A running application. Clones share it; it stops with [`Acme::stop`] or with the last clone.
#[derive(Clone)]
pub struct Acme {
    shared: Arc<Shared>,
    stop: Arc<watch::Sender<()>>,
    addr: SocketAddr,
}

impl Acme {
    /// Serves on a listener that is bound already, in tasks of the current Tokio runtime.
    ///
    /// # Errors
    /// The listener's address cannot be read.
    #[expect(clippy::unused_async, reason = "spawns tasks, so that calling it outside a runtime must not compile")]
    pub async fn start(listener: TcpListener, options: AcmeOptions) -> io::Result<Acme> {
        let addr = listener.local_addr()?;
        let settings = Settings { ids: options.ids, check_members: options.check_members, rows_max: options.rows_max };
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::new(settings)),
            faults: Mutex::default(),
            records: Mutex::default(),
            options,
        });
        let (stop, stopped) = watch::channel(());
        tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(Acme { shared, stop: Arc::new(stop), addr })
    }

    /// Where the application listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listener and every connection, whatever is under way on them.
    pub fn stop(&self) {
        self.stop.send_replace(());
    }

    /// Adds an employee as if over HTTP, under the given id or the next free number. An id that exists is
    /// replaced. Returns the id.
    ///
    /// # Panics
    /// The document is refused; the message is the one HTTP would have sent.
    pub fn seed_user(&self, id: Option<&str>, document: Value) -> String {
        let document = checked(document, EMPLOYEE);
        let added = lock(&self.shared.store).add_employee(id.map(Id::parse), document, self.shared.now());
        accepted(added).to_string()
    }

    /// Adds a team and its members, as [`Acme::seed_user`] does. Members need not exist.
    ///
    /// # Panics
    /// The document is refused.
    pub fn seed_team(&self, id: Option<&str>, document: Value, members: &[String]) -> String {
        let document = checked(document, TEAM);
        let now = self.shared.now();
        let mut store = lock(&self.shared.store);
        let added = store.add_team(id.map(Id::parse), document, now);
        let team = accepted(added);
        for member in members {
            store.members.add(&team, &Id::parse(member), &rfc3339(now));
        }
        team.to_string()
    }

    /// Forgets all employees and teams; ids count from 1 again. Faults and call records stay.
    pub fn clear(&self) {
        let mut store = lock(&self.shared.store);
        *store = Store::new(store.settings);
    }

    /// Whether `password` is what this employee's password was last set to. The API itself never tells.
    pub fn password_matches(&self, id: &str, password: &str) -> bool {
        lock(&self.shared.store).password_matches(&Id::parse(id), password)
    }

    /// What every native call meets from here on, or `None` for normal service.
    pub fn set_fault(&self, fault: Option<Fault>) {
        lock(&self.shared.faults).set(fault, None);
    }

    /// What the next `calls` native calls that it applies to meet; the ones after are served.
    pub fn set_fault_for(&self, calls: usize, fault: Fault) {
        lock(&self.shared.faults).set(Some(fault), Some(calls));
    }

    /// The native calls so far, at most the latest 10 000.
    pub fn calls(&self) -> Vec<CallRecord> {
        lock(&self.shared.records).all()
    }

    /// The native calls since the last time they were taken.
    pub fn take_calls(&self) -> Vec<CallRecord> {
        lock(&self.shared.records).take()
    }
}

fn checked(document: Value, fields: &[fields::Field]) -> Document {
    let Value::Object(document) = document else { panic!("a seed must be a JSON object") };
    accepted(fields::check(&document, fields));
    document
}

fn accepted<T>(result: Result<T, Refusal>) -> T {
    result.unwrap_or_else(|refusal| {
        let response = refusal.into_response();
        panic!("seed refused with {}: {}", response.status, String::from_utf8_lossy(&response.body))
    })
}

struct Shared {
    options: AcmeOptions,
    store: Mutex<Store>,
    faults: Mutex<Faults>,
    records: Mutex<Records>,
}

impl Shared {
    fn now(&self) -> Timestamp {
        (self.options.clock)()
    }

    fn record(&self, head: &http::request::Parts, body: &[u8], status: Option<StatusCode>) {
        if !self.options.record {
            return;
        }
        let target = head.uri.path_and_query().map_or(head.uri.path(), |target| target.as_str());
        lock(&self.records).add(CallRecord {
            method: head.method.as_str().to_owned(),
            target: target.to_owned(),
            body: record::kept(body),
            status: status.map(|status| status.as_u16()),
        });
    }
}

/// A panic while a lock was held has failed its own call; what the lock guards is whole, as every write checks
/// before it changes anything.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts until told to stop. Connections live in the set, so that dropping it ends them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < shared.options.connections_max;
        tokio::select! {
            // Either way it is over: the sender spoke, or the last handle is gone.
            _ = stopped.changed() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, most likely: let some connections end.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// One connection, from its first request to its end; after an upgrade, every byte is sent back.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Answers are small and whole; waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    let upgrade: Arc<Mutex<Option<OnUpgrade>>> = Arc::default();
    let service = service_fn(|request: http::Request<Incoming>| {
        let (shared, upgrade) = (Arc::clone(&shared), Arc::clone(&upgrade));
        async move {
            if request.uri().path().starts_with("/api/") {
                call(&shared, request).await
            } else {
                Ok(pages::respond(request, &mut lock(&upgrade)))
            }
        }
    });
    // A connection that breaks is its peer's business: there is nobody left to tell.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    let upgrade = lock(&upgrade).take();
    if let Some(Ok(upgraded)) = async { Some(upgrade?.await) }.await {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut from, &mut to).await;
    }
}

/// The connection is to end without an answer.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection dropped")
    }
}

impl std::error::Error for Dropped {}

/// One native call: fault or answer, and its record.
async fn call(shared: &Shared, request: http::Request<Incoming>) -> Result<http::Response<Body>, Dropped> {
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let sent = body.as_deref().unwrap_or_default();
    let fault = lock(&shared.faults).meet(&head.method);
    match fault {
        None => {
            let response = answer_call(shared, &head, body.as_ref());
            shared.record(&head, sent, Some(response.status));
            Ok(into_http(response))
        }
        Some(Fault::Answer { status, headers, body, .. }) => {
            let response = fixed_answer(status, &headers, body);
            shared.record(&head, sent, Some(response.status()));
            Ok(response)
        }
        Some(Fault::Timeout { .. }) => {
            shared.record(&head, sent, None);
            std::future::pending().await
        }
        Some(Fault::DropConnection) => {
            shared.record(&head, sent, None);
            Err(Dropped)
        }
        Some(Fault::LoseReply { .. }) => {
            answer_call(shared, &head, body.as_ref());
            shared.record(&head, sent, None);
            Err(Dropped)
        }
    }
}

/// Reads a body. One that is too large becomes `None`, but is read some way further, because a caller that is
/// still sending when the connection closes may lose the answer.
async fn read(mut body: Incoming) -> Result<Option<Bytes>, Dropped> {
    let mut kept = BytesMut::new();
    let mut received_bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Dropped)?.into_data() else {
            continue;
        };
        received_bytes += data.len();
        if received_bytes > BODY_DISCARDED_MAX_BYTES {
            break;
        }
        if received_bytes <= BODY_MAX_BYTES {
            kept.extend_from_slice(&data);
        }
    }
    Ok((received_bytes <= BODY_MAX_BYTES).then(|| kept.freeze()))
}

fn answer_call(shared: &Shared, head: &http::request::Parts, body: Option<&Bytes>) -> Response {
    let key = head.headers.get("x-api-key").map(HeaderValue::as_bytes);
    if let Err(refusal) = authorise(&shared.options.token, key) {
        return refusal.into_response();
    }
    let Some(body) = body else {
        return Refusal::TooLarge { max_bytes: BODY_MAX_BYTES }.into_response();
    };
    // HEAD is GET without the body, which the connection leaves out (RFC 9110 9.3.2).
    let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
    let query = head.uri.query().unwrap_or_default();
    let request = Request { method, path: head.uri.path(), query, body, now: shared.now() };
    answer(&mut lock(&shared.store), &request)
}

fn into_http(response: Response) -> http::Response<Body> {
    let mut http = pages::whole(response.status, "application/json", response.body);
    let headers = http.headers_mut();
    if response.status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_TYPE);
    }
    if let Some(location) = response.location.and_then(|location| HeaderValue::try_from(location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    if let Some(methods) = response.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    http
}

/// The answer of [`Fault::Answer`]; a header that cannot be sent is left out.
fn fixed_answer(status: u16, headers: &[(String, String)], body: String) -> http::Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = pages::whole(status, "application/json", body);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The largest body an API call may have, and how much of a larger one is read before it is refused.
const BODY_MAX_BYTES: usize = 2 * 1024 * 1024;
const BODY_DISCARDED_MAX_BYTES: usize = 4 * BODY_MAX_BYTES;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
