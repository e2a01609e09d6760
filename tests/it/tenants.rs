//! Base URLs with a tenant in them: what resources are called there, and what is no tenant.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::conformance_bench::{Bench, config_with};
use crate::proxy_harness::Client;
use crate::stack::SCIM_TOKEN;

const FORWARDED: [(&str, &str); 3] =
    [("x-forwarded-proto", "https"), ("x-forwarded-host", "idp.example"), ("x-forwarded-prefix", "/sso")];

#[tokio::test]
async fn locations_follow_the_tenant_and_the_proxy_that_is_trusted() {
    for (trusted, forwarded) in [("'127.0.0.0/8'", true), ("'10.0.0.0/8', '::1'", false)] {
        let bench = Bench::with(&config_with("server", &format!("trusted_proxies = [{trusted}]"))).await;
        for path in ["/scim/v2/crm/prod", "/scim/v2/crm/prod/v2/t-1", "/scim/v2/crm/test/v2/t_2"] {
            let own = format!("http://{}", bench.sidecar.addr());
            let origin = if forwarded { "https://idp.example/sso" } else { &own };
            let expected = format!("{origin}{path}");
            let user = create(&bench, &format!("{path}/Users"), &json!({"userName": path})).await;
            let id = user["id"].as_str().unwrap();
            let user_url = format!("{expected}/Users/{id}");
            assert_eq!(user["meta"]["location"], user_url);
            let group = json!({"displayName": path, "members": [{"value": id}]});
            let group = create(&bench, &format!("{path}/Groups"), &group).await;
            assert_eq!(group["members"][0]["$ref"], user_url);
            let listed = send(&bench, "GET", &format!("{path}/Users"), None).await.1;
            let listed = listed["Resources"].as_array().unwrap();
            assert!(listed.iter().any(|user| user["meta"]["location"] == user_url), "{listed:?}");
            let types = send(&bench, "GET", &format!("{path}/ResourceTypes/User"), None).await.1;
            assert_eq!(types["meta"]["location"], format!("{expected}/ResourceTypes/User"));
        }
    }
}

/// Creates a resource; `Location` says what its `meta.location` says.
async fn create(bench: &Bench, path: &str, body: &Value) -> Value {
    let (location, created) = send(bench, "POST", path, Some(body)).await;
    assert_eq!(location.as_deref(), created["meta"]["location"].as_str(), "{created}");
    created
}

/// Sends a request with forwarding headers; `Location` and body.
async fn send(bench: &Bench, method: &str, path: &str, body: Option<&Value>) -> (Option<String>, Value) {
    let bearer = format!("Bearer {SCIM_TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/scim+json")];
    let headers: HeaderMap = headers
        .into_iter()
        .chain(FORWARDED)
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(value).unwrap()))
        .collect();
    let url = format!("http://{}{path}", bench.sidecar.addr());
    let body = body.map(Value::to_string).unwrap_or_default();
    let answer = bench.client.send(method, &url, headers, body.into()).await.unwrap();
    assert!(answer.status < 300, "{method} {path}: {}", answer.json());
    (answer.header("location").map(str::to_owned), answer.json())
}

#[tokio::test]
async fn what_is_no_tenant_is_nobodys_business() {
    let bench = Bench::new().await;
    let longest = "t".repeat(64);
    let longer = "t".repeat(65);
    let tenants = [
        (longer.as_str(), 404),
        ("a%2Fb", 404),
        ("a%2fb", 404),
        ("a/b", 404),
        ("..", 400),
        ("%2e%2e", 400),
        (".", 400),
        ("a%00b", 400),
        ("a%5Cb", 404),
        ("a.b", 404),
        ("a%20b", 404),
        ("t%C3%BC", 404),
        ("tü", 404),
        ("{tenant}", 404),
        ("t;x", 404),
    ];
    let mut refused = 0;
    // Nobody is asked who they are: the answer is the same without a credential.
    for (tenant, status) in tenants {
        for (method, rest) in [("GET", "/Users"), ("POST", "/Users"), ("GET", "/ServiceProviderConfig")] {
            let path = format!("/scim/v2/crm/prod/v2/{tenant}{rest}");
            let body = if method == "POST" { "Content-Length: 2\r\n\r\n{}" } else { "\r\n" };
            let mut client = Client::connect(bench.sidecar.addr()).await;
            let answer = client.ask(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{body}")).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{path}");
            assert_eq!(answer.header("www-authenticate"), None, "{path}");
            assert!(answer.body.contains(&format!("\"status\":\"{status}\"")), "{}", answer.body);
            if status == 404 && tenant != "a/b" {
                assert!(answer.body.contains("no valid tenant"), "{path}: {}", answer.body);
            }
            refused += 1;
        }
    }
    let metrics = bench.metrics().await;
    assert_eq!(sum(&metrics, "scimshim_route_rejections_total"), refused);
    assert_eq!(sum(&metrics, "scimshim_auth_failures_total"), 0);
    assert_eq!(sum(&metrics, "scimshim_passthrough_requests_total"), 0);
    assert_eq!(sum(&metrics, "scimshim_native_requests_total"), 0);
    assert_eq!(bench.app.calls(), []);
    // The longest one is a tenant; there it is asked who is asking.
    let url = format!("http://{}/scim/v2/crm/prod/v2/{longest}/Users", bench.sidecar.addr());
    assert_eq!(bench.client.scim("GET", &url, "wrong", None).await.unwrap().status, 401);
    assert_eq!(bench.client.scim("GET", &url, SCIM_TOKEN, None).await.unwrap().status, 200);
}

/// All series of a counter together.
fn sum(metrics: &str, name: &str) -> u64 {
    let series = metrics.lines().filter(|line| line.starts_with(name));
    series.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}
