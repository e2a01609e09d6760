//! The API as a function: scripts of calls and what each must answer, with no socket.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::demo::acme::answer::{Request, answer, authorise};
use crate::demo::acme::fields::{EMPLOYEE, check};
use crate::demo::acme::id::{Id, Ids};
use crate::demo::acme::reply::Response;
use crate::demo::acme::store::{Settings, Store};

const SETTINGS: Settings = Settings { ids: Ids::Numeric, check_members: true, rows_max: 1000 };

/// Runs a script against a fresh store. A step is `METHOD target [body] -> status [expectation]`, over one or
/// several lines; step N, from 0, happens N seconds after midnight. The expectation is JSON of which every
/// key and item must be in the answer, where further keys may be, or `code [field]` of an error.
fn check_script(settings: Settings, script: &str) {
    let mut store = Store::new(settings);
    for (second, step) in steps(script).iter().enumerate() {
        let (call, expect) = step.split_once(" -> ").unwrap();
        let mut words = call.splitn(3, ' ');
        let [method, target, body] = [(); 3].map(|()| words.next().unwrap_or_default());
        let (status, expect) = expect.split_once(' ').unwrap_or((expect, ""));
        let response = send(&mut store, &format!("{method} {target}"), body.as_bytes(), second);
        let answered = String::from_utf8(response.body.to_vec()).unwrap();
        assert_eq!(response.status.as_str(), status, "{step}\nanswered {answered}");
        assert_eq!(answered.is_empty(), status == "204", "{step}");
        if !expect.is_empty() {
            let whole: Value = serde_json::from_str(&answered).unwrap();
            assert!(contains(&whole, &expectation(expect)), "{step}\nanswered {answered}");
        }
    }
}

/// A step begins with its method; lines that begin otherwise continue the step before.
fn steps(script: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match steps.last_mut() {
            Some(step) if !line.starts_with(|first: char| first.is_ascii_uppercase()) => {
                step.push(' ');
                step.push_str(line);
            }
            _ => steps.push(line.to_owned()),
        }
    }
    steps
}

fn expectation(text: &str) -> Value {
    if text.starts_with('{') {
        return serde_json::from_str(text).unwrap();
    }
    match text.split_once(' ') {
        None => json!({ "error": { "code": text } }),
        Some((code, field)) => json!({ "error": { "code": code, "field": field } }),
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}

fn send(store: &mut Store, line: &str, body: &[u8], second: usize) -> Response {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method: Method = method.parse().unwrap();
    let midnight = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    let now = midnight + jiff::SignedDuration::from_secs(i64::try_from(second).unwrap());
    answer(store, &Request { method: &method, path, query, body, now })
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

#[test]
fn an_employee_from_hiring_to_leaving() {
    check_script(
        SETTINGS,
        r#"
        POST /api/employees {"login": "ann", "email": "Ann@x.org", "org": {"company": "Acme"}} -> 201
            {"data": {"id": 1, "login": "ann", "email": "Ann@x.org", "enabled": true, "org": {"company": "Acme"},
            "version": 1, "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"}}
        GET /api/employees/1 -> 200 {"data": {"id": 1, "login": "ann"}}
        PATCH /api/employees/1 {"login": "ann", "org": {}} -> 200
            {"data": {"version": 1, "updated_at": "2026-01-01T00:00:00.000Z"}}
        PATCH /api/employees/1 {"email": null, "first_name": "Ann", "org": {"division": "R", "company": null}} -> 200
            {"data": {"version": 2, "first_name": "Ann", "org": {"division": "R"},
            "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:03.000Z"}}
        POST /api/employees/1/disable -> 200 {"data": {"enabled": false, "version": 3}}
        POST /api/employees/1/disable -> 200 {"data": {"enabled": false, "version": 3}}
        POST /api/employees/1/enable -> 200 {"data": {"enabled": true, "version": 4}}
        PATCH /api/employees/1 {"enabled": false} -> 422 invalid enabled
        DELETE /api/employees/1 -> 204
        DELETE /api/employees/1 -> 404 not_found
        GET /api/employees/1 -> 404 not_found
        PATCH /api/employees/1 {} -> 404 not_found
        POST /api/employees/1/enable -> 404 not_found
        POST /api/employees {"login": "ann", "enabled": false} -> 201 {"data": {"id": 2, "enabled": false}}
        POST /api/employees {"login": "bob", "enabled": null} -> 201 {"data": {"id": 3, "enabled": true}}
        "#,
    );
}

#[test]
fn a_row_shows_what_it_has_and_nothing_else() {
    let mut store = Store::new(SETTINGS);
    let body = br#"{"login": "a", "email": null, "password": "p", "phones": [], "org": {"company": null}}"#;
    let created = send(&mut store, "POST /api/employees", body, 0);
    assert_eq!(created.location.as_deref(), Some("/api/employees/1"));
    let expect = json!({"data": {"id": 1, "login": "a", "enabled": true, "phones": [], "version": 1,
        "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"}});
    assert_eq!(json_of(&created), expect);
}

#[test]
fn a_password_is_kept_and_never_shown() {
    let mut store = Store::new(SETTINGS);
    let id = Id::Number(1);
    send(&mut store, "POST /api/employees", br#"{"login": "a", "password": "first"}"#, 0);
    assert!(store.password_matches(&id, "first") && !store.password_matches(&id, "other"));

    let changed = send(&mut store, "PATCH /api/employees/1", br#"{"password": "other"}"#, 1);
    let changed = &json_of(&changed)["data"];
    assert_eq!((&changed["version"], changed.get("password")), (&json!(2), None));
    assert!(store.password_matches(&id, "other"));

    send(&mut store, "PATCH /api/employees/1", br#"{"nick_name": "A"}"#, 2);
    assert!(store.password_matches(&id, "other"), "a change elsewhere leaves it");
    send(&mut store, "PATCH /api/employees/1", br#"{"password": null}"#, 3);
    assert!(!store.password_matches(&id, "other"));
}

#[test]
fn every_field_is_stored_as_given() {
    let document = json!({
        "login": "babs", "sso_id": "S-1", "first_name": "Barbara", "last_name": "Jensen", "middle_name": "J",
        "name_prefix": "Ms.", "name_suffix": "III", "full_name": "Ms. Barbara J Jensen, III", "display_name": "Babs",
        "nick_name": "B", "profile_link": "https://x.org/b", "job_title": "Guide", "kind": "staff", "language": "en-US",
        "locale": "en-US", "time_zone": "America/Los_Angeles", "enabled": true, "email": "b@x.org",
        "contact_emails": [{"value": "b@x.org", "type": "work", "primary": true}], "phones": [{"value": "1"}],
        "chat_handles": [{"value": "b"}], "pictures": [{"value": "p"}], "postal_addresses": [{"country": "DE"}],
        "entitlements": [{"value": "e"}], "app_roles": [{"value": "r"}], "certificates": [{"value": "MII"}],
        "org": {"staff_no": "7", "cost_center": "c", "company": "A", "division": "d", "department": "e",
            "manager_id": "26", "manager_name": "J"},
        "extras": {"tag": "t", "badges": ["x", "y"]}
    });
    let fields = document.as_object().unwrap();
    assert_eq!(fields.len() + 1, EMPLOYEE.len(), "all fields but the password");
    check(fields, EMPLOYEE).unwrap();
    let script = format!(
        r#"POST /api/employees {document} -> 201 {{"data": {document}}}
        GET /api/employees/1 -> 200 {{"data": {document}}}"#
    );
    check_script(SETTINGS, &script);
}

#[test]
fn logins_emails_and_team_names_are_unique_without_case() {
    check_script(
        SETTINGS,
        r#"
        POST /api/employees {"login": "Ann", "email": "ä@x.org"} -> 201
        POST /api/employees {"login": "aNN"} -> 409 duplicate login
        POST /api/employees {"login": "bob", "email": "Ä@X.org"} -> 409 duplicate email
        POST /api/employees {"login": "bob", "email": ""} -> 201 {"data": {"id": 2}}
        POST /api/employees {"login": "cid", "email": ""} -> 201 {"data": {"id": 3}}
        PATCH /api/employees/2 {"login": "ANN"} -> 409 duplicate login
        GET /api/employees/2 -> 200 {"data": {"login": "bob", "version": 1}}
        PATCH /api/employees/1 {"login": "ANN"} -> 200 {"data": {"login": "ANN"}}
        PATCH /api/employees/1 {"login": "zoe", "email": null} -> 200
        PATCH /api/employees/2 {"login": "ann", "email": "ä@x.org"} -> 200
        DELETE /api/employees/2 -> 204
        POST /api/employees {"login": "ann", "email": "ä@x.org"} -> 201
        POST /api/teams {"name": "Red"} -> 201 {"data": {"id": 1, "name": "Red", "version": 1}}
        POST /api/teams {"name": "RED", "sso_id": "r"} -> 409 duplicate name
        POST /api/teams {"name": "Blue", "sso_id": "r"} -> 201
        PATCH /api/teams/2 {"name": "red"} -> 409 duplicate name
        PATCH /api/teams/2 {"name": "BLUE", "sso_id": null} -> 200 {"data": {"name": "BLUE", "version": 2}}
        "#,
    );
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    check_script(
        SETTINGS,
        r#"
        POST /api/employees {} -> 422 invalid login
        POST /api/employees {"login": " "} -> 422 invalid login
        POST /api/employees {"login": null} -> 422 invalid login
        POST /api/employees {"login": "a", "userName": "a"} -> 422 invalid userName
        POST /api/employees [] -> 400 bad_json
        POST /api/employees -> 400 bad_json
        POST /api/employees {"login": "a"} -> 201
        PATCH /api/employees/1 {"login": null} -> 422 invalid login
        PATCH /api/employees/1 {"id": 2} -> 422 invalid id
        PATCH /api/employees/1 { -> 400 bad_json
        POST /api/teams {"name": ""} -> 422 invalid name
        POST /api/teams {"name": "t", "members": []} -> 422 invalid members
        POST /api/teams {"name": "t"} -> 201
        PATCH /api/teams/1 {"name": null} -> 422 invalid name
        GET /api/employees?page=0 -> 400 bad_query page
        GET /api/teams?per_page=x -> 400 bad_query per_page
        GET /api/employees/07 -> 404 not_found
        GET /api/employees/%FF -> 404 not_found
        GET /api/employees/ -> 404 not_found
        GET /api/employees/1/ -> 404 not_found
        GET /api/unknown -> 404 not_found
        GET /elsewhere -> 404 not_found
        "#,
    );
}

#[test]
fn other_methods_are_refused_with_allow() {
    let cases = [
        ("PUT /api/employees", "GET, HEAD, POST"),
        ("PUT /api/employees/1", "GET, HEAD, PATCH, DELETE"),
        ("GET /api/employees/1/disable", "POST"),
        ("PUT /api/employees/1/enable", "POST"),
        ("POST /api/employees/1/teams", "GET, HEAD"),
        ("DELETE /api/teams", "GET, HEAD, POST"),
        ("POST /api/teams/1", "GET, HEAD, PATCH, DELETE"),
        ("DELETE /api/teams/1/members", "GET, HEAD, POST"),
        ("GET /api/teams/1/members/1", "DELETE"),
    ];
    for (line, allow) in cases {
        let response = send(&mut Store::new(SETTINGS), line, b"", 0);
        assert_eq!((response.status.as_u16(), response.allow), (405, Some(allow)), "{line}");
    }
}

#[test]
fn lists_are_filtered_ordered_and_paged() {
    let mut store = Store::new(SETTINGS);
    for n in 1..=12 {
        let name = if n % 2 == 0 { "Even Steven" } else { "Odd" };
        let document = json!({"login": format!("u{n}"), "email": format!("u{n}@x.org"), "sso_id": format!("S{n}"),
            "display_name": name});
        assert_eq!(send(&mut store, "POST /api/employees", document.to_string().as_bytes(), 0).status, 201);
    }
    let all: Vec<u64> = (1..=12).collect();
    // The query, the ids on the page, and `total`, `page` and `per_page`.
    let cases: [(&str, &[u64], [usize; 3]); 14] = [
        ("", &all, [12, 1, 25]),
        ("page=2&per_page=5", &[6, 7, 8, 9, 10], [12, 2, 5]),
        ("page=3&per_page=5", &[11, 12], [12, 3, 5]),
        ("page=4&per_page=5", &[], [12, 4, 5]),
        ("per_page=1000", &all, [12, 1, 100]),
        ("login=U11", &[11], [1, 1, 25]),
        ("email=U2%40X.org", &[2], [1, 1, 25]),
        ("sso_id=S3", &[3], [1, 1, 25]),
        ("sso_id=s3", &[], [0, 1, 25]),
        ("login=", &[], [0, 1, 25]),
        ("display_name=even+steven&per_page=2&page=2", &[6, 8], [6, 2, 2]),
        ("display_name=odd&login=u3", &[3], [1, 1, 25]),
        ("display_name=odd&login=u2", &[], [0, 1, 25]),
        ("unheard_of=1", &all, [12, 1, 25]),
    ];
    for (query, ids, [total, page, per_page]) in cases {
        let listed = json_of(&send(&mut store, &format!("GET /api/employees?{query}"), b"", 0));
        let rows = listed["data"].as_array().unwrap().iter();
        assert_eq!(rows.filter_map(|row| row["id"].as_u64()).collect::<Vec<_>>(), ids, "{query}");
        assert_eq!(listed["meta"], json!({"total": total, "page": page, "per_page": per_page}), "{query}");
    }
}

#[test]
fn teams_are_found_by_name_and_sso_id() {
    check_script(
        SETTINGS,
        r#"
        POST /api/teams {"name": "Red", "sso_id": "R"} -> 201 {"data": {"id": 1, "name": "Red", "sso_id": "R"}}
        POST /api/teams {"name": "Blue", "sso_id": "R"} -> 201 {"data": {"id": 2}}
        GET /api/teams -> 200 {"data": [{"id": 1}, {"id": 2}], "meta": {"total": 2, "page": 1, "per_page": 25}}
        GET /api/teams?name=RED -> 200 {"data": [{"id": 1}], "meta": {"total": 1}}
        GET /api/teams?sso_id=R&per_page=1&page=2 -> 200 {"data": [{"id": 2}], "meta": {"total": 2}}
        GET /api/teams?sso_id=r -> 200 {"data": [], "meta": {"total": 0}}
        "#,
    );
}

#[test]
fn members_are_added_alone_or_together() {
    check_script(
        SETTINGS,
        r#"
        POST /api/employees {"login": "ann"} -> 201
        POST /api/employees {"login": "bob"} -> 201
        POST /api/teams {"name": "Red"} -> 201
        POST /api/teams/1/members {"employee_id": 1} -> 201
            {"data": {"employee_id": 1, "login": "ann", "added_at": "2026-01-01T00:00:03.000Z"}}
        GET /api/teams/1 -> 200 {"data": {"version": 2, "updated_at": "2026-01-01T00:00:03.000Z"}}
        POST /api/teams/1/members {"employee_id": "1"} -> 409 already_member
        POST /api/teams/1/members {"employee_id": 3} -> 422 no_such_employee
        POST /api/teams/1/members {"employee_id": true} -> 422 invalid employee_id
        POST /api/teams/1/members {} -> 422 invalid employee_id
        POST /api/teams/1/members {"value": 1} -> 422 invalid value
        POST /api/teams/1/members {"employee_id": 1, "employee_ids": [2]} -> 422 invalid employee_id
        POST /api/teams/1/members {"employee_ids": 2} -> 422 invalid employee_ids
        POST /api/teams/1/members {"employee_ids": [2, 3]} -> 422 no_such_employee
        GET /api/teams/1/members -> 200 {"data": [{"employee_id": 1, "login": "ann"}],
            "meta": {"total": 1, "page": 1, "per_page": 25}}
        POST /api/teams/1/members {"employee_ids": [2, 1, 2]} -> 201 {"data": {"added": 1, "already_members": 1}}
        GET /api/teams/1/members?page=2&per_page=1 -> 200 {"data": [{"employee_id": 2}], "meta": {"total": 2}}
        GET /api/teams/1 -> 200 {"data": {"version": 3}}
        POST /api/teams/1/members {"employee_ids": []} -> 201 {"data": {"added": 0, "already_members": 0}}
        GET /api/teams/1 -> 200 {"data": {"version": 3}}
        POST /api/teams/9/members {"employee_id": 1} -> 404 not_found
        GET /api/teams/9/members -> 404 not_found
        "#,
    );
}

#[test]
fn members_leave_alone_with_their_team_or_with_the_company() {
    check_script(
        SETTINGS,
        r#"
        POST /api/employees {"login": "ann"} -> 201
        POST /api/employees {"login": "bob"} -> 201
        POST /api/teams {"name": "Red"} -> 201
        POST /api/teams {"name": "Blue"} -> 201
        POST /api/teams/1/members {"employee_ids": [1, 2]} -> 201
        POST /api/teams/2/members {"employee_ids": [1, 2]} -> 201
        GET /api/employees/2/teams -> 200 {"data": [{"id": 1, "name": "Red"}, {"id": 2, "name": "Blue"}],
            "meta": {"total": 2, "page": 1, "per_page": 25}}
        GET /api/employees/9/teams -> 404 not_found
        DELETE /api/teams/1/members/1 -> 204
        GET /api/teams/1 -> 200 {"data": {"version": 3}}
        DELETE /api/teams/1/members/1 -> 404 not_member
        DELETE /api/teams/9/members/1 -> 404 not_found
        DELETE /api/employees/2 -> 204
        GET /api/teams/1/members -> 200 {"data": [], "meta": {"total": 0}}
        GET /api/teams/1 -> 200 {"data": {"version": 4, "updated_at": "2026-01-01T00:00:12.000Z"}}
        DELETE /api/teams/2 -> 204
        DELETE /api/teams/2 -> 404 not_found
        GET /api/employees/1/teams -> 200 {"data": [], "meta": {"total": 0}}
        "#,
    );
}

#[test]
fn unchecked_members_may_be_anybody() {
    check_script(
        Settings { check_members: false, ids: Ids::Given, ..SETTINGS },
        r#"
        POST /api/teams {"name": "Red"} -> 201 {"data": {"id": "1"}}
        POST /api/teams/1/members {"employee_id": "a/b"} -> 201 {"data": {"employee_id": "a/b", "login": null}}
        POST /api/teams/1/members {"employee_id": 7} -> 201 {"data": {"employee_id": "7"}}
        DELETE /api/employees/7 -> 404 not_found
        DELETE /api/teams/1/members/a%2Fb -> 204
        GET /api/teams/1/members -> 200 {"data": [{"employee_id": "7"}]}
        "#,
    );
}

#[test]
fn a_bulk_call_adds_at_most_500() {
    let ids = |count: u64| json!({ "employee_ids": (1..=count).collect::<Vec<_>>() });
    let script = format!(
        r#"POST /api/teams {{"name": "Red"}} -> 201
        POST /api/teams/1/members {} -> 422 invalid employee_ids
        POST /api/teams/1/members {} -> 201 {{"data": {{"added": 500}}}}"#,
        ids(501),
        ids(500)
    );
    check_script(Settings { check_members: false, ..SETTINGS }, &script);
}

#[test]
fn tables_and_teams_are_bounded() {
    check_script(
        Settings { check_members: false, rows_max: 2, ..SETTINGS },
        r#"
        POST /api/employees {"login": "a"} -> 201
        POST /api/employees {"login": "b"} -> 201
        POST /api/employees {"login": "c"} -> 507 full
        POST /api/teams {"name": "Red"} -> 201
        POST /api/teams/1/members {"employee_ids": [1, 2, 3]} -> 507 full
        POST /api/teams/1/members {"employee_ids": [1, 2]} -> 201
        POST /api/teams/1/members {"employee_ids": [1, 2]} -> 201 {"data": {"added": 0, "already_members": 2}}
        POST /api/teams/1/members {"employee_id": 2} -> 409 already_member
        POST /api/teams/1/members {"employee_id": 3} -> 507 full
        "#,
    );
}

#[test]
fn given_ids_are_kept_and_counting_goes_on_after_them() {
    let mut store = Store::new(Settings { ids: Ids::Given, ..SETTINGS });
    let add = |store: &mut Store, id: Option<&str>, login: &str| {
        let document = serde_json::from_value(json!({ "login": login })).unwrap();
        store.add_employee(id.map(Id::parse), document, Timestamp::UNIX_EPOCH).unwrap().to_string()
    };
    let ids = |store: &mut Store, query: &str| -> Vec<Value> {
        let listed = json_of(&send(store, &format!("GET /api/employees?{query}"), b"", 0));
        listed["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
    };
    let added = [(Some("b/1"), "a"), (Some("41"), "b"), (None, "c")].map(|(id, login)| add(&mut store, id, login));
    assert_eq!(added, ["b/1", "41", "42"]);
    assert_eq!(ids(&mut store, ""), ["41", "42", "b/1"]);
    assert_eq!(ids(&mut store, "login=a"), ["b/1"]);
    assert_eq!(send(&mut store, "GET /api/employees/b%2F1", b"", 0).status, 200);

    add(&mut store, Some("b/1"), "d");
    assert_eq!(ids(&mut store, "login=a"), [] as [&str; 0], "the row before is forgotten");
    assert_eq!(ids(&mut store, "login=d"), ["b/1"]);
}

#[test]
fn the_key_must_match() {
    let cases = [(None, false), (Some(""), false), (Some("k"), false), (Some("key"), true), (Some("keys"), false)];
    for (presented, expect) in cases {
        let authorised = authorise("key", presented.map(str::as_bytes)).is_ok();
        assert_eq!(authorised, expect, "{presented:?}");
    }
}
