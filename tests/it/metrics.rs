//! What is counted, from a request to the scrape: each family of metrics moves with what it is about.
//!
//! In: requests over real connections. Out: lines of `/metrics`. Bounds are in `bounds`, refused heads in
//! `proxy_protocol`, reloads in `proxy_reload`.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use scimshim::adapter::Shared;
use scimshim::config::reload::{Outcome, Reloader};
use scimshim::demo::acme::Fault;
use scimshim::server::load::{FileLoader, compile_file};
use scimshim::telemetry::Metrics;
use serde_json::json;
use tokio::net::TcpListener;

use crate::conformance_bench::{Bench, CONFIG, config_with};
use crate::members::{Slow, change};
use crate::proxy_harness::{counted, scrape};
use crate::stack::{APP_KEY, SCIM_TOKEN, sidecar_at};

const ROUTE: &str = "/scim/v2/{project}/{env}";

/// The names of all metrics that are described in the documentation.
fn documented() -> BTreeSet<&'static str> {
    let page = include_str!("../../docs/metrics.md");
    let own = page.lines().filter_map(|line| line.strip_prefix("### "));
    let process = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    own.chain(process.filter(|name| name.starts_with("process_"))).collect()
}

/// A name in a text that is no metric would be a query without an answer.
#[test]
fn every_metric_that_a_text_names_is_documented() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = documented();
    let (mut files, mut wrong, mut seen) = (Vec::new(), Vec::new(), 0);
    for folder in ["docs", "deploy"] {
        crate::tidy::collect(&root.join(folder), &mut files);
    }
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for name in text.split(|c: char| !(c.is_ascii_lowercase() || c == '_')) {
            // Otherwise it is a recording rule, a variable of the environment or a label.
            let Some(rest) = name.strip_prefix("scimshim_").filter(|rest| !rest.is_empty()) else { continue };
            let parts = ["_bucket", "_count", "_sum"];
            let family = parts.iter().find_map(|part| name.strip_suffix(part)).filter(|name| known.contains(name));
            seen += 1;
            if !known.contains(name) && family.is_none() && !rest.ends_with('_') {
                wrong.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 100, "{seen} names\n{}", wrong.join("\n"));
}

/// Only what nothing is known about is missing: when credentials expire, and what became of tenants.
#[tokio::test]
async fn before_the_first_request_every_metric_is_there() {
    let bench = Bench::new().await;
    let text = scrape(bench.sidecar.admin_addr()).await;
    let shown: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let documented = documented();
    let missing: BTreeSet<String> = documented.difference(&shown).map(|name| (*name).to_owned()).collect();
    let tenants = ["tenant_quarantine_ratio", "tenant_window_failures", "tenant_window_requests"];
    let expected = ["inbound_token_expiry_timestamp_seconds", "native_credential_expiry_timestamp_seconds"];
    let expected: BTreeSet<String> = expected.iter().chain(&tenants).map(|name| format!("scimshim_{name}")).collect();
    assert_eq!(missing, expected);
    assert!(shown.is_subset(&documented), "{:?}", shown.difference(&documented));
    for line in [
        "scimshim_requests_total{code=\"201\",method=\"POST\",operation=\"create\",outcome=\"ok\",resource_type=\"User\",route=\"/scim/v2/{project}/{env}\",scim_type=\"none\"} 0",
        "scimshim_native_requests_total{backend=\"acme\",call=\"list\",code=\"none\",outcome=\"timeout\"} 0",
        "scimshim_tenant_requests_total{outcome=\"failed\",route=\"/scim/v2/{project}/{env}\",tenant=\"other\"} 0",
        "scimshim_native_breaker_opened_total{backend=\"acme\"} 0",
        "scimshim_config_generation 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn requests_filters_and_attributes_are_counted_by_what_they_are() {
    let bench = Bench::new().await;
    let ann = bench.make("/Users", json!({"userName": "ann", "shoeSize": 43, "preferredLanguage": "no"})).await;
    let id = ann["id"].as_str().unwrap();
    bench.get(&format!("/Users/{id}")).await;
    bench.get("/Users").await;
    bench.get(&format!("/Users?filter=id%20eq%20%22{id}%22")).await;
    bench.get("/Users?filter=userName%20eq%20%22ann%22").await;
    bench.get("/Users?filter=title%20pr").await;
    assert_eq!(bench.ask("HEAD", &format!("/Users/{id}"), None).await.status, 200);
    assert_eq!(bench.ask("GET", "/Users/999999", None).await.status, 404);
    assert_eq!(bench.ask("POST", "/Users", Some(json!({"userName": "ann"}))).await.status, 409);
    let op = json!([{"op": "Replace", "path": "title", "value": "Dr"}]);
    bench.patch(&format!("/Users/{id}"), op).await;
    let request = |method: &str, operation: &str, code: u16, outcome: &str, scim_type: &str, count: u64| {
        format!(
            "scimshim_requests_total{{code=\"{code}\",method=\"{method}\",operation=\"{operation}\",outcome=\"{outcome}\",\
             resource_type=\"User\",route=\"{ROUTE}\",scim_type=\"{scim_type}\"}} {count}"
        )
    };
    let filter =
        |plan: &str, count: u64| format!("scimshim_filters_total{{plan=\"{plan}\",resource_type=\"User\"}} {count}");
    let lines = [
        request("POST", "create", 201, "ok", "none", 1),
        request("POST", "create", 409, "rejected", "uniqueness", 1),
        request("GET", "get", 200, "ok", "none", 1),
        request("GET", "get", 404, "rejected", "none", 1),
        request("HEAD", "get", 200, "ok", "none", 1),
        request("GET", "list", 200, "ok", "none", 4),
        filter("none", 1),
        filter("lookup", 1),
        filter("pushed", 1),
        filter("scanned", 1),
        filter("refused", 0),
        "scimshim_scanned_items_total{resource_type=\"User\"} 1".to_owned(),
        "scimshim_dropped_attributes_total{reason=\"unknown\",resource_type=\"User\"} 1".to_owned(),
        "scimshim_repairs_total{repair=\"op-case\"} 1".to_owned(),
        "scimshim_request_duration_seconds_count{operation=\"list\",resource_type=\"User\"} 4".to_owned(),
        "scimshim_mapping_duration_seconds_count{operation=\"list\",resource_type=\"User\"} 4".to_owned(),
        "scimshim_native_calls_per_request_count{operation=\"list\"} 4".to_owned(),
        // Three of them are none of this tenant's business: a failed look-up is one where nothing is there.
        format!("scimshim_tenant_window_requests{{route=\"{ROUTE}\",tenant=\"demo/demo\"}} 3"),
        format!("scimshim_tenant_window_failures{{route=\"{ROUTE}\",tenant=\"demo/demo\"}} 1"),
        format!("scimshim_tenant_requests_total{{outcome=\"rejected\",route=\"{ROUTE}\",tenant=\"demo/demo\"}} 2"),
        format!("scimshim_tenant_request_duration_seconds_count{{route=\"{ROUTE}\",tenant=\"demo/demo\"}} 10"),
    ];
    counted(bench.sidecar.admin_addr(), &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let text = bench.metrics().await;
    let ratio = format!("scimshim_tenant_quarantine_ratio{{route=\"{ROUTE}\",tenant=\"demo/demo\"}} 0.0002");
    assert!(text.lines().any(|line| line == ratio), "{text}");
    let last = format!("scimshim_tenant_last_request_timestamp_seconds{{route=\"{ROUTE}\",tenant=\"demo/demo\"}} ");
    let last: u64 = text.lines().find_map(|line| line.strip_prefix(&last)).unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - last < 60, "{last} at {now}");
}

#[tokio::test]
async fn tenants_are_told_apart_up_to_the_bound_and_strangers_never() {
    let bench = Bench::with(&config_with("metrics", "tenants = 2")).await;
    let url = |tenant: &str| format!("http://{}/scim/v2/crm/{tenant}/Users", bench.sidecar.addr());
    for number in 0..5 {
        let answer = bench.client.scim("GET", &url(&format!("stranger-{number}")), "wrong", None).await.unwrap();
        assert_eq!(answer.status, 401);
    }
    for tenant in ["a", "b", "c", "d", "a"] {
        assert_eq!(bench.client.scim("GET", &url(tenant), SCIM_TOKEN, None).await.unwrap().status, 200);
    }
    let line = |tenant: &str, count: u64| {
        format!("scimshim_tenant_requests_total{{outcome=\"ok\",route=\"{ROUTE}\",tenant=\"{tenant}\"}} {count}")
    };
    let lines = [
        line("crm/a", 2),
        line("crm/b", 1),
        line("other", 2),
        "scimshim_auth_failures_total{reason=\"unknown\"} 5".to_owned(),
    ];
    counted(bench.sidecar.admin_addr(), &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let text = bench.metrics().await;
    assert!(!text.contains("stranger") && !text.contains("tenant=\"crm/c\""), "{text}");
}

/// Where nobody is asked for a credential, a tenant is one when the application has let somebody in.
#[tokio::test]
async fn without_a_credential_the_application_decides_who_is_a_tenant() {
    let config = config_with("auth", "idp = { kind = 'none' }");
    let bench = Bench::with(&config).await;
    let url = |tenant: &str| format!("http://{}/scim/v2/crm/{tenant}/Users/1", bench.sidecar.addr());
    bench.app.seed_user(None, json!({"login": "ann"}));
    for (tenant, fault) in [("stranger", Some(Fault::DropConnection)), ("a", None)] {
        let known = fault.is_none();
        bench.app.set_fault(fault);
        let answer = bench.client.send("GET", &url(tenant), HeaderMap::new(), bytes::Bytes::new()).await.unwrap();
        assert_eq!(answer.status < 400, known, "{tenant}");
    }
    let line = format!("scimshim_tenant_requests_total{{outcome=\"ok\",route=\"{ROUTE}\",tenant=\"crm/a\"}} 1");
    counted(bench.sidecar.admin_addr(), &[&line]).await;
    assert!(!bench.metrics().await.contains("stranger"));
}

#[tokio::test]
async fn what_is_under_way_and_what_waits_is_shown_while_it_does() {
    let slow = Slow::with(&config_with("backend", &one_at_a_time())).await;
    let first = slow.ask("t", "PATCH", "/Groups/7", change("add", &["1"]));
    let call = slow.next_call().await;
    let same = slow.ask("t", "PATCH", "/Groups/7", change("add", &["2"]));
    slow.until_waiting(1).await;
    let other = slow.ask("t", "PATCH", "/Groups/8", change("add", &["1"]));
    slow.counted(&[
        "scimshim_requests_in_flight 3",
        "scimshim_turns_waiting 1",
        "scimshim_native_requests_in_flight{backend=\"acme\"} 1",
        "scimshim_native_queued{backend=\"acme\"} 1",
    ])
    .await;
    call.answer(201, "{}").await;
    for _ in 0..2 {
        slow.next_call().await.answer(201, "{}").await;
    }
    for answer in [first, same, other] {
        assert_eq!(answer.await.unwrap().status, 204);
    }
    slow.counted(&[
        "scimshim_requests_in_flight 0",
        "scimshim_turns_waiting 0",
        "scimshim_native_requests_in_flight{backend=\"acme\"} 0",
        "scimshim_native_queued{backend=\"acme\"} 0",
    ])
    .await;
}

/// The shipped backend with one place for calls, as TOML.
fn one_at_a_time() -> String {
    let mut config: toml::Table = CONFIG.parse().unwrap();
    let mut backend = config.remove("backend").unwrap();
    backend["acme"].as_table_mut().unwrap().insert("concurrency".to_owned(), 1.into());
    toml::to_string(&backend).unwrap()
}

#[tokio::test]
async fn an_application_that_fails_is_counted_by_how() {
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = CONFIG.replace("breaker     = { failures = 10,", "breaker     = { failures = 2,");
    assert_ne!(config, CONFIG);
    let sidecar = sidecar_at(&config, Some(format!("http://{nowhere}"))).await;
    let client = scimshim::demo::client::Client::new().unwrap();
    for _ in 0..3 {
        let url = format!("{}/Users/1", sidecar.base_url());
        assert_eq!(client.scim("GET", &url, SCIM_TOKEN, None).await.unwrap().status, 503);
    }
    let text = scrape(sidecar.admin_addr()).await;
    let value = |line: &str| -> u64 {
        let found = text.lines().find_map(|found| found.strip_prefix(line)).unwrap_or_else(|| panic!("{line}\n{text}"));
        found.trim().parse().unwrap()
    };
    assert!(value("scimshim_native_retries_total{backend=\"acme\",reason=\"connect\"}") >= 1);
    assert_eq!(value("scimshim_native_breaker_opened_total{backend=\"acme\"}"), 1);
    assert_eq!(value("scimshim_native_breaker_state{backend=\"acme\"}"), 2);
    assert!(
        value("scimshim_native_requests_total{backend=\"acme\",call=\"get\",code=\"none\",outcome=\"circuit_open\"}")
            >= 1
    );
    // Failed look-ups are failed events.
    assert_eq!(value(&format!("scimshim_tenant_window_failures{{route=\"{ROUTE}\",tenant=\"demo/demo\"}}")), 3);
    sidecar.stop();
}

#[tokio::test]
async fn credentials_show_when_they_expire() {
    let claims = URL_SAFE_NO_PAD.encode(json!({"exp": 4_102_444_800_u64}).to_string());
    let jwt = format!("{}.{claims}.c2ln", URL_SAFE_NO_PAD.encode("{}"));
    let tokens = format!(
        "idp = {{ kind = 'bearer', tokens = ['plain:{jwt}', {{ token = 'env:SCIM_TOKEN', name = 'new', expires = '2099-01-01' }}] }}"
    );
    let key = "token = \"env:ACME_KEY\", expired";
    let config = CONFIG.replace(key, "token = \"env:ACME_KEY\", expires = \"2098-01-01T00:00:00Z\", expired");
    let mut config: toml::Table = config.parse().unwrap();
    config["auth"] = toml::Value::Table(tokens.parse().unwrap());
    let bench = Bench::with(&toml::to_string(&config).unwrap()).await;
    let inbound = |token: &str, at: f64| {
        format!("scimshim_inbound_token_expiry_timestamp_seconds{{route=\"{ROUTE}\",token=\"{token}\"}} {at}")
    };
    let lines = [
        inbound("tokens[0]", 4_102_444_800.0),
        inbound("new", 4_070_908_800.0),
        "scimshim_native_credential_expiry_timestamp_seconds{backend=\"acme\"} 4039372800".to_owned(),
    ];
    counted(bench.sidecar.admin_addr(), &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let text = bench.metrics().await;
    assert!(!text.contains(&jwt) && !text.contains(SCIM_TOKEN) && !text.contains(APP_KEY), "{text}");
}

#[tokio::test]
async fn leaving_is_shown() {
    let bench = Bench::new().await;
    let admin = bench.sidecar.admin_addr();
    counted(admin, &["scimshim_draining 0"]).await;
    let url = format!("http://{admin}/drain");
    let answer = bench.client.send("POST", &url, HeaderMap::new(), bytes::Bytes::new()).await.unwrap();
    assert_eq!(answer.status, 200);
    counted(admin, &["scimshim_draining 1"]).await;
}

#[tokio::test]
async fn a_refused_path_is_counted_with_its_method() {
    let bench = Bench::new().await;
    let url = format!("http://{}/scim/v2/crm/prod/Robots", bench.sidecar.addr());
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer x"))]);
    bench.client.send("DELETE", &url, headers, bytes::Bytes::new()).await.unwrap();
    counted(
        bench.sidecar.admin_addr(),
        &[
            "scimshim_route_rejections_total{reason=\"unknown_endpoint\"} 1",
            "scimshim_requests_total{code=\"404\",method=\"DELETE\",operation=\"none\",outcome=\"rejected\",resource_type=\"none\",route=\"none\",scim_type=\"none\"} 1",
        ],
    )
    .await;
}

/// What a configuration no longer says is no longer shown, once it is in force and not before.
#[tokio::test]
async fn a_reload_changes_what_the_configuration_is_about() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let before = CONFIG
        .replace(
            "[\"env:SCIM_TOKEN\"]",
            "[{ token = \"plain:a-token-for-this\", name = \"t\", expires = \"2099-01-01\" }]",
        )
        .replace("\"env:ACME_KEY\"", "\"plain:a-key-for-this\"");
    std::fs::write(&file, &before).unwrap();
    let metrics = Metrics::new().unwrap();
    let shared = Shared { metrics: Arc::clone(&metrics), locks: Arc::default(), sink: None };
    let server = compile_file(&file, before.clone()).unwrap().server;
    let loader = FileLoader::new(file.clone(), server, shared);
    let mut reloader = Reloader::first(Box::new(loader), Arc::clone(&metrics)).await.unwrap();
    reloader.current().load().scim.put_in_force();
    let expiry = "scimshim_inbound_token_expiry_timestamp_seconds{";
    assert_eq!(metrics.render().matches(expiry).count(), 2, "{}", metrics.render());
    let other = "tenant=\"other\"} 0\n";
    let tenants = metrics.render().matches(other).count();
    assert!(tenants > 0);

    std::fs::write(&file, before.replace("a-token-for-this\", name = \"t\", expires", "a-token-for-this\", expire"))
        .unwrap();
    assert_eq!(reloader.reload_if_changed().await, Outcome::Invalid);
    assert_eq!(metrics.render().matches(expiry).count(), 2, "{}", metrics.render());

    let after = before.replace(", expires = \"2099-01-01\"", "").replace("/scim/v2/{project}", "/scim/v3/{project}");
    std::fs::write(&file, after).unwrap();
    assert_eq!(reloader.reload_if_changed().await, Outcome::Applied);
    let text = metrics.render();
    assert_eq!(text.matches(expiry).count(), 0, "{text}");
    let of_tenants = |line: &&str| line.starts_with("scimshim_tenant_");
    assert!(text.lines().filter(of_tenants).all(|line| !line.contains("/scim/v2/")), "{text}");
    assert_eq!(text.matches(other).count(), tenants, "{text}");
    assert!(text.contains("scimshim_config_generation 2\n"), "{text}");
}
