//! In: the JSON body of a native call. Out: `application/x-www-form-urlencoded` text.
//!
//! | JSON | form |
//! |---|---|
//! | `{"a": "x y", "n": 3, "b": true, "z": null}` | `a=x+y&n=3&b=true&z=` |
//! | `{"tag": ["x", "y"]}` | `tag=x&tag=y` |
//! | `{"name": {"first": "A"}}` | `name[first]=A` (brackets encoded) |
//! | `{"mail": [{"kind": 1}]}` | `mail[0][kind]=1` |
//! | an array or a plain value as the whole body | keys `0`, `1`, ...; a value without a name |

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

/// Encodes a body.
pub fn encode(body: &Value) -> String {
    let mut text = String::new();
    each(body, &mut |name, value| pair(&mut text, name, value));
    text
}

/// The pairs of a body, not encoded.
pub fn pairs(body: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    each(body, &mut |name, value| pairs.push((name.to_owned(), value.to_owned())));
    pairs
}

/// The pairs of an encoded form.
pub fn decode(text: &str) -> Vec<(String, String)> {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair =
        |pair: &str| pair.split_once('=').map_or_else(|| (plain(pair), String::new()), |(a, b)| (plain(a), plain(b)));
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// Visits the pairs. The nesting of a body is what JSON parsing and the configuration allow, so the recursion is
/// bounded.
fn each(body: &Value, visit: &mut impl FnMut(&str, &str)) {
    match body {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| append(visit, name, value)),
        Value::Array(items) => append_indexed(visit, "", items),
        scalar => append(visit, "", scalar),
    }
}

fn append(visit: &mut impl FnMut(&str, &str), name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                append(visit, &below(name, key), inner);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            append_indexed(visit, name, items);
        }
        Value::Array(items) => items.iter().for_each(|item| append(visit, name, item)),
        Value::Null => visit(name, ""),
        Value::String(value) => visit(name, value),
        Value::Bool(_) | Value::Number(_) => visit(name, &value.to_string()),
    }
}

fn append_indexed(visit: &mut impl FnMut(&str, &str), name: &str, items: &[Value]) {
    for (index, item) in items.iter().enumerate() {
        append(visit, &below(name, &index.to_string()), item);
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
            assert_eq!(decode(expected), pairs(&body), "{body}");
        }
    }
}
