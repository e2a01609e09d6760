//! What no case file shows: secrets, request lines, replies that are not understood.

use super::{cases, snapshot};
use crate::explain::{End, Layout, Replies, Request, explain};

fn text(config: &str, line: &str, body: &str, replies: &str) -> String {
    let request = Request { body: body.as_bytes().to_vec(), ..Request::parse(line).unwrap() };
    explain(&snapshot(config), &request, Replies::parse(replies).unwrap()).text(Layout::Pretty)
}

#[test]
fn no_secret_is_shown() {
    let create =
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","password":"hunter2hunter2"}"#;
    let shown = text("paged.toml", "POST /scim/v2/Users", create, "");
    assert!(shown.contains(r#""passwd":"***""#) && !shown.contains("hunter2"), "{shown}");

    let patch =
        r#"{"Operations":[{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User:password":"pw"}}]}"#;
    let shown = text("paged.toml", "PATCH /scim/v2/Users/7", patch, "");
    assert!(shown.contains(r#""passwd":"***""#) && !shown.contains("\"pw\""), "{shown}");

    // An application that repeats the password in its reply.
    let reply = r#"reply = [{ body = '{"data":{"id":7,"email":"hunter2hunter2"}}' }]"#;
    let shown = text("paged.toml", "POST /scim/v2/Users", create, reply);
    assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_names_of_secrets_in_bodies_do_not_appear_in_any_case() {
    let mut hidden = 0;
    for (path, file) in cases::files() {
        let snapshot = snapshot(&file.config);
        for case in &file.cases {
            let text = explain(&snapshot, &case.request(), case.replies()).text(Layout::Compact);
            assert!(!text.contains("env:") && !text.contains("\\u0000"), "{}: {}", path.display(), case.name);
            hidden += text.matches("\"***\"").count();
        }
    }
    assert!(hidden > 0, "no case has a secret in a body");
}

#[test]
fn request_lines() {
    let line = Request::parse(r#"get /scim/v2/Users?filter=userName eq "a b""#).unwrap();
    assert_eq!(
        (line.method.as_str(), line.target.as_str()),
        ("GET", r#"/scim/v2/Users?filter=userName%20eq%20"a%20b""#)
    );
    for bad in ["", "GET", "GET users", "/scim/v2/Users", "G-T /scim"] {
        assert_eq!(Request::parse(bad), None, "{bad}");
    }
}

#[test]
fn replies_that_are_not_understood() {
    let refused = |text: &str| Replies::parse(text).unwrap_err().to_string();
    assert!(refused("[[reply]]\nstaus = 200").contains("staus"));
    assert!(refused("[[reply]]\nfailed = \"gone\"").contains("possible: connect_error"));
    assert!(refused("reply = 7").contains("expected"));
}

#[test]
fn the_end_says_what_happened() {
    let end = |line: &str| {
        let request = Request::parse(line).unwrap();
        explain(&snapshot("paged.toml"), &request, Replies::default()).end
    };
    assert_eq!(end("GET /scim/v2/Users/abc"), End::Answered(404));
    assert_eq!(end("GET /scim/v2/Users/7"), End::ReplyMissing);
    assert_eq!(end("GET /scim/v2/Robots"), End::Answered(404));
    assert_eq!(end("GET /elsewhere"), End::PassedThrough);
}
