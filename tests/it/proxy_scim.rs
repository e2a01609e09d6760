//! Bodies of SCIM requests: read within bounds, in time, and so that the connection can go on.

use std::time::Duration;

use crate::proxy_harness::{Client, Setup, bounds, eventually};
use scimshim::proxy::edge::Bounds;
use scimshim::proxy::forward::TrustedProxies;

const HEAD: &str = "Host: a\r\nAuthorization: x\r\n";

fn post(path: &str, fields: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\n{HEAD}{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn connections_are_kept_after_bodies_were_read() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let answer = client.ask(post("/scim/Users", "Content-Type: application/scim+json; charset=utf-8\r\n", "{}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "POST /scim/Users {}"));
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    assert_eq!(answer.header("server"), None);
    let chunked =
        format!("POST /scim/x HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
    assert_eq!(client.ask(chunked).await.body, "POST /scim/x abcd");
    assert_eq!(client.ask(post("/scim/gone", "", "")).await.status, 204);
    let head = client.send(format!("HEAD /scim/x HTTP/1.1\r\n{HEAD}\r\n")).await.take_until("\r\n\r\n").await;
    assert!(head.to_lowercase().contains("content-length: 13\r\n"), "{head}");
    let last = client.ask(format!("GET /scim/x HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")).await;
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(client.is_closed().await);
    assert_eq!(server.metrics.requests_in_flight.get(), 0);
}

#[tokio::test]
async fn bodies_of_any_size_pass_whole() {
    let server = Setup { bounds: Bounds { body_max_bytes: 1 << 20, ..bounds() }, ..Setup::default() }.start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    for size in [1, 4_096, 8_000, 9_000, 500_000] {
        let body = "x".repeat(size);
        let answer = client.ask(post("/scim/x", "", &body)).await;
        assert_eq!((answer.status, answer.body.len()), (200, size + "POST /scim/x ".len()), "{size}");
        assert!(answer.body.ends_with(&body), "{size}");
    }
}

#[tokio::test]
async fn the_old_protocol_keeps_a_connection_only_if_asked_to() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let kept = client.ask(format!("GET /scim/x HTTP/1.0\r\n{HEAD}Connection: Keep-Alive\r\n\r\n")).await;
    assert_eq!((kept.status, kept.header("connection")), (200, Some("keep-alive")));
    let last = client.ask(format!("GET /scim/x HTTP/1.0\r\n{HEAD}\r\n")).await;
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_turn() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let requests = [post("/scim/1", "", "a"), post("/scim/2", "", "b"), format!("GET /scim/3 HTTP/1.1\r\n{HEAD}\r\n")];
    client.send(requests.concat()).await;
    for expected in ["POST /scim/1 a", "POST /scim/2 b", "GET /scim/3 "] {
        assert_eq!(client.answer().await.body, expected);
    }
}

#[tokio::test]
async fn what_is_refused_by_its_head_is_answered_without_its_body() {
    let server = Setup::default().start().await;
    for (request, status) in [
        ("POST /scim/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n".to_owned(), 401),
        (format!("POST /scim/x HTTP/1.1\r\n{HEAD}Content-Length: 99999\r\n\r\n"), 413),
        (format!("POST /scim/x HTTP/1.1\r\n{HEAD}Content-Length: 99999\r\nExpect: 100-continue\r\n\r\n"), 413),
        (format!("POST /scim/x HTTP/1.1\r\n{HEAD}Content-Length: 5\r\nContent-Type: text/xml\r\n\r\n"), 415),
        (format!("POST /scim/x HTTP/1.1\r\n{HEAD}Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\n"), 415),
    ] {
        let mut client = Client::connect(server.running.data_addr).await;
        let answer = client.ask(&request).await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.header("connection"), Some("close"), "{request}");
        assert!(answer.body.contains("urn:ietf:params:scim:api:messages:2.0:Error"), "{}", answer.body);
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_is_still_sending() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send(format!("POST /scim/x HTTP/1.1\r\n{HEAD}Content-Length: 200000\r\n\r\n")).await;
    // The answer is there, and a client that only looks for one when it has sent everything must still find it: if the
    // connection were simply closed, the second of these would fail.
    client.socket.readable().await.unwrap();
    for _ in 0..20 {
        client.send(vec![b'x'; 10_000]).await;
    }
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn chunks_are_counted() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send(format!("POST /scim/x HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..5 {
        client.send(&chunk).await;
    }
    let answer = client.answer().await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("65536 bytes"), "{}", answer.body);
}

#[tokio::test]
async fn malformed_chunks_are_the_clients_fault() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let request = format!("POST /scim/x HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n");
    let answer = client.ask(request).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("invalidSyntax"), "{}", answer.body);
}

#[tokio::test]
async fn expect_continue_is_answered_and_the_connection_kept() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send(format!("POST /scim/x HTTP/1.1\r\n{HEAD}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")).await;
    assert_eq!(client.take_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    let answer = client.ask("abc").await;
    assert_eq!((answer.body.as_str(), answer.header("connection")), ("POST /scim/x abc", Some("keep-alive")));
    assert_eq!(client.ask(post("/scim/x", "", "d")).await.body, "POST /scim/x d");
}

#[tokio::test]
async fn a_slow_body_is_408() {
    let short = Bounds { body_timeout: Duration::from_millis(150), ..bounds() };
    let server = Setup { bounds: short, ..Setup::default() }.start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let answer = client.ask(format!("POST /scim/x HTTP/1.1\r\n{HEAD}Content-Length: 3\r\n\r\na")).await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    for path in ["/scim/panic", "/scim/panic-early"] {
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\n{HEAD}\r\n")).await;
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains("\"status\":\"500\"") && !answer.body.contains("on request"), "{}", answer.body);
    }
    assert_eq!(client.ask(post("/scim/x", "", "still here")).await.status, 200);
    assert_eq!(server.metrics.panics.get(), 2);
    eventually("nothing in flight", || server.metrics.requests_in_flight.get() == 0).await;
}

#[tokio::test]
async fn a_request_id_is_kept_or_made() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let kept = client.ask(format!("GET /scim/x HTTP/1.1\r\n{HEAD}X-Request-Id: abc-1\r\n\r\n")).await;
    assert_eq!(kept.header("x-request-id"), Some("abc-1"));
    let made = client.ask(format!("GET /scim/x HTTP/1.1\r\n{HEAD}X-Request-Id: a b\r\n\r\n")).await;
    assert!(made.header("x-request-id").is_some_and(|id| id.len() > 10), "{made:?}");
}

#[tokio::test]
async fn urls_begin_with_what_a_trusted_proxy_says() {
    let forwarded = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: idp.example\r\nX-Forwarded-Prefix: /sso\r\n";
    let request = format!("GET /scim/origin HTTP/1.1\r\n{HEAD}{forwarded}\r\n");
    for (trusted, expected) in [
        (TrustedProxies::default(), "http://a"),
        (TrustedProxies::new([("127.0.0.0".parse().unwrap(), 8)]), "https://idp.example/sso"),
    ] {
        let server = Setup { trusted, ..Setup::default() }.start().await;
        assert_eq!(Client::connect(server.running.data_addr).await.ask(&request).await.body, expected);
    }
}
