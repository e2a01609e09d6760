//! What the codecs do to single values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Number, Value};

use crate::scim::AttributeType;

use super::{CodecError, DateTimeFormat};

pub(super) fn string(value: &Value) -> Result<&str, CodecError> {
    value.as_str().ok_or_else(|| CodecError::wanted("a text"))
}

/// `007` and `+7` are refused: they would come back as `7`.
pub(super) fn integer(value: &Value) -> Result<Value, CodecError> {
    let refused = || CodecError::wanted("a whole number without leading zeros");
    match value {
        Value::Number(number) if !number.is_f64() => Ok(value.clone()),
        Value::String(text) => {
            let number: i64 = text.parse().map_err(|_| refused())?;
            if number.to_string() == *text { Ok(Value::from(number)) } else { Err(refused()) }
        }
        _ => Err(refused()),
    }
}

pub(super) fn float(value: &Value) -> Result<Value, CodecError> {
    let refused = || CodecError::wanted("a number in its shortest form");
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => {
            let number: Number = serde_json::from_str(text).map_err(|_| refused())?;
            if number.to_string() == *text { Ok(Value::Number(number)) } else { Err(refused()) }
        }
        _ => Err(refused()),
    }
}

pub(super) fn to_text(value: &Value) -> Result<Value, CodecError> {
    match value {
        Value::String(_) => Ok(value.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(Value::from(value.to_string())),
        _ => Err(CodecError::wanted("a text, a number or a boolean")),
    }
}

pub(super) fn from_text(kind: AttributeType, value: &Value) -> Result<Value, CodecError> {
    if kind == AttributeType::String {
        return to_text(value);
    }
    let text = string(value)?;
    let wanted = || CodecError::wanted(format!("the text of a value of type {}", kind.as_str()));
    let parsed: Value = match kind {
        AttributeType::Boolean | AttributeType::Integer | AttributeType::Decimal => {
            serde_json::from_str(text).map_err(|_| wanted())?
        }
        _ => return Ok(value.clone()),
    };
    let fits = match kind {
        AttributeType::Boolean => parsed.is_boolean(),
        AttributeType::Integer => parsed.is_i64() || parsed.is_u64(),
        _ => parsed.is_number(),
    };
    if fits { Ok(parsed) } else { Err(wanted()) }
}

pub(super) fn to_native_time(format: &DateTimeFormat, value: &Value) -> Result<Value, CodecError> {
    let time = timestamp(value)?;
    Ok(match format {
        DateTimeFormat::Rfc3339 => Value::from(time.to_string()),
        DateTimeFormat::Epoch => Value::from(time.as_second()),
        DateTimeFormat::EpochMillis => Value::from(time.as_millisecond()),
        DateTimeFormat::Text(format) => Value::from(format.print(time).map_err(|_| format.wanted())?),
    })
}

pub(super) fn from_native_time(format: &DateTimeFormat, value: &Value) -> Result<Value, CodecError> {
    let time = match format {
        DateTimeFormat::Rfc3339 if value.as_str().is_some_and(is_canonical) => return Ok(value.clone()),
        DateTimeFormat::Rfc3339 => timestamp(value)?,
        DateTimeFormat::Epoch => from_number(value, Timestamp::from_second)?,
        DateTimeFormat::EpochMillis => from_number(value, Timestamp::from_millisecond)?,
        DateTimeFormat::Text(format) => format.read(string(value)?).map_err(|_| format.wanted())?,
    };
    Ok(Value::from(time.to_string()))
}

/// Whether a text is a point in time just as it would be written: `2026-03-04T05:06:07.5Z`, on a day that every month
/// has. Others are parsed.
pub(super) fn is_canonical(text: &str) -> bool {
    let Some((time, tail)) = text.as_bytes().split_first_chunk() else { return false };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] = time else {
        return false;
    };
    let within = |tens: &u8, ones: &u8, least: u8, most: u8| {
        let are_digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        are_digits && (least..=most).contains(&((tens - b'0') * 10 + (ones - b'0')))
    };
    let fraction = match tail {
        [b'Z'] => true,
        [b'.', digits @ .., last, b'Z'] => {
            digits.len() < 9 && digits.iter().all(u8::is_ascii_digit) && matches!(last, b'1'..=b'9')
        }
        _ => false,
    };
    fraction
        && within(y1, y2, 10, 99)
        && within(y3, y4, 0, 99)
        && [y1, y2, y3, y4] != [&b'9'; 4]
        && within(m1, m2, 1, 12)
        && within(d1, d2, 1, 28)
        && within(h1, h2, 0, 23)
        && within(i1, i2, 0, 59)
        && within(s1, s2, 0, 59)
}

fn timestamp(value: &Value) -> Result<Timestamp, CodecError> {
    string(value)?.parse().map_err(|_| CodecError::wanted("a date and time with an offset (RFC 3339)"))
}

fn from_number(value: &Value, read: impl Fn(i64) -> Result<Timestamp, jiff::Error>) -> Result<Timestamp, CodecError> {
    let number = value.as_i64().and_then(|number| read(number).ok());
    number.ok_or_else(|| CodecError::wanted("a whole number that is a time since 1970"))
}

pub(super) fn to_base64(value: &Value) -> Result<Value, CodecError> {
    Ok(Value::from(STANDARD.encode(string(value)?)))
}

pub(super) fn from_base64(value: &Value) -> Result<Value, CodecError> {
    let bytes = STANDARD.decode(string(value)?).map_err(|_| CodecError::wanted("Base64"))?;
    String::from_utf8(bytes).map(Value::from).map_err(|_| CodecError::wanted("text in Base64"))
}

/// Replaces one separator by another; a text that holds the other already could not be told apart afterwards.
pub(super) fn exchange(value: &Value, from: &str, to: &str) -> Result<Value, CodecError> {
    let text = string(value)?;
    if from != to && text.contains(to) {
        return Err(CodecError::wanted(format!("a language tag without `{to}`")));
    }
    Ok(Value::from(text.replace(from, to)))
}

pub(super) fn join(separator: &str, value: &Value) -> Result<Value, CodecError> {
    let Value::Array(items) = value else { return Err(CodecError::wanted("a list of texts")) };
    let texts = items.iter().map(string).collect::<Result<Vec<_>, _>>()?;
    if texts.iter().any(|text| text.contains(separator) || text.is_empty()) {
        return Err(CodecError::wanted(format!("texts that are not empty and do not hold `{separator}`")));
    }
    Ok(Value::from(texts.join(separator)))
}

pub(super) fn split(separator: &str, value: &Value) -> Result<Value, CodecError> {
    let text = string(value)?;
    Ok(Value::Array(text.split(separator).filter(|part| !part.is_empty()).map(Value::from).collect()))
}

pub(super) fn parse_json(value: &Value) -> Result<Value, CodecError> {
    serde_json::from_str(string(value)?).map_err(|_| CodecError::wanted("JSON text"))
}

/// The last non-empty path segment, percent-decoded; null where there is none.
pub(super) fn segment(after: Option<&str>, value: &Value) -> Result<Value, CodecError> {
    let text = string(value)?;
    let path = text.split(['?', '#']).next().unwrap_or("");
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(""),
        None => path,
    };
    let path = path.trim_end_matches('/');
    let (before, last) = path.rsplit_once('/').unwrap_or(("", path));
    if last.is_empty() || after.is_some_and(|after| !before.ends_with(after.trim_end_matches('/'))) {
        return Ok(Value::Null);
    }
    Ok(percent_decode_str(last).decode_utf8().map_or(Value::Null, |decoded| Value::from(decoded.into_owned())))
}

pub(super) fn object(key: &str, value: &Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value.clone())]))
}

pub(super) fn field(key: &str, value: &Value) -> Result<Value, CodecError> {
    value.get(key).cloned().ok_or_else(|| CodecError::wanted(format!("an object with the field `{key}`")))
}
