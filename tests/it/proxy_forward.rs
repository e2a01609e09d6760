//! What passes through: untouched, streaming both ways, and never said twice.

use std::time::Duration;

use crate::proxy_harness::{App, Client, PATIENCE, Server, Setup, bounds, eventually};
use scimshim::proxy::edge::Bounds;
use scimshim::proxy::forward::TrustedProxies;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

async fn start() -> (App, Server) {
    let app = App::bind().await;
    let server = Setup { upstream: Some(app.address()), ..Setup::default() }.start().await;
    (app, server)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn forged_forwarding_headers_do_not_reach_the_application() {
    let forged = "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n\
                  X-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nConnection: X-Request-Id\r\n\r\n";
    for (trusted, chain, proto) in [
        (TrustedProxies::default(), "127.0.0.1", "http"),
        (TrustedProxies::new([("127.0.0.1".parse().unwrap(), 32)]), "6.6.6.6, 127.0.0.1", "https"),
    ] {
        let app = App::bind().await;
        let server = Setup { trusted, upstream: Some(app.address()), ..Setup::default() }.start().await;
        let mut client = Client::connect(server.running.data_addr).await;
        client.send(forged).await;
        let head = app.accept().await.take_until("\r\n\r\n").await.to_lowercase();
        assert!(head.contains(&format!("\r\nx-forwarded-for: {chain}\r\n")), "{head}");
        assert!(head.contains(&format!("\r\nx-forwarded-proto: {proto}\r\n")), "{head}");
        assert!(head.contains("\r\nx-forwarded-host: a\r\n"), "{head}");
        assert!(head.contains("\r\nhost: a\r\n") && head.contains("\r\nx-request-id: "), "{head}");
        assert!(!head.contains("x_forwarded_for"), "{head}");
        assert_eq!(head.contains("6.6.6.6"), chain.contains("6.6.6.6"), "{head}");
    }
}

#[tokio::test]
async fn headers_of_the_upstream_connection_stay_there() {
    let (app, server) = start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;
    upstream
        .send("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 1\r\nServer: app/1\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.header("x-hop"), answer.header("keep-alive")), (None, None));
    assert_eq!((answer.header("x-end"), answer.header("server")), (Some("1"), Some("app/1")));
    assert_eq!(answer.header("connection"), Some("keep-alive"));
}

#[tokio::test]
async fn bodies_stream_both_ways_piece_by_piece() {
    let (app, server) = start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await;
    let mut upstream = app.accept().await;
    upstream.take_until("one\r\n").await;
    client.send("3\r\ntwo\r\n").await;
    upstream.take_until("two\r\n").await;
    client.send("0\r\n\r\n").await;
    upstream.take_until("0\r\n\r\n").await;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.take_until("\r\n\r\n").await;
    for piece in ["data: 1", "data: 2"] {
        upstream.send(format!("7\r\n{piece}\r\n")).await;
        client.take_until(piece).await;
    }
    upstream.send("0\r\n\r\n").await;
    client.take_until("0\r\n\r\n").await;
    // The connection goes on after that.
    client.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(upstream.take_until("\r\n\r\n").await.starts_with("GET /y "));
    upstream.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
}

#[tokio::test]
async fn a_websocket_is_a_tunnel() {
    let (app, server) = start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client
        .send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        .await;
    let mut upstream = app.accept().await;
    let head = upstream.take_until("\r\n\r\n").await.to_lowercase();
    assert!(head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    upstream
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
        .await;
    let head = client.take_until("\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && head.contains("\r\nupgrade: websocket\r\n"), "{head}");
    for ball in ["ping", "GET / HTTP/1.1\r\n\r\n"] {
        client.send(ball).await;
        assert_eq!(upstream.take(ball.len()).await, ball);
        upstream.send(ball).await;
        assert_eq!(client.take(ball.len()).await, ball);
    }
    drop(upstream);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_post_is_not_said_twice_but_a_get_is() {
    let (app, server) = start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    for (request, repeated) in [
        ("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb", false),
        ("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", true),
    ] {
        client.send("GET /warm-up HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut upstream = app.accept().await;
        upstream.take_until("\r\n\r\n").await;
        upstream.send(OK).await;
        assert_eq!(client.answer().await.status, 200);
        // The kept connection takes the request and dies of it.
        client.send(request).await;
        upstream.take_until("\r\n\r\n").await;
        drop(upstream);
        if repeated {
            let mut second = app.accept().await;
            assert!(second.take_until("\r\n\r\n").await.starts_with("GET /x "));
            second.send(OK).await;
            assert_eq!(client.answer().await.status, 200);
        } else {
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.body.as_str()), (502, "502 Bad Gateway\n"));
            assert_eq!((answer.header("server"), answer.header("connection")), (None, Some("close")));
            assert!(client.is_closed().await);
            assert!(app.is_unasked().await);
            client = Client::connect(server.running.data_addr).await;
        }
    }
    assert!(server.metrics.render().contains("scimshim_passthrough_requests_total{code=\"502\"} 1"));
}

#[tokio::test]
async fn an_application_that_is_not_there_is_502() {
    let address = App::bind().await.address();
    let server = Setup { upstream: Some(address), ..Setup::default() }.start().await;
    let answer = Client::connect(server.running.data_addr).await.ask("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("server")), (502, None));
}

#[tokio::test]
async fn without_an_application_everything_else_is_404() {
    let server = Setup::default().start().await;
    let answer = Client::connect(server.running.data_addr).await.ask("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (404, "404 Not Found\n"));
}

#[tokio::test]
async fn a_next_request_sent_early_waits_its_turn() {
    let (app, server) = start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;
    client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    upstream.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
    assert!(upstream.take_until("\r\n\r\n").await.starts_with("GET /2 "));
    upstream.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_waited_for() {
    let app = App::bind().await;
    let short = Bounds { body_timeout: Duration::from_millis(200), ..bounds() };
    let server = Setup { bounds: short, upstream: Some(app.address()), ..Setup::default() }.start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n").await;
    // More than all buffers on the way hold, until somebody gives up.
    let flood = async { while upstream.socket.write_all(&[0; 16384]).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("somebody gives up");
    eventually("the connection is closed", || server.metrics.connections.get() == 0).await;
}
