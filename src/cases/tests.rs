//! Case files that cannot be understood, and what a case compares.

use std::sync::Arc;

use super::{CASES_MAX_BYTES, parse};
use crate::config::fixture::people;
use crate::config::{Snapshot, Source, compile, render};

fn snapshot() -> Arc<Snapshot> {
    let source = Source { name: Arc::from("config.toml"), text: people("") };
    Arc::new(compile(source).unwrap_or_else(|findings| panic!("{}", render(&findings))))
}

/// What differs in the only case of a file.
fn differences(keys: &str) -> String {
    let text = format!("[[case]]\nname = \"a\"\n{keys}");
    let cases = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    cases.first().unwrap().run(&snapshot()).differences.join("\n")
}

const GET: &str = r#"request = "GET /scim/v2/Users/7"
replies = { "GET /users/7" = '{"id":"7","login":"ann","job":"CTO"}' }
"#;

#[test]
fn what_is_expected_is_compared() {
    let check = |keys: &str, expected: &str| {
        let found = differences(&format!("{GET}{keys}"));
        if expected.is_empty() {
            assert_eq!(found, "", "{keys}");
        } else {
            assert!(found.contains(expected), "{keys}\n{found}");
        }
    };
    check("", "it expects nothing");
    check("status = 200", "");
    check("status = 404", "expected: 404\n  found:    200");
    check("calls = [\"GET /users/7\"]", "");
    check("calls = []", "expected: none\n  found:    GET /users/7");
    check("calls = [\"GET /users/7\", \"GET /users/8\"]", "GET /users/8\n  found:    GET /users/7");
    check("calls = [\"GET /users/7 {}\"]", "expected: GET /users/7 {}");
    check("answer = { title = \"CTO\", meta = { resourceType = \"User\" } }", "");
    check("answer = '{\"title\":\"CTO\"}'", "");
    check("answer = { title = \"CEO\" }", "answer.title\n  expected: \"CEO\"\n  found:    \"CTO\"");
    check("answer = { nickName = \"a\" }", "answer.nickName\n  expected: \"a\"\n  found:    null");
    check("answer = { schemas = [] }", "answer.schemas");
    check("explain = \"GET /scim/v2/Users/7\"", "explain, line 2\n  expected: (the end)\n  found:    route");
}

#[test]
fn loose_ends_are_differences() {
    let found = differences("request = \"GET /scim/v2/Users/7\"\nstatus = 200");
    assert!(found.contains("no reply is given to\n  GET /users/7") && found.contains("no answer"), "{found}");
    let more = "replies = [{ call = \"GET /users/8\" }, { body = '{\"id\":\"7\",\"login\":\"a\"}' }]";
    let found = differences(&format!("request = \"GET /scim/v2/Users/7\"\nstatus = 200\n{more}"));
    assert_eq!(found, "nothing asked for the reply to\n  GET /users/8");
}

#[test]
fn the_detail_of_an_error_is_shown() {
    let found = differences("request = \"POST /scim/v2/Users\"\nbody = { title = \"x\" }\nstatus = 201");
    assert!(found.contains("found:    400") && found.contains("userName"), "{found}");
}

#[test]
fn what_is_not_understood_is_named() {
    let refused = |text: &str| parse(text).err().map_or_else(String::new, |error| error.to_string());
    let case = |keys: &str| format!("[[case]]\nname = \"a\"\n{keys}\n");
    let get = "request = \"GET /scim/v2/Users\"";
    assert!(refused("[[cas]]").contains("cas"));
    assert!(refused(&case("request = \"Users\"")).contains("`Users` is not a method and a path"));
    assert!(refused(&case(&format!("{get}\nstauts = 1"))).contains("stauts"));
    assert!(refused(&case(&format!("{get}\nheaders = {{ Accept = \"x\" }}"))).contains("`Accept` has no effect"));
    assert!(refused(&case(&format!("{get}\nanswer = '{{'"))).contains("`answer` is not JSON"));
    assert!(refused(&case(&format!("{get}\nbody = {{ a = 2020-01-01 }}"))).contains("write 2020-01-01 in quotes"));
    assert!(refused(&case(&format!("{get}\nreplies = [{{ failed = \"no\" }}]"))).contains("`failed = \"no\"`"));
    assert!(refused(&(case(get) + &case(get))).contains("two cases are called 'a'"));
    assert!(refused(&" ".repeat(CASES_MAX_BYTES + 1)).contains("longer than"));
}

#[test]
fn calls_are_compared_as_people_write_them() {
    let form = people("").replace("[[route]]", "format = 'form'\n[[route]]");
    let source = Source { name: Arc::from("config.toml"), text: form };
    let snapshot = Arc::new(compile(source).unwrap_or_else(|findings| panic!("{}", render(&findings))));
    let found = |snapshot: &Arc<Snapshot>, call: &str| {
        let text = format!(
            "[[case]]\nname = \"a\"\nrequest = \"PATCH /scim/v2/Users/a%20b\"\nstatus = 200\ncalls = ['{call}']\n\
             body = '{{\"Operations\":[{{\"op\":\"replace\",\"value\":{{\"title\":\"x & y\",\"userName\":\"ann\"}}}}]}}'\n\
             replies = {{ \"PATCH /users/a b\" = '{{\"id\":\"a b\",\"login\":\"ann\"}}' }}"
        );
        parse(&text).unwrap().first().unwrap().run(snapshot).differences.join("\n")
    };
    let same = |call: &str| assert_eq!(found(&snapshot, call), "", "{call}");
    same("PATCH /users/a b");
    same("PATCH /users/a%20b login=ann&job=x+%26+y");
    same("PATCH /users/a b job=x%20%26%20y&login=ann");
    same(r#"PATCH /users/a b {"login": "ann", "job": "x & y"}"#);
    let differs = |call: &str| {
        let found = found(&snapshot, call);
        assert!(found.contains("found:    PATCH /users/a%20b job=x+%26+y&login=ann"), "{call}\n{found}");
    };
    differs("PATCH /users/a");
    differs("PATCH /users/a/b");
    differs("PATCH /users/a b login=ann");
    differs("PATCH /users/a b login=ann&job=x");
    assert!(found(&self::snapshot(), "PATCH /users/a b job=x+%26+y&login=ann").contains("found:"), "it is no form");
}

#[test]
fn tables_hold_what_a_case_says() {
    let around = "[backend.app.table.plan]\ncall = 'GET /plans'\nkey = 'id'\n";
    let text = people(around).replace("title = 'job'", "title = { native = 'job', codec = { table = 'plan' } }");
    let source = Source { name: Arc::from("config.toml"), text };
    let snapshot = Arc::new(compile(source).unwrap_or_else(|findings| panic!("{}", render(&findings))));
    let head = format!("[[case]]\nname = \"a\"\n{GET}");
    let differences = |keys: &str| {
        let text = format!("{head}{keys}").replace("CTO", "c");
        parse(&text).unwrap().first().unwrap().run(&snapshot).differences.join("\n")
    };
    let calls = "calls = ['GET /users/7']\nanswer = { title = 'Chief' }\n";
    assert_eq!(differences(&format!("{calls}tables = {{ plan = {{ Chief = 'c' }} }}")), "");
    assert!(differences(calls).contains("no reply is given to\n  GET /plans"));
    let unknown = differences(&format!("{calls}tables = {{ plan = {{ Chief = 'c' }}, sort = {{}} }}"));
    assert_eq!(unknown, "there is no such table\n  tables.sort");
    let refused = parse(&format!("{head}{calls}tables = {{ plan = {{ Chief = true }} }}")).unwrap_err().to_string();
    assert!(refused.contains("the key of 'Chief' in `tables.plan` is neither a text nor a number"), "{refused}");
}
