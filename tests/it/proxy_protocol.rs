//! Heads that servers read differently, heads that never end, and connections beyond the limit.

use std::time::Duration;

use crate::proxy_harness::{App, Client, Setup, bounds, eventually};
use scimshim::proxy::edge::Bounds;

#[tokio::test]
async fn ambiguous_heads_are_refused_before_anybody_reads_them() {
    let app = App::bind().await;
    let server = Setup { upstream: Some(app.address()), ..Setup::default() }.start().await;
    for (request, status, reason) in [
        (
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "length_and_encoding",
        ),
        ("GET /x HTTP/1.1\r\nAccept: a\r\n\r\n", 400, "missing_host"),
        ("GET /x HTTP/1.1\nHost: a\n\n", 400, "line_ending"),
        ("GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "host"),
        ("GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400, "content_length"),
        ("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400, "transfer_encoding"),
        ("GET /x HTTP/1.1\r\nHost : a\r\n\r\n", 400, "field_line"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "connect"),
        ("GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
        ("\x16\x03\x01\x02\x00", 400, "control_byte"),
    ] {
        let answer = Client::connect(server.running.data_addr).await.ask(request).await;
        assert_eq!(answer.status, status, "{request:?}");
        assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{request:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{request:?}");
        assert!(answer.body.contains(&format!("\"status\":\"{status}\"")), "{}", answer.body);
        let counter = format!("scimshim_protocol_rejections_total{{reason=\"{reason}\"}} 1");
        assert!(server.metrics.render().contains(&counter), "{counter}");
    }
    assert!(app.is_unasked().await);
}

#[tokio::test]
async fn a_header_larger_than_allowed_is_431() {
    let server = Setup::default().start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let head = format!("GET /scim/x HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(bounds().header_max_bytes));
    assert_eq!(client.ask(head).await.status, 431);
    assert!(client.is_closed().await);
    // A head that never ends is refused when it is too large, and not when its time is over.
    let mut client = Client::connect(server.running.data_addr).await;
    assert_eq!(client.ask(format!("GET /{}", "a".repeat(bounds().header_max_bytes))).await.status, 431);
}

#[tokio::test]
async fn a_slow_header_is_408_however_busy_it_looks() {
    let short = Bounds { header_timeout: Duration::from_millis(300), ..bounds() };
    let server = Setup { bounds: short, ..Setup::default() }.start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let started = std::time::Instant::now();
    let mut dripped = 0;
    let answer = loop {
        // One byte at a time: each read is quick, the whole is not.
        if tokio::time::timeout(Duration::from_millis(20), client.socket.readable()).await.is_ok() {
            break client.answer().await;
        }
        client.send("G").await;
        dripped += 1;
    };
    assert_eq!(answer.status, 408);
    assert!(dripped > 2 && started.elapsed() < Duration::from_secs(10), "{dripped}");
}

#[tokio::test]
async fn the_header_deadline_holds_for_later_requests_too() {
    let short = Bounds { header_timeout: Duration::from_millis(200), ..bounds() };
    let server = Setup { bounds: short, ..Setup::default() }.start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    let request = "GET /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n";
    assert_eq!(client.ask(request).await.status, 200);
    // Waiting between requests is another matter than being slow with one.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(client.ask(request).await.status, 200);
    assert_eq!(client.ask("GET /scim").await.status, 408);
}

#[tokio::test]
async fn a_silent_connection_is_closed_without_a_word() {
    let short = Bounds {
        header_timeout: Duration::from_millis(100),
        keepalive_timeout: Duration::from_millis(100),
        ..bounds()
    };
    let server = Setup { bounds: short, ..Setup::default() }.start().await;
    assert!(Client::connect(server.running.data_addr).await.is_closed().await);
    let mut client = Client::connect(server.running.data_addr).await;
    client.ask("GET /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n").await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so() {
    let server = Setup { max_connections: 2, ..Setup::default() }.start().await;
    let address = server.running.data_addr;
    let (first, _second) = (Client::connect(address).await, Client::connect(address).await);
    eventually("two connections", || server.metrics.connections.get() == 2).await;
    let answer = Client::connect(address).await.answer().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(server.metrics.connections_rejected.get(), 1);
    drop(first);
    eventually("one connection", || server.metrics.connections.get() == 1).await;
    let request = "GET /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n";
    assert_eq!(Client::connect(address).await.ask(request).await.status, 200);
}

#[tokio::test]
async fn quotes_and_spaces_in_a_query_are_encoded_not_refused() {
    let app = App::bind().await;
    let server = Setup { upstream: Some(app.address()), ..Setup::default() }.start().await;
    let mut client = Client::connect(server.running.data_addr).await;
    client.send("GET /x?filter=userName eq \"a\" HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = app.accept().await;
    let head = upstream.take_until("\r\n\r\n").await;
    assert!(head.starts_with("GET /x?filter=userName%20eq%20%22a%22 HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn no_byte_makes_the_library_answer_by_itself() {
    let server = Setup::default().start().await;
    for byte in 0..=u8::MAX {
        for (before, after) in [
            ("GET /scim/", " HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n"),
            ("GET /scim/x?", " HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n"),
            ("GET /scim/x HTTP/1.1\r\nHost: a", "\r\nAuthorization: x\r\n\r\n"),
            ("GET /scim/x HTTP/1.1\r\nHost: a\r\nX-A", ": x\r\nAuthorization: x\r\n\r\n"),
            ("GET /scim/x HTTP/1.1\r\nHost: a\r\nConnection: ", "\r\nAuthorization: x\r\n\r\n"),
            ("G", "T /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n"),
        ] {
            let request = [before.as_bytes(), &[byte], after.as_bytes()].concat();
            let answer = Client::connect(server.running.data_addr).await.ask(&request).await;
            let place = format!("{:?}: {answer:?}", String::from_utf8_lossy(&request));
            assert!(matches!(answer.status, 200 | 400), "{place}");
            assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{place}");
        }
    }
}
