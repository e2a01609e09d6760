//! What is refused at compile time, where, and with which advice.

use super::super::Expr;
use super::super::functions::{self, Form};
use super::scope;

/// Compiles `source`, in which the place of the first mistake is marked `«like this»`.
fn refused(marked: &str, message: &str, suggestion: Option<&str>) {
    let source = marked.replace(['«', '»'], "");
    let start = marked.find('«').unwrap();
    let end = marked.find('»').unwrap() - '«'.len_utf8();
    let errors = Expr::compile(&source, &scope()).expect_err(&source);
    let first = &errors[0];
    assert_eq!(first.span, start..end, "{source}: {first:?}");
    assert!(first.message.contains(message), "{source}: {first:?}");
    assert_eq!(first.suggestion.as_deref(), suggestion, "{source}: {first:?}");
}

#[test]
fn names() {
    refused(
        "«bodi».x",
        "unknown name `bodi`; here there are body, g, id, org, scim, status",
        Some("did you mean `body`?"),
    );
    refused("'é' + «Scim».x", "unknown name", Some("did you mean `scim`?"));
    refused("scim.a == «other»", "unknown name `other`", None);
    refused("[1].map(x, «y»)", "scim, status, x", None);
    refused("[1].map(elem, «elen»)", "unknown name", Some("did you mean `elem`?"));
    refused("[1].map(x, x)[0] + «x»", "unknown name", None);
    refused("«a».map(x, 1)", "unknown name", None);
    refused(".«scim»", "unknown name `.scim`", Some("did you mean `scim`?"));
}

#[test]
fn functions_and_arity() {
    refused("scim.x.«lowr»()", "unknown function `lowr`", Some("did you mean `lower`?"));
    refused("scim.x.«toLowerCase»()", "unknown function", Some("did you mean `lower`?"));
    refused("scim.x.«frobnicate»(1)", "unknown function", None);
    refused("«coalesce»(scim.x, 1)", "unknown function", Some("did you mean `default`?"));
    refused("scim.x . «length» ()", "unknown function", Some("did you mean `size`?"));
    refused("scim.x.«lower»(1)", "`lower` takes no argument, not 1", None);
    refused("scim.x.«before»()", "`before` takes 1 argument, not 0", None);
    refused("scim.x.«split»()", "`split` takes 1 or 2 arguments, not 0", None);
    refused("«default»(scim.x)", "`default` takes 2 arguments, not 1", None);
    refused("scim.x.«exists»(1)", "`exists` takes 2 arguments, not 1", None);
    refused("scim.x.«map»(x)", "`map` takes 2 or 3 arguments, not 1", None);
    refused("«lower»(scim.x)", "`lower` is a method", Some("write `x.lower(...)`"));
    refused("scim.x.«string»()", "`string` is not a method", Some("write `string(x)`"));
    refused("«size»()", "`size` needs a value", Some("write `x.size(...)`"));
    refused("scim.x.map(«1», 2)", "a plain name for the element", None);
    refused("has(«scim»)", "`has` takes a field", Some("write `has(x.field)`, or `'key' in x`"));
    refused("«timestamp»(scim.x)", "unknown function", None);
}

#[test]
fn patterns_are_literal_and_valid() {
    refused("scim.x.matches(«scim.y»)", "the pattern must be a literal text", None);
    refused("scim.x.strip(«'a' + scim['b'].lower()»)", "the pattern must be a literal text", None);
    refused("scim.x.strip(«[')', 'a'][0]»)", "the pattern must be a literal text", None);
    refused("scim.x.matches(«'a('»)", "the pattern is not valid: unclosed group", None);
    refused("scim.x.strip(«'[z-a]'»)", "the pattern is not valid", None);
    refused("scim.x.replaceRe(«'\\\\w{1000}{100}'», '')", "it is too large", None);
}

#[test]
fn syntax() {
    refused("scim.x «??» 'a'", "`??` is not an operator", Some("write `default(x, y)`"));
    refused("scim.x «=» 1", "`=` is not an operator", Some("write `==`"));
    refused("scim.x «&» true", "`&` is not an operator", Some("write `&&`"));
    refused("scim.x «|» true", "`|` is not an operator", Some("write `||`"));
    refused("scim.x «and» true", "unexpected `and`", None);
    refused("'é' «$» 1", "unexpected `$`", None);
    refused("scim.x == «'abc»", "the text is not closed", None);
    refused("«'\\q'»", "unknown escape", None);
    refused("scim\n  .x «)»", "unexpected `)`", None);
    refused("«1u» + 1", "unsigned literals are not supported", Some("leave out the `u`"));
    refused("«b'x'»", "bytes literals are not supported", Some("leave out the `b`"));
    refused("scim.a«{»}", "messages are not supported", None);
    refused("{«1»: 2}", "a key must be a text", None);
    refused("{'a': 1, «'a'»: 2}", "this key occurs twice", None);
    refused("scim«.»?a", "unsupported syntax", None);
    refused("«99999999999999999999»", "invalid int literal", None);
    refused("«if».x", "reserved identifier: if", None);
}

#[test]
fn expressions_that_end_early_are_marked_at_their_end() {
    for source in ["", "scim.", "scim ==", "(1", "[1, 2", "scim.x.map(a,"] {
        let errors = Expr::compile(source, &scope()).unwrap_err();
        assert_eq!(errors.len(), 1, "{source}");
        assert_eq!(errors[0].message, "the expression ends too early", "{source}");
        assert_eq!(errors[0].span, source.len()..source.len(), "{source}");
    }
}

#[test]
fn what_always_fails_is_refused() {
    refused("«1 / 0»", "this always fails: division by zero", None);
    refused("«9223372036854775807 + 1»", "does not fit into 64 bits", None);
    refused("«'a'.substring(2)»", "position outside the text", None);
}

#[test]
fn all_mistakes_are_reported_in_order() {
    let errors = Expr::compile("scmi.x.lowr() + default(1) + 'a'.matches('(')", &scope()).unwrap_err();
    let messages: Vec<_> = errors.iter().map(|error| error.message.split(';').next().unwrap()).collect();
    assert_eq!(
        messages,
        [
            "unknown name `scmi`",
            "unknown function `lowr`",
            "`default` takes 2 arguments, not 1",
            "the pattern is not valid: unclosed group",
        ]
    );
}

/// Every row of the catalogue can be called with its fewest and its most arguments, and has its line in the table.
#[test]
fn the_catalogue_is_complete() {
    let documented = include_str!("../functions.rs");
    for name in functions::names() {
        let entry = functions::find(name).unwrap();
        assert!(documented.contains(&format!("{name}(")) || name == "existsOne", "{name} is not in the table");
        for count in [entry.arity.0, entry.arity.1] {
            let mut args = vec!["scim.a"; count];
            if matches!(name, "all" | "exists" | "existsOne" | "exists_one" | "filter" | "map") {
                args[0] = "v";
            } else if matches!(name, "matches" | "strip" | "replaceRe") {
                args[0] = "'p'";
            }
            if name == "password" {
                args = vec!["24", "'digit'"][..count].to_vec();
            }
            let receiver = if entry.form == Form::Global { "" } else { "scim.x." };
            let source = format!("{receiver}{name}({})", args.join(", "));
            assert!(Expr::compile(&source, &scope()).is_ok(), "{source}");
        }
    }
}
