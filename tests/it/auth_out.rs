//! How the adapter shows itself to the application, and what becomes of a refusal.

use base64::Engine as _;

use crate::conformance_bench::CONFIG;
use crate::proxy_harness::{Answer, App, Client};
use crate::stack::{APP_KEY, SCIM_TOKEN, Sidecar, sidecar_at};

const SHIPPED: &str =
    r#"auth = { kind = "header", name = "X-Api-Key", token = "env:ACME_KEY", expired = "status == 401" }"#;
const READ: &str = "GET /scim/v2/a/b/Users/7";

/// A sidecar whose backend credential is as given, in front of an application of the test's own.
async fn start(auth: &str) -> (App, Sidecar) {
    assert!(CONFIG.contains(SHIPPED));
    let app = App::bind().await;
    let config = CONFIG.replace(SHIPPED, auth);
    let sidecar = sidecar_at(&config, Some(format!("http://{}", app.address()))).await;
    (app, sidecar)
}

async fn read(sidecar: &Sidecar) -> Client {
    let mut client = Client::connect(sidecar.addr()).await;
    let head = format!("{READ} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SCIM_TOKEN}\r\n\r\n");
    client.send(head).await;
    client
}

fn reply(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn each_kind_of_credential_arrives_and_the_clients_own_does_not() {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("svc scim:{APP_KEY}"));
    for (auth, expected) in [
        (r#"auth = { kind = "bearer", token = "env:ACME_KEY" }"#, format!("authorization: Bearer {APP_KEY}")),
        (SHIPPED, format!("x-api-key: {APP_KEY}")),
        (
            r#"auth = { kind = "header", name = "Authorization", prefix = "token ", token = "env:ACME_KEY" }"#,
            format!("authorization: token {APP_KEY}"),
        ),
        (
            r#"auth = { kind = "basic", user = "svc scim", password = "env:ACME_KEY" }"#,
            format!("authorization: Basic {basic}"),
        ),
        (r#"auth = { kind = "none" }"#, String::new()),
    ] {
        let (app, sidecar) = start(auth).await;
        let mut client = read(&sidecar).await;
        let mut upstream = app.accept().await;
        let head = upstream.take_until("\r\n\r\n").await;
        assert!(head.starts_with("GET /api/employees/7 HTTP/1.1\r\n"), "{head}");
        let credentials: Vec<&str> =
            head.lines().filter(|line| line.contains(APP_KEY) || line.starts_with("authorization:")).collect();
        let expected: Vec<&str> = Some(expected.as_str()).filter(|line| !line.is_empty()).into_iter().collect();
        assert_eq!(credentials, expected, "{auth}");
        assert!(!head.contains(SCIM_TOKEN), "{head}");
        upstream.send(reply("200 OK", "", r#"{"data":{"id":7,"login":"ann"}}"#)).await;
        let answer = client.answer().await;
        assert!(answer.status == 200 && answer.body.contains("\"userName\":\"ann\""), "{answer:?}");
        sidecar.stop();
    }
}

#[tokio::test]
async fn a_refused_credential_of_ours_is_502_and_not_asked_again() {
    let (app, sidecar) = start(SHIPPED).await;
    let mut client = read(&sidecar).await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;
    let body = format!(r#"{{"error":{{"code":"unauthorised","message":"{APP_KEY} is not valid"}}}}"#);
    upstream.send(reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"acme\"\r\n", &body)).await;
    let answer: Answer = client.answer().await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (502, None), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    assert!(answer.body.contains("\"status\":\"502\"") && answer.body.contains("acme refused"), "{}", answer.body);
    assert!(!answer.body.contains(APP_KEY) && !answer.head.contains(APP_KEY), "{answer:?}");
    assert!(app.is_unasked().await);
    sidecar.stop();
}
