//! Templates.

use serde_json::{Value, json};

use super::super::{Encode, Env, EvalError, Name, TEMPLATE_MAX_BYTES, Template};
use super::{scope, user};

fn compile(source: &str) -> Template {
    Template::compile(source, &scope()).unwrap_or_else(|errors| panic!("{source}: {errors:?}"))
}

fn with_env<R>(run: impl FnOnce(&Env<'_>) -> R) -> R {
    let (scim, id) = (user(), json!("a/b c"));
    let vars = [Some(json!("acme"))];
    run(&Env { scim: Some(&scim), id: Some(&id), vars: &vars, ..Env::default() })
}

#[test]
fn values() {
    let cases: &[(&str, Value)] = &[
        ("", json!("")),
        ("plain", json!("plain")),
        ("{scim.active}", json!(false)),
        ("{scim.tags}", json!(["b", "a", "b"])),
        ("{scim.nickName}", json!(null)),
        ("{null}", json!(null)),
        ("{scim.userName.before('@').lower()}", json!("ann")),
        ("{scim.age}", json!(30)),
        (" {scim.age}", json!(" 30")),
        ("{scim.age}/{scim.rank}/{scim.active}", json!("30/1.5/false")),
        ("by {org}", json!("by acme")),
        ("by {scim.nickName}", json!(null)),
        ("{{}}", json!("{}")),
        ("{{{org}}}", json!("{acme}")),
        ("{{'a': 1}}", json!("{'a': 1}")),
        ("{ {'a': 1} }", json!({ "a": 1 })),
        ("{ {'a': {'b': 2}}}", json!({ "a": { "b": 2 } })),
        ("{scim.active ? {} : {'a': 1}}", json!({ "a": 1 })),
        ("{'}'}x", json!("}x")),
        ("{\"{\" + '{'}{r'\\'}", json!("{{\\")),
        ("{'''a'}'''}", json!("a'}")),
        ("it's {org}'s", json!("it's acme's")),
        ("é{org}é", json!("éacmeé")),
    ];
    for (source, expected) in cases {
        assert_eq!(with_env(|env| compile(source).eval(env)).as_ref(), Ok(expected), "{source}");
    }
}

#[test]
fn texts() {
    let text = |source: &str| with_env(|env| compile(source).text(env));
    assert_eq!(text("{scim.active}"), Ok(Some("false".into())));
    assert_eq!(text("{scim.nickName}"), Ok(None));
    assert_eq!(text("{scim.tags}"), Err(EvalError::NotText { found: "list" }));
    assert_eq!(text("x{scim.name}"), Err(EvalError::NotText { found: "map" }));
    assert_eq!(with_env(|env| compile("x{scim.name}").eval(env)), Err(EvalError::NotText { found: "map" }));
}

#[test]
fn encodings() {
    let encoded = |source: &str, encode| with_env(|env| compile(source).encoded(env, encode));
    let ok = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(encoded("/users/{id}/x", Encode::PathSegment), ok("/users/a%2Fb%20c/x"));
    assert_eq!(encoded("/a b/{id}", Encode::None), ok("/a b/a/b c"));
    assert_eq!(
        encoded("q={id}&r={'&=+#?%é~-._'}", Encode::QueryValue),
        ok("q=a%2Fb%20c&r=%26%3D%2B%23%3F%25%C3%A9~-._")
    );
    assert_eq!(encoded("/u/{id}?q={''}", Encode::Url), ok("/u/a%2Fb%20c?q="));
    assert_eq!(encoded("/u/{body.x}", Encode::Url), Ok(None));
    assert_eq!(encoded("/u/{scim.tags}", Encode::Url), Err(EvalError::NotText { found: "list" }));
}

#[test]
fn path_segments_cannot_vanish_or_climb() {
    let encoded = |source: &str, encode| with_env(|env| compile(source).encoded(env, encode));
    for source in [
        "/u/{''}",
        "/u/{'.'}/x",
        "/u/{'..'}",
        "{'..'}/x",
        "{''}",
        "/u/.{'.'}",
        "/u/{'.'}{'.'}/x",
        "/u/%2e{'.'}",
        "/u/%2E{''}",
        "/u/{''}{''}/x",
        "/u/{'..'}?q=1",
        "/u/{''}#x",
    ] {
        for encode in [Encode::PathSegment, Encode::Url] {
            assert_eq!(encoded(source, encode), Err(EvalError::BadSegment), "{source}");
        }
    }
    for source in ["/u/x{''}", "/u/{'...'}", "/u/{'.a'}", "/u//{'a'}/", "/u/./{'a'}", "/u/{'%2e'}"] {
        assert!(encoded(source, Encode::PathSegment).is_ok(), "{source}");
    }
    assert!(encoded("/u?x={''}/{'..'}", Encode::Url).is_ok());
}

#[test]
fn facts() {
    assert!(compile("{null}").is_literal_null());
    assert!(compile("{ null }").is_literal_null());
    assert!(!compile("{scim.x}").is_literal_null());
    assert!(!compile("null").is_literal_null());
    assert!(!compile("{null}{null}").is_literal_null());
    assert_eq!(compile("a{'b' + 'c'}{1}").constant(), Some("abc1"));
    assert_eq!(compile("").constant(), Some(""));
    assert_eq!(compile("{null}").constant(), None);
    assert_eq!(compile("{[1]}").constant(), None);
    assert_eq!(compile("{org}").constant(), None);
    let template = compile("{scim.a}{org}{scim.b.c}{scim.a}");
    assert!(template.uses(Name::Scim) && template.uses(Name::Var(0)) && !template.uses(Name::Id));
    assert_eq!(template.field_paths(Name::Scim), [vec!["a"], vec!["b", "c"]]);
    assert_eq!(template.source(), "{scim.a}{org}{scim.b.c}{scim.a}");
}

#[test]
fn mistakes() {
    let refused = |marked: &str, message: &str| {
        let source = marked.replace(['«', '»'], "");
        let span = marked.find('«').unwrap()..marked.find('»').unwrap() - '«'.len_utf8();
        let errors = Template::compile(&source, &scope()).expect_err(&source);
        assert_eq!(errors[0].span, span, "{source}: {errors:?}");
        assert!(errors[0].message.contains(message), "{source}: {errors:?}");
    };
    refused("a «{»org", "the placeholder is not closed");
    refused("a «}» b", "this brace closes nothing");
    refused("{{'a': 1}}«}»", "this brace closes nothing");
    refused("é «{}»", "the placeholder is empty");
    refused("{org} {«'x} y»", "is not closed");
    refused("é{org}{«orgg»}", "unknown name");
    refused("{org.«lowr»()}{scmi}", "unknown function");
    assert_eq!(Template::compile("{a}{b}", &scope()).unwrap_err().len(), 2);
    assert!(Template::compile(&"x".repeat(TEMPLATE_MAX_BYTES), &scope()).is_ok());
    assert!(Template::compile(&"x".repeat(TEMPLATE_MAX_BYTES + 1), &scope()).is_err());
}
