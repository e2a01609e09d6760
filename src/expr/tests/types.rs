//! Types that are known before any document is seen, and what is said where they do not fit.

use std::sync::Arc;

use super::super::{Name, Record, Scope, Template, Type, Wanted};
use super::Expr;

fn record(name: &str, fields: &[(&str, Type)]) -> Record {
    let fields = fields.iter().map(|(name, found)| ((*name).into(), found.clone()));
    Record { name: name.into(), fields: fields.collect(), ..Record::default() }
}

fn scope(wanted: Wanted) -> Scope {
    let email = record("emails", &[("value", Type::String), ("primary", Type::Bool)]);
    let enterprise = record("EnterpriseUser", &[("department", Type::String)]);
    let mut user = record(
        "User",
        &[
            ("userName", Type::String),
            ("active", Type::Bool),
            ("age", Type::Int),
            ("rank", Type::Number),
            ("emails", Type::list(Type::Record(Arc::new(email)))),
            ("tags", Type::list(Type::String)),
            ("urn:x", Type::Record(Arc::new(enterprise))),
        ],
    );
    user.shortcuts.insert("department".into(), "urn:x".into());
    let mut scope =
        Scope::new().with("scim", Name::Scim).with("status", Name::Status).with("body", Name::Body).wanting(wanted);
    scope.set_type("scim", Type::Record(Arc::new(user)));
    scope.set_type("status", Type::Int);
    scope
}

/// `«»` marks the place of the only mistake.
fn refused(marked: &str, wanted: Wanted, message: &str, suggestion: Option<&str>) {
    let source = marked.replace(['«', '»'], "");
    let start = marked.find('«').unwrap();
    let end = marked.find('»').unwrap() - '«'.len_utf8();
    let errors = Expr::compile(&source, &scope(wanted)).expect_err(&source);
    assert_eq!(errors.len(), 1, "{source}: {errors:?}");
    assert_eq!(errors[0].message, message, "{source}");
    assert_eq!(errors[0].span, start..end, "{source}");
    assert_eq!(errors[0].suggestion.as_deref(), suggestion, "{source}");
}

#[test]
fn what_can_never_have_a_value_is_refused() {
    let any = Wanted::Anything;
    refused("«scim.userName == 5»", any, "a text is never equal to a whole number", None);
    refused("«status == '404'»", any, "a whole number is never equal to a text", None);
    refused("«scim.active != 'True'»", any, "a boolean is never equal to a text", None);
    refused("«scim.age < 'x'»", any, "a whole number cannot be compared with a text", None);
    refused("«scim.tags < 1»", any, "a list is neither less nor greater than anything", None);
    refused("«scim.age».lower()", any, "`lower` cannot take a whole number", Some("write `string(x).lower(..)`"));
    refused(
        "«scim.tags».lower()",
        any,
        "`lower` cannot take a list",
        Some("write `x.map(e, e.lower(..))` for each element"),
    );
    refused("«scim.active».matches('t')", any, "`matches` cannot take a boolean", None);
    refused("scim.userName.startsWith(«1»)", any, "a text is needed here, and this is a whole number", None);
    refused("scim.userName.substring(«'1'»)", any, "a number is needed here, and this is a text", None);
    refused("«scim.userName».first()", any, "`first` cannot take a text", None);
    refused(
        "«scim.emails».join(',')",
        any,
        "`join` takes a list of texts",
        Some("write `x.map(e, string(e)).join(..)`"),
    );
    refused("«size(scim.age)»", any, "`size` cannot take a whole number", None);
    refused("int(scim.tags)".replace("scim.tags", "«scim.tags»").as_str(), any, "`int` cannot take a list", None);
    refused(
        "«scim.userName + 1»",
        any,
        "`+` cannot take a text and a whole number",
        Some("write `string(x)` to make a text of a value"),
    );
    refused(
        "«scim.active + body.x»",
        any,
        "`+` cannot take a boolean",
        Some("`+` joins texts, joins lists and adds numbers"),
    );
    refused("«scim.userName» - 1", any, "a number is needed here, and this is a text", None);
    refused("-«scim.userName»", any, "a number is needed here, and this is a text", None);
    refused("!«scim.userName»", any, "a condition is a boolean, and this is a text", None);
    refused("scim.active && «scim.age»", any, "a condition is a boolean, and this is a whole number", None);
    refused("«scim.age» ? 1 : 2", any, "a condition is a boolean, and this is a whole number", None);
    refused("1 in «scim.tags»", any, "a whole number is never in a list whose elements are a text", None);
    refused("'a' in «scim.userName»", any, "`in` takes a list or a map", Some("write `text.contains(part)`"));
    refused("«scim.userName».exists(x, true)", any, "a loop takes a list, and this is a text", None);
    refused("scim.tags.filter(t, «t.size()»)", any, "a condition is a boolean, and this is a whole number", None);
    refused("«scim.userName[0]»", any, "a text has no elements", Some("write `x.charAt(0)` or `x.substring(0, 1)`"));
    refused("{«1»: 2}", any, "a key must be a text", None);
}

#[test]
fn fields_are_known_below_lists_and_loops() {
    let any = Wanted::Anything;
    refused("scim.emails.exists(e, «e.valu» == 'x')", any, "`emails` has no `valu`", Some("did you mean `value`?"));
    refused("«scim.emails[0].typ»", any, "`emails` has no `typ`", None);
    refused("«scim.emails.first().valeu»", any, "`emails` has no `valeu`", Some("did you mean `value`?"));
    refused(
        "«scim.emails.value»",
        any,
        "a list has no field `value`",
        Some("write `x.map(e, e.value)`, or `x[0].value`"),
    );
    refused("«scim.userName.x»", any, "a text has no field `x`", None);
    refused("«status.code»", any, "a whole number has no field `code`", None);
    refused(
        "scim.emails.map(e, «e.primary» + 1)[0]".replace("«e.primary» + 1", "«e.primary + 1»").as_str(),
        any,
        "`+` cannot take a boolean and a whole number",
        None,
    );
}

#[test]
fn what_the_slot_takes() {
    refused("«scim.userName»", Wanted::Condition, "a condition is a boolean, and this is a text", None);
    refused("«status»", Wanted::Condition, "a condition is a boolean, and this is a whole number", None);
    refused("«scim.tags»", Wanted::Scalar, "a list cannot stand in a text", None);
    refused("«{'a': 1}»", Wanted::Scalar, "a map cannot stand in a text", None);
    refused("«1 + 1»", Wanted::String, "a text is needed here, and this is a whole number", None);
    refused("«scim.userName.size()»", Wanted::String, "a text is needed here, and this is a whole number", None);
    refused("«'true'»", Wanted::Bool, "a boolean is needed here, and this is a text", None);
    refused("«1.5»", Wanted::Int, "a whole number is needed here, and this is a number", None);
    refused("«'a'»", Wanted::List, "a list is needed here, and this is a text", None);
    refused("«scim.tags»", Wanted::Map, "a map is needed here, and this is a list", None);
}

#[test]
fn what_may_have_a_value_is_left_alone() {
    for (source, wanted) in [
        ("scim.active", Wanted::Condition),
        ("body.x", Wanted::Condition),
        ("null", Wanted::Condition),
        ("scim.age == 1.0", Wanted::Condition),
        ("scim.rank > 1", Wanted::Condition),
        ("scim.userName == null", Wanted::Condition),
        ("body.x == 1 || body.x == 'a'", Wanted::Condition),
        ("status >= 200 && status < 300", Wanted::Condition),
        ("scim.emails.exists(e, e.primary)", Wanted::Condition),
        ("scim.emails.filter(e, e.primary).map(e, e.value)", Wanted::List),
        ("scim.emails.map(e, e.value).join(', ')", Wanted::String),
        ("scim.emails[0].value.lower()", Wanted::String),
        ("body.a + ' ' + body.b", Wanted::String),
        ("body.a + 1", Wanted::Int),
        ("default(body.x, '')", Wanted::Bool),
        ("scim.active ? 'on' : 'off'", Wanted::String),
        ("scim.active ? 1 : 'off'", Wanted::String),
        ("scim.active ? null : 'off'", Wanted::String),
        ("{'a': 1, 'b': 'x'}", Wanted::Map),
        ("scim", Wanted::Map),
        ("scim.zzz", Wanted::String),
        ("[1, 'a', null]", Wanted::List),
        ("int(scim.userName) + 1", Wanted::Int),
        ("string(scim.age)", Wanted::String),
        ("scim.tags.distinct().first()", Wanted::String),
        ("scim.department", Wanted::String),
        ("'x' in scim", Wanted::Condition),
        ("size(scim.tags) > 0", Wanted::Condition),
    ] {
        if let Err(errors) = Expr::compile(source, &scope(wanted)) {
            panic!("{source}: {errors:?}");
        }
    }
}

#[test]
fn a_list_beside_text_is_refused_in_templates() {
    let compile = |source: &str, wanted: Wanted| Template::compile(source, &scope(wanted));
    assert!(compile("{scim.tags}", Wanted::Anything).is_ok());
    let errors = compile("tags: {scim.tags}", Wanted::Anything).unwrap_err();
    assert_eq!((errors[0].message.as_str(), errors[0].span.clone()), ("a list cannot stand in a text", 7..16));
    assert!(compile("{scim.tags}", Wanted::Scalar).is_err());
    assert!(compile("{scim.age} years", Wanted::Anything).is_ok());
}

#[test]
fn a_bare_name_reads_the_extension_that_has_it() {
    let expression =
        Expr::compile("scim.department + scim['department'] + string(has(scim.department))", &scope(Wanted::String))
            .unwrap();
    assert_eq!(expression.field_paths(Name::Scim), [["urn:x", "department"]]);
    let document = serde_json::json!({"urn:x": {"department": "A"}, "department": "B"});
    let env = super::Env { scim: Some(&document), ..super::Env::default() };
    assert_eq!(*expression.eval(&env).unwrap(), serde_json::json!("AAtrue"));
}
