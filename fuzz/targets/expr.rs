//! Expressions of the configuration: no text panics, evaluation ends within its bounds, and gives the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scimshim::expr::{Env, Expr, Name, Scope};
use scimshim_fuzz::{text, user};

fuzz_target!(|data: &[u8]| {
    let scope = Scope::new().with("scim", Name::Scim).with("value", Name::Value);
    let Some(Ok(expr)) = text(data).map(|text| Expr::compile(text, &scope)) else {
        return;
    };
    let scim = user();
    let env = Env { scim: Some(&scim), value: scim.get("userName"), ..Env::default() };
    let (first, second) = (expr.eval(&env), expr.eval(&env));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
});
