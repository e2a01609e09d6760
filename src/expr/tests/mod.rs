//! Tests of the language: tables by subject, properties over arbitrary text and JSON, and the `cel` interpreter as oracle.

mod bounds;
mod errors;
mod oracle;
mod properties;
mod semantics;
mod templates;
mod types;

use serde_json::{Value, json};

use super::{Env, EvalError, Expr, Name, Scope};

/// Names for most tests.
fn scope() -> Scope {
    Scope::new()
        .with("scim", Name::Scim)
        .with("body", Name::Body)
        .with("status", Name::Status)
        .with("id", Name::Id)
        .with("org", Name::Var(0))
        .with("g", Name::Local(0))
}

/// The document most tests read as `scim`.
fn user() -> Value {
    json!({
        "userName": "Ann@Example.com", "active": false, "nickName": null, "age": 30, "rank": 1.5,
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [{ "type": "home", "value": "a@home" }, { "type": "work", "value": "a@work" }],
        "tags": ["b", "a", "b"], "empty": [], "urn:x:2.0": { "dept": "Sales" },
    })
}

/// What `source` gives over [`user`].
fn eval(source: &str) -> Result<Value, EvalError> {
    let (scim, status) = (user(), json!(404));
    let vars = [Some(json!("acme"))];
    let locals = [json!({ "role": "admin" })];
    let env = Env { scim: Some(&scim), status: Some(&status), vars: &vars, locals: &locals, ..Env::default() };
    let expression = Expr::compile(source, &scope()).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
    expression.eval(&env).map(std::borrow::Cow::into_owned)
}
