//! What is sent: line, headers, credentials, bodies. And how replies are read.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::stub::{Act, Stub};
use super::*;
use crate::native::NativeClientError;
use crate::plan::SECRET_MARKER;
use crate::telemetry::trace::RequestTrace;

fn sent_as(name: &str, prefix: &str) -> OutboundAuth {
    let send = SendAs { place: TokenPlace::Header(name.to_owned()), prefix: prefix.to_owned() };
    OutboundAuth::Token { token: 0, send }
}

async fn ok_stub() -> Stub {
    Stub::acting(vec![|| Act::Answer(200, "X-Total: 7\r\n", r#"{"id":1}"#)]).await
}

#[tokio::test]
async fn a_call_arrives_below_the_base_url_and_its_reply_is_parsed() {
    let stub = ok_stub().await;
    let completed = send(&client(&backend(stub.address)), &get()).await;
    let NativeOutcome::Reply(read) = &completed.outcome else { panic!("{completed:?}") };
    assert_eq!(
        (read.status, read.body.tree(), read.unreadable, completed.attempts),
        (200, &json!({"id": 1}), false, 1)
    );
    assert!(read.headers.iter().any(|header| header == ("x-total", "7")));
    let request = &stub.requests()[0];
    assert!(request.starts_with("GET /api/users?page=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("accept: application/json\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", stub.address)), "{request}");
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn credentials_are_added_and_no_mapping_replaces_them() {
    let stub = ok_stub().await;
    let cases = [
        (sent_as("Authorization", "Bearer "), "authorization: Bearer t0ken\r\n"),
        (sent_as("X-Key", "token "), "x-key: token t0ken\r\n"),
        (OutboundAuth::Basic { user: "svc".to_owned(), password: 0 }, "authorization: Basic c3ZjOnQwa2Vu\r\n"),
    ];
    for (auth, expected) in cases {
        let client = client(&Backend { auth, ..backend(stub.address) });
        let headers = vec![("Authorization".into(), "Bearer mine".to_owned()), ("X-Key".into(), "mine".to_owned())];
        send(&client, &NativeCall { headers, ..get() }).await;
        let request = stub.requests().pop().unwrap();
        assert!(request.contains(expected), "{request}");
        assert_eq!(request.matches("t0ken").count() + request.matches("c3ZjOnQwa2Vu").count(), 1, "{request}");
        assert!(!format!("{client:?}").contains("t0ken"));
    }
}

#[tokio::test]
async fn bodies_are_json_or_form_with_their_secrets() {
    let stub = ok_stub().await;
    let body = json!({"name": "a b", "access": {"key": {SECRET_MARKER: 1}}});
    let client_json = client(&backend(stub.address));
    send(&client_json, &post(body.clone())).await;
    let request = stub.requests().pop().unwrap();
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"access\":{\"key\":\"b0dy\"},\"name\":\"a b\"}"), "{request}");

    let client_form = client(&Backend { format: Format::Form, ..backend(stub.address) });
    send(&client_form, &post(body)).await;
    let request = stub.requests().pop().unwrap();
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\naccess%5Bkey%5D=b0dy&name=a+b"), "{request}");

    let merge = vec![("Content-Type".into(), "application/merge-patch+json".to_owned())];
    send(&client_json, &NativeCall { headers: merge, ..post(user()) }).await;
    assert!(stub.requests().pop().unwrap().contains("content-type: application/merge-patch+json\r\n"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_sent() {
    let stub = ok_stub().await;
    let client = client(&backend(stub.address));
    let target = |text: &str| NativeCall { target: text.to_owned(), ..get() };
    let header = |name: &str, value: &str| NativeCall { headers: vec![(name.into(), value.to_owned())], ..get() };
    let unsendable = [
        target("/users/../admin"),
        target("/users/%2e%2e"),
        target("/users/a%2F..%2Fb"),
        target("users"),
        target(".evil.example/users"),
        target("/users/a b"),
        header("X-Name", "a\r\nX-Admin: 1"),
        header("X Name", "a"),
        header("Transfer-Encoding", "chunked"),
        header("content-length", "0"),
        call("GE T", Slot::Get),
        post(json!({"key": {SECRET_MARKER: 7}})),
        // A credential does not leave in a body, even when a body asks for it.
        post(json!({"key": [{SECRET_MARKER: 0}]})),
    ];
    for call in unsendable {
        let completed = send(&client, &call).await;
        assert_eq!((completed.outcome, completed.attempts), (failed(NativeFailure::Unsendable), 0), "{call:?}");
    }
    assert_eq!(stub.requests(), Vec::<String>::new());
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn tracing_headers_pass_and_credentials_of_the_caller_do_not() {
    let stub = ok_stub().await;
    let client = client(&backend(stub.address));
    let mut incoming = HeaderMap::new();
    let long = "v".repeat(513);
    for (name, value) in [
        ("authorization", "Bearer scim"),
        ("cookie", "c=1"),
        ("x-forwarded-for", "1.2.3.4"),
        ("baggage", "tenant=acme"),
        ("traceparent", PARENT),
        ("tracestate", long.as_str()),
        ("x-request-id", "first"),
        ("x-request-id", "second"),
    ] {
        incoming.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let trace = RequestTrace::passed_on(&incoming);
    for (forwarded, request_id) in [
        (Forwarded::from_request(&incoming).with_trace(&trace), None),
        (Forwarded::from_request(&incoming).with_trace(&trace).with_request_id("mine"), Some("x-request-id: mine\r\n")),
    ] {
        let deadline = Instant::now() + Duration::from_secs(20);
        client
            .call(&get(), &CallContext { backend: 0, deadline, forwarded: &forwarded, variables: &[], keeping: None })
            .await;
        let request = stub.requests().pop().unwrap();
        assert!(request.contains(&format!("traceparent: {PARENT}\r\n")), "{request}");
        for absent in ["scim\r\n", "cookie", "baggage", "x-forwarded-for", "tracestate", "first", "second"] {
            assert!(!request.contains(absent), "{absent} in {request}");
        }
        assert_eq!(request.contains("x-request-id"), request_id.is_some(), "{request}");
        assert!(request_id.is_none_or(|line| request.contains(line)), "{request}");
    }
}

#[tokio::test]
async fn a_reply_that_is_not_json_is_marked() {
    let stub = Stub::acting(vec![|| Act::Answer(500, "Content-Type: application/json\r\n", "<html>")]).await;
    let completed = send(&client(&backend(stub.address)), &get()).await;
    let NativeOutcome::Reply(read) = completed.outcome else { panic!("{completed:?}") };
    assert_eq!((read.status, read.body.tree(), read.unreadable), (500, &Value::Null, true));
}

#[test]
fn settings_that_cannot_work_are_refused_at_load() {
    let at = "127.0.0.1:1".parse().unwrap();
    let refusal = |backend: Backend, secrets: &ResolvedSecrets| {
        NativeClient::for_backends(&[backend], secrets, &limits(), &[], Metrics::new().unwrap()).unwrap_err()
    };
    let bearer = Backend { auth: sent_as("Authorization", "Bearer "), ..backend(at) };
    assert!(matches!(refusal(bearer.clone(), &ResolvedSecrets::new()), NativeClientError::NoSecret { .. }));
    let line_break = [(0, Secret::new("t0k\nen"))].into();
    let error = refusal(bearer, &line_break);
    assert!(matches!(error, NativeClientError::Unsendable { .. }) && !format!("{error} {error:?}").contains("t0k"));
    let name = sent_as("X Key", "");
    let named = Backend { auth: name, ..backend(at) };
    assert!(matches!(refusal(named, &secrets()), NativeClientError::Unsendable { .. }));
    let mut hostless = backend(at);
    hostless.url.host = "a b".to_owned();
    assert!(matches!(refusal(hostless, &secrets()), NativeClientError::Unsendable { .. }));
}
