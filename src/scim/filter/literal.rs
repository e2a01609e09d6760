//! Gives a comparison value the type of the attribute it is compared with.

use serde_json::{Number, Value};

use super::super::attr_path::shorten;
use super::super::compare::instant;
use super::super::schema::AttributeType;
use super::error::FilterError;
use super::lex::{Quote, RawLiteral};
use super::{CompareOp, FilterRepair};

/// A typed literal, and what had to be repaired to get it.
pub(super) type Typed = (Value, Option<FilterRepair>);

/// Reads `literal` as a value of `kind`. `path` is for the error only.
pub(super) fn typed(
    literal: RawLiteral,
    kind: AttributeType,
    op: CompareOp,
    path: &impl ToString,
) -> Result<Typed, FilterError> {
    let wrong = |text: &str| FilterError::WrongType {
        path: path.to_string(),
        kind: kind.as_str(),
        found: format!("'{}'", shorten(text)),
    };
    let RawLiteral { text, quote } = literal;
    match kind {
        AttributeType::Boolean => boolean(&text, quote).ok_or_else(|| wrong(&text)),
        AttributeType::Integer | AttributeType::Decimal => number(&text, quote).ok_or_else(|| wrong(&text)),
        AttributeType::DateTime if !op.is_textual() && instant(&text).is_none() => Err(wrong(&text)),
        _ => Ok((Value::String(text), quoting_repair(quote))),
    }
}

/// `true` and `false`, and their other spellings as a repair: `True`, `"false"`.
fn boolean(text: &str, quote: Quote) -> Option<Typed> {
    let value = [true, false].into_iter().find(|value| text.eq_ignore_ascii_case(&value.to_string()))?;
    let exact = quote == Quote::Bare && text == value.to_string();
    Some((Value::Bool(value), (!exact).then_some(FilterRepair::StringBoolean)))
}

fn number(text: &str, quote: Quote) -> Option<Typed> {
    // serde_json decides what a number looks like; the standard library reads it exactly.
    serde_json::from_str::<Number>(text).ok()?;
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    let number = whole.ok().or_else(|| Number::from_f64(text.parse().ok()?))?;
    Some((Value::Number(number), (quote != Quote::Bare).then_some(FilterRepair::StringNumber)))
}

fn quoting_repair(quote: Quote) -> Option<FilterRepair> {
    match quote {
        Quote::Double => None,
        Quote::Single => Some(FilterRepair::SingleQuotes),
        Quote::Typographic => Some(FilterRepair::TypographicQuotes),
        Quote::Bare => Some(FilterRepair::UnquotedValue),
    }
}
