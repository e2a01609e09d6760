//! What only a socket can show: keys and headers on the wire, bounds on bodies and connections, faults,
//! shutdown, streaming and upgrades.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::demo::acme::{Acme, AcmeOptions, Fault};

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for an answer to arrive if one were coming.
const A_WHILE: Duration = Duration::from_millis(200);

struct App {
    acme: Acme,
    client: Client<HttpConnector, Full<Bytes>>,
}

async fn start(options: AcmeOptions) -> App {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let acme = Acme::start(listener, options).await.unwrap();
    App { acme, client: Client::builder(TokioExecutor::new()).build_http() }
}

async fn start_default() -> App {
    start(AcmeOptions::new("key")).await
}

impl App {
    fn request(&self, line: &str, body: impl Into<Bytes>) -> http::Request<Full<Bytes>> {
        let (method, target) = line.split_once(' ').unwrap();
        http::Request::builder()
            .method(method)
            .uri(format!("http://{}{target}", self.acme.addr()))
            .header("x-api-key", "key")
            .body(Full::new(body.into()))
            .unwrap()
    }

    async fn send(&self, line: &str, body: impl Into<Bytes>) -> http::Response<Bytes> {
        let sent = self.client.request(self.request(line, body));
        let (head, body) = tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap().into_parts();
        http::Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    /// Whether a call ends without an answer.
    async fn fails(&self, line: &str) -> bool {
        let sent = self.client.request(self.request(line, "{}"));
        tokio::time::timeout(PATIENCE, sent).await.unwrap().is_err()
    }
}

fn json_of(response: &http::Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn calls_are_answered_and_recorded() {
    let app = start_default().await;
    let created = app.send("POST /api/employees", r#"{"login":"ann"}"#).await;
    assert_eq!(created.status(), StatusCode::CREATED);
    assert_eq!(created.headers()["location"], "/api/employees/1");
    assert_eq!(created.headers()["content-type"], "application/json");
    assert_eq!(json_of(&created)["data"]["login"], "ann");

    let listed = app.send("GET /api/employees?login=ANN", "").await;
    assert_eq!(json_of(&listed)["meta"]["total"], 1);
    let head = app.send("HEAD /api/employees/1", "").await;
    assert_eq!((head.status(), head.body().len()), (StatusCode::OK, 0));
    let refused = app.send("PUT /api/employees/1", "").await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["allow"]),
        (405, &"GET, HEAD, PATCH, DELETE".parse().unwrap())
    );
    let deleted = app.send("DELETE /api/employees/1", "").await;
    assert_eq!((deleted.status(), deleted.headers().get("content-type")), (StatusCode::NO_CONTENT, None));

    let lines: Vec<String> = app.acme.calls().iter().map(crate::demo::acme::CallRecord::line).collect();
    assert_eq!(
        lines,
        [
            r#"POST /api/employees {"login":"ann"} -> 201"#,
            "GET /api/employees?login=ANN -> 200",
            "HEAD /api/employees/1 -> 200",
            "PUT /api/employees/1 -> 405",
            "DELETE /api/employees/1 -> 204",
        ]
    );
    assert_eq!(app.acme.take_calls()[0].json(), json!({"login": "ann"}));
    assert_eq!(app.acme.calls(), []);
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_anything_else() {
    let app = start(AcmeOptions { record: false, ..AcmeOptions::new("other") }).await;
    let refused = app.send("POST /nowhere", "").await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND, "pages need no key");
    let refused = app.send("POST /api/nowhere", "not json").await;
    assert_eq!((refused.status().as_u16(), &json_of(&refused)["error"]["code"]), (401, &json!("unauthorised")));
    assert_eq!(app.acme.calls(), [], "recording is off");
}

#[tokio::test]
async fn bodies_are_bounded() {
    let app = start_default().await;
    let of_size = |bytes: usize| {
        let frame = r#"{"login":"a","nick_name":""}"#.len();
        format!(r#"{{"login":"a","nick_name":"{}"}}"#, "x".repeat(bytes - frame))
    };
    assert_eq!(app.send("POST /api/employees", of_size(2 * 1024 * 1024)).await.status(), StatusCode::CREATED);
    let refused = app.send("POST /api/employees", of_size(2 * 1024 * 1024 + 1)).await;
    assert_eq!((refused.status().as_u16(), &json_of(&refused)["error"]["code"]), (413, &json!("too_large")));
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let app = start_default().await;
    let mut stream = TcpStream::connect(app.acme.addr()).await.unwrap();
    let head = "POST /api/teams HTTP/1.1\r\nhost: a\r\nx-api-key: key\r\ncontent-length: 1000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let sender = tokio::spawn(async move {
        let piece = vec![b'x'; 64 * 1024];
        while to.write_all(&piece).await.is_ok() {}
    });
    let mut answer = [0; 12];
    tokio::time::timeout(PATIENCE, from.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    tokio::time::timeout(PATIENCE, sender).await.unwrap().unwrap();
}

#[tokio::test]
async fn seeds_are_rows_like_others() {
    let app = start(AcmeOptions { clock: || jiff::Timestamp::UNIX_EPOCH, ..AcmeOptions::new("key") }).await;
    let ann = app.acme.seed_user(None, json!({"login": "ann", "password": "p"}));
    let team = app.acme.seed_team(Some("9"), json!({"name": "Red"}), std::slice::from_ref(&ann));
    assert_eq!((ann.as_str(), team.as_str()), ("1", "9"));
    assert!(app.acme.password_matches("1", "p"));
    let members = json_of(&app.send("GET /api/teams/9/members", "").await);
    let expect = json!([{"employee_id": 1, "login": "ann", "added_at": "1970-01-01T00:00:00.000Z"}]);
    assert_eq!(members["data"], expect);

    app.acme.clear();
    assert_eq!(json_of(&app.send("GET /api/employees", "").await)["meta"]["total"], 0);
    assert_eq!(app.acme.seed_user(None, json!({"login": "ann"})), "1");
}

#[tokio::test]
#[should_panic(expected = "seed refused with 409 Conflict")]
async fn a_seed_that_cannot_be_stored_panics() {
    let app = start_default().await;
    app.acme.seed_user(None, json!({"login": "ann"}));
    app.acme.seed_user(None, json!({"login": "ANN"}));
}

#[tokio::test]
async fn faults_replace_answers() {
    let app = start_default().await;
    let busy = Fault::Answer {
        status: 503,
        headers: vec![("Retry-After".into(), "1".into()), ("Content-Type".into(), "text/html".into())],
        body: "<h1>busy</h1>".into(),
        writes_only: true,
    };
    app.acme.set_fault_for(1, busy);
    assert_eq!(app.send("GET /api/teams", "").await.status(), StatusCode::OK, "reads still work");
    let answered = app.send("POST /api/teams", r#"{"name":"a"}"#).await;
    assert_eq!(answered.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&answered.headers()["retry-after"], &answered.headers()["content-type"]),
        (&"1".parse().unwrap(), &"text/html".parse().unwrap())
    );
    assert_eq!(answered.body(), "<h1>busy</h1>");
    assert_eq!(app.send("POST /api/teams", r#"{"name":"a"}"#).await.status(), StatusCode::CREATED, "once only");

    app.acme.set_fault(Some(Fault::DropConnection));
    assert!(app.fails("PATCH /api/teams/1").await);
    assert_eq!(app.send("GET /health", "").await.body(), "ok", "pages are not affected");
    app.acme.set_fault(None);
    assert_eq!(app.acme.take_calls().last().map(|call| call.status), Some(None));
    assert_eq!(app.send("GET /api/teams/1", "").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_lost_reply_is_a_call_that_took_effect() {
    let app = start_default().await;
    app.acme.seed_team(None, json!({"name": "a"}), &[]);
    app.acme.set_fault(Some(Fault::LoseReply { writes_only: true }));
    assert!(app.fails("DELETE /api/teams/1").await);
    assert_eq!(app.send("GET /api/teams/1", "").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_timeout_keeps_the_caller_waiting_until_the_stop() {
    let app = start_default().await;
    app.acme.set_fault(Some(Fault::Timeout { writes_only: false }));
    let mut waiting = std::pin::pin!(app.client.request(app.request("GET /api/teams", "")));
    assert!(tokio::time::timeout(A_WHILE, &mut waiting).await.is_err(), "no answer");
    app.acme.stop();
    assert!(tokio::time::timeout(PATIENCE, waiting).await.unwrap().is_err());
    assert!(app.fails("GET /health").await, "nobody listens");
}

#[tokio::test]
async fn the_last_handle_stops_the_application() {
    let app = start_default().await;
    let addr = app.acme.addr();
    let mut open = TcpStream::connect(addr).await.unwrap();
    let clone = app.acme.clone();
    drop(app);
    open.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut byte = [0];
    tokio::time::timeout(PATIENCE, open.read_exact(&mut byte)).await.unwrap().unwrap();
    drop(clone);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, open.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the open connection ends too");
}

#[tokio::test]
async fn connections_are_bounded() {
    let app = start(AcmeOptions { connections_max: 1, ..AcmeOptions::new("key") }).await;
    let ask = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut first = TcpStream::connect(app.acme.addr()).await.unwrap();
    first.write_all(ask).await.unwrap();
    let mut byte = [0];
    tokio::time::timeout(PATIENCE, first.read_exact(&mut byte)).await.unwrap().unwrap();

    let mut second = TcpStream::connect(app.acme.addr()).await.unwrap();
    second.write_all(ask).await.unwrap();
    assert!(tokio::time::timeout(A_WHILE, second.read_exact(&mut byte)).await.is_err(), "no room yet");
    drop(first);
    tokio::time::timeout(PATIENCE, second.read_exact(&mut byte)).await.unwrap().unwrap();
}

#[tokio::test]
async fn pages_serve_what_a_proxy_must_pass_through() {
    let app = start_default().await;
    let cases = [
        ("GET /", 200, "text/html; charset=utf-8", "<h1>Acme HR</h1>"),
        ("GET /health", 200, "text/plain", "ok"),
        ("GET /stream?chunks=0", 200, "text/plain", ""),
        ("GET /stream?chunks=1001", 400, "text/plain", "0 to 1000"),
        ("GET /stream?chunks=x", 400, "text/plain", "0 to 1000"),
        ("GET /ws", 426, "text/plain", "websocket"),
        ("GET /echo", 405, "text/plain", "not allowed"),
        ("POST /health", 405, "text/plain", "not allowed"),
        ("GET /nowhere", 404, "text/html; charset=utf-8", "Not found"),
    ];
    for (line, status, content_type, part) in cases {
        let page = app.send(line, "").await;
        let body = String::from_utf8(page.body().to_vec()).unwrap();
        assert_eq!(
            (page.status().as_u16(), &page.headers()["content-type"]),
            (status, &content_type.parse::<http::HeaderValue>().unwrap()),
            "{line}"
        );
        assert!(body.contains(part), "{line} answered {body}");
    }
    let large = "x".repeat(5 * 1024 * 1024);
    assert_eq!(app.send("POST /echo", large.clone()).await.body(), large.as_bytes());

    let mut asked = app.request("GET /headers", "");
    asked.headers_mut().append("x-two", "a".parse().unwrap());
    asked.headers_mut().append("x-two", "b".parse().unwrap());
    *asked.method_mut() = Method::GET;
    let body = app.client.request(asked).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let headers: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&headers["x-two"], &headers["x-api-key"]), (&json!("a, b"), &json!("key")));
    assert_eq!(app.acme.calls(), [], "pages are no native calls");
}

#[tokio::test]
async fn streamed_chunks_arrive_one_by_one() {
    let app = start_default().await;
    let begun = Instant::now();
    let mut body = app.client.request(app.request("GET /stream?chunks=3", "")).await.unwrap().into_body();
    let mut chunks = Vec::new();
    while let Some(frame) = body.frame().await {
        chunks.push(frame.unwrap().into_data().unwrap());
    }
    assert_eq!(chunks, ["chunk 0\n", "chunk 1\n", "chunk 2\n"]);
    assert!(begun.elapsed() >= Duration::from_millis(40), "two pauses lie between three chunks");
}

#[tokio::test]
async fn an_upgraded_connection_echoes_bytes_until_the_stop() {
    let app = start_default().await;
    let mut stream = TcpStream::connect(app.acme.addr()).await.unwrap();
    let ask = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");

    let sent: Vec<u8> = (0..=255).collect();
    stream.write_all(&sent).await.unwrap();
    let mut received = [0; 256];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut received)).await.unwrap().unwrap();
    assert_eq!(received, *sent);

    app.acme.stop();
    let ended = tokio::time::timeout(PATIENCE, stream.read(&mut received)).await.unwrap();
    assert!(!matches!(ended, Ok(1..)), "the connection ends with the application");
}
