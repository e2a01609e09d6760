//! The socket around an application: one call at a time, each recorded, with trouble on demand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What an application is.
pub(crate) trait App: Send + 'static {
    /// Answers one call. What it had to destroy for that is noted in `harm`.
    fn answer(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply;
}

/// One call as it came.
pub(crate) struct Call {
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    /// Decoded.
    pub(crate) segments: Vec<String>,
    /// Decoded, in order; a name may repeat.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// Method and path, to be matched.
    pub(crate) fn line(&self) -> (&str, Vec<&str>) {
        (&self.method, self.segments.iter().map(String::as_str).collect())
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn params<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number, where it is sent and is one.
    pub(crate) fn number(&self, name: &str, default: usize) -> usize {
        self.param(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body; null where there is none, or none that parses.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body, where it is an object.
    pub(crate) fn object(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// An answer. A null body is none.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Reply {
        Reply { status, headers: Vec::new(), body }
    }

    pub(crate) fn empty(status: u16) -> Reply {
        Reply::new(status, Value::Null)
    }
}

/// What happens to a call instead of being carried out and answered.
pub(crate) enum Trouble {
    /// It is answered like this, and does nothing.
    Instead(Reply),
    /// It is carried out, and the connection ends without an answer.
    LoseReply,
    /// It is carried out, and the answer is under way for so long: meanwhile it may have become wrong.
    LateReply(Duration),
}

type Decide = Box<dyn FnMut(&Call) -> Option<Trouble> + Send>;

struct State<A> {
    app: A,
    calls: Vec<String>,
    harm: Vec<String>,
    trouble: Option<Decide>,
}

/// An application that is served until this value goes away, which fails the test if harm was done.
pub(crate) struct Served<A: App> {
    url: String,
    state: Arc<Mutex<State<A>>>,
    accept: AbortHandle,
}

impl<A: App> Drop for Served<A> {
    fn drop(&mut self) {
        self.accept.abort();
        if !thread::panicking() {
            let harm = self.take_harm();
            assert!(harm.is_empty(), "the application was harmed:\n{}", harm.join("\n"));
        }
    }
}

impl<A: App> Served<A> {
    pub(crate) async fn start(app: A) -> Served<A> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { app, calls: Vec::new(), harm: Vec::new(), trouble: None }));
        let shared = Arc::clone(&state);
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Served { url, state, accept: accept.abort_handle() }
    }

    /// Scheme, host and port.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Looks at the application, or changes it from outside.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut A) -> T) -> T {
        look(&mut lock(&self.state).app)
    }

    /// The calls since the last time they were taken: `POST /teams {"name":"x"} -> 201`.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).calls)
    }

    /// Those of them that might change something.
    pub(crate) fn take_writes(&self) -> Vec<String> {
        let mut calls = self.take_calls();
        calls.retain(|call| !call.starts_with("GET "));
        calls
    }

    /// The harm so far, so that a test may say what it should be.
    pub(crate) fn take_harm(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).harm)
    }

    /// From here on, this decides about every call.
    pub(crate) fn trouble(&self, decide: impl FnMut(&Call) -> Option<Trouble> + Send + 'static) {
        lock(&self.state).trouble = Some(Box::new(decide));
    }

    /// Normal service again.
    pub(crate) fn no_trouble(&self) {
        lock(&self.state).trouble = None;
    }
}

/// A panic under the lock has failed its test already.
fn lock<A>(state: &Mutex<State<A>>) -> MutexGuard<'_, State<A>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve<A: App>(stream: TcpStream, state: Arc<Mutex<State<A>>>) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let state = Arc::clone(&state);
        async move {
            let call = read(request).await;
            let (response, late) = carry_out(&mut lock(&state), &call);
            if let Some(late) = late {
                tokio::time::sleep(late).await;
            }
            response.ok_or_else(|| std::io::Error::other("the reply is lost"))
        }
    });
    // A connection that breaks is its peer's business.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn read(request: http::Request<Incoming>) -> Call {
    let (head, body) = request.into_parts();
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    // A plus sign means a space in a query alone.
    let segment = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Call {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        segments: head.uri.path().split('/').skip(1).map(segment).collect(),
        query: pairs.map(|(name, value)| (decode(name), decode(value))).collect(),
        headers: head.headers,
        body: body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
    }
}

/// No response if the caller is to get none; and how late it is.
fn carry_out<A: App>(state: &mut State<A>, call: &Call) -> (Option<http::Response<Full<Bytes>>>, Option<Duration>) {
    let mut late = None;
    let reply = match state.trouble.as_mut().and_then(|decide| decide(call)) {
        Some(Trouble::Instead(reply)) => Some(reply),
        Some(Trouble::LoseReply) => {
            state.app.answer(call, &mut state.harm);
            None
        }
        Some(Trouble::LateReply(time)) => {
            late = Some(time);
            Some(state.app.answer(call, &mut state.harm))
        }
        None => Some(state.app.answer(call, &mut state.harm)),
    };
    let status = reply.as_ref().map_or_else(|| "no answer".to_owned(), |reply| reply.status.to_string());
    let sent = String::from_utf8_lossy(&call.body);
    let gap = if sent.is_empty() { "" } else { " " };
    state.calls.push(format!("{} {}{gap}{sent} -> {status}", call.method, call.target));
    (reply.as_ref().map(response), late)
}

fn response(reply: &Reply) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = if reply.body.is_null() { Bytes::new() } else { Bytes::from(reply.body.to_string()) };
    if !body.is_empty() {
        response = response.header("content-type", "application/json");
    }
    response.body(Full::new(body)).unwrap()
}
