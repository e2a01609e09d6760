//! Nothing panics, and every span lies in its source.

use proptest::prelude::*;
use serde_json::{Map, Number, Value};

use super::super::{Encode, Env, Expr, ExprError, Template};
use super::scope;

/// JSON of a few levels, with numbers from every range.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| Number::from_f64(float).map_or(Value::Null, Value::Number)),
        "\\PC{0,8}".prop_map(Value::from),
        "[a-e@ .]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-e]", inner, 0..5)
                .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Text built from the words of the language, so that more of it compiles than of arbitrary text.
fn nearly() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "scim",
        "body",
        "status",
        "org",
        "a",
        "b",
        "x",
        "null",
        "true",
        "1",
        "-1",
        "0",
        "1.5",
        "9223372036854775807",
        "'a'",
        "'é@b'",
        "r'\\d'",
        "''",
        ".",
        ".",
        "(",
        ")",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "+",
        "-",
        "*",
        "/",
        "%",
        " in ",
        "lower",
        "map",
        "filter",
        "exists",
        "has",
        "size",
        "split",
        "join",
        "default",
        "replaceRe",
        "matches",
        "substring",
        "int",
        "string",
        "before",
        "first",
        "distinct",
        "'",
        "\"",
        "//",
        "\n",
        "??",
        "=",
        "é",
        "`",
        "$",
        "1u",
        "b'x'",
        ".?",
    ];
    prop::collection::vec(prop::sample::select(WORDS), 0..24).prop_map(|words| words.concat())
}

/// Expressions that compile, over `scim`, `body` and each other.
fn valid() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(
        &["scim", "body", "scim.a", "body.b.c", "scim[0]", "'a@b'", "1", "-3", "2.5", "null", "true", "[]", "{}"][..],
    )
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let one = prop::sample::select(
            &[
                "#.lower()",
                "#.upper()",
                "#.trim()",
                "#.reverse()",
                "size(#)",
                "int(#)",
                "double(#)",
                "string(#)",
                "bool(#)",
                "!(#)",
                "-(#)",
                "#.first()",
                "#.last()",
                "#.distinct()",
                "#.join('-')",
                "has(#.a)",
                "#.matches('a.')",
                "#.strip('[a-c]')",
                "#.slug('-')",
                "#.exists(x, x == 'a')",
                "#.all(x, x.a)",
                "#.filter(x, x != 1)",
                "#.map(x, [x])",
                "#.exists_one(x, x)",
                "#.lowerAscii()",
            ][..],
        );
        let two = prop::sample::select(
            &[
                "# + #",
                "# - #",
                "# * #",
                "# / #",
                "# % #",
                "# == #",
                "# < #",
                "# >= #",
                "# in #",
                "# && #",
                "# || #",
                "#[#]",
                "default(#, #)",
                "#.before(#)",
                "#.after(#)",
                "#.split(#)",
                "#.substring(#)",
                "#.indexOf(#, 1)",
                "#.lastIndexOf(#)",
                "#.charAt(#)",
                "[#, #]",
                "{'k': #, 'l': #}",
                "#.contains(#)",
                "#.startsWith(#)",
                "#.replace('a', #)",
                "#.replaceRe('a', #)",
                "#.split('a', #)",
                "# ? # : 1",
            ][..],
        );
        prop_oneof![
            (one, inner.clone()).prop_map(|(form, part)| form.replace('#', &format!("({part})"))),
            (two, inner.clone(), inner).prop_map(|(form, first, second)| {
                form.replacen('#', &format!("({first})"), 1).replace('#', &format!("({second})"))
            }),
        ]
    })
}

fn spans_lie_in(source: &str, errors: &[ExprError]) {
    assert!(!errors.is_empty());
    for error in errors {
        assert!(source.get(error.span.clone()).is_some(), "{source:?}: {error:?}");
        assert!(!error.message.is_empty());
    }
}

fn run_all(source: &str, scim: &Value, body: &Value) {
    let env = Env { scim: Some(scim), body: Some(body), ..Env::default() };
    match Expr::compile(source, &scope()) {
        Ok(expression) => {
            let first = expression.eval(&env);
            assert_eq!(first, expression.eval(&env), "{source}");
            assert_eq!(expression.source(), source);
            let _ = expression.test(&env);
        }
        Err(errors) => spans_lie_in(source, &errors),
    }
    match Template::compile(source, &scope()) {
        Ok(template) => {
            for encode in [Encode::None, Encode::PathSegment, Encode::QueryValue, Encode::Url] {
                let _ = template.encoded(&env, encode);
            }
            let text = template.text(&env);
            if let (Ok(value), Ok(text)) = (template.eval(&env), text) {
                assert_eq!(value.is_null(), text.is_none(), "{source}");
            }
        }
        Err(errors) => spans_lie_in(source, &errors),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(source in any::<String>(), scim in json(), body in json()) {
        run_all(&source, &scim, &body);
    }

    #[test]
    fn nearly_valid_text_never_panics(source in nearly(), scim in json(), body in json()) {
        run_all(&source, &scim, &body);
        run_all(&format!("{{{source}}}"), &scim, &body);
    }

    #[test]
    fn valid_expressions_never_panic(source in valid(), scim in json(), body in json()) {
        run_all(&source, &scim, &body);
        run_all(&format!("x{{{source}}}y"), &scim, &body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_never_adds_a_segment_or_parameter(value in any::<String>()) {
        let value = Value::from(value);
        let env = Env { id: Some(&value), ..Env::default() };
        let template = Template::compile("/u/{id}/x?q={id}", &scope()).unwrap();
        if let Ok(Some(url)) = template.encoded(&env, Encode::Url) {
            prop_assert_eq!(url.matches('/').count(), 3);
            prop_assert_eq!(url.matches(['?', '&', '=', '#']).count(), 2);
            prop_assert!(url.is_ascii());
        }
    }
}
