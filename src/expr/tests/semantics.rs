//! Values of expressions.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::super::{Env, EvalError, Expr, Name};
use super::{eval, scope, user};

fn check(cases: &[(&str, Value)]) {
    for (source, expected) in cases {
        assert_eq!(eval(source).as_ref(), Ok(expected), "{source}");
    }
}

fn check_errors(cases: &[(&str, EvalError)]) {
    for (source, expected) in cases {
        assert_eq!(eval(source).as_ref(), Err(expected), "{source}");
    }
}

#[test]
fn names_and_selections() {
    check(&[
        ("scim.userName", json!("Ann@Example.com")),
        ("scim.name.givenName", json!("Ann")),
        ("scim['urn:x:2.0'].dept", json!("Sales")),
        ("scim.emails[1].value", json!("a@work")),
        ("scim.emails[1.0]['value']", json!("a@work")),
        ("status", json!(404)),
        ("org", json!("acme")),
        ("g.role", json!("admin")),
        ("scim.emails.filter(e, e.type == 'work')[0].value", json!("a@work")),
        ("{'a': [1, 2]}.a[1]", json!(2)),
        // A name without a document, and anything that is not there.
        ("body", json!(null)),
        ("body.a.b[3]['c']", json!(null)),
        ("scim.tags[9]", json!(null)),
        ("scim.tags[-1]", json!(null)),
        ("scim.tags.length", json!(null)),
        ("scim.userName.x", json!(null)),
        ("scim.userName[0]", json!(null)),
        ("scim[null]", json!(null)),
        ("has(scim.userName)", json!(true)),
        ("has(scim.nickName)", json!(true)),
        ("has(scim.other)", json!(false)),
        ("has(body.a.b)", json!(false)),
    ]);
    check_errors(&[
        ("scim.tags[true]", EvalError::Type { operation: "[]", found: "bool" }),
        ("scim.tags[0.5]", EvalError::Type { operation: "[]", found: "double" }),
    ]);
}

#[test]
fn null_is_false_in_conditions_and_null_elsewhere() {
    check(&[
        ("body.x && true", json!(false)),
        ("body.x || true", json!(true)),
        ("!body.x", json!(true)),
        ("body.x ? 1 : 2", json!(2)),
        ("body.x == null", json!(true)),
        ("body.x != null", json!(false)),
        ("body.x < 1", json!(false)),
        ("body.x >= null", json!(false)),
        ("body.x.contains('a')", json!(null)),
        ("'a'.contains(body.x)", json!(null)),
        ("size(body.x)", json!(null)),
        ("string(body.x)", json!(null)),
        ("body.x.matches('a')", json!(null)),
        ("'a'.replaceRe('a', body.x)", json!(null)),
        ("body.x + 1", json!(null)),
        ("-body.x", json!(null)),
        ("1 in body.x", json!(false)),
        ("body.x.exists(e, true)", json!(false)),
        ("body.x.all(e, false)", json!(true)),
        ("body.x.filter(e, true)", json!([])),
        ("body.x.map(e, e)", json!([])),
        ("body.x.exists_one(e, true)", json!(false)),
        ("default(body.x, 'none')", json!("none")),
        ("default(scim.active, true)", json!(false)),
        ("default(1, 1 / status.x)", json!(1)),
    ]);
    let null = Expr::compile("body", &scope()).unwrap();
    assert_eq!(null.test(&Env::default()), Ok(false));
    let text = Expr::compile("'x'", &scope()).unwrap();
    assert_eq!(text.test(&Env::default()), Err(EvalError::NotACondition { found: "string" }));
}

#[test]
fn comparison_and_logic() {
    check(&[
        ("1 == 1.0", json!(true)),
        ("[1, {'a': 2}] == [1.0, {'a': 2.0}]", json!(true)),
        ("9007199254740993 == 9007199254740992.0", json!(false)),
        ("9007199254740993 > 9007199254740992.0", json!(true)),
        ("-1 < -0.5", json!(true)),
        ("'a' == 1", json!(false)),
        ("'a' != 1", json!(true)),
        ("'a' < 1", json!(false)),
        ("'a' >= 1", json!(false)),
        ("'Z' < 'a'", json!(true)),
        ("false < true", json!(true)),
        ("[1] < [2]", json!(false)),
        ("'a' in scim.tags", json!(true)),
        ("'z' in scim.tags", json!(false)),
        ("1.0 in [1]", json!(true)),
        ("'userName' in scim", json!(true)),
        ("1 in scim", json!(false)),
        // What decides the result hides the failure of the rest.
        ("1 / 0 == 1 || true", json!(true)),
        ("true || 1 / 0 == 1", json!(true)),
        ("1 / 0 == 1 && false", json!(false)),
        ("[0, 1].exists(x, 1 / x == 1)", json!(true)),
        ("[0, 2].all(x, 1 / x == 1)", json!(false)),
    ]);
    check_errors(&[
        ("status && true", EvalError::NotACondition { found: "int" }),
        ("!org", EvalError::NotACondition { found: "string" }),
        ("'a' in org", EvalError::Type { operation: "in", found: "string" }),
        ("status / 0 == 1 || false", EvalError::DivideByZero),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        ("1 + 2 * 3 - 4", json!(3)),
        ("-7 / 2", json!(-3)),
        ("-7 % 2", json!(-1)),
        ("1.5 + 2.0", json!(3.5)),
        ("7.0 / 2.0", json!(3.5)),
        ("-scim.rank", json!(-1.5)),
        ("'a' + org", json!("aacme")),
        ("[1] + scim.empty + ['x']", json!([1, "x"])),
        ("-9223372036854775808", json!(i64::MIN)),
    ]);
    check_errors(&[
        ("status + 9223372036854775807", EvalError::Overflow),
        ("status * 9223372036854775807", EvalError::Overflow),
        ("(status - 405 - 9223372036854775807) / -1", EvalError::Overflow),
        ("-(status - 405 - 9223372036854775807)", EvalError::Overflow),
        ("status / 0", EvalError::DivideByZero),
        ("status % 0", EvalError::DivideByZero),
        ("scim.rank / 0.0", EvalError::NotFinite),
        ("scim.rank * 1e308 * 1e308", EvalError::NotFinite),
        ("scim.rank % 2.0", EvalError::Type { operation: "%", found: "double" }),
        ("status + 1.0", EvalError::Type { operation: "+", found: "double" }),
        ("status + 'a'", EvalError::Type { operation: "+", found: "string" }),
        ("org - 'a'", EvalError::Type { operation: "-", found: "string" }),
        ("-org", EvalError::Type { operation: "-", found: "string" }),
    ]);
}

#[test]
fn whole_numbers_beyond_the_signed_range() {
    let large = json!(u64::MAX);
    let env = Env { body: Some(&large), ..Env::default() };
    let run = |source| Expr::compile(source, &scope()).unwrap().eval(&env).map(Cow::into_owned);
    assert_eq!(run("body - 1"), Ok(json!(u64::MAX - 1)));
    assert_eq!(run("body + 1"), Err(EvalError::Overflow));
    assert_eq!(run("body > 9223372036854775807"), Ok(json!(true)));
    assert_eq!(run("string(body)"), Ok(json!("18446744073709551615")));
    assert_eq!(run("int('18446744073709551615') == body"), Ok(json!(true)));
}

#[test]
fn functions_of_cel() {
    check(&[
        ("size('añb')", json!(3)),
        ("scim.tags.size() + size(scim.name)", json!(5)),
        ("org.startsWith('ac') && org.endsWith('me') && org.contains('cm')", json!(true)),
        ("org.matches('c.e')", json!(true)),
        ("org.matches('^c')", json!(false)),
        ("matches(org, 'c')", json!(true)),
        ("org.matches(r'\\w+')", json!(true)),
        ("string(1) + string(1.0) + string(1.5) + string(true) + string('x')", json!("111.5truex")),
        ("int('-42') + int(3.9) + int(1)", json!(-38)),
        ("double('1.5') + double(1)", json!(2.5)),
        ("bool('true') && !bool('0')", json!(true)),
        ("scim.tags.exists_one(t, t == 'a') && !scim.tags.existsOne(t, t == 'b')", json!(true)),
        ("scim.tags.map(t, t + '!')", json!(["b!", "a!", "b!"])),
        ("scim.tags.map(t, t != 'a', t.upper())", json!(["B", "B"])),
        ("scim.name.all(k, k.endsWith('Name'))", json!(true)),
        ("[[1, 2], [3]].map(x, x.map(y, y + size(x)))", json!([[3, 4], [4]])),
        ("[1].map(scim, scim + 1)", json!([2])),
    ]);
}

#[test]
fn functions_of_cel_refuse_what_they_cannot_take() {
    check_errors(&[
        ("int(org)", EvalError::Conversion { function: "int" }),
        ("int(1e30 * scim.rank)", EvalError::Overflow),
        ("double(org)", EvalError::Conversion { function: "double" }),
        ("double(org.replace('acme', 'inf'))", EvalError::NotFinite),
        ("bool(org)", EvalError::Conversion { function: "bool" }),
        ("int(scim.tags)", EvalError::Type { operation: "int", found: "list" }),
        ("size(status)", EvalError::Type { operation: "size", found: "int" }),
        ("status.lower()", EvalError::Type { operation: "lower", found: "int" }),
        ("org.contains(status)", EvalError::Type { operation: "contains", found: "int" }),
        ("org.filter(x, true)", EvalError::Type { operation: "a loop", found: "string" }),
        ("scim.tags.filter(x, x)", EvalError::NotACondition { found: "string" }),
        ("{org: 1, org: 2}", EvalError::DuplicateKey),
        ("{status: 1}", EvalError::Type { operation: "{}", found: "int" }),
    ]);
}

#[test]
fn functions_of_cels_extensions() {
    check(&[
        ("'Straße ÄÖ'.lowerAscii()", json!("straße ÄÖ")),
        ("'straße'.upperAscii()", json!("STRAßE")),
        ("' a b\\n'.trim()", json!("a b")),
        ("'añb'.reverse()", json!("bña")),
        ("'añb'.charAt(1) + 'añb'.charAt(3)", json!("ñ")),
        ("'abcabc'.indexOf('c')", json!(2)),
        ("'abcabc'.indexOf('c', 3)", json!(5)),
        ("'abc'.indexOf('z')", json!(-1)),
        ("'abcabc'.lastIndexOf('b')", json!(4)),
        ("'abcabc'.lastIndexOf('b', 3)", json!(1)),
        ("'añbc'.substring(2)", json!("bc")),
        ("'añbc'.substring(1, 3)", json!("ñb")),
        ("'a.b.c'.replace('.', '-')", json!("a-b-c")),
        ("'a.b.c'.replace('.', '-', 1)", json!("a-b.c")),
        ("'a.b.c'.replace('.', '-', -1)", json!("a-b-c")),
        ("'a,b,c'.split(',')", json!(["a", "b", "c"])),
        ("'a,b,c'.split(',', 2)", json!(["a", "b,c"])),
        ("'a,b'.split(',', 0)", json!([])),
        ("'añ'.split('')", json!(["a", "ñ"])),
        ("''.split(',')", json!([""])),
        ("scim.tags.join() + scim.tags.join(', ')", json!("babb, a, b")),
        ("['a', body.x].join('-')", json!(null)),
    ]);
    check_errors(&[
        ("org.substring(5)", EvalError::OutOfRange { function: "substring" }),
        ("org.substring(2, 1)", EvalError::OutOfRange { function: "substring" }),
        ("org.substring(-1)", EvalError::OutOfRange { function: "substring" }),
        ("org.charAt(5)", EvalError::OutOfRange { function: "charAt" }),
        ("org.indexOf('a', 4)", EvalError::OutOfRange { function: "indexOf" }),
        ("scim.emails.join(',')", EvalError::Type { operation: "join", found: "map" }),
    ]);
}

#[test]
fn functions_of_ours() {
    check(&[
        ("'ÄÖ İ ß'.lower()", json!("äö i\u{307} ß")),
        ("'ß ǆ'.upper()", json!("SS Ǆ")),
        ("scim.userName.before('@')", json!("Ann")),
        ("scim.userName.after('@').lower()", json!("example.com")),
        ("org.before('@')", json!("acme")),
        ("org.after('@')", json!(null)),
        ("' Eng / Team 2!'.slug('_')", json!("eng_team_2")),
        ("'日本'.slug('-')", json!("")),
        ("'Eng Team'.strip('[^A-Za-z0-9_-]')", json!("EngTeam")),
        ("'!!a!'.replaceRe('^!+', '')", json!("a!")),
        ("'Ann Lee'.replaceRe('(\\\\w+) (?P<last>\\\\w+)', '${last}, $1')", json!("Lee, Ann")),
        // A replacement that is not a literal is no pattern.
        ("'ab'.replaceRe('(a)', default(body.x, '$1$1') + scim.nickName)", json!(null)),
        ("'ab'.replaceRe('(a)', '$1' + org)", json!("$1acmeb")),
        ("scim.tags.first() + scim.tags.last()", json!("bb")),
        ("scim.empty.first() == null && scim.empty.last() == null", json!(true)),
        ("scim.emails.first().value", json!("a@home")),
        ("scim.tags.map(t, t).last()", json!("b")),
        ("scim.tags.distinct()", json!(["b", "a"])),
        ("[1, 1.0, '1', null, null].distinct()", json!([1, "1", null])),
    ]);
}

#[test]
fn what_is_passed_on_is_borrowed() {
    let scim = user();
    let env = Env { scim: Some(&scim), ..Env::default() };
    for source in [
        "scim.userName",
        "scim.emails.first()",
        "scim.tags[1].lower().trim()",
        "scim.active ? 'a' : 'b'",
        "default(scim.nickName, scim.name)",
        "string(scim.name.givenName)",
        "scim.tags[0].strip('x')",
    ] {
        let expression = Expr::compile(source, &scope()).unwrap();
        assert!(matches!(expression.eval(&env), Ok(Cow::Borrowed(_))), "{source}");
    }
}

#[test]
fn a_value_outlives_the_environment_it_came_through() {
    let scim = user();
    let expression = Expr::compile("scim.name.givenName", &scope()).unwrap();
    let value = {
        let env = Env { scim: Some(&scim), ..Env::default() };
        expression.eval(&env)
    };
    assert_eq!(value.unwrap().as_str(), Some("Ann"));
}

#[test]
fn reads_are_known() {
    let paths = |source: &str| {
        let expression = Expr::compile(source, &scope()).unwrap();
        let mut paths = expression.field_paths(Name::Scim);
        assert_eq!(paths.is_empty(), !expression.uses(Name::Scim), "{source}");
        paths.drain(..).map(|path| path.join("/")).collect::<Vec<_>>()
    };
    assert_eq!(paths("scim.name.givenName + scim['name'].familyName"), ["name/givenName", "name/familyName"]);
    assert_eq!(paths("scim.a == 1 && scim.a == 2"), ["a"]);
    assert_eq!(paths("scim.emails[0].value"), ["emails"]);
    assert_eq!(paths("scim.emails[scim.n].value.lower()"), ["n", "emails"]);
    assert_eq!(paths("scim.emails.filter(e, e.type == scim.t)[0].value"), ["emails", "t"]);
    assert_eq!(paths("has(scim.a.b)"), ["a/b"]);
    assert_eq!(paths("{'a': scim.x, 'b': [scim.y]}"), ["x", "y"]);
    assert_eq!(paths("org.replaceRe('a', scim.r)"), ["r"]);
    assert_eq!(paths("default(scim.x, body.y)"), ["x"]);
    assert_eq!(paths("scim"), [""]);
    assert_eq!(paths("[1].map(scim, scim.x)"), Vec::<String>::new());
    assert!(Expr::compile("org", &scope()).unwrap().uses(Name::Var(0)));
    assert!(!Expr::compile("org", &scope()).unwrap().uses(Name::Var(1)));
}

#[test]
fn constants_are_known() {
    let constant = |source| Expr::compile(source, &scope()).unwrap().constant().cloned();
    assert_eq!(constant("'a' + 'b'"), Some(json!("ab")));
    assert_eq!(constant("[1, 2].filter(x, x > 1)"), Some(json!([2])));
    assert_eq!(constant("true"), Some(json!(true)));
    assert_eq!(constant("null"), Some(json!(null)));
    assert_eq!(constant("org"), None);
}
