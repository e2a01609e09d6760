//! Tables first: what a path is, and what a template takes. Then properties.

mod properties;

use std::collections::BTreeMap;

use super::*;

/// The multi-tenant service of the documentation beside a plain one.
pub(super) fn table() -> RouteTable {
    let variables: Vec<Arc<str>> = ["tenant", "env", "project"].map(Arc::from).into();
    let tenants = template("/scim/v2/{project}/{env}/v2/{tenant}", &[("tenant", "[A-Za-z0-9_-]{1,64}")]);
    let plain = template("/hr/scim", &[]);
    RouteTable::new(&variables, [(&tenants, vec!["/Users", "/Groups"]), (&plain, vec!["/Users"])])
}

pub(super) fn template(text: &str, patterns: &[(&str, &str)]) -> PathTemplate {
    PathTemplate::compile(text, &owned(patterns)).unwrap()
}

fn owned(patterns: &[(&str, &str)]) -> BTreeMap<String, String> {
    patterns.iter().map(|(name, pattern)| ((*name).to_owned(), (*pattern).to_owned())).collect()
}

fn endpoint_at(path: &str) -> Endpoint {
    match table().resolve(path) {
        Outcome::Scim(matched) => matched.endpoint,
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn every_endpoint_of_the_rfc_is_known() {
    let user = |id: &str| Endpoint::Resource { type_index: 0, id: id.to_owned() };
    let cases = [
        ("Users", Endpoint::Collection { type_index: 0 }),
        ("Users/", Endpoint::Collection { type_index: 0 }),
        ("Groups", Endpoint::Collection { type_index: 1 }),
        ("Users/7", user("7")),
        ("Users/7/", user("7")),
        ("Users/a%2Fb", user("a/b")),
        ("Users/CORP%5Canna", user("CORP\\anna")),
        ("Users/anna%40x.example", user("anna@x.example")),
        ("Users/%C3%BCnal", user("\u{fc}nal")),
        ("Users/%E6%9D%8E;v=1", user("\u{674e};v=1")),
        ("Users/100%2525", user("100%25")),
        ("Users/Users", user("Users")),
        (".search", Endpoint::Search { type_index: None }),
        ("Groups/.search", Endpoint::Search { type_index: Some(1) }),
        ("Bulk", Endpoint::Bulk),
        ("Me", Endpoint::Me),
        ("ServiceProviderConfig", Endpoint::ServiceProviderConfig),
        ("ResourceTypes", Endpoint::ResourceTypes(None)),
        ("ResourceTypes/User", Endpoint::ResourceTypes(Some("User".to_owned()))),
        ("Schemas", Endpoint::Schemas(None)),
        ("Schemas/urn%3Aa:b", Endpoint::Schemas(Some("urn:a:b".to_owned()))),
    ];
    for (below, expected) in cases {
        assert_eq!(endpoint_at(&format!("/scim/v2/p/e/v2/t/{below}")), expected, "{below}");
    }
}

#[test]
fn a_match_carries_variables_by_number_and_the_base_as_received() {
    let Outcome::Scim(matched) = table().resolve("/scim/v2/p%20q/%C3%BC/v2/acme-1/Users/7") else { panic!() };
    assert_eq!(matched.route, 0);
    assert_eq!(matched.values, [(2, "p q".to_owned()), (1, "\u{fc}".to_owned()), (0, "acme-1".to_owned())]);
    assert_eq!(matched.base, "/scim/v2/p%20q/%C3%BC/v2/acme-1");
    let Outcome::Scim(matched) = table().resolve("/hr/scim/Users") else { panic!() };
    assert_eq!((matched.route, matched.values, matched.base.as_str()), (1, vec![], "/hr/scim"));
}

#[test]
fn below_a_prefix_nothing_else_exists() {
    let tenant = || NotFoundReason::BadVariable { name: Arc::from("tenant") };
    let (longest, too_long) = ("t".repeat(64), "t".repeat(65));
    let cases = [
        ("/scim/v2".to_owned(), NotFoundReason::NoRoute),
        ("/scim/v2/".to_owned(), NotFoundReason::NoRoute),
        ("/scim/v2/Users".to_owned(), NotFoundReason::NoRoute),
        ("/scim/v2/p/e/v2".to_owned(), NotFoundReason::NoRoute),
        ("/scim/v2/p/e/v3/t/Users".to_owned(), NotFoundReason::NoRoute),
        ("/scim/v2/p/e/v%32/t/Users".to_owned(), NotFoundReason::NoRoute),
        // Without a tenant, `Users` is taken for one, and nothing is left to be the endpoint.
        ("/scim/v2/p/e/v2/Users".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/Users/7".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/users".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/%55sers".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/Users%2F7".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/Users/7/8".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/Me/7".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/Bulk/7".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/scim/v2/p/e/v2/t/Robots".to_owned(), NotFoundReason::UnknownEndpoint),
        ("/hr/scim/Groups".to_owned(), NotFoundReason::UnknownEndpoint),
        (format!("/scim/v2/p/e/v2/{too_long}/Users"), tenant()),
        ("/scim/v2/p/e/v2/a%2Fb/Users".to_owned(), tenant()),
        ("/scim/v2/p/e/v2/a%5Cb/Users".to_owned(), tenant()),
        ("/scim/v2/p/e/v2/%C3%BC/Users".to_owned(), tenant()),
        ("/scim/v2/p/e/v2/a.b/Users".to_owned(), tenant()),
        ("/scim/v2/p%2Fq/e/v2/t/Users".to_owned(), NotFoundReason::BadVariable { name: Arc::from("project") }),
        (
            format!("/scim/v2/{}/e/v2/t/Users", "p".repeat(256)),
            NotFoundReason::BadVariable { name: Arc::from("project") },
        ),
    ];
    for (path, reason) in cases {
        assert_eq!(table().resolve(&path), Outcome::NotFound(reason), "{path}");
    }
    assert!(matches!(table().resolve(&format!("/scim/v2/p/e/v2/{longest}/Users")), Outcome::Scim(_)));
    assert!(matches!(table().resolve(&format!("/scim/v2/{}/e/v2/t/Users", "p".repeat(255))), Outcome::Scim(_)));
}

#[test]
fn ambiguous_paths_are_refused_where_scim_is_concerned() {
    let cases = [
        // Below a prefix.
        ("/scim/v2/p/e/v2//Users", Reason::EmptySegment),
        ("/scim/v2//p/e/v2/t/Users", Reason::EmptySegment),
        ("/hr/scim/Users//", Reason::EmptySegment),
        ("/hr/scim/Users/a%00b", Reason::ControlByte),
        ("/hr/scim/Users/a%0Ab", Reason::ControlByte),
        ("/hr/scim/Users/a%FF", Reason::NotUtf8),
        ("/hr/scim/Users/a%zz", Reason::InvalidEncoding),
        ("/hr/scim/Users/a%2", Reason::InvalidEncoding),
        ("/hr/scim/Users/%", Reason::InvalidEncoding),
        ("/hr/scim/Users\\7", Reason::Backslash),
        // Dot segments, anywhere.
        ("/scim/v2/..", Reason::DotSegment),
        ("/x/../scim/v2/Users", Reason::DotSegment),
        ("/x/./y", Reason::DotSegment),
        ("/x/%2e%2E/y", Reason::DotSegment),
        ("/x/.%2e/y", Reason::DotSegment),
        ("/scim/v2/..;/x", Reason::DotSegment),
        ("/hr/scim/Users/..", Reason::DotSegment),
        ("/hr/scim/Users/a%2F..%2F..%2Fb", Reason::DotSegment),
        ("/hr/scim/Users/%zz/..", Reason::DotSegment),
        // SCIM under another name.
        ("//scim/v2/Users", Reason::EmptySegment),
        ("/scim//v2/Users", Reason::EmptySegment),
        ("//scim/../scim/v2", Reason::DotSegment),
        ("/sc%69m/v2/Users", Reason::Disguised),
        ("/sc%2569m/v2/Users", Reason::Disguised),
        ("/scim%2fv2/Users", Reason::Disguised),
        ("/scim%2Fv2%2FUsers", Reason::Disguised),
        ("/scim%252fv2/Users", Reason::Disguised),
        ("/scim%5cv2/Users", Reason::Disguised),
        ("/scim\\v2/Users", Reason::Backslash),
        ("\\scim/v2", Reason::NotOriginForm),
        ("/scim;x=1/v2/Users", Reason::Disguised),
        ("/scim%00/v2/Users", Reason::ControlByte),
        ("/scim/v2%20/Users", Reason::Disguised),
        ("/x/%252e%252e/scim/v2/Users", Reason::Disguised),
        ("/%2fscim/v2/Users", Reason::Disguised),
        // Not a path.
        ("*", Reason::NotOriginForm),
        ("", Reason::NotOriginForm),
        ("scim/v2", Reason::NotOriginForm),
    ];
    for (path, reason) in cases {
        assert_eq!(table().resolve(path), Outcome::Refused(PathRefusal(reason)), "{path}");
    }
}

#[test]
fn the_application_keeps_its_own_odd_paths() {
    let paths = [
        "/",
        "//",
        "/app//x",
        "/app/a%2Fb",
        "/app/a\\b",
        "/app/%FF",
        "/app/100%",
        "/app;s=1/x",
        "/scim",
        "/scim/v22",
        "/scim/v",
        "/scim/V2/Users",
        "/app/%252e",
        "/app/x%00",
        "/hr",
        "/hr/scimitar",
        "/app/scim/v2/Users",
        "/app/%25252525252525252525",
    ];
    for path in paths {
        assert_eq!(table().resolve(path), Outcome::PassThrough, "{path}");
    }
}

#[test]
fn a_path_has_a_length_limit() {
    let longest = format!("/{}", "x".repeat(PATH_MAX_BYTES - 1));
    assert_eq!(table().resolve(&longest), Outcome::PassThrough);
    let refusal = PathRefusal(Reason::TooLong);
    assert_eq!(table().resolve(&format!("{longest}x")), Outcome::Refused(refusal));
    assert_eq!((refusal.status(), PathRefusal(Reason::Disguised).status()), (414, 400));
}

#[test]
fn a_literal_wins_over_a_variable_and_is_not_left_again() {
    let any = template("/scim/{tenant}", &[]);
    let acme = template("/scim/acme", &[]);
    let table = RouteTable::new(&[], [(&any, vec!["/Users", "/Groups"]), (&acme, vec!["/Users"])]);
    let route = |path| match table.resolve(path) {
        Outcome::Scim(matched) => Some(matched.route),
        _ => None,
    };
    assert_eq!(route("/scim/acme/Users"), Some(1));
    assert_eq!(route("/scim/other/Groups"), Some(0));
    assert_eq!(route("/scim/acme/Groups"), None);
}

#[test]
fn a_template_that_starts_with_a_variable_owns_every_path() {
    let table = RouteTable::new(&[], [(&template("/{tenant}/scim", &[]), ["/Users"])]);
    assert_eq!(table.resolve("/app"), Outcome::NotFound(NotFoundReason::NoRoute));
    assert!(matches!(table.resolve("/acme/scim/Users"), Outcome::Scim(_)));
    let root = RouteTable::new(&[], [(&template("/", &[]), ["/Users"])]);
    assert!(matches!(root.resolve("/Users/7"), Outcome::Scim(Matched { base, .. }) if base.is_empty()));
}

#[test]
fn wrong_templates_are_named_with_their_place() {
    let cases = [
        ("scim/v2", 0..7, "begins with /", Some("/scim/v2")),
        ("/scim//v2", 6..6, "empty segment", Some("/scim/v2")),
        ("/scim/v2/", 9..9, "empty segment", Some("/scim/v2")),
        ("/scim/v2-{tenant}", 6..17, "whole segment", Some("{tenant}")),
        ("/scim/{a}{b}", 6..12, "variable name", None),
        ("/scim/{}", 6..8, "variable name", None),
        ("/scim/{1a}", 6..10, "variable name", None),
        ("/{t}/x/{t}", 7..10, "twice", None),
        ("/sc%69m", 1..7, "literal segment", None),
        ("/scim/..", 6..8, "literal segment", None),
        ("/\u{fc}ber", 1..6, "literal segment", None),
        ("/scim/{bad}", 6..11, "not a regular expression", None),
        ("/scim/{big}", 6..11, "too large", None),
    ];
    let patterns = owned(&[("bad", "(x"), ("big", "(\\w{1000}){1000}")]);
    for (text, span, message, suggestion) in cases {
        let error = PathTemplate::compile(text, &patterns).unwrap_err();
        assert!(error.message.contains(message), "{text}: {error}");
        assert_eq!((error.span, error.suggestion.as_deref()), (span, suggestion), "{text}");
    }
}

#[test]
fn a_template_tells_its_parts() {
    let template = template("/scim/v2/{a}/x/{b}", &[]);
    assert_eq!(template.to_string(), "/scim/v2/{a}/x/{b}");
    assert_eq!(template.literal_prefix().collect::<Vec<_>>(), ["scim", "v2"]);
    assert_eq!(template.names().map(|name| &**name).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn overlaps_are_found_and_not_invented() {
    let digits: &[(&str, &str)] = &[("n", "[0-9]+"), ("m", "[a-z]+"), ("r", "(ab|cd)+"), ("u", "[A-Za-z]+")];
    let cases = [
        ("/scim/v2", "/scim/v2", true),
        ("/scim/v2", "/scim/v3", false),
        ("/scim/{t}", "/scim/acme", true),
        ("/scim/{n}", "/scim/acme", false),
        ("/scim/{n}", "/scim/{m}", false),
        ("/scim/{n}", "/scim/{t}", true),
        ("/scim/{r}", "/scim/{n}", true),
        ("/scim", "/scim/{t}", true),
        ("/scim", "/scim/{n}", false),
        ("/scim", "/scim/{u}", true),
        ("/scim", "/scim/v2", false),
        ("/scim", "/scim/Users", true),
        ("/scim", "/scim/{t}/{x}", false),
    ];
    for (a, b, expected) in cases {
        let (one, two) = (template(a, digits), template(b, digits));
        assert_eq!((one.overlaps(&two), two.overlaps(&one)), (expected, expected), "{a} and {b}");
    }
}

#[test]
fn a_pattern_matches_the_whole_value() {
    for pattern in ["[a-c]{2,3}", "(?:[a-c]){2,3}", "[a-c][a-c]|[a-c]{3}"] {
        let template = template("/{v}", &[("v", pattern)]);
        for (value, expected) in [("a", false), ("ab", true), ("abc", true), ("abca", false), ("xab", false)] {
            let path = format!("/{value}");
            let found = template.matches(&canonicalise(&path).unwrap()).is_some();
            assert_eq!(found, expected, "{pattern} {value}");
        }
    }
}
