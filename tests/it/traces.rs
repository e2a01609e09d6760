//! Trace context and spans, as an application and a collector see them.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::collector::{Collector, Mood, attributes, hex};
use crate::proxy_binary::{Sidecar, config};
use crate::proxy_harness::{Answer, App, Client, eventually};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const AUTHORIZED: &str = "Host: a\r\nAuthorization: Bearer secret\r\n";

fn parent(flags: &str) -> String {
    format!("traceparent: 00-{TRACE}-{CALLER}-{flags}\r\n")
}

/// The values of `traceparent` in a head.
fn told(head: &str) -> Vec<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("traceparent"))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

/// One request, and one call of the application because of it, which is answered with this user; both heads.
async fn exchange(sidecar: &Sidecar, app: &App, request: &str, body: &str) -> (Answer, String) {
    let mut client = Client::connect(sidecar.data).await;
    client.send(request).await;
    let mut upstream = app.accept().await;
    let head = upstream.take_until("\r\n\r\n").await;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    upstream.send(answer).await;
    (client.answer().await, head)
}

const USER: &str = r#"{"id":"7","email":"ada@example.com"}"#;

fn get_user(headers: &str) -> String {
    format!("GET /scim/v2/Users/7 HTTP/1.1\r\n{AUTHORIZED}{headers}\r\n")
}

/// The one span of this name.
fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    found[0]
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32)
}

#[tokio::test]
async fn a_scim_request_becomes_a_tree_of_spans() {
    let (collector, app) = (Collector::start().await, App::bind().await);
    let table = collector.table(
        "headers = { X-Api-Key = 'file:token' }\nservice = 'hr-scim'\nresource = { 'deployment.environment.name' = 'test' }",
    );
    let sidecar = Sidecar::start(&(config(app.address()) + &table)).await;
    let given = format!("{}tracestate: vendor=x\r\nX-Request-Id: r-1\r\n", parent("01"));
    let (answer, head) = exchange(&sidecar, &app, &get_user(&given), USER).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let spans = collector.spans(5).await;

    let server = named(&spans, "GET /scim/v2/Users/{id}");
    assert_eq!((server.kind(), hex(&server.parent_span_id).as_str()), (SpanKind::Server, CALLER));
    // Sampled, and the parent is somebody else's.
    assert_eq!(server.flags, 0x301);
    let plan = named(&spans, "plan");
    let call = named(&spans, "GET");
    for (span, kind, of) in [
        (named(&spans, "route"), SpanKind::Internal, server),
        (named(&spans, "auth"), SpanKind::Internal, server),
        (plan, SpanKind::Internal, server),
        (call, SpanKind::Client, plan),
    ] {
        assert_eq!((span.kind(), &span.parent_span_id, span.flags), (kind, &of.span_id, 0x101), "{}", span.name);
        assert!(of.start_time_unix_nano <= span.start_time_unix_nano, "{}", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{}", span.name);
        assert!(span.end_time_unix_nano <= of.end_time_unix_nano, "{}", span.name);
    }
    for span in &spans {
        assert_eq!(
            (hex(&span.trace_id).as_str(), span.trace_state.as_str(), is_error(span)),
            (TRACE, "vendor=x", false)
        );
    }
    // The application's own spans go below the span of the call.
    assert_eq!(told(&head), [format!("00-{TRACE}-{}-01", hex(&call.span_id))]);
    assert!(head.contains("tracestate: vendor=x\r\n"), "{head}");

    let about = |span: &Span| {
        attributes(&span.attributes).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(
        about(server),
        [
            "http.request.method=GET",
            "http.response.status_code=200",
            "http.route=/scim/v2/Users/{id}",
            "scimshim.operation=get",
            "scimshim.request_id=r-1",
            "scimshim.resource_type=User",
            "scimshim.route=/scim/v2",
            "url.scheme=http"
        ]
    );
    let port = format!("server.port={}", app.address().port());
    assert_eq!(
        about(call),
        [
            "http.request.method=GET",
            "http.response.status_code=200",
            "scimshim.backend=app",
            "scimshim.origin=preset:rest@1:5",
            "scimshim.resource_type=User",
            "scimshim.slot=get",
            "server.address=127.0.0.1",
            &port
        ]
    );
    who_sends(&collector);
    // The line of the request leads to the trace.
    sidecar.says(&format!("\"request_id\":\"r-1\",\"trace_id\":\"{TRACE}\"")).await;
}

/// The head of a delivery, and what it says about its sender.
fn who_sends(collector: &Collector) {
    let delivery = collector.deliveries().remove(0);
    assert_eq!(delivery.path, "/v1/traces");
    assert_eq!(delivery.headers["content-type"], "application/x-protobuf");
    assert_eq!(delivery.headers["x-api-key"], "secret");
    let sender = &delivery.request.resource_spans[0];
    let resource = attributes(&sender.resource.as_ref().unwrap().attributes);
    assert_eq!(resource["service.name"], "hr-scim");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(resource["deployment.environment.name"], "test");
    assert_eq!(resource["service.instance.id"].len(), 32);
    assert_eq!(sender.scope_spans[0].scope.as_ref().unwrap().name, "scimshim");
}

#[tokio::test]
async fn repairs_are_events_and_failures_are_errors() {
    let (collector, app) = (Collector::start().await, App::bind().await);
    let sidecar = Sidecar::start(&(config(app.address()) + &collector.table(""))).await;
    let body = r#"{"operations":[{"op":"Replace","path":"userName","value":"eve"}]}"#;
    let request = format!(
        "PATCH /scim/v2/Users/7 HTTP/1.1\r\n{AUTHORIZED}Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = Client::connect(sidecar.data).await;
    client.send(request).await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;
    upstream.send("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 502);
    let spans = collector.spans(5).await;
    let (server, plan, call) =
        (named(&spans, "PATCH /scim/v2/Users/{id}"), named(&spans, "plan"), named(&spans, "PATCH"));
    assert!(is_error(server) && is_error(plan) && is_error(call), "{spans:#?}");
    assert_eq!(attributes(&server.attributes)["error.type"], "502");
    assert_eq!(attributes(&call.attributes)["error.type"], "500");
    // Nobody called: a trace of our own, with an id that is random.
    assert!(server.parent_span_id.is_empty() && server.flags == 0x103, "{server:?}");
    let repairs: Vec<_> = plan
        .events
        .iter()
        .map(|event| {
            assert_eq!(event.name, "scimshim.repair");
            attributes(&event.attributes)["scimshim.repair.name"].clone()
        })
        .collect();
    assert!(repairs.contains(&"op-case".to_owned()) && repairs.len() >= 2, "{repairs:?}");
}

#[tokio::test]
async fn a_refusal_is_no_error_of_ours_and_has_no_plan() {
    let (collector, app) = (Collector::start().await, App::bind().await);
    let sidecar = Sidecar::start(&(config(app.address()) + &collector.table(""))).await;
    let answer = Client::connect(sidecar.data).await.ask("GET /scim/v2/Users/7 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.status, 401);
    let spans = collector.spans(3).await;
    let server = spans.iter().find(|span| span.kind() == SpanKind::Server).unwrap();
    assert!(!is_error(server) && attributes(&server.attributes)["http.response.status_code"] == "401", "{server:?}");
    assert!(spans.iter().all(|span| span.name != "plan"), "{spans:#?}");
}

#[tokio::test]
async fn what_passes_through_is_a_call_below_a_request() {
    let (collector, app) = (Collector::start().await, App::bind().await);
    let sidecar = Sidecar::start(&(config(app.address()) + &collector.table(""))).await;
    let request = format!("GET /people/ada?q=secret HTTP/1.1\r\nHost: a\r\n{}baggage: who=ada\r\n\r\n", parent("01"));
    let (answer, head) = exchange(&sidecar, &app, &request, "{}").await;
    assert_eq!(answer.status, 200);
    let spans = collector.spans(2).await;
    let server = spans.iter().find(|span| span.kind() == SpanKind::Server).unwrap();
    let call = spans.iter().find(|span| span.kind() == SpanKind::Client).unwrap();
    assert_eq!((server.name.as_str(), hex(&server.parent_span_id).as_str()), ("GET", CALLER));
    assert_eq!((call.name.as_str(), &call.parent_span_id), ("GET", &server.span_id));
    assert_eq!(told(&head), [format!("00-{TRACE}-{}-01", hex(&call.span_id))]);
    assert!(head.contains("baggage: who=ada"), "{head}");
    assert!(!attributes(&server.attributes).values().any(|value| value.contains("ada") || value.contains("people")));
    // The application is gone.
    drop(app);
    let mut client = Client::connect(sidecar.data).await;
    assert_eq!(client.ask(format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", parent("01"))).await.status, 502);
    let spans = collector.spans(4).await;
    assert_eq!(spans.iter().filter(|span| is_error(span)).count(), 2, "{spans:#?}");
}

#[tokio::test]
async fn without_a_collector_nothing_is_invented_and_what_comes_is_passed_on() {
    let app = App::bind().await;
    let sidecar = Sidecar::start(&config(app.address())).await;
    for (given, passed_on) in [
        (String::new(), Vec::new()),
        ("traceparent: 00-zz-01\r\n".to_owned(), Vec::new()),
        (parent("01"), vec![format!("00-{TRACE}-{CALLER}-01")]),
    ] {
        let (answer, head) = exchange(&sidecar, &app, &get_user(&given), USER).await;
        assert_eq!((answer.status, told(&head)), (200, passed_on), "{given}");
    }
    for given in [String::new(), parent("00")] {
        let (_, head) = exchange(&sidecar, &app, &format!("GET /x HTTP/1.1\r\nHost: a\r\n{given}\r\n"), "{}").await;
        assert_eq!(told(&head).len(), usize::from(!given.is_empty()), "{head}");
    }
    // Also in the log, without a collector.
    sidecar.says(&format!("\"trace_id\":\"{TRACE}\"")).await;
}

#[tokio::test]
async fn the_caller_decides_about_its_traces_and_a_share_of_the_others_is_recorded() {
    let (collector, app) = (Collector::start().await, App::bind().await);
    let sidecar = Sidecar::start(&(config(app.address()) + &collector.table("sample = 0"))).await;
    for (given, sampled) in
        [(String::new(), "00"), (parent("00"), "00"), ("traceparent: x\r\n".to_owned(), "00"), (parent("03"), "01")]
    {
        let (_, head) = exchange(&sidecar, &app, &get_user(&given), USER).await;
        let [value] = told(&head).try_into().unwrap();
        let flags = u8::from_str_radix(value.rsplit('-').next().unwrap(), 16).unwrap();
        assert_eq!(flags & 1, u8::from_str_radix(sampled, 16).unwrap(), "{given} {value}");
        assert!(!value.contains(CALLER), "{value}");
        assert_eq!(value.contains(TRACE), given.contains(TRACE), "{value}");
    }
    collector.spans(5).await;
    assert_eq!(collector.taken(), 5);
}

/// The counters of spans: sent, failed, dropped.
async fn counts(sidecar: &Sidecar) -> [u64; 3] {
    let metrics = Client::connect(sidecar.admin).await.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.body;
    ["sent", "failed", "dropped"].map(|outcome| {
        let name = format!("scimshim_spans_exported_total{{outcome=\"{outcome}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().unwrap()
    })
}

/// Waits until the counters are these.
async fn counted(sidecar: &Sidecar, expected: [u64; 3]) {
    let deadline = Instant::now() + crate::proxy_harness::PATIENCE;
    loop {
        let found = counts(sidecar).await;
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?} instead of {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A request that is refused: three spans, and no call.
async fn refused(sidecar: &Sidecar) {
    let answer = Client::connect(sidecar.data).await.ask("GET /scim/v2/Users HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_collector_that_has_no_time_is_asked_again() {
    let collector = Collector::in_mood([Mood::Status(429, Some("1")), Mood::Status(503, Some("0"))]).await;
    let sidecar = Sidecar::start(&(config("127.0.0.1:1".parse().unwrap()) + &collector.table(""))).await;
    let begun = Instant::now();
    refused(&sidecar).await;
    assert_eq!(collector.spans(3).await.len(), 3);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    counted(&sidecar, [3, 0, 0]).await;
    let deliveries = collector.deliveries();
    assert!(deliveries.len() == 3 && deliveries.iter().all(|delivery| delivery.body == deliveries[0].body));
    sidecar.says("it answered 429").await;
    sidecar.says("spans are delivered to the collector again").await;
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_counted() {
    let moods = [Mood::Partly(2, "too\u{1b}[2Jold"), Mood::Status(400, None)];
    let collector = Collector::in_mood(moods).await;
    let sidecar = Sidecar::start(&(config("127.0.0.1:1".parse().unwrap()) + &collector.table(""))).await;
    refused(&sidecar).await;
    counted(&sidecar, [1, 2, 0]).await;
    sidecar.says(r#""msg":"the collector did not take every span","spans":2,"reason":"too\u001b[2Jold""#).await;
    refused(&sidecar).await;
    counted(&sidecar, [1, 5, 0]).await;
    assert_eq!(collector.deliveries().len(), 2);
}

#[tokio::test]
async fn a_collector_that_is_slow_or_gone_holds_up_nobody() {
    let slow = Collector::in_mood(std::iter::repeat_n(Mood::Silent, 100)).await;
    let gone =
        "\n[trace]\nendpoint = \"http://127.0.0.1:1\"\ninterval = \"10ms\"\nqueue_max = 6\nbatch_max = 3\n".to_owned();
    for table in [slow.table("timeout = \"300s\"\nqueue_max = 6\nbatch_max = 3"), gone] {
        let sidecar = Sidecar::start(&(config("127.0.0.1:1".parse().unwrap()) + &table)).await;
        refused(&sidecar).await;
        // The first batch is under way from here on, and two more fit in.
        eventually("a delivery", || sidecar.line("cannot be delivered").is_some() || !slow.deliveries().is_empty())
            .await;
        for _ in 0..9 {
            refused(&sidecar).await;
        }
        counted(&sidecar, [0, 0, 21]).await;
        let begun = Instant::now();
        let mut sidecar = sidecar;
        sidecar.signal("TERM");
        sidecar.says("\"phase\":\"Draining\"").await;
        sidecar.signal("TERM");
        assert_eq!(sidecar.exit_code().await, Some(0));
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn the_last_spans_are_sent_before_the_end() {
    let collector = Collector::start().await;
    let table = collector.table("").replace("10ms", "5m");
    let mut sidecar = Sidecar::start(&(config("127.0.0.1:1".parse().unwrap()) + &table)).await;
    refused(&sidecar).await;
    sidecar.says("scim request answered").await;
    assert_eq!(collector.taken(), 0);
    sidecar.signal("TERM");
    assert_eq!(sidecar.exit_code().await, Some(0));
    assert_eq!(collector.taken(), 3);
}

#[tokio::test]
async fn a_reload_changes_who_is_told_and_loses_nothing() {
    let (one, two) = (Collector::start().await, Collector::start().await);
    let text = config("127.0.0.1:1".parse().unwrap());
    let sidecar = Sidecar::start(&(text.clone() + &one.table("").replace("10ms", "5m"))).await;
    let file = sidecar.directory.path().join("config.toml");
    refused(&sidecar).await;
    std::fs::write(&file, text.clone() + &two.table("")).unwrap();
    sidecar.signal("HUP");
    sidecar.has_applied(2).await;
    // What the one before held is sent where it belongs.
    assert_eq!(one.spans(3).await.len(), 3);
    refused(&sidecar).await;
    assert_eq!(two.spans(3).await.len(), 3);
    std::fs::write(&file, text + &two.table("sample = 0")).unwrap();
    sidecar.signal("HUP");
    sidecar.has_applied(3).await;
    refused(&sidecar).await;
    counted(&sidecar, [6, 0, 0]).await;
    assert_eq!((one.taken(), two.taken()), (3, 3));
}
