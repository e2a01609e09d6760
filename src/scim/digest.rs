//! In: a JSON object. Out: a number that is the same for the same object, on every replica and in every release.
//!
//! It tells one state of a resource from another, for entity tags. It is no protection against somebody who wants two
//! states to look alike.

use serde_json::{Map, Value};
use twox_hash::XxHash3_128;

/// The XXH3 of an object, by the names and values of its members in the order of their names.
pub fn digest(object: &Map<String, Value>) -> u128 {
    let mut bytes = Vec::with_capacity(1024);
    feed_object(object, &mut bytes);
    XxHash3_128::oneshot(&bytes)
}

/// Every value begins with a byte for its type and says its length, so that no two objects give the same bytes. The
/// depth is that of a resource, which is bounded where it comes from.
fn feed(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => bytes.push(b'n'),
        Value::Bool(false) => bytes.push(b'f'),
        Value::Bool(true) => bytes.push(b't'),
        Value::Number(number) => {
            bytes.push(b'd');
            feed_text(&number.to_string(), bytes);
        }
        Value::String(text) => {
            bytes.push(b's');
            feed_text(text, bytes);
        }
        Value::Array(items) => {
            bytes.push(b'a');
            feed_length(items.len(), bytes);
            for item in items {
                feed(item, bytes);
            }
        }
        Value::Object(object) => feed_object(object, bytes),
    }
}

fn feed_object(object: &Map<String, Value>, bytes: &mut Vec<u8>) {
    bytes.push(b'o');
    feed_length(object.len(), bytes);
    for (name, value) in object {
        feed_text(name, bytes);
        feed(value, bytes);
    }
}

fn feed_text(text: &str, bytes: &mut Vec<u8>) {
    feed_length(text.len(), bytes);
    bytes.extend_from_slice(text.as_bytes());
}

fn feed_length(length: usize, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> u128 {
        let Value::Object(object) = value else { unreachable!() };
        digest(&object)
    }

    #[test]
    fn it_never_changes() {
        let all = json!({"a": [null, true, false, 1, -2.5, "x"], "b": {"c": ""}});
        assert_eq!(format!("{:032x}", of(all)), "7378d66c9b0bddd147e1908265419474");
    }

    #[test]
    fn different_objects_differ() {
        let objects = [
            json!({}),
            json!({"a": null}),
            json!({"a": "1"}),
            json!({"a": 1}),
            json!({"a": [1]}),
            json!({"a": ["1"]}),
            json!({"a": ["x", "y"]}),
            json!({"a": ["xy"]}),
            json!({"a": [["x"], "y"]}),
            json!({"a": "b", "c": "d"}),
            json!({"a": "bc", "d": ""}),
            json!({"a": {"b": {}}}),
            json!({"a": {}, "b": {}}),
        ];
        let seen: std::collections::BTreeSet<u128> = objects.iter().cloned().map(of).collect();
        assert_eq!(seen.len(), objects.len());
    }
}
