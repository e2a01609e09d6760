//! A value from a client stays in its field: no text of a path, query, header or body can become structure.

use std::sync::{Arc, LazyLock};

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::config::{Snapshot, Source, compile, render};
use crate::plan::{Context, NativeCall, Plan, RequestFacts, ScimRequest, Step};
use crate::route::Endpoint;

const CONFIG: &str = r#"
version = 1
[auth.idp]
kind   = "bearer"
tokens = ["env:SCIM_TOKEN"]
[backend.app]
url  = "http://127.0.0.1:3000/api"
auth = { kind = "bearer", token = "env:APP_TOKEN" }
[[route]]
path = "/scim/v2"
auth = "idp"
[resource.User]
path = "/users"
[resource.User.attrs]
userName    = "login"
title       = { native = "deep.job", codec = { prefix = "j:" } }
nickName    = { native = "nick", omit = "empty" }
displayName = "shown"
[resource.User.ops]
list   = "GET /users"
create = { call = "POST /t/{scim.userName}/x-{scim.title}?q={scim.nickName}&fixed=1", headers = { X-Name = "{scim.displayName}" }, body = { rows = { "..." = "mapped" }, name = "{scim.userName}", text = "a {scim.nickName} b", list = ["{scim.title}", "fixed"] } }
update = "PATCH /users/{id}"
"#;

static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let source = Source { name: Arc::from("config.toml"), text: CONFIG.to_owned() };
    Arc::new(compile(source).unwrap_or_else(|found| panic!("{}", render(&found))))
});

/// Text made of what means something to somebody on the way.
fn hostile() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "\"",
        "'",
        "{",
        "}",
        "{{",
        "{scim.userName}",
        "{id}",
        "\n",
        "\r\n",
        "\0",
        "/",
        "//",
        "%2F",
        "%2f",
        "%",
        "%00",
        "..",
        ".",
        "/../",
        "%2e%2e",
        "?",
        "#",
        "&",
        "&fixed=2",
        "=",
        ";",
        ":",
        "@host",
        "@evil.example:80/",
        "\r\nX-Admin: 1",
        "\\",
        "\\u0022",
        "[",
        "]",
        "[0]",
        ",",
        "+",
        " ",
        "\t",
        "<",
        ">",
        "|",
        "^",
        "`",
        "~",
        "null",
        "true",
        "...",
        "\u{0}secret",
        "\u{202e}",
        "é",
        "\u{1f600}",
        "\u{feff}",
        "a",
        "7",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// The first call of a create, or the status of the refusal.
fn first_call(user: &Value) -> Result<NativeCall, u16> {
    let context = Context {
        snapshot: Arc::clone(&SNAPSHOT),
        route: 0,
        variables: Arc::default(),
        base_url: "https://scim.example/scim/v2".to_owned(),
        request: RequestFacts::new("r1"),
        now: 0,
        marks: Arc::default(),
        cursor_key: [0; 32],
        seed: None,
    };
    let request = ScimRequest {
        method: "POST".to_owned(),
        endpoint: Endpoint::Collection { type_index: 0 },
        query: String::new(),
        body: user.to_string().into_bytes(),
        if_match: None,
        if_none_match: None,
    };
    let mut plan = Plan::begin(context, request);
    loop {
        match plan.next(Vec::new()) {
            Step::Turn(_) => {}
            Step::Calls { mut calls, .. } => return Ok(calls.pop().unwrap()),
            Step::Reply(response) => return Err(response.status),
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// A text as it is, or nothing if it is empty, which is unassigned.
fn sent(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_stays_in_its_field(name in hostile(), title in hostile(), nick in hostile(), shown in hostile()) {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name, "title": title, "nickName": nick, "displayName": shown,
        });
        let call = match first_call(&user) {
            Ok(call) => call,
            // A segment that would be nothing, or lead elsewhere, is refused before anything is sent.
            Err(status) => {
                prop_assert!(matches!(name.as_str(), "" | "." | "..") || title.is_empty(), "refused with {status}");
                return Ok(());
            }
        };
        prop_assert_eq!(&*call.method, "POST");
        prop_assert!(call.target.bytes().all(|byte| byte.is_ascii_graphic()), "{}", call.target);
        let (path, query) = call.target.split_once('?').unwrap();
        let segments: Vec<String> = path.split('/').map(decoded).collect();
        prop_assert_eq!(segments, ["", "t", &name, &format!("x-{title}")]);
        prop_assert!(!path.contains(['#', '\\', '@', ':', ';', '&', '=']), "{}", path);
        let pairs: Vec<(String, String)> = query
            .split('&')
            .map(|pair| pair.split_once('=').map(|(name, value)| (decoded(name), decoded(value))).unwrap())
            .collect();
        let q = sent(&nick).map(|nick| ("q".to_owned(), nick.to_owned()));
        let expected: Vec<(String, String)> = q.into_iter().chain([("fixed".to_owned(), "1".to_owned())]).collect();
        prop_assert_eq!(pairs, expected);
        let headers: Vec<(&str, &str)> = call.headers.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        let expected: Vec<(&str, &str)> = sent(&shown).map(|shown| ("X-Name", shown)).into_iter().collect();
        prop_assert_eq!(headers, expected);

        let mut body = json!({
            "rows": { "login": name, "deep": { "job": format!("j:{title}") } },
            "name": name,
            "list": [title, "fixed"],
        });
        if let Some(nick) = sent(&nick) {
            body["rows"]["nick"] = json!(nick);
            body["text"] = json!(format!("a {nick} b"));
        }
        if let Some(shown) = sent(&shown) {
            body["rows"]["shown"] = json!(shown);
        }
        // As it is sent, and as the application reads it.
        let read: Value = serde_json::from_str(&call.body.unwrap().to_string()).unwrap();
        prop_assert_eq!(read, body);
    }
}
