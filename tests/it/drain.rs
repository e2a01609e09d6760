//! Leaving: what `scimshim drain` and `POST /drain` change, and what `scimshim healthcheck` says meanwhile.

use std::process::{Child, Command, Stdio};

use crate::proxy_binary::{Sidecar, config};
use crate::proxy_harness::{App, Client, PATIENCE, Setup, bounds, eventually};
use scimshim::proxy::edge::Bounds;

const DRAIN: &str = "POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
const GET: &str = "GET /scim/x HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n";
const GET_USER: &str = "GET /scim/v2/Users/7 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n";

#[tokio::test]
async fn while_it_drains_everybody_is_served_and_told_to_connect_elsewhere() {
    let patient = Bounds { keep_accepting: PATIENCE, ..bounds() };
    let server = Setup { bounds: patient, ..Setup::default() }.start().await;
    let mut kept = Client::connect(server.running.data_addr).await;
    let answer = kept.ask(GET).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")));
    let mut admin = Client::connect(server.running.admin_addr).await;
    let told = admin.ask(DRAIN).await;
    assert_eq!((told.status, told.body.as_str()), (200, "{\"begun\":1,\"under_way\":0}\n"));
    assert_eq!(admin.ask("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 503);
    assert_eq!(admin.ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    // On a connection that was open, on one that was not, and for what passes through (nowhere, here).
    let mut fresh = Client::connect(server.running.data_addr).await;
    let mut through = Client::connect(server.running.data_addr).await;
    for (client, request, status) in
        [(&mut kept, GET, 200), (&mut fresh, GET, 200), (&mut through, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404)]
    {
        let answer = client.ask(request).await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{request}");
        assert!(client.is_closed().await, "{request}");
    }
    assert_eq!(admin.ask(DRAIN).await.body, "{\"begun\":4,\"under_way\":0}\n");
    // Who has drained is not waited for again.
    server.running.stop();
    assert_eq!(tokio::time::timeout(PATIENCE / 2, server.running.wait()).await, Ok(0));
}

#[tokio::test]
async fn work_that_does_not_end_after_a_drain_is_cut_off() {
    let hasty = Bounds { drain_timeout: std::time::Duration::from_millis(50), ..bounds() };
    let server = Setup { bounds: hasty, ..Setup::default() }.start().await;
    let mut busy = Client::connect(server.running.data_addr).await;
    busy.send("GET /scim/slow HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n").await;
    eventually("a request in flight", || server.metrics.requests_in_flight.get() == 1).await;
    let told = Client::connect(server.running.admin_addr).await.ask(DRAIN).await;
    assert_eq!(told.body, "{\"begun\":1,\"under_way\":1}\n");
    server.running.stop();
    assert_eq!(server.running.wait().await, 1);
}

fn verb(sidecar: &Sidecar, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
    command.args(arguments).arg("--admin").arg(sidecar.admin.to_string()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

async fn said(mut child: Child) -> (Option<i32>, String) {
    eventually("the command ends", || child.try_wait().unwrap().is_some()).await;
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn the_drain_command_waits_for_what_is_under_way() {
    let app = App::bind().await;
    let mut sidecar = Sidecar::start_with(&config(app.address()), &[]).await;
    for probe in ["ready", "live", "startup"] {
        assert_eq!(said(verb(&sidecar, &["healthcheck", "--probe", probe])).await, (Some(0), String::new()), "{probe}");
    }
    let mut client = Client::connect(sidecar.data).await;
    client.send(GET_USER).await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;

    let impatient = verb(&sidecar, &["drain", "--wait", "100ms", "--quiet", "0s"]);
    let (code, text) = said(impatient).await;
    assert_eq!((code, text.as_str()), (Some(1), "scimshim: 1 requests are still under way after 0.1 s\n"));
    let (code, text) = said(verb(&sidecar, &["healthcheck"])).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("503") && text.contains("[-] staying"), "{text}");
    assert_eq!(said(verb(&sidecar, &["healthcheck", "--probe", "live"])).await.0, Some(0));

    let mut patient = verb(&sidecar, &["drain", "--quiet", "50ms"]);
    assert!(patient.try_wait().unwrap().is_none());
    let body = r#"{"id":"7","email":"ada@example.com"}"#;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    upstream.send(head + body).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    assert_eq!(said(patient).await, (Some(0), String::new()));

    sidecar.signal("TERM");
    assert_eq!(sidecar.exit_code().await, Some(0));
    let (code, text) = said(verb(&sidecar, &["healthcheck"])).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("the admin listener at 127.0.0.1:"), "{text}");
}

#[tokio::test]
async fn where_the_admin_listener_is_may_come_from_the_configuration() {
    let app = App::bind().await;
    let sidecar = Sidecar::start_with(&config(app.address()), &[]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    let listen = format!("admin_listen   = \"0.0.0.0:{}\"", sidecar.admin.port());
    let text = config(app.address()).replace("admin_listen   = \"127.0.0.1:0\"", &listen);
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
    command.args(["healthcheck", "-c"]).arg(&file).env_remove("SCIMSHIM_ADMIN").stderr(Stdio::piped());
    assert_eq!(said(command.spawn().unwrap()).await, (Some(0), String::new()));
}
