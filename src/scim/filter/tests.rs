//! Tables: filter text -> canonical text, errors, matches.

use serde_json::{Value, json};

use super::super::resource::Resource;
use super::super::schema::{Attribute, AttributeType, ResourceType, Schema, group_type, user_type};
use super::*;

pub(in crate::scim) fn acme_user() -> ResourceType {
    let mut user = user_type();
    let attributes = vec![
        Attribute::new("tag", AttributeType::String, "").multi(),
        Attribute::new("logins", AttributeType::Integer, ""),
        Attribute::new("score", AttributeType::Decimal, ""),
        Attribute::new("since", AttributeType::DateTime, ""),
        Attribute::new("key", AttributeType::Binary, ""),
    ];
    user.extensions.push(Schema::new("urn:acme:User", "Acme", "", attributes));
    user
}

/// The canonical filter, then the repairs behind ` | `; or the error.
fn parsed(resource_type: &ResourceType, text: &str) -> String {
    match Filter::parse(text, resource_type, &FilterLimits::default()) {
        Ok(Parsed { filter, repairs }) => {
            let printed = filter.to_string();
            let again = Filter::parse(&printed, resource_type, &FilterLimits::default());
            assert_eq!(again.map(|parsed| parsed.filter), Ok(filter), "{text} printed as {printed}");
            repairs.iter().fold(printed, |text, repair| format!("{text} | {}", repair.as_str()))
        }
        Err(error) => error.to_string(),
    }
}

fn check(text: &str, expect: &str) {
    assert_eq!(parsed(&acme_user(), text), expect, "{text}");
}

#[test]
fn filters_are_printed_in_canonical_form() {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (text, expect) in [
        (r#"userName eq "bjensen""#, r#"userName eq "bjensen""#),
        (r#"USERNAME  Eq   "x" "#, r#"userName eq "x""#),
        (r#"userName eq"x""#, r#"userName eq "x""#),
        ("title pr", "title pr"),
        ("title PR and (userType Eq \"E\")", r#"title pr and userType eq "E""#),
        (r#"a eq "1""#, "filter: User has no attribute 'a'"),
        ("title pr or active eq true and nickName pr", "title pr or active eq true and nickName pr"),
        ("(title pr or active eq true) and nickName pr", "(title pr or active eq true) and nickName pr"),
        ("title pr and (active eq true and nickName pr)", "title pr and active eq true and nickName pr"),
        ("not(title pr)", "not (title pr)"),
        ("NOT ( not (title pr) ) AND nickName pr", "not (not (title pr)) and nickName pr"),
        ("((((title pr))))", "title pr"),
        (r#"emails[type eq "work" and value co "@x"]"#, r#"emails[type eq "work" and value co "@x"]"#),
        (
            r#"emails [ type eq "work" ] .value eq "x""#,
            "filter: expected 'and', 'or' or the end at position 26, found '.value'",
        ),
        (r#"emails[type eq "work"].value eq "x""#, r#"emails[type eq "work" and value eq "x"]"#),
        (r#"emails[type eq "a" or type eq "b"].value pr"#, r#"emails[(type eq "a" or type eq "b") and value pr]"#),
        (r#"emails[type eq "work"] eq "x""#, r#"emails[type eq "work" and value eq "x"]"#),
        (r#"emails[type eq "work"] pr"#, r#"emails[type eq "work"]"#),
        (r#"emails[type eq "work"] and title pr"#, r#"emails[type eq "work"] and title pr"#),
        (r#"emails co "x""#, r#"emails.value co "x""#),
        ("emails pr", "emails pr"),
        (r#"manager eq "u-3""#, &format!(r#"{enterprise}:manager.value eq "u-3""#)),
        (&format!(r#"{enterprise}:manager.value eq "u-3""#), &format!(r#"{enterprise}:manager.value eq "u-3""#)),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#, r#"userName sw "J""#),
        (r#"manager[value eq "u-3"]"#, &format!(r#"{enterprise}:manager[value eq "u-3"]"#)),
        (r#"tag[value eq "x"]"#, r#"urn:acme:User:tag[value eq "x"]"#),
        ("title eq null", "not (title pr)"),
        ("title ne NULL", "title pr"),
        ("logins ge 3", "urn:acme:User:logins ge 3"),
        ("score lt -2.50e1", "urn:acme:User:score lt -25.0"),
        ("logins eq 18446744073709551615", "urn:acme:User:logins eq 18446744073709551615"),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, r#"meta.lastModified gt "2011-05-13T04:42:34Z""#),
        (r#"meta.created sw "2011""#, r#"meta.created sw "2011""#),
        (r#"displayName eq "Cy \"Q\" \u00e5 \\""#, r#"displayName eq "Cy \"Q\" å \\""#),
        (r#"displayName eq "a ) and ( b""#, r#"displayName eq "a ) and ( b""#),
    ] {
        check(text, expect);
    }
}

#[test]
fn habits_that_cannot_be_misread_are_repaired_and_reported() {
    for (text, expect) in [
        (r#"active eq "True""#, "active eq true | filter_string_boolean"),
        ("active eq FALSE", "active eq false | filter_string_boolean"),
        (r#"logins eq "3""#, "urn:acme:User:logins eq 3 | filter_string_number"),
        ("userName eq bob@example.com", r#"userName eq "bob@example.com" | filter_unquoted_value"#),
        ("(userName eq bob@example.com)", r#"userName eq "bob@example.com" | filter_unquoted_value"#),
        ("name.familyName eq O'Hara", r#"name.familyName eq "O'Hara" | filter_unquoted_value"#),
        (
            "externalId eq 8f3a2c52-6f1e-4a53-9d7e-2f8f0a9d1b11",
            r#"externalId eq "8f3a2c52-6f1e-4a53-9d7e-2f8f0a9d1b11" | filter_unquoted_value"#,
        ),
        (
            "employeeNumber eq 42",
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "42" | filter_unquoted_value"#,
        ),
        ("emails[type eq work]", r#"emails[type eq "work"] | filter_unquoted_value"#),
        ("displayName eq 'Bo O'Hara'", r#"displayName eq "Bo O'Hara" | filter_single_quotes"#),
        (
            "displayName eq 'a' or title eq 'b'",
            r#"displayName eq "a" or title eq "b" | filter_single_quotes | filter_single_quotes"#,
        ),
        ("displayName eq “Bo Lund”", r#"displayName eq "Bo Lund" | filter_typographic_quotes"#),
        ("displayName eq ‘Bo’", r#"displayName eq "Bo" | filter_typographic_quotes"#),
        ("meta.created gt 2011-05-13T04:42:34Z", r#"meta.created gt "2011-05-13T04:42:34Z" | filter_unquoted_value"#),
    ] {
        check(text, expect);
    }
}

#[test]
fn what_could_be_misread_is_refused() {
    for (text, expect) in [
        ("", "filter is empty"),
        (" \t", "filter is empty"),
        ("userName", "filter: expected a comparison operator at position 8, found the end"),
        ("userName eq", "filter: expected a comparison value at position 11, found the end"),
        ("userName eq and title pr", "filter: expected a comparison value at position 12, found 'and'"),
        ("userName is \"x\"", "filter: expected a comparison operator at position 9, found 'is'"),
        ("(userName eq \"a\" and active eq true", "filter: expected 'and', 'or' or ')' at position 35, found the end"),
        ("userName eq \"a\")", "filter: expected 'and', 'or' or the end at position 15, found ')'"),
        ("userName eq \"a\" title pr", "filter: expected 'and', 'or' or the end at position 16, found 'title'"),
        ("displayName eq Bob Smith", "filter: expected 'and', 'or' or the end at position 19, found 'Smith'"),
        ("not title pr", "filter: expected '(' after 'not' at position 4, found 'title'"),
        ("and title pr", "filter: User has no attribute 'and'"),
        ("title pr and", "filter: expected an attribute at position 12, found the end"),
        ("emails[type eq \"work\"", "filter: expected 'and', 'or' or ']' at position 21, found the end"),
        ("emails[]", "filter: expected an attribute at position 7, found ']'"),
        ("emails[type eq \"work\"].", "filter: empty name in attribute path ''"),
        ("emails[kind eq \"work\"]", "filter: attribute 'emails' has no sub-attribute 'kind'"),
        ("emails[type[value pr]]", "filter: expected a comparison operator at position 11, found '[value'"),
        ("title[value eq \"x\"]", "filter: 'title' has no elements to put a value filter on"),
        ("emails.type[value eq \"x\"]", "filter: 'emails.type' has no elements to put a value filter on"),
        ("userName eq \"a", "filter: the value at position 12 is not a JSON string"),
        (r#"userName eq "a\q""#, "filter: the value at position 12 is not a JSON string"),
        (r#"userName eq "\ud800""#, "filter: the value at position 12 is not a JSON string"),
        ("userName eq 'a", "filter: the value at position 12 is not a JSON string"),
        ("userName eq b\"c\"", "filter: expected a comparison value at position 12, found 'b\"c\"'"),
        ("active gt true", "filter: 'gt' cannot be applied to 'active', which is boolean"),
        ("active co \"t\"", "filter: 'co' cannot be applied to 'active', which is boolean"),
        ("key gt \"AA==\"", "filter: 'gt' cannot be applied to 'urn:acme:User:key', which is binary"),
        ("logins co 3", "filter: 'co' cannot be applied to 'urn:acme:User:logins', which is integer"),
        ("name eq \"x\"", "filter: 'eq' cannot be applied to 'name', which is complex"),
        ("addresses co \"x\"", "filter: 'co' cannot be applied to 'addresses', which is complex"),
        ("active eq \"yes\"", "filter: 'active' is boolean; 'yes' is no such value"),
        ("logins eq three", "filter: 'urn:acme:User:logins' is integer; 'three' is no such value"),
        ("logins eq NaN", "filter: 'urn:acme:User:logins' is integer; 'NaN' is no such value"),
        ("logins gt null", "filter: 'urn:acme:User:logins' is integer; null is no such value"),
        ("score eq 1e999", "filter: 'urn:acme:User:score' is decimal; '1e999' is no such value"),
        ("meta.created gt \"2011-05-13\"", "filter: 'meta.created' is dateTime; '2011-05-13' is no such value"),
        ("password eq \"x\"", "filter: 'password' cannot be used in a filter"),
        ("password pr", "filter: 'password' cannot be used in a filter"),
        ("userNam eq \"x\"", "filter: User has no attribute 'userNam'; did you mean 'userName'?"),
        ("..title pr", "filter: empty name in attribute path '..title'"),
        ("urn:acme:User pr", "filter: 'urn:acme:User' names a schema; an attribute of it is needed here"),
    ] {
        check(text, expect);
    }
}

#[test]
fn every_bound_holds_at_its_edge() {
    let limits = FilterLimits { max_depth: 3, max_terms: 4, max_length: 60 };
    let parse = |text: &str| Filter::parse(text, &user_type(), &limits).map(|_| ());
    assert_eq!(parse("(((title pr)))"), Ok(()));
    assert_eq!(parse("((((title pr))))"), Err(FilterError::TooDeep { max: 3 }));
    assert_eq!(parse("not (not (emails[value pr]))"), Ok(()));
    assert_eq!(parse("not (not (not (emails[value pr])))"), Err(FilterError::TooDeep { max: 3 }));
    assert_eq!(parse("(title pr) and (title pr) and (title pr) and (title pr)"), Ok(()));
    let five = ["title pr"; 5].join(" or ");
    assert_eq!(parse(&five), Err(FilterError::TooManyTerms { max: 4 }));
    assert_eq!(parse(&format!("title eq \"{}\"", "x".repeat(49))), Ok(()));
    assert_eq!(parse(&format!("title eq \"{}\"", "x".repeat(50))), Err(FilterError::TooLong { max: 60 }));
    let deep = format!("{}title pr{}", "(".repeat(10_000), ")".repeat(10_000));
    let default = FilterLimits::default();
    assert_eq!(Filter::parse(&deep, &user_type(), &default), Err(FilterError::TooDeep { max: default.max_depth }));
}

fn ada() -> Resource {
    let Value::Object(object) = json!({
        "id": "u-1", "userName": "Ada@Northgate.example", "active": true, "title": "",
        "externalId": "Ext-a", "name": {"familyName": "Ødegård"},
        "emails": [
            {"type": "work", "value": "ada@northgate.example", "primary": true},
            {"type": "home", "value": "ada@home.example"},
        ],
        "meta": {"created": "2024-03-01T12:00:00.5+01:00"},
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "u-3"}},
        "urn:acme:User": {"tag": ["Red", "blue"], "logins": 3, "score": 2.5},
    }) else {
        unreachable!()
    };
    Resource(object)
}

fn check_match(text: &str, expect: bool) {
    let parsed = Filter::parse(text, &acme_user(), &FilterLimits::default()).unwrap();
    assert_eq!(parsed.filter.matches(&ada()), expect, "{text}");
}

#[test]
fn comparisons_follow_type_and_case() {
    for (text, expect) in [
        (r#"userName eq "ADA@northgate.EXAMPLE""#, true),
        (r#"userName ne "ADA@northgate.EXAMPLE""#, false),
        (r#"externalId eq "Ext-a""#, true),
        (r#"externalId eq "ext-a""#, false),
        (r#"id eq "U-1""#, false),
        (r#"name.familyName eq "øDEGÅRD""#, true),
        (r#"name.familyName co "DEG""#, true),
        (r#"userName sw "ada@""#, true),
        (r#"userName ew ".EXAMPLE""#, true),
        (r#"userName gt "ACE""#, true),
        (r#"userName lt "ACE""#, false),
        ("active eq true", true),
        (r#"active eq "False""#, false),
        ("active ne false", true),
        ("logins eq 3.0", true),
        ("logins gt 2", true),
        ("logins le 2.5", false),
        ("score ge 2.5", true),
        (r#"meta.created eq "2024-03-01T11:00:00.500Z""#, true),
        (r#"meta.created gt "2024-03-01T11:59:59Z""#, false),
        (r#"meta.created sw "2024-03""#, true),
    ] {
        check_match(text, expect);
    }
}

#[test]
fn lists_match_by_any_element_and_absence_only_by_ne() {
    for (text, expect) in [
        (r#"emails.value eq "ADA@home.example""#, true),
        (r#"emails eq "ada@home.example""#, true),
        (r#"emails co "northgate""#, true),
        (r#"emails.value ne "ada@home.example""#, false),
        (r#"emails.value ne "x""#, true),
        (r#"emails[type eq "work" and value eq "ada@home.example"]"#, false),
        (r#"emails[type eq "home"].value eq "ada@home.example""#, true),
        (r#"emails[type eq "home" and not (primary eq true)]"#, true),
        (r#"emails[type eq "home"].primary pr"#, false),
        (r#"emails[value ne "ada@home.example"]"#, true),
        (r#"not (emails[type eq "other"])"#, true),
        (r#"tag eq "RED""#, true),
        (r#"tag[value sw "bl"]"#, true),
        (r#"tag[value eq "x"]"#, false),
        (r#"manager eq "u-3""#, true),
        (r#"manager[value eq "u-3"]"#, true),
        (r#"manager.displayName ne "x""#, true),
        (r#"nickName eq "x""#, false),
        (r#"nickName ne "x""#, true),
        (r#"nickName co """#, false),
        ("nickName pr", false),
        ("title pr", false),
        ("title eq null", true),
        (r#"title eq """#, true),
        ("name pr", true),
        ("name.givenName pr", false),
        ("emails pr", true),
        ("emails.display pr", false),
        ("phoneNumbers eq null", true),
        ("title pr or active eq true and nickName pr", false),
        ("(nickName pr or active eq true) and not (title pr)", true),
    ] {
        check_match(text, expect);
    }
}

#[test]
fn a_filter_inside_brackets_can_be_parsed_and_asked_on_its_own() {
    let user = user_type();
    let emails = user.schema.attribute("emails").unwrap();
    let inner = Filter::parse_in_attribute(r#"TYPE eq "work" and primary eq "true""#, emails, &FilterLimits::default());
    let inner = inner.unwrap();
    assert_eq!(inner.filter.to_string(), r#"type eq "work" and primary eq true"#);
    assert_eq!(inner.repairs, [FilterRepair::StringBoolean]);
    assert!(inner.filter.matches_element(&json!({"type": "Work", "primary": true})));
    assert!(!inner.filter.matches_element(&json!({"type": "work"})));
    assert!(!inner.filter.matches_element(&json!("work")));
    let userless = Filter::parse_in_attribute("userName pr", emails, &FilterLimits::default());
    assert!(matches!(userless, Err(FilterError::Path(_))));
}

#[test]
fn implied_comparisons_and_mentioned_paths() {
    let filter = |text: &str| Filter::parse(text, &user_type(), &FilterLimits::default()).unwrap().filter;
    let implied = |text: &str| filter(text).implied().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let mentions = |text: &str| filter(text).mentions().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert_eq!(implied(r#"emails[type eq "work"].value eq "x""#), r#"emails.type eq "work"; emails.value eq "x""#);
    assert_eq!(implied(r#"emails[type eq "work" and value ne "x"]"#), r#"emails.type eq "work""#);
    assert_eq!(implied(r#"id eq "1" and (title eq "x" or title eq "y")"#), r#"id eq "1""#);
    assert_eq!(implied(r#"not (id eq "1")"#), "");
    assert_eq!(implied(r#"emails[type eq "a" or type eq "b"]"#), "");
    assert_eq!(
        mentions(r#"emails[type eq "work" and not (value pr)] or title pr and title eq "x""#),
        "emails.type; emails.value; title"
    );
}

#[test]
fn the_filters_that_identity_providers_send() {
    for text in [
        r#"userName eq "7c1f2c52-6f1e-4a53-9d7e-2f8f0a9d1b11""#,
        r#"externalId eq "x-bo""#,
        r#"emails[type eq "work"].value eq "ada@northgate.example""#,
        r#"id eq "u-1" and manager eq "u-3""#,
        r#"manager eq "u-9" and id eq "u-1""#,
        r#"username Eq "cy@northgate.example""#,
        r#"userName eq "bo+rail@northgate.example""#,
        r#"displayName eq "Bo O'Hara""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "u-3""#,
    ] {
        let parsed = Filter::parse(text, &user_type(), &FilterLimits::default()).unwrap();
        assert_eq!(parsed.repairs, [], "{text}");
    }
    for (text, expect) in [
        (r#"displayName eq "Track Crew""#, r#"displayName eq "Track Crew""#),
        (r#"id eq "g-1" and members eq "u-2""#, r#"id eq "g-1" and members.value eq "u-2""#),
        (r#"members.value eq "u-1""#, r#"members.value eq "u-1""#),
        (r#"members[value eq "u-2"]"#, r#"members[value eq "u-2"]"#),
    ] {
        assert_eq!(parsed(&group_type(), text), expect);
    }
}
