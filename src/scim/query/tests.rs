//! Tables: query strings and search requests -> what is understood, or the error.

use proptest::prelude::*;
use serde_json::json;

use super::super::schema::{group_type, user_type};
use super::*;

/// The parts of a query that are not the default, in words.
fn shown(query: &ListQuery) -> String {
    let mut words = Vec::new();
    if let Some(filter) = &query.filter {
        words.push(format!("filter={}", filter.filter));
        words.extend(filter.repairs.iter().map(|repair| repair.as_str().to_owned()));
    }
    match &query.page {
        Page::Unspecified => {}
        Page::Index(index) => words.push(format!("from {}", index.get())),
        Page::Cursor(cursor) => words.push(format!("cursor {cursor:?}")),
    }
    words.extend(query.count.map(|count| format!("count {}", count.get())));
    words.extend(query.sort.as_ref().map(|sort| format!("by {} {:?}", sort.path, sort.order)));
    if query.projection != Projection::All {
        words.push(format!("{:?}", query.projection));
    }
    words.join(", ")
}

fn outcome(result: Result<ListQuery, ScimError>) -> String {
    match result {
        Ok(query) => shown(&query),
        Err(error) => format!("{}: {}", error.scim_type.map_or("", super::super::ScimType::as_str), error.detail),
    }
}

fn check(raw: &str, expect: &str) {
    assert_eq!(outcome(ListQuery::parse(raw, &user_type(), &QueryLimits::default())), expect, "{raw}");
}

#[test]
fn parameters_are_decoded_and_understood() {
    for (raw, expect) in [
        ("", ""),
        ("&&", ""),
        ("filter=userName+eq+%22cy%40northgate.example%22", r#"filter=userName eq "cy@northgate.example""#),
        ("filter=userName%20eq%20%22bo%2Brail%40x%22", r#"filter=userName eq "bo+rail@x""#),
        ("filter=displayName%20eq%20%22Cy%20%5C%22Q%5C%22%20Lund%22", r#"filter=displayName eq "Cy \"Q\" Lund""#),
        ("filter=active+eq+%22True%22", "filter=active eq true, filter_string_boolean"),
        ("filter=title%20eq%20%22a=b%22", r#"filter=title eq "a=b""#),
        ("startIndex=6&count=5", "from 6, count 5"),
        ("STARTINDEX=6&Count=5", "from 6, count 5"),
        ("startIndex=0&count=3", "from 1, count 3"),
        ("startIndex=-7&count=-1", "from 1, count 0"),
        ("count=99999999999999999999999", "count 18446744073709551615"),
        ("count=%2B5&startIndex=+2", "from 2, count 5"),
        ("filter=&startIndex=&count=&sortBy=&attributes=", ""),
        ("cursor", "cursor None"),
        ("cursor=", "cursor None"),
        ("cursor=a-b._~9&count=10", "cursor Some(\"a-b._~9\"), count 10"),
        ("cursor=abc&startIndex=3", "cursor Some(\"abc\")"),
        ("sortBy=username&sortOrder=DESCENDING", "by userName Descending"),
        ("sortBy=name.familyName", "by name.familyName Ascending"),
        ("sortBy=emails", "by emails.value Ascending"),
        ("sortOrder=descending", ""),
        ("count=5&count=5", "count 5"),
        ("unknown=1&%FF=2&tracking", ""),
    ] {
        check(raw, expect);
    }
}

#[test]
fn refusals_say_what_is_wrong() {
    for (raw, expect) in [
        ("filter=userName%20eq", "invalidFilter: filter: expected a comparison value at position 11, found the end"),
        ("startIndex=abc", "invalidValue: query parameter 'startIndex' must be an integer"),
        ("count=1.5", "invalidValue: query parameter 'count' must be an integer"),
        ("count=-", "invalidValue: query parameter 'count' must be an integer"),
        ("count=5&count=6", "invalidValue: query parameter 'count' is given twice with different values"),
        (
            "filter=title+pr&FILTER=name+pr",
            "invalidValue: query parameter 'filter' is given twice with different values",
        ),
        ("filter=%FF", "invalidSyntax: query parameter 'filter' is not UTF-8"),
        ("cursor&count=0", "invalidCount: count must be at least 1 when paging by cursor"),
        (
            "cursor=a%20b",
            "invalidCursor: cursor must be at most 4096 letters, digits and -._~; leave it empty to start over",
        ),
        ("sortBy=usrName", "invalidValue: sortBy: User has no attribute 'usrName'; did you mean 'userName'?"),
        ("sortBy=name", "invalidValue: sortBy: 'name' is complex; name one of its sub-attributes"),
        ("sortOrder=down", "invalidValue: sortOrder must be 'ascending' or 'descending'"),
    ] {
        check(raw, expect);
    }
}

#[test]
fn projections_come_from_lists_of_names() {
    let group = group_type();
    let limits = QueryLimits::default();
    let parse = |raw: &str| ListQuery::parse(raw, &group, &limits).unwrap().projection;
    let expect = Projection::new(["displayName", "members.value"], [], &group);
    for raw in [
        "attributes=displayName,members.value",
        "attributes=displayName&Attributes=members.value",
        "attributes=displayName,%20members.value,,nonsense",
        "attributes=displayName,members.value&excludedAttributes=displayName",
    ] {
        assert_eq!(parse(raw), expect, "{raw}");
        assert_eq!(parse_projection(raw, &group, &limits), Ok(expect.clone()));
    }
    let expect = Projection::new([], ["members"], &group);
    assert_eq!(parse("excludedAttributes=members&filter=displayName+eq+%22x%22"), expect);
    assert_eq!(parse("excludedattributes=MEMBERS"), expect);
    assert_eq!(parse_projection("excludedAttributes=members&count=x", &group, &limits), Ok(expect));
}

#[test]
fn a_search_request_says_the_same_as_a_query_string() {
    let parse = |body: &Value| outcome(ListQuery::from_search_request(body, &user_type(), &QueryLimits::default()));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["userName", "name.givenName"], "FILTER": "displayName sw \"s+m\"", "sortBy": "userName",
        "sortOrder": "descending", "startIndex": 1, "count": "10", "cursor": null, "more": {},
    });
    let raw = "attributes=userName,name.givenName&filter=displayName+sw+%22s%2Bm%22&sortBy=userName&\
               sortOrder=descending&startIndex=1&count=10";
    check(raw, &parse(&body));
    assert_eq!(parse(&json!({"cursor": "", "count": 10})), "cursor None, count 10");
    assert_eq!(parse(&json!({})), "");
    for (body, expect) in [
        (json!([]), "invalidSyntax: search request: 'body' must be an object"),
        (json!({"filter": 1}), "invalidSyntax: search request: 'filter' must be a string"),
        (json!({"attributes": [1]}), "invalidSyntax: search request: 'attributes' must be a list of strings"),
        (json!({"attributes": {}}), "invalidSyntax: search request: 'attributes' must be a list of strings"),
        (json!({"count": true}), "invalidSyntax: search request: 'count' must be an integer"),
        (json!({"count": 1.5}), "invalidValue: query parameter 'count' must be an integer"),
    ] {
        assert_eq!(parse(&body), expect);
    }
}

#[test]
fn every_bound_holds_at_its_edge() {
    let limits = QueryLimits { max_query_bytes: 40, max_names: 2, max_cursor_bytes: 3, ..QueryLimits::default() };
    let parse = |raw: &str| ListQuery::parse(raw, &user_type(), &limits).map(|_| ()).map_err(|error| error.detail);
    assert_eq!(parse(&format!("x={}", "y".repeat(38))), Ok(()));
    assert_eq!(parse(&format!("x={}", "y".repeat(39))), Err("query is longer than 40 bytes".to_owned()));
    assert_eq!(parse("attributes=id&attributes=title"), Ok(()));
    assert_eq!(parse("attributes=id,title,name"), Err("more than 2 attribute names".to_owned()));
    assert_eq!(parse("excludedAttributes=id,title,name"), Err("more than 2 attribute names".to_owned()));
    assert_eq!(parse("cursor=abc"), Ok(()));
    assert!(parse("cursor=abcd").is_err());
    let limits = QueryLimits { filter: FilterLimits { max_length: 8, ..FilterLimits::default() }, ..limits };
    let too_long = ListQuery::parse("filter=nickName+pr", &user_type(), &limits).unwrap_err();
    assert_eq!(too_long.detail, "filter is longer than 8 bytes");
}

proptest! {
    #[test]
    fn any_query_string_gets_an_answer(raw in "(filter|count|cursor|attributes|x)?=?[ -~&=%+é]{0,40}") {
        let _ = ListQuery::parse(&raw, &user_type(), &QueryLimits::default());
    }
}
