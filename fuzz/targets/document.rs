//! Native documents: no text panics, and every text is the tree that the library makes of it, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scimshim::document::{Document, Kind, View};
use serde_json::Value;

fuzz_target!(|text: &str| {
    let tree = serde_json::from_str::<Value>(text).ok();
    let document = Document::parse(text);
    assert_eq!(document.as_ref().map(Document::tree), tree.as_ref());
    if let Some(document) = document {
        walk(document.view());
    }
});

/// Every value, by the ways that lead to it. What stands in the text as itself is what would be written of it.
fn walk(view: View<'_>) {
    if let (Some(text), Some(quoted)) = (view.as_str(), view.quoted()) {
        assert_eq!(serde_json::to_string(text).unwrap(), quoted);
    }
    match view.kind() {
        Kind::List(items) => items.for_each(walk),
        Kind::Object(fields) => {
            for (name, value) in fields {
                assert!(view.get(name).is_some_and(|found| found.is(&value.value())));
                walk(value);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
    }
}
