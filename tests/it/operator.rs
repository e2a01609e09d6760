//! What operators are told by the binary: every mistake of a configuration at once, and never a secret.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use scimshim::demo::acme::{Acme, AcmeOptions, Fault};
use scimshim::demo::client::Client;
use serde_json::json;
use tokio::net::TcpListener;

use crate::conformance_bench::{CONFIG, config_with, patch};
use crate::fixture::people;
use crate::proxy_binary::{Sidecar, output};

/// One mistake a line: what stands in the shipped configuration, what is put in its place, and what is said.
const MISTAKES: [(&str, &str, &str); 10] = [
    ("threads         = 2  ", "thraeds         = 2  ", "thraeds"),
    ("header_timeout           = \"10s\"", "header_timeout           = \"ten\"", "ten"),
    ("page_max                 = 100", "page_max                 = 0", "page_max"),
    ("slug = \"[A-Za-z0-9_-]{1,64}\"", "slug = \"[A-Za-z0-9_-{1,64}\"", "slug"),
    ("tokens = [\"env:SCIM_TOKEN\"]", "tokens = [\"hunter2-hunter2\"]", "a secret may not stand"),
    ("format      = \"json\" ", "format      = \"yaml\" ", "yaml"),
    ("when  = \"status == 507\"", "when  = \"status == \"", "status =="),
    ("description = \"Badges earned\"", "descripton = \"Badges earned\"", "descripton"),
    ("nickName          = \"nick_name\"", "nikName           = \"nick_name\"", "nikName"),
    ("delete = \"DELETE {path}/{id}\"", "delete = \"DELETE {path}/{ident}\"", "ident"),
];

#[test]
fn check_finds_ten_mistakes_in_one_go() {
    let mut text = CONFIG.to_owned();
    for (right, wrong, _) in MISTAKES {
        assert_eq!(text.matches(right).count(), 1, "{right}");
        text = text.replacen(right, wrong, 1);
    }
    let (output, said) = output("check", &text);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be used"), "{said}");
    // Neither the secret nor how long it is.
    assert!(!said.contains("hunter2") && said.contains("            ^^^^^\n"), "{said}");
    let findings: Vec<&str> = said.split("error[").skip(1).collect();
    for (_, wrong, word) in MISTAKES {
        let line = text.lines().position(|line| line.contains(wrong)).unwrap() + 1;
        let place = format!("config.toml:{line}:");
        let finding = findings.iter().find(|finding| finding.contains(&place));
        let finding = finding.unwrap_or_else(|| panic!("nothing at {place}\n{said}"));
        let column = finding.split_once(&place).unwrap().1.lines().next().unwrap();
        assert!(column.parse::<usize>().is_ok_and(|column| column > 0), "{finding}");
        assert!(finding.contains(word), "{word}: {finding}");
    }
    // Nothing is a mistake because of another one.
    assert_eq!(findings.len(), MISTAKES.len(), "{said}");
}

#[test]
fn check_finds_nothing_in_the_shipped_configuration() {
    let (output, said) = output("check", CONFIG);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.trim_end().ends_with("config.toml: ok"), "{said}");
}

/// A command of the binary in a folder with a file; its exit code, and what it says.
fn command(words: &[&str], text: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
    let output = command.args(words).current_dir(folder.path()).env_remove("SCIMSHIM_LOG").output().unwrap();
    let left = std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), left)
}

#[test]
fn commands_about_a_configuration() {
    let reference = command(&["config", "reference"], "");
    assert_eq!((reference.0, reference.1.as_str()), (Some(0), include_str!("../../docs/reference.md")));
    let schema = command(&["config", "schema"], "");
    assert_eq!((schema.0, schema.1.as_str()), (Some(0), include_str!("../../docs/config.schema.json")));

    // There is one version so far: nothing changes, and other versions are refused.
    let printed = command(&["config", "migrate", "-c", "config.toml"], CONFIG);
    assert_eq!((printed.0, printed.1.as_str()), (Some(0), CONFIG));
    let written = command(&["config", "migrate", "--write", "-c", "config.toml"], CONFIG);
    assert_eq!((written.0, written.1.as_str(), written.2.as_str()), (Some(0), "config.toml: nothing to do\n", CONFIG));
    let (code, said, _) = command(&["config", "migrate", "-c", "config.toml"], "version = 7");
    assert!(code == Some(1) && said.contains("no migration leads from version 7"), "{said}");

    let (code, said, _) = command(&["config", "show", "--capabilities", "-c", "config.toml"], CONFIG);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "  User at /Users: POST, GET, list, PUT, PATCH, DELETE\n",
        "    filter userName eq: query  (config.toml:",
        "    externalId  readWrite, case exact\n",
        "  announced: patch, bulk (up to 100), filter (up to 100), changePassword, sort, etag, pages by index, pages by cursor\n",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let user = "path = '/users'\n[resource.User.attrs]\nuserName = 'login'\n\
                'phoneNumbers[type eq \"work\"].value' = 'phone'\n'phoneNumbers[type eq \"mobile\"].value' = 'mobile'\n";
    let few = people().user(user).text();
    let (code, said, _) = command(&["config", "show", "--capabilities", "-c", "config.toml"], &few);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("  readWrite, only [type eq \"work\"] and [type eq \"mobile\"]\n"), "{said}");
    assert!(said.contains("    externalId  not kept: what a client sends is ignored\n"), "{said}");

    let (code, said, _) = command(&["config", "show", "-c", "config.toml"], CONFIG);
    assert!(code == Some(0) && said.contains("[resource.User.attrs]"), "{said}");
}

const TOKEN: &str = "token-nobody-may-read";
const KEY: &str = "key-nobody-may-read";
const PASSWORD: &str = "Password-nobody-may-read";
const WRONG_TOKEN: &str = "wrong-token-nobody-may-read";
/// Part of each of them, so that pieces are found as well.
const MARK: &str = "nobody-may-read";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said_whatever_is_asked_and_however_much_is_logged() {
    let app = Acme::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), AcmeOptions::new(KEY)).await.unwrap();
    let listen = "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\nkeep_accepting = '0s'";
    let config = config_with("server", listen).replace("http://127.0.0.1:3000", &format!("http://{}", app.addr()));
    let mut sidecar =
        Sidecar::start_with(&config, &[("SCIM_TOKEN", TOKEN), ("ACME_KEY", KEY), ("SCIMSHIM_LOG", "trace")]).await;
    let base = format!("http://{}/scim/v2/crm/prod", sidecar.data);
    let client = Client::new().unwrap();
    let mut read = String::new();
    let mut statuses = BTreeSet::new();
    for (token, method, path, body) in requests() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        let answer = client.send(method.as_str(), &format!("{base}{path}"), headers, body.into()).await.unwrap();
        statuses.insert(answer.status);
        let _ = writeln!(read, "{method}: {} {:?} {:?}", answer.status, answer.headers, answer.body);
    }
    // The application echoes what it was given, in an answer that is an error.
    let body = format!(r#"{{"error":{{"code":"broken","message":"{KEY} {PASSWORD}"}}}}"#);
    for status in [400, 401, 409, 418, 500] {
        let headers = vec![("X-Echo".to_owned(), KEY.to_owned())];
        app.set_fault(Some(Fault::Answer { status, headers, body: body.clone(), writes_only: false }));
        let user = json!({"userName": "bob", "password": PASSWORD});
        let answer = client.scim("POST", &format!("{base}/Users"), TOKEN, Some(&user)).await.unwrap();
        statuses.insert(answer.status);
        let _ = writeln!(read, "fault {status}: {} {:?} {:?}", answer.status, answer.headers, answer.body);
    }
    let metrics = client.send("GET", &format!("http://{}/metrics", sidecar.admin), HeaderMap::new(), "".into()).await;
    let metrics = String::from_utf8(metrics.unwrap().body.to_vec()).unwrap();
    sidecar.signal("TERM");
    assert_eq!(sidecar.exit_code().await, Some(0));
    let log = sidecar.lines.lock().unwrap().join("\n");

    // It was all there to be said: requests got through to the application, and much was logged.
    assert!(app.password_matches("1", PASSWORD));
    assert!(statuses.is_superset(&BTreeSet::from([200, 201, 400, 401, 404, 409, 502])), "{statuses:?}\n{read}");
    assert!(log.matches("\"msg\"").count() > statuses.len() && log.contains("\"level\":\"DEBUG\""), "{log}");
    assert!(metrics.contains("scimshim_auth_failures_total{reason=\"unknown\"} 1"), "{metrics}");
    for (place, text) in [("an answer", &read), ("the log", &log), ("the metrics", &metrics)] {
        let found: Vec<&str> = text.lines().filter(|line| line.contains(MARK)).collect();
        assert!(found.is_empty(), "in {place}: {found:#?}");
    }
}

/// Good and bad requests, each with something in it that may not be repeated.
fn requests() -> Vec<(&'static str, Method, &'static str, String)> {
    let user = json!({"userName": "ann", "password": PASSWORD}).to_string();
    let set = |path: &str| patch(&json!([{"op": "replace", "path": path, "value": PASSWORD}])).to_string();
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "ann", "password": PASSWORD}},
            {"method": "PATCH", "path": "/Users/1", "data": {"Operations": [{"op": "x", "value": PASSWORD}]}},
        ],
    });
    let search = json!({"filter": format!("password eq \"{PASSWORD}\""), "schemas": ["x"]});
    let of_wrong_type = json!({"userName": "eve", "password": [PASSWORD], "active": PASSWORD});
    vec![
        (TOKEN, Method::POST, "/Users", user.clone()),
        (TOKEN, Method::POST, "/Users", user.clone()),
        (WRONG_TOKEN, Method::POST, "/Users", user.clone()),
        (TOKEN, Method::GET, "/Users/1", String::new()),
        (TOKEN, Method::GET, "/Users/1?attributes=password", String::new()),
        (TOKEN, Method::GET, "/Users?filter=password%20eq%20%22Password-nobody-may-read%22", String::new()),
        (TOKEN, Method::GET, "/Users?filter=password%20eq%20Password-nobody-may-read", String::new()),
        (TOKEN, Method::POST, "/Users/.search", search.to_string()),
        (TOKEN, Method::PUT, "/Users/1", user.clone()),
        (TOKEN, Method::PATCH, "/Users/1", set("password")),
        (TOKEN, Method::PATCH, "/Users/1", set("active")),
        (TOKEN, Method::PATCH, "/Users/1", set("password.value")),
        (TOKEN, Method::PATCH, "/Users/99", set("password")),
        (TOKEN, Method::POST, "/Users", of_wrong_type.to_string()),
        (TOKEN, Method::POST, "/Users", user.replace('}', "")),
        (TOKEN, Method::POST, "/Users", format!("\"{PASSWORD}\"")),
        (TOKEN, Method::POST, "/Bulk", bulk.to_string()),
        (TOKEN, Method::POST, "/Nothing", user),
    ]
}
