//! The common subset gives what the `cel` interpreter gives, as long as no null is involved.

use std::sync::Arc;

use cel::{Context, Env as CelEnv};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Env, Expr, Name, Scope};

/// Expressions of each type, so that most evaluate. `#i`, `#t`, `#b` and `#l` are holes for whole numbers, texts,
/// conditions and lists of texts.
const INTS: &[&str] = &[
    "0",
    "1",
    "-7",
    "9223372036854775807",
    "d.n",
    "x.n",
    "(#i + #i)",
    "(#i - #i)",
    "(#i * #i)",
    "(#i / #i)",
    "(#i % #i)",
    "-(#i)",
    "size(#t)",
    "size(#l)",
    "#t.size()",
    "(#b ? #i : #i)",
    "int('12')",
    "int(2.9)",
    "#t.indexOf(#t)",
    "#t.lastIndexOf(#t)",
    "#t.indexOf(#t, 1)",
    "#t.lastIndexOf(#t, 2)",
    "int(#t)",
    "size(#l.filter(v, #b))",
    "{'k': {'j': #i}}.k.j",
    "[#i, #i][#i]",
];
const TEXTS: &[&str] = &[
    "'a'",
    "'b,a'",
    "''",
    "'É x'",
    "d.s",
    "d.t",
    "x.s",
    "(#t + #t)",
    "string(#i)",
    "string(#b)",
    "string(1.5)",
    "#t.lowerAscii()",
    "#t.upperAscii()",
    "#t.trim()",
    "#t.reverse()",
    "#t.replace(#t, #t)",
    "#t.replace(#t, #t, 1)",
    "#t.substring(1)",
    "#t.substring(0, 2)",
    "#l.join(#t)",
    "#l.join()",
    "(#b ? #t : #t)",
    "(#t + string(#i))",
    "#l.map(v, #t).join('-')",
    "#t.charAt(1)",
    "#l[0]",
    "{'k': #t}.k",
    "{'k': #t}['k']",
];
const CONDITIONS: &[&str] = &[
    "true",
    "false",
    "d.b",
    "(#i == #i)",
    "(#i < #i)",
    "(#i >= 1.5)",
    "(#i == 2.0)",
    "(#t == #t)",
    "(#t != #i)",
    "(#t < #t)",
    "(#t <= #t)",
    "(#b && #b)",
    "(#b || #b)",
    "!(#b)",
    "(#b == #b)",
    "(#t in #l)",
    "('s' in d)",
    "has(d.s)",
    "has(d.zzz)",
    "#t.startsWith(#t)",
    "#t.endsWith(#t)",
    "#t.contains(#t)",
    "#t.matches('^[a-c]+')",
    "#t.matches('^[a-c,]{1,3}$')",
    "#t.matches('^[^a-z]*$')",
    "#t.matches('[a-c]$')",
    "(#i in [#i, #i])",
    "#l.map(v, size(v)).exists(n, n == #i)",
    "(#b ? #l : #l).all(v, v != '')",
    "{'k': {'j': #b}}.k.j",
    "#l.exists(v, v == #t)",
    "#l.all(v, v.size() < #i)",
    "#l.exists_one(v, v == 'a')",
    "(#l == #l)",
    "bool('true')",
    "(1 / #i == 1)",
    "({'a': #i} == {'a': #i})",
];
const LISTS: &[&str] = &[
    "[]",
    "[#t]",
    "[#t, #t]",
    "d.l",
    "(#l + #l)",
    "#t.split(#t)",
    "#t.split(#t, 2)",
    "#l.filter(v, v != #t)",
    "#l.map(v, v + #t)",
    "#l.map(v, v.contains('a'), v.upperAscii())",
    "{'k': #t}.map(k, k)",
    "#l.map(v, #l.exists(w, w == v), v)",
];

/// Fills the holes of a form, a pick from each list after the other; at the end of `picks` with the first form.
fn fill(form: &str, picks: &mut impl Iterator<Item = usize>, depth: usize) -> String {
    let mut filled = String::new();
    let mut rest = form;
    while let Some((before, hole)) = rest.split_once('#') {
        filled.push_str(before);
        let forms = match hole.chars().next() {
            Some('i') => INTS,
            Some('t') => TEXTS,
            Some('b') => CONDITIONS,
            _ => LISTS,
        };
        let forms = if depth == 0 { &forms[..2] } else { forms };
        let pick = picks.next().unwrap_or(0) % forms.len();
        filled.push_str(&fill(forms[pick], picks, depth.saturating_sub(1)));
        rest = &hole[1..];
    }
    filled + rest
}

fn document() -> Value {
    json!({ "n": 3, "s": "abc", "t": "a,É,b", "b": true, "l": ["a", "b", "a,b"] })
}

/// The interpreter's own conversion makes every positive number unsigned, which CEL does not mix with others.
fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Number(number) => number.as_i64().map_or(cel::Value::Null, cel::Value::Int),
        Value::Array(items) => items.iter().map(to_cel).collect::<Vec<_>>().into(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), to_cel(value)));
            entries.collect::<std::collections::HashMap<_, _>>().into()
        }
        other => cel::to_value(other).unwrap(),
    }
}

/// What the interpreter gives, `None` if it fails.
fn oracle(source: &str) -> Option<Value> {
    let mut env = CelEnv::stdlib();
    env.add_extension(cel::extensions::strings).unwrap();
    let program = env.compile(source).unwrap_or_else(|errors| panic!("{source}: {errors}"));
    let mut context = Context::with_env(Arc::new(env));
    context.add_variable_from_value("d", to_cel(&document()));
    context.add_variable_from_value("x", to_cel(&json!({ "n": -2, "s": " bA" })));
    program.execute(&context).ok()?.json().ok()
}

/// What we give, `None` if it fails, at compile time or later.
fn ours(source: &str) -> Option<Value> {
    let scope = Scope::new().with("d", Name::Scim).with("x", Name::Body);
    let (scim, body) = (document(), json!({ "n": -2, "s": " bA" }));
    let expression = match Expr::compile(source, &scope) {
        Ok(expression) => expression,
        Err(errors) => {
            let fails = |message: &str| message.starts_with("this always fails") || message.contains("occurs twice");
            assert!(errors.iter().all(|error| fails(&error.message)), "{source}: {errors:?}");
            return None;
        }
    };
    let env = Env { scim: Some(&scim), body: Some(&body), ..Env::default() };
    expression.eval(&env).ok().map(std::borrow::Cow::into_owned)
}

/// A position outside a list is null here and an error there; that is the listed difference.
fn involves_null(source: &str) -> bool {
    source.contains("][") || source.contains("[0]")
}

/// Larger than this language allows, which the interpreter has no opinion on. Each bound has a test of its own.
fn beyond_bounds(source: &str) -> bool {
    let scope = Scope::new().with("d", Name::Scim).with("x", Name::Body);
    let bound = |message: &str| {
        ["brackets nest deeper", "loops nest deeper", "the expression has more than", "the expression is longer"]
            .iter()
            .any(|start| message.starts_with(start))
    };
    Expr::compile(source, &scope).is_err_and(|errors| errors.iter().any(|error| bound(&error.message)))
}

fn agree(source: &str) {
    if beyond_bounds(source) || involves_null(source) && oracle(source).is_none() {
        return;
    }
    assert_eq!(ours(source), oracle(source), "{source}");
}

#[test]
fn every_form_agrees() {
    let mut values = 0;
    for form in [INTS, TEXTS, CONDITIONS, LISTS].concat() {
        for pick in 0..5 {
            let source = fill(form, &mut [pick, pick + 3, pick].into_iter(), 1);
            agree(&source);
            values += usize::from(ours(&source).is_some());
        }
    }
    assert!(values > 300, "only {values} expressions had a value");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_expressions_agree(form in prop::sample::select(&["#i", "#t", "#b", "#l"][..]), picks in prop::collection::vec(0_usize..1000, 30)) {
        agree(&fill(form, &mut picks.into_iter(), 4));
    }
}
