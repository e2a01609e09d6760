//! In: the JSON body of a native call. Out: `application/x-www-form-urlencoded` text.
//!
//! | JSON | form |
//! |---|---|
//! | `{"a": "x y", "n": 3, "b": true, "z": null}` | `a=x+y&n=3&b=true&z=` |
//! | `{"tag": ["x", "y"]}` | `tag=x&tag=y` |
//! | `{"name": {"first": "A"}}` | `name[first]=A` (brackets encoded) |
//! | `{"mail": [{"kind": 1}]}` | `mail[0][kind]=1` |
//! | an array or a plain value as the whole body | keys `0`, `1`, ...; a value without a name |

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Encodes a body. Its nesting is what JSON parsing and the configuration allow, so the recursion is bounded.
pub(super) fn encode(body: &Value) -> String {
    let mut text = String::new();
    match body {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| append(&mut text, name, value)),
        Value::Array(items) => append_indexed(&mut text, "", items),
        scalar => append(&mut text, "", scalar),
    }
    text
}

fn append(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                append(text, &below(name, key), inner);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            append_indexed(text, name, items);
        }
        Value::Array(items) => items.iter().for_each(|item| append(text, name, item)),
        Value::Null => pair(text, name, ""),
        Value::String(value) => pair(text, name, value),
        Value::Bool(_) | Value::Number(_) => pair(text, name, &value.to_string()),
    }
}

fn append_indexed(text: &mut String, name: &str, items: &[Value]) {
    for (index, item) in items.iter().enumerate() {
        append(text, &below(name, &index.to_string()), item);
    }
}

fn below(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_owned() } else { format!("{name}[{key}]") }
}

fn pair(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push('&');
    }
    append_encoded(text, name);
    text.push('=');
    append_encoded(text, value);
}

fn append_encoded(text: &mut String, plain: &str) {
    for (index, word) in plain.split(' ').enumerate() {
        if index > 0 {
            text.push('+');
        }
        text.extend(utf8_percent_encode(word, ENCODED));
    }
}

/// What a form encodes (URL standard, application/x-www-form-urlencoded percent-encode set), the space apart.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_become_forms() {
        let cases = [
            (json!({}), ""),
            (json!({"a": "x y", "b": true, "n": 3, "z": null}), "a=x+y&b=true&n=3&z="),
            (json!({"a b": "1+1=2&c", "u": "\u{fc}/~"}), "a+b=1%2B1%3D2%26c&u=%C3%BC%2F%7E"),
            (json!({"tag": ["x", "y"], "none": []}), "tag=x&tag=y"),
            (json!({"name": {"first": "A", "more": {"x": 1}}}), "name%5Bfirst%5D=A&name%5Bmore%5D%5Bx%5D=1"),
            (json!({"mail": [{"kind": 1}, {"kind": 2}]}), "mail%5B0%5D%5Bkind%5D=1&mail%5B1%5D%5Bkind%5D=2"),
            (json!(["x", ["y"]]), "0=x&1=y"),
            (json!("x"), "=x"),
            (json!({"n": 1.5, "line": "a\r\nb"}), "line=a%0D%0Ab&n=1.5"),
        ];
        for (body, expected) in cases {
            assert_eq!(encode(&body), expected, "{body}");
        }
    }
}
