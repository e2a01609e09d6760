//! Ids that a cycle learns on its way, and the `{{name}}` in later steps that stand for them.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

/// Name -> id.
pub(super) type Names = BTreeMap<String, String>;

/// Fills a text that is not part of a URL.
///
/// # Errors
/// The first name that nothing has been saved under.
pub(super) fn fill(text: &str, names: &Names) -> Result<String, String> {
    substitute(text, |name| names.get(name).cloned())
}

/// Fills a path or a query: what is put in is one segment, or part of one value.
///
/// # Errors
/// As [`fill`].
pub(super) fn fill_url(text: &str, names: &Names) -> Result<String, String> {
    substitute(text, |name| Some(utf8_percent_encode(names.get(name)?, RESERVED).to_string()))
}

/// Fills every text in a JSON value; keys stay as they are.
///
/// # Errors
/// As [`fill`].
pub(super) fn fill_json(value: &Value, names: &Names) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(fill(text, names)?),
        Value::Array(items) => items.iter().map(|item| fill_json(item, names)).collect::<Result<_, _>>()?,
        Value::Object(members) => {
            let filled = members.iter().map(|(name, value)| Ok((name.clone(), fill_json(value, names)?)));
            Value::Object(filled.collect::<Result<Map<_, _>, String>>()?)
        }
        other => other.clone(),
    })
}

fn substitute(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        filled.push_str(before);
        filled.push_str(&value(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Everything but the unreserved characters of RFC 3986 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Names, fill, fill_json, fill_url};

    #[test]
    fn names_are_replaced_and_unknown_ones_named() {
        let names = Names::from([("ann".to_owned(), "a b/ü".to_owned())]);
        let check = |text: &str, expect: Result<&str, &str>| {
            let expect = expect.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(fill(text, &names), expect, "{text}");
        };
        check("", Ok(""));
        check("{{ann}}-{{ann}}", Ok("a b/ü-a b/ü"));
        check("{{ann", Ok("{{ann"));
        check("x }} {{ben}}", Err("ben"));
        assert_eq!(fill_url("/Users/{{ann}}", &names).as_deref(), Ok("/Users/a%20b%2F%C3%BC"));
        let filled = fill_json(&json!({"{{ann}}": ["{{ann}}", 1, null]}), &names);
        assert_eq!(filled, Ok(json!({"{{ann}}": ["a b/ü", 1, null]})));
    }
}
