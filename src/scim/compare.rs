//! How two scalar values compare in SCIM: text with or without case, numbers by value, dates as instants.
//!
//! In: scalars out of resources, filters and PATCH values. Out: an equality or an order. Structure (lists, complex
//! values) is the business of the callers: filter evaluation, [`equality`](super::equality) and [`sort`](mod@super::sort).

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use super::schema::AttributeType;

/// Whether two texts are equal; without `case_exact` in Unicode lower case.
pub fn text_eq(a: &str, b: &str, case_exact: bool) -> bool {
    if case_exact || a == b {
        return a == b;
    }
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    folded(a).eq(folded(b))
}

/// The order of two texts by code point; without `case_exact` in Unicode lower case.
pub fn text_cmp(a: &str, b: &str, case_exact: bool) -> Ordering {
    if case_exact { a.cmp(b) } else { folded(a).cmp(folded(b)) }
}

/// Whether `text` contains `part`.
pub fn text_contains(text: &str, part: &str, case_exact: bool) -> bool {
    if case_exact || text.contains(part) {
        return text.contains(part);
    }
    // Windows cost the product of both lengths, which is less than two allocations only while the part is short.
    if part.len() <= WINDOW_MAX_BYTES && text.is_ascii() && part.is_ascii() {
        return text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()));
    }
    fold(text).contains(&fold(part))
}

/// Whether `text` begins with `part`.
pub fn text_starts_with(text: &str, part: &str, case_exact: bool) -> bool {
    if case_exact {
        return text.starts_with(part);
    }
    let mut text = folded(text);
    folded(part).all(|expected| text.next() == Some(expected))
}

/// Whether `text` ends with `part`.
pub fn text_ends_with(text: &str, part: &str, case_exact: bool) -> bool {
    if case_exact {
        return text.ends_with(part);
    }
    if text.is_ascii() && part.is_ascii() {
        let (text, part) = (text.as_bytes(), part.as_bytes());
        let tail = text.len().checked_sub(part.len()).and_then(|start| text.get(start..));
        return tail.is_some_and(|tail| tail.eq_ignore_ascii_case(part));
    }
    fold(text).ends_with(&fold(part))
}

/// The text in the case in which it is compared when case does not count.
pub fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { folded(text).collect() }
}

/// The order of two numbers by value: 1 equals 1.0.
pub fn number_cmp(a: &Number, b: &Number) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (a.as_u64(), b.as_u64()) {
        return Some(a.cmp(&b));
    }
    a.as_f64()?.partial_cmp(&b.as_f64()?)
}

/// The instant that an `xsd:dateTime` names (RFC 7643 2.3.5). Without an offset it is taken as UTC; a date without a
/// time is none.
pub fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    if !text.contains(['T', 't']) {
        return None;
    }
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The order of two scalars of an attribute; `None` where there is none (different JSON types, booleans, dates that
/// cannot be read).
pub fn scalar_cmp(a: &Value, b: &Value, kind: AttributeType, case_exact: bool) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) if kind == AttributeType::DateTime => Some(instant(a)?.cmp(&instant(b)?)),
        (Value::String(a), Value::String(b)) => Some(text_cmp(a, b, case_exact)),
        (Value::Number(a), Value::Number(b)) => number_cmp(a, b),
        _ => None,
    }
}

/// Whether two scalars of an attribute are equal. Dates that cannot be read are equal if their texts are.
pub fn scalar_eq(a: &Value, b: &Value, kind: AttributeType, case_exact: bool) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if kind == AttributeType::DateTime => match (instant(a), instant(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
        (Value::String(a), Value::String(b)) => text_eq(a, b, case_exact),
        (Value::Number(a), Value::Number(b)) => number_cmp(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

/// The elements of a value: those of a list, the value itself otherwise, none for null.
pub fn elements(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(elements)) => elements,
        Some(single) => std::slice::from_ref(single),
    }
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

const WINDOW_MAX_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_compares_with_and_without_case() {
        for (text, part, eq, contains, starts, ends) in [
            ("Ada", "aDA", true, true, true, true),
            ("Ada North", "NORTH", false, true, false, true),
            ("Ada North", "ada", false, true, true, false),
            ("Åse Ødegård", "ØDEGÅRD", false, true, false, true),
            ("ÅSE", "åse", true, true, true, true),
            ("x", "", false, true, true, true),
            ("", "", true, true, true, true),
            ("", "x", false, false, false, false),
            ("é", "xé", false, false, false, false),
        ] {
            assert_eq!(text_eq(text, part, false), eq, "{text} eq {part}");
            assert_eq!(text_contains(text, part, false), contains, "{text} co {part}");
            assert_eq!(text_starts_with(text, part, false), starts, "{text} sw {part}");
            assert_eq!(text_ends_with(text, part, false), ends, "{text} ew {part}");
            assert_eq!(text_eq(text, part, true), text == part);
            assert_eq!(text_contains(text, part, true), text.contains(part));
            assert_eq!(text_starts_with(text, part, true), text.starts_with(part));
            assert_eq!(text_ends_with(text, part, true), text.ends_with(part));
        }
        let long = "aB".repeat(100);
        assert!(text_contains(&format!("x{long}y"), &long.to_uppercase(), false));
    }

    #[test]
    fn dates_compare_as_instants() {
        for (a, b, expect) in [
            ("2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", Some(Ordering::Equal)),
            ("2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00.0000000Z", Some(Ordering::Equal)),
            ("2024-01-01T00:00:00", "2024-01-01T00:00:00Z", Some(Ordering::Equal)),
            ("2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00Z", Some(Ordering::Greater)),
            ("2024-01-01", "2024-01-01T00:00:00Z", None),
            ("soon", "2024-01-01T00:00:00Z", None),
        ] {
            assert_eq!(scalar_cmp(&json!(a), &json!(b), AttributeType::DateTime, false), expect, "{a} {b}");
            assert_eq!(
                scalar_eq(&json!(a), &json!(b), AttributeType::DateTime, false),
                expect == Some(Ordering::Equal),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn numbers_compare_by_value() {
        let cmp = |a: Value, b: Value| scalar_cmp(&a, &b, AttributeType::Decimal, false);
        assert_eq!(cmp(json!(1), json!(1.0)), Some(Ordering::Equal));
        assert_eq!(cmp(json!(i64::MAX), json!(u64::MAX)), Some(Ordering::Less));
        assert_eq!(cmp(json!(-1), json!(0.5)), Some(Ordering::Less));
        assert_eq!(cmp(json!(1), json!("1")), None);
    }
}
