//! Properties of filters: whatever plans there are, the answer is what evaluating the filter over the whole collection
//! gives, or an error; never less.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::config::Snapshot;
use crate::plan::call::{FilterPath, NativeCall, NativeOutcome, NativeReply};
use crate::plan::harness::{drive, ok, parameter, snapshot};
use crate::plan::marks::Marks;

const ROWS: &str = r##"
[resource.User.attrs]
userName    = { native = "login", codec = ["lower"], access = "read" }
displayName = { native = "name", access = "read" }
title       = { native = "job", codec = [{ prefix = "t:" }], access = "read" }
nickName    = { native = "nick", codec = [{ suffix = "#" }, "lower"], access = "read" }
userType    = { native = "kind", map = { Boss = "b", Peer = "p" }, else = { read = "Other" }, access = "read" }
active      = { native = "on", codec = { bool = ["Y", "N"] }, access = "read" }
employeeNumber = { native = "number", codec = ["int"], access = "read" }
profileUrl  = { native = "page", codec = ["segment"], access = "read" }
'emails[type eq "work"].value' = { native = "mail", access = "read" }
"##;

/// Filter key, native field, and operator of the native query.
const PLANS: [(&str, &str, &str); 15] = [
    ("'userName eq'", "login", "eq"),
    ("'userName co'", "login", "co"),
    ("'userName sw ge'", "login", "any"),
    ("'displayName eq'", "name", "eq"),
    ("'displayName co'", "name", "co"),
    ("'displayName ge'", "name", "ge"),
    ("'title co'", "job", "co"),
    ("'title sw eq'", "job", "sw"),
    ("'nickName ew'", "nick", "ew"),
    ("'userType eq'", "kind", "eq"),
    ("'userType co'", "kind", "co"),
    ("'active eq'", "on", "eq"),
    ("'employeeNumber eq co'", "number", "eq"),
    ("'profileUrl eq sw'", "page", "eq"),
    ("'emails.value eq'", "mail", "eq"),
];

/// Some sets of plans, with and without a scan; the first has a scan only.
static SNAPSHOTS: LazyLock<Vec<Arc<Snapshot>>> = LazyLock::new(|| {
    let sets: [u32; 12] = [0, 0x7fff, 0x7fff, 0x0001, 0x1249, 0x2492, 0x4924, 0x00f0, 0x0f0f, 0x5555, 0x2aaa, 0x0202];
    sets.iter().enumerate().map(|(index, set)| configured(*set, index == 0 || index % 3 == 2)).collect()
});

fn configured(set: u32, scans: bool) -> Arc<Snapshot> {
    let mut filters = String::new();
    for (_, (key, field, op)) in PLANS.iter().enumerate().filter(|(index, _)| set & (1 << index) != 0) {
        let _ = std::fmt::Write::write_fmt(
            &mut filters,
            format_args!(
                "{key} = {{ query = {{ field = \"{field}\", op = \"{op}\", v = \"{{value}}\" }}, case = \"ignored\" }}\n"
            ),
        );
    }
    if scans {
        filters += "'*' = { scan = { max = 100 } }\n";
    }
    let get = if set & 1 == 0 { "" } else { "get = \"GET /users/{id}\"\n" };
    snapshot(&format!(
        "[backend.app]\nurl = \"http://app.example\"\nenvelope = {{ items = \"data\" }}\n\
         [resource.User]\npath = \"/users\"\n{ROWS}\n[resource.User.ops]\nlist = \"GET /users\"\n{get}\
         [resource.User.filter]\n{filters}"
    ))
}

/// The application: finds what it is asked for, without regard to case, and some more.
fn answer(users: &[Value], surplus: usize, call: &NativeCall) -> NativeOutcome {
    if let Some(id) = call.target.strip_prefix("/users/") {
        let found = users.iter().find(|user| user["id"] == id);
        let status = if found.is_some() { 200 } else { 404 };
        let body = found.cloned().unwrap_or_default().into();
        return NativeOutcome::Reply(NativeReply { status, body, ..NativeReply::default() });
    }
    let (field, op) = (parameter(call, "field").unwrap_or_default(), parameter(call, "op").unwrap_or_default());
    let wanted = parameter(call, "v").unwrap_or_default().to_lowercase();
    let holds = |user: &&Value| {
        let has = match &user[&field] {
            _ if matches!(op.as_str(), "" | "any") => return true,
            Value::Null => return false,
            Value::String(text) => text.to_lowercase(),
            other => other.to_string(),
        };
        match op.as_str() {
            "eq" => has == wanted,
            "co" => has.contains(&wanted),
            "sw" => has.starts_with(&wanted),
            "ew" => has.ends_with(&wanted),
            _ => has >= wanted,
        }
    };
    let mut found: Vec<&Value> = users.iter().filter(holds).collect();
    let more: Vec<&Value> = users.iter().filter(|user| !found.contains(user)).take(surplus).collect();
    found.extend(more);
    ok(json!({ "data": found }))
}

fn any_user() -> impl Strategy<Value = Value> {
    let text = || prop::option::of(prop::sample::select(vec!["ann", "Ann", "joann", "b", "bo", "AB", "c d", "x"]));
    let kind = prop::option::of(prop::sample::select(vec!["b", "p", "z", ""]));
    let on = prop::option::of(prop::sample::select(vec!["Y", "N", "?"]));
    let number = prop::option::of(prop::sample::select(vec![json!(7), json!(12), json!("7"), json!(-1)]));
    (text(), text(), text(), (text(), text()), kind, on, number).prop_map(
        |(login, name, job, (nick, page), kind, on, number)| {
            json!({
                "login": login.map(str::to_lowercase), "name": name, "job": job.map(|job| format!("t:{job}")),
                "nick": nick.map(|nick| format!("{}#", nick.to_lowercase())), "kind": kind, "on": on,
                "number": number, "page": page.map(|page| format!("https://x.example/p/{page}")),
                "mail": login.map(|login| format!("{login}@x")),
            })
        },
    )
}

fn comparison() -> impl Strategy<Value = String> {
    let attribute = prop::sample::select(vec![
        "userName",
        "userName",
        "displayName",
        "displayName",
        "title",
        "nickName",
        "userType",
        "employeeNumber",
        "profileUrl",
        "emails",
        "emails.value",
        "id",
    ]);
    let op = prop::sample::select(vec!["eq", "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let value = prop::sample::select(vec![
        "ann", "Ann", "joann", "b", "Bo", "n", "t:", "#", "7", "07", "Boss", "Other", "other", "Peer", "x@x", "ann@x",
        "u1", "u3", "",
    ]);
    prop_oneof![
        12 => (attribute.clone(), op.clone(), value.clone()).prop_map(|(a, op, v)| format!("{a} {op} \"{v}\"")),
        1 => attribute.prop_map(|attribute| format!("{attribute} pr")),
        1 => any::<bool>().prop_map(|on| format!("active eq {on}")),
        2 => (op, value).prop_map(|(op, v)| format!("emails[type eq \"work\" and value {op} \"{v}\"]")),
        1 => Just("emails[value eq \"ann@x\" or value eq \"b@x\"]".to_owned()),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    comparison().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
}

fn search(snapshot: &Arc<Snapshot>, filter: &str, users: &[Value], surplus: usize) -> (u16, Vec<String>, Value) {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter, "attributes": ["userName"],
    });
    let request = ("POST", "/scim/Users/.search", &body);
    let (response, _) = drive(snapshot, &mut Marks::default(), request, &mut |call| answer(users, surplus, call));
    let body = response.body.map(|body| body.tree().into_owned()).unwrap_or_default();
    let found =
        body["Resources"].as_array().into_iter().flatten().map(|found| found["id"].as_str().unwrap().to_owned());
    let mut found: Vec<String> = found.collect();
    found.sort();
    (response.status, found, body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn plans_never_find_less_than_the_filter_means(
        users in prop::collection::vec(any_user(), 0..9), filter in filter(), set in 1..12usize, surplus in 0..3usize,
    ) {
        let numbered = users.into_iter().enumerate().map(|(number, mut user)| {
            user["id"] = json!(format!("u{number}"));
            user
        });
        let users: Vec<Value> = numbered.collect();
        let (status, expected, body) = search(&SNAPSHOTS[0], &filter, &users, 0);
        if status != 200 {
            // A comparison that the attribute's type does not know, such as an order of booleans.
            prop_assert_eq!(&body["scimType"], "invalidFilter");
            return Ok(());
        }
        let (status, found, body) = search(&SNAPSHOTS[set], &filter, &users, surplus);
        if status == 200 {
            prop_assert_eq!(found, expected, "{}", filter);
        } else {
            prop_assert_eq!((status, &body["scimType"]), (400, &json!("invalidFilter")), "{} {}", filter, body);
            prop_assert!(set % 3 != 2, "a scan answers everything");
        }
    }
}

#[test]
fn a_filter_that_cannot_be_run_says_what_can() {
    let detail = |set: u32, filter: &str| {
        let (status, _, body) = search(&configured(set, false), filter, &[], 0);
        assert_eq!((status, &body["scimType"]), (400, &json!("invalidFilter")), "{filter}");
        body["detail"].as_str().unwrap().to_owned()
    };
    assert!(detail(0x0001, "displayName eq \"a\"").ends_with("supported: userName eq, id eq"));
    assert!(detail(0x0010, "displayName eq \"a\" or title pr").ends_with("supported: displayName co"));
    assert!(detail(0, "displayName eq \"a\"").ends_with("supported: none"));
    // The native values that read as `Other` are not known, so one of them cannot be asked for.
    assert!(detail(0x0200, "userType eq \"other\"").contains("userType eq"));
}

/// The report says how a filter was answered, be the answer an error.
#[test]
fn how_a_filter_is_answered_is_told() {
    let (query, get) =
        ("'userName eq' = { query = { login = '{value}' }, case = 'ignored' }", "'id eq' = 'get {value}'");
    for (plans, filter, expected, scanned) in [
        ("", "", Some(FilterPath::None), 0),
        ("", "id eq \"1\"", Some(FilterPath::Lookup), 0),
        (get, "id eq \"1\"", Some(FilterPath::Lookup), 0),
        (query, "userName eq \"x\"", Some(FilterPath::Pushed), 0),
        (query, "userName eq \"x\" and title pr", Some(FilterPath::Pushed), 0),
        (query, "userName eq \"x\" or id eq \"1\"", Some(FilterPath::Pushed), 0),
        (query, "title pr", Some(FilterPath::Refused), 0),
        ("'*' = { scan = { max = 100 } }", "title pr", Some(FilterPath::Scanned), 2),
        ("'*' = { scan = { max = 100 } }", "title bogus", None, 0),
    ] {
        let snapshot = snapshot(&format!(
            "[backend.app]\nurl = 'https://app.example'\n[resource.User]\npath = '/people'\nid = 'id'\n\
             [resource.User.filter]\n{plans}\n[resource.User.ops]\nlist = 'GET {{path}}'\nget = 'GET {{path}}/{{id}}'\n{ROWS}"
        ));
        let filter = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
        let target = if plans.is_empty() && filter.to_string().is_empty() {
            "/scim/Users".to_owned()
        } else {
            format!("/scim/Users?filter={filter}")
        };
        let person = json!({"id": "1", "login": "x", "number": 1});
        let mut app = |call: &NativeCall| match &*call.target {
            "/people/1" => ok(person.clone()),
            _ => ok(json!([person, {"id": "2", "login": "y"}])),
        };
        let (response, _) = drive(&snapshot, &mut Marks::default(), ("GET", &target, &Value::Null), &mut app);
        assert_eq!((response.report.filter, response.report.scanned), (expected, scanned), "{plans} {target}");
    }
}
