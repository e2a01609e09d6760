//! Every bound, from both sides.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::super::{
    BUILT_MAX_BYTES, DEPTH_MAX, Env, EvalError, Expr, LINKS_MAX, LOOPS_MAX, SOURCE_MAX_BYTES, TEXT_MAX_BYTES, WORK_MAX,
};
use super::scope;

#[test]
fn texts_are_bounded() {
    let half = json!("x".repeat(TEXT_MAX_BYTES / 2));
    let env = Env { body: Some(&half), ..Env::default() };
    let run = |source| Expr::compile(source, &scope()).unwrap().eval(&env).map(Cow::into_owned);
    let too_long = Err(EvalError::TooLong { max: TEXT_MAX_BYTES });
    assert_eq!(run("size(body + body)"), Ok(json!(TEXT_MAX_BYTES)));
    assert_eq!(run("body + body + 'x'"), too_long);
    assert_eq!(run("body.replace('x', body)"), too_long);
    assert_eq!(run("body.replaceRe('x', body)"), too_long);
    assert_eq!(run("[body, body, body].join()"), too_long);
    assert_eq!(run("body.replace('x', 'xyz')"), too_long);
    assert_eq!(run("('x ' + body).replace('x', 'y y').slug(body)"), too_long);
}

#[test]
fn lists_are_bounded() {
    let items = json!(vec!["x".repeat(1000); 1000]);
    let env = Env { body: Some(&items), ..Env::default() };
    let run = |source| Expr::compile(source, &scope()).unwrap().eval(&env).map(Cow::into_owned);
    let too_long = Err(EvalError::TooLong { max: BUILT_MAX_BYTES });
    assert_eq!(run("size(body.filter(x, true))"), Ok(json!(1000)));
    assert_eq!(run("body + body"), too_long);
    assert_eq!(run("body.map(x, [x, x])"), too_long);
    assert_eq!(run("body.map(x, body)"), too_long);
    assert_eq!(run("{'a': body, 'b': body}"), too_long);
    assert_eq!(run("[body, body]"), too_long);
    assert_eq!(run("[body][0] == body"), Ok(json!(true)));
}

#[test]
fn work_is_bounded() {
    let items: Value = (0..4000).map(Value::from).collect();
    let env = Env { body: Some(&items), ..Env::default() };
    let run = |source| Expr::compile(source, &scope()).unwrap().eval(&env).map(Cow::into_owned);
    let too_much = Err(EvalError::TooMuchWork { max: WORK_MAX });
    assert_eq!(run("body.exists(x, body.exists(y, x + y < 0))"), too_much);
    assert_eq!(run("body.exists(x, -1 in body)"), too_much);
    assert_eq!(run("size(body.distinct())"), Ok(json!(4000)));
    assert_eq!(run("[body.distinct(), body.distinct()] == 1"), too_much);
}

/// The deepest and longest expressions that are accepted run on the two megabytes of stack a test thread has.
#[test]
fn expressions_are_bounded() {
    let links = |unit: &str, count: usize| format!("scim{}", unit.repeat(count));
    let nested = |count: usize| format!("{}1{}", "[".repeat(count), "]".repeat(count));
    let loops = |count: usize| (0..count).fold("1".to_owned(), |body, at| format!("[1].map(x{at}, {body})"));
    let accepted = |source: &str| {
        let expression = Expr::compile(source, &scope()).unwrap_or_else(|errors| panic!("{errors:?}"));
        expression.eval(&Env::default()).unwrap();
    };
    let refused = |source: &str| assert!(Expr::compile(source, &scope()).is_err(), "{source}");
    for unit in [".a", "[0]", " + scim", " == scim", " && scim", " || scim", ".lower()", " in scim", ".map(x, x)"] {
        let each = if unit.starts_with('.') && unit.ends_with(')') { 2 } else { 1 };
        accepted(&links(unit, LINKS_MAX / each));
        refused(&links(unit, LINKS_MAX / each + 1));
    }
    accepted(&format!("{}scim", "scim ? 1 : ".repeat(60)));
    accepted(&format!("{}scim", "!".repeat(LINKS_MAX)));
    accepted(&nested(DEPTH_MAX));
    refused(&nested(DEPTH_MAX + 1));
    accepted(&loops(LOOPS_MAX));
    refused(&loops(LOOPS_MAX + 1));
    accepted(&format!("'{}'", "x".repeat(SOURCE_MAX_BYTES - 2)));
    refused(&format!("'{}'", "x".repeat(SOURCE_MAX_BYTES - 1)));
}
