//! In: texts and trees. Out: that a document is the same whichever of them it came from.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// Whatever way a document came about, it is the same to everybody who looks.
fn both(text: &str) -> [Document; 2] {
    let tree: Value = serde_json::from_str(text).unwrap();
    [Document::parse(text).unwrap(), Document::from(tree)]
}

#[test]
fn what_is_json_is_what_the_library_says() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (text, expected) in [
        ("null", true),
        (" {\"a\": [1, -2, 3.5, true, \"x\"]} \n", true),
        ("18446744073709551615", true),
        ("-9223372036854775808", true),
        ("1e400", false),
        ("", false),
        ("{\"a\":", false),
        ("[1,]", false),
        ("[1] 2", false),
        ("\"\\ud800\"", false),
        (&deep(127), true),
        (&deep(128), false),
    ] {
        let tree = serde_json::from_str::<Value>(text).ok();
        assert_eq!(tree.is_some(), expected, "{text}");
        assert_eq!(Document::parse(text).map(Document::into_tree), tree, "{text}");
    }
}

#[test]
fn of_fields_with_the_same_name_the_last_one_counts() {
    for text in [
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"[{"x":{"a":[1,{"b":2}],"c":0,"a":[]}}]"#,
        r#"{"login":1,"other":{"login":2},"login":{"deep":3}}"#,
    ] {
        let tree: Value = serde_json::from_str(text).unwrap();
        let document = Document::parse(text).unwrap();
        assert_eq!(*document.tree(), tree);
        assert_eq!(document.view().to_value(), tree);
    }
    // The same name elsewhere is another field.
    let apart = Document::parse(r#"{"a":{"a":1},"b":[{"a":2},{"a":3}]}"#).unwrap();
    assert!(apart.place.is_some());
    assert_eq!(*apart.tree(), json!({"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}));
}

#[test]
fn strings_with_escapes_are_what_they_stand_for() {
    let text = r#"{"na\u006de": "a\"b\\c\nd\u00e9\ud83d\ude00", "plain": "é😀", "": ""}"#;
    for document in both(text) {
        assert_eq!(document.view().get("name").and_then(View::as_str), Some("a\"b\\c\ndé😀"));
        assert_eq!(document.view().get("plain").and_then(View::as_str), Some("é😀"));
        assert_eq!(document.view().get("").and_then(View::as_str), Some(""));
        assert_eq!(document.view().get("nam").and_then(View::as_str), None);
    }
}

#[test]
fn parts_are_documents_of_their_own() {
    for document in both(r#"{"data": {"items": [{"id": 1}, {"id": 2}, 3]}, "n": null}"#) {
        let list = document.view().get("data").and_then(|data| data.get("items")).unwrap();
        let part = document.part(list);
        assert_eq!(part, json!([{"id": 1}, {"id": 2}, 3]));
        let items = part.into_items().unwrap();
        assert_eq!(items, [json!({"id": 1}), json!({"id": 2}), json!(3)]);
        assert_eq!(items[1].view().get("id").map(View::to_value), Some(json!(2)));
        assert_eq!(items[1].clone().into_tree(), json!({"id": 2}));
        assert!(document.view().get("n").is_some_and(View::is_null));
        assert!(document.view().get("data").is_some_and(View::is_object));
        assert_eq!(document.clone().into_items().unwrap_err(), document);
    }
    assert_eq!(Document::default(), Value::Null);
}

#[test]
fn the_tree_is_built_once() {
    let document = Document::parse("[1]").unwrap();
    assert!(std::ptr::eq(document.tree(), document.tree()));
    let copy = document.clone();
    assert!(std::ptr::eq(document.tree(), copy.tree()));
}

#[test]
fn its_size_grows_with_what_it_holds() {
    for [small, large] in [both("[1]"), both(r#"[{"a": "bcd", "e": [1, 2, 3]}]"#)].windows(2).flat_map(|pair| {
        let [small, large] = pair else { unreachable!() };
        [[&small[0], &large[0]], [&small[1], &large[1]]]
    }) {
        assert!(small.size() < large.size());
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,6}|[\"\\\\\n\u{1}/]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[ab\"é]{0,3}", inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every value in a document, both ways of asking for it.
fn check(view: View<'_>, tree: &Value) {
    assert_eq!(view.to_value(), *tree);
    assert!(view.is(tree));
    assert_eq!((view.is_null(), view.is_object(), view.as_str()), (tree.is_null(), tree.is_object(), tree.as_str()));
    assert_eq!(view.items().map(|items| items.len()), tree.as_array().map(Vec::len));
    for (item, expected) in view.items().into_iter().flatten().zip(tree.as_array().into_iter().flatten()) {
        check(item, expected);
    }
    assert_eq!(view.fields().map(|fields| fields.len()), tree.as_object().map(Map::len));
    let sorted = view.fields().map(Fields::sorted).unwrap_or_default();
    for ((name, field), (expected, value)) in sorted.into_iter().zip(tree.as_object().into_iter().flatten()) {
        assert_eq!(name, expected);
        assert!(view.get(name).is_some_and(|found| found.is(value)));
        check(field, value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_document_is_what_its_tree_is(value in any_value(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        for document in both(&text) {
            check(document.view(), &serde_json::from_str(&text).unwrap());
        }
    }

    #[test]
    fn no_text_is_read_in_another_way_than_the_library_does(text in "[\\[\\]{}:,\"a1e.\\-\\\\u0 ]{0,24}") {
        let tree = serde_json::from_str::<Value>(&text).ok();
        prop_assert_eq!(Document::parse(&text).map(Document::into_tree), tree);
    }
}
