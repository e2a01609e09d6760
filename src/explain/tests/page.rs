//! What no case file shows: secrets, request lines, replies that are not understood.

use std::sync::Arc;

use super::{cases, snapshot};
use crate::config::fixture::people;
use crate::config::{Source, compile, render};
use crate::explain::{End, Layout, Replies, Request, explain, names};

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
    assert!(refused("[tables.plan]\nBasic = true").contains("'Basic' in `tables.plan` is neither a text nor a number"));
    assert!(Replies::parse("[tables.plan]\nBasic = 3\nPro = 'p'").is_ok());
}

#[test]
fn calls_are_named_as_people_write_them() {
    let target = "/users/a%2Fb%20c?filter=login%20eq%20%22x%26y%22&page=1";
    let check = |line: &str, same: bool| assert_eq!(names(line, "GET", target), same, "{line}");
    check(&format!("GET {target}"), true);
    check(&format!("get  {target} "), true);
    check("GET /users/a%2fb c?filter=login eq \"x%26y\"&page=1", true);
    check("GET /users/a%2Fb%20c?filter=login%20eq%20\"x%26y\"&page=%31", true);
    check(&format!("POST {target}"), false);
    check("GET /users/a/b c?filter=login eq \"x%26y\"&page=1", false);
    check("GET /users/a%2Fb c?filter=login eq \"x&y\"&page=1", false);
    check("GET /users/a%2Fb c?filter=login eq \"x%26y\"%26page=1", false);
    check("GET /users/a%2Fb c", false);
    check("GET", false);
}

/// A repetition that the request has no time for is not made.
#[test]
fn nobody_waits_longer_than_the_request_may_take() {
    let shown = |after: &str| {
        let rule = format!(
            "[[backend.app.error]]\nwhen = 'status == 409'\nretry = {{ after = '{after}', max = 9 }}\nscim = {{ status = 503 }}\n"
        );
        let source = Source { name: Arc::from("config.toml"), text: people(&rule) };
        let snapshot = Arc::new(compile(source).unwrap_or_else(|found| panic!("{}", render(&found))));
        let replies = Replies::parse("[[reply]]\nstatus = 409\ntimes = 20").unwrap();
        let request = Request::parse("DELETE /scim/v2/Users/7").unwrap();
        explain(&snapshot, &request, replies).text(Layout::Compact)
    };
    // A request may take thirty seconds.
    for (after, times) in [("60s", 0), ("30s", 0), ("20s", 1), ("9s", 3), ("1s", 9)] {
        let text = shown(after);
        assert_eq!(text.matches(": again after ").count(), times, "{text}");
        assert!(text.contains("\nanswer   503\n"), "{text}");
    }
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
