//! The admin side and the end of a server.

use std::time::Duration;

use crate::proxy_harness::{Client, PATIENCE, Setup, bounds, eventually};
use scimshim::proxy::edge::Bounds;

const SLOW: &str = "GET /scim/slow HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n";

#[tokio::test]
async fn probes_and_metrics_are_served_beside_the_traffic() {
    let server = Setup::default().start().await;
    let mut admin = Client::connect(server.running.admin_addr).await;
    let mut get = async |path: &str| admin.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    assert_eq!(get("/livez").await.status, 200);
    assert_eq!(get("/readyz?verbose").await.body, "[+] listener\n[+] staying\nok\n");
    assert_eq!(get("/readyz").await.body, "ok\n");
    assert_eq!(get("/startupz").await.status, 200);
    assert_eq!(get("/scim/x").await.status, 404);
    let mut data = Client::connect(server.running.data_addr).await;
    data.ask("GET /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n").await;
    eventually("the answer is counted", || server.metrics.render().contains("scimshim_requests_total{")).await;
    let text = get("/metrics").await.body;
    assert!(
        text.contains(
            "scimshim_requests_total{code=\"200\",method=\"other\",operation=\"get\",outcome=\"ok\",resource_type=\"User\",route=\"/scim\",scim_type=\"none\"} 1"
        ),
        "{text}"
    );
    assert!(text.contains("scimshim_connections 1\n") && text.contains("scimshim_build_info"), "{text}");
    // Traffic is not served there, nor probes here.
    assert_eq!(data.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 404);
}

#[tokio::test]
async fn a_stop_lets_work_in_flight_finish() {
    let server = Setup::default().start().await;
    let address = server.running.data_addr;
    let (mut busy, mut idle) = (Client::connect(address).await, Client::connect(address).await);
    let mut silent = Client::connect(address).await;
    assert_eq!(idle.ask("GET /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n").await.status, 200);
    busy.send(SLOW).await;
    eventually("a request in flight", || server.metrics.requests_in_flight.get() == 1).await;
    let started = std::time::Instant::now();
    eventually("all are accepted", || server.metrics.connections.get() == 3).await;
    server.running.stop();
    assert!(idle.is_closed().await && silent.is_closed().await);
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(busy.is_closed().await);
    assert_eq!(server.running.wait().await, 0);
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn new_connections_are_served_for_a_while_after_the_stop_began() {
    let patient = Bounds { keep_accepting: PATIENCE, ..bounds() };
    let server = Setup { bounds: patient, ..Setup::default() }.start().await;
    let mut admin = Client::connect(server.running.admin_addr).await;
    server.running.stop();
    let ready = admin.ask("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "[-] staying\nfailed\n"));
    let mut client = Client::connect(server.running.data_addr).await;
    assert_eq!(client.ask("GET /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n").await.status, 200);
    // Told again, it stops waiting.
    server.running.stop();
    assert!(client.is_closed().await);
    assert_eq!(server.running.wait().await, 0);
}

#[tokio::test]
async fn work_that_does_not_end_is_cut_off() {
    let hasty = Bounds { drain_timeout: Duration::from_millis(50), ..bounds() };
    let server = Setup { bounds: hasty, ..Setup::default() }.start().await;
    let mut busy = Client::connect(server.running.data_addr).await;
    busy.send(SLOW).await;
    eventually("a request in flight", || server.metrics.requests_in_flight.get() == 1).await;
    server.running.stop();
    assert_eq!(server.running.wait().await, 1);
    assert!(busy.is_closed().await);
    eventually("nothing in flight", || server.metrics.requests_in_flight.get() == 0).await;
}
