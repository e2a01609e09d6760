//! The grammar of native paths, and the laws of reading and writing through them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn path(text: &str) -> NativePath {
    NativePath::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn after_put(text: &str, document: Value, value: Option<Value>) -> Value {
    let mut document = document;
    path(text).put(&mut document, value);
    document
}

#[test]
fn paths_print_as_they_were_written() {
    for text in [
        "",
        "data",
        "a.b.c",
        "keys[0]",
        "keys[-1].x",
        "a[].b",
        "a[0][1]",
        "contacts[kind eq 1].to[0]",
        "c[kind eq \"x y\" and main eq true].v",
        "\"a.b\"[0]",
        "@link",
        "@header:X-Next",
    ] {
        assert_eq!(path(text).to_string(), text);
    }
}

#[test]
fn mistakes_have_a_place() {
    for (text, start, message) in [
        (".a", 0, "expected a field name, found `.`"),
        ("a.", 2, "expected a field name, found the end"),
        ("a..b", 2, "expected a field name, found `.`"),
        ("a[", 2, "expected a field name, as in `[kind eq 1]`, found the end"),
        ("a[-2]", 4, "expected ` eq `, found `]`"),
        ("a[k eq]", 3, "expected ` eq `, found ` `"),
        ("a[k eq {}]", 7, "expected a string, a number, `true`, `false` or `null`, found `{`"),
        ("a[k eq work]", 7, "expected a JSON literal such as \"work\" or 1, found `w`"),
        ("a[k eq 1", 8, "expected `]`, found the end"),
        ("a b", 1, "expected `.`, `[` or the end, found ` `"),
        ("@hedaer:X", 0, "expected a field name, found `@`"),
        ("@header:X Y", 8, "not the name of a header"),
    ] {
        let error = NativePath::parse(text).expect_err(text);
        assert_eq!((error.span.start, error.message.as_str()), (start, message), "{text}");
    }
    assert!(NativePath::parse(&"a".repeat(513)).is_err());
    assert!(NativePath::parse(&vec!["a"; 40].join(".")).is_err());
}

#[test]
fn reading_follows_the_steps() {
    let document =
        json!({"keys": ["7", "8"], "contacts": [{"kind": 1, "to": ["a"]}, {"kind": 2, "to": ["b", "c"]}], "a.b": 5});
    for (text, expected) in [
        ("keys[0]", Some(json!("7"))),
        ("keys[-1]", Some(json!("8"))),
        ("keys[2]", None),
        ("contacts[kind eq 2].to[0]", Some(json!("b"))),
        ("contacts[kind eq 3].to[0]", None),
        ("contacts[].to[-1]", Some(json!("a"))),
        ("\"a.b\"", Some(json!(5))),
        ("a.b", None),
        ("", Some(document.clone())),
        ("@header:Location", None),
    ] {
        assert_eq!(path(text).get(&document).cloned(), expected, "{text}");
    }
    assert_eq!(path("contacts[].to[]").get_all(&document), [&json!("a"), &json!("b"), &json!("c")]);
    assert_eq!(path("@header:Location").header(), Some("Location"));
    assert!(path("@link").is_link());
    assert_eq!(path("contacts[kind eq 1].to[0]").whole_field(), Some("contacts"));
    assert_eq!(path("a.b").whole_field(), None);
    for (text, marked) in
        [("a.b", true), ("a.b.c", true), ("a[0]", true), ("a", false), ("ab.c", false), ("b.a", false)]
    {
        let mut path = path(text);
        assert_eq!(path.send_whole("a"), marked, "{text}");
        assert_eq!(path.whole_field(), marked.then_some("a"), "{text}");
    }
    assert_eq!((path("a").field(), path("a.b").field(), path("a[0]").field()), (Some("a"), None, None));
}

#[test]
fn writing_changes_what_is_named_and_nothing_else() {
    let two = json!({"c": [{"kind": 1, "to": "a", "note": "n"}, {"kind": 2, "to": "b"}], "x": 1});
    let cases = [
        ("a.b", json!({"x": 1}), Some(json!(2)), json!({"x": 1, "a": {"b": 2}})),
        ("a.b", json!({"a": {"b": 1, "c": 2}}), None, json!({"a": {"c": 2}})),
        ("a.b", json!({}), None, json!({})),
        ("a.b", json!({"a": 5}), Some(json!(1)), json!({"a": {"b": 1}})),
        ("a[0]", json!({}), Some(json!("x")), json!({"a": ["x"]})),
        ("a[0]", json!({"a": ["x", "y"]}), None, json!({"a": ["y"]})),
        ("c[kind eq 2].to", two.clone(), Some(json!("z")), {
            let mut changed = two.clone();
            changed["c"][1]["to"] = json!("z");
            changed
        }),
        ("c[kind eq 3].to", json!({"c": []}), Some(json!("z")), json!({"c": [{"to": "z", "kind": 3}]})),
        ("c[kind eq 2].to", two.clone(), None, json!({"c": [{"kind": 1, "to": "a", "note": "n"}], "x": 1})),
        (
            "c[kind eq 2].to",
            two.clone(),
            Some(json!(null)),
            json!({"c": [{"kind": 1, "to": "a", "note": "n"}], "x": 1}),
        ),
        (
            "c[kind eq 1].to",
            two.clone(),
            None,
            json!({"c": [{"kind": 1, "note": "n"}, {"kind": 2, "to": "b"}], "x": 1}),
        ),
        ("c[].to", two.clone(), Some(json!("z")), two.clone()),
        ("", json!({"x": 1}), Some(json!(2)), json!(2)),
    ];
    for (text, document, value, expected) in cases {
        assert_eq!(after_put(text, document, value.clone()), expected, "{text} <- {value:?}");
    }
}

#[test]
fn stripping_goes_through_every_item() {
    let mut document = json!({"c": [{"v": 1, "w": 2}, {"v": 3}], "s": 4});
    path("c[].v").strip(&mut document);
    path("s").strip(&mut document);
    assert_eq!(document, json!({"c": [{"w": 2}, {}]}));
}

#[test]
fn overlap_is_about_prefixes_and_selectors() {
    for (a, b, expected) in [
        ("a", "a", true),
        ("a", "a.b", true),
        ("a.b", "a.c", false),
        ("a[k eq 1].x", "a[k eq 2].x", false),
        ("a[k eq 1].x", "a[k eq 1].y", false),
        ("a[k eq 1].x", "a[m eq 1].x", true),
        ("a", "a[k eq 1].x", true),
        ("a[0]", "a[1]", false),
        ("a[0]", "a[k eq 1]", true),
        ("", "a", true),
        ("@header:X", "a", false),
    ] {
        assert_eq!(path(a).overlaps(&path(b)), expected, "{a} {b}");
        assert_eq!(path(b).overlaps(&path(a)), expected, "{b} {a}");
    }
}

fn some_path() -> impl Strategy<Value = NativePath> {
    let step = prop_oneof!["[ab]", "[ab]\\[0\\]", "[ab]\\[k eq [12]\\]"];
    prop::collection::vec(step, 1..4).prop_map(|steps| path(&steps.join(".")))
}

fn some_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), (1..3).prop_map(Value::from)];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abk]", inner, 0..4).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    /// `PutGet`: what was put is there.
    #[test]
    fn what_is_put_is_found(path in some_path(), document in some_document()) {
        let mut changed = document;
        path.put(&mut changed, Some(json!("new")));
        // An item chosen by its field `k` cannot also have that field overwritten; no step is called `k`.
        let ends_in_item = path.to_string().ends_with("1]") || path.to_string().ends_with("2]");
        if !ends_in_item {
            prop_assert_eq!(path.get(&changed), Some(&json!("new")));
        }
    }

    /// `GetPut`: putting back what is there changes nothing.
    #[test]
    fn what_is_found_can_be_put_back(path in some_path(), document in some_document()) {
        let mut changed = document.clone();
        let found = path.get(&document).cloned();
        // Null in a list item means "nothing there", which is why it is not put back as such.
        if found != Some(Value::Null) {
            path.put(&mut changed, found);
            prop_assert_eq!(changed, document);
        }
    }

    /// `PutPut`: the last one counts.
    #[test]
    fn the_last_put_counts(path in some_path(), document in some_document()) {
        let (mut twice, mut once) = (document.clone(), document);
        path.put(&mut twice, Some(json!("one")));
        path.put(&mut twice, Some(json!("two")));
        path.put(&mut once, Some(json!("two")));
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn any_text_parses_or_is_refused(text in "\\PC{0,30}|[ab.\\[\\]0-9\" eqk-]{0,20}") {
        match NativePath::parse(&text) {
            Ok(path) => prop_assert_eq!(NativePath::parse(&path.to_string()), Ok(path)),
            Err(error) => prop_assert!(error.span.end <= text.len() && error.span.start <= error.span.end),
        }
    }
}

#[test]
fn taking_gives_what_getting_gives() {
    let document = json!({"data": {"user": {"id": 7}}, "rows": [{"kind": 1, "to": ["a"]}], "a.b": null});
    for text in [
        "",
        "data",
        "data.user",
        "data.user.id",
        "data.nothing.id",
        "rows[0].to[0]",
        "rows[kind eq 1].to",
        "\"a.b\"",
        "@link",
        "rows",
    ] {
        let path = NativePath::parse(text).unwrap();
        assert_eq!(path.take(document.clone()), path.get(&document).cloned(), "{text}");
    }
}
