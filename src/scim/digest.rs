//! In: a JSON object. Out: a number that is the same for the same object, on every replica and in every release.
//!
//! It tells one state of a resource from another, for entity tags. It is no protection against somebody who wants two
//! states to look alike.

use serde_json::{Map, Value};
use twox_hash::XxHash3_128;

/// The XXH3 of an object, by the names and values of its members in the order of their names.
pub fn digest(object: &Map<String, Value>) -> u128 {
    let mut digest = Digest { bytes: Vec::with_capacity(1024) };
    digest.object(object);
    digest.finish()
}

/// What a digest is taken of, for who has no object at hand and says its parts in order.
///
/// Every value begins with a byte for its type and says its length, so that no two objects give the same bytes. The
/// depth is that of a resource, which is bounded where it comes from.
#[derive(Debug, Default)]
pub struct Digest {
    bytes: Vec<u8>,
}

impl Digest {
    /// Begins again.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The digest of what was said.
    pub fn finish(&self) -> u128 {
        XxHash3_128::oneshot(&self.bytes)
    }

    /// The place reached.
    pub fn mark(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets what was said since.
    pub fn take_back(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }

    /// An object, whose members follow as names and values; [`Digest::end`] must follow these.
    pub fn begin_object(&mut self) -> usize {
        self.begin(b'o')
    }

    /// As [`Digest::begin_object`], of a list.
    pub fn begin_list(&mut self) -> usize {
        self.begin(b'a')
    }

    fn begin(&mut self, kind: u8) -> usize {
        let mark = self.bytes.len();
        self.bytes.extend_from_slice(&[kind, 0, 0, 0, 0]);
        mark
    }

    /// How many members or items there were.
    pub fn end(&mut self, mark: usize, count: usize) {
        if let Some(place) = self.bytes.get_mut(mark + 1..mark + 5) {
            place.copy_from_slice(&length(count));
        }
    }

    /// The name of a member.
    pub fn name(&mut self, name: &str) {
        self.bytes.extend_from_slice(&length(name.len()));
        self.bytes.extend_from_slice(name.as_bytes());
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.bytes.push(b's');
        self.name(text);
    }

    /// Texts at an earlier place.
    pub fn insert_texts(&mut self, mark: usize, texts: &[&str]) {
        let mut inserted = Self::default();
        for text in texts {
            inserted.text(text);
        }
        if mark <= self.bytes.len() {
            self.bytes.splice(mark..mark, inserted.bytes);
        }
    }

    /// Any value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes.push(b'n'),
            Value::Bool(false) => self.bytes.push(b'f'),
            Value::Bool(true) => self.bytes.push(b't'),
            Value::Number(number) => {
                self.bytes.push(b'd');
                self.name(&number.to_string());
            }
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                let mark = self.begin_list();
                for item in items {
                    self.value(item);
                }
                self.end(mark, items.len());
            }
            Value::Object(object) => self.object(object),
        }
    }

    fn object(&mut self, object: &Map<String, Value>) {
        let mark = self.begin_object();
        for (name, value) in object {
            self.name(name);
            self.value(value);
        }
        self.end(mark, object.len());
    }
}

fn length(length: usize) -> [u8; 4] {
    (length as u32).to_le_bytes()
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
