//! What the functions of the catalogue do.
//!
//! In: a function and the nodes of its arguments. Out: its value. Every function is total: a wrong type or position is
//! an [`EvalError`], a null among the arguments gives null.

use std::borrow::Cow;

use serde_json::Value;

use super::build::{ListBuilder, TextBuilder};
use super::eval::{Context, Val, eval};
use super::functions::Function;
use super::node::Node;
use super::operators::{equal, float, mistyped, number_text};
use super::texts::{char_at, index_of, last_index_of, replace, slug, split, substring};
use super::{EvalError, TEXT_MAX_BYTES};

/// The most values a function is called with, its receiver counted.
const ARGS_MAX: usize = 4;

/// Calls `function` on the values of `args`.
pub(super) fn call<'v>(function: Function, args: &'v [Node], context: &Context<'v, '_>) -> Result<Val<'v>, EvalError> {
    let mut values: [Val<'v>; ARGS_MAX] = [const { Cow::Owned(Value::Null) }; ARGS_MAX];
    for (place, arg) in values.iter_mut().zip(args) {
        *place = eval(arg, context)?;
        if place.is_null() {
            return Ok(Cow::Owned(Value::Null));
        }
        if let Value::String(text) = &**place {
            spend_text(text, context)?;
        }
    }
    let [receiver, first, second, third] = values;
    match function {
        // These may pass their receiver, or a part of it, on as it is.
        Function::String if receiver.is_string() => Ok(receiver),
        Function::Lower => recased(receiver, "lower", u8::is_ascii_uppercase, str::to_lowercase),
        Function::Upper => recased(receiver, "upper", u8::is_ascii_lowercase, str::to_uppercase),
        Function::LowerAscii => ascii(receiver, "lowerAscii", u8::is_ascii_uppercase, str::to_ascii_lowercase),
        Function::UpperAscii => ascii(receiver, "upperAscii", u8::is_ascii_lowercase, str::to_ascii_uppercase),
        Function::Trim => match text_of("trim", &receiver)?.trim() {
            trimmed if trimmed.len() == text_of("trim", &receiver)?.len() => Ok(receiver),
            trimmed => built(trimmed).map(Cow::Owned),
        },
        Function::First => element(receiver, "first", |_| 0),
        Function::Last => element(receiver, "last", |length| length.saturating_sub(1)),
        _ => apply(function, &receiver, [&first, &second, &third], context).map(Cow::Owned),
    }
}

/// Takes the work of reading `text`, 64 bytes a step.
pub(super) fn spend_text(text: &str, context: &Context<'_, '_>) -> Result<(), EvalError> {
    context.spend(text.len() / 64)
}

/// The functions that build a value. An argument that was left out is null.
fn apply(
    function: Function,
    receiver: &Value,
    [first, second, third]: [&Value; 3],
    context: &Context<'_, '_>,
) -> Result<Value, EvalError> {
    match function {
        Function::Bool => to_bool(receiver),
        Function::Int => to_int(receiver),
        Function::Double => to_double(receiver),
        Function::String => to_text(receiver),
        Function::Size => size(receiver),
        Function::Join => join(receiver, first),
        Function::Distinct => distinct(list_of("distinct", receiver)?, context),
        Function::CharAt => char_at(text_of("charAt", receiver)?, first),
        Function::Reverse => built(&text_of("reverse", receiver)?.chars().rev().collect::<String>()),
        Function::Substring => substring(text_of("substring", receiver)?, first, second),
        Function::Contains => two("contains", receiver, first, |text, part| Ok(Value::Bool(text.contains(part)))),
        Function::StartsWith => {
            two("startsWith", receiver, first, |text, part| Ok(Value::Bool(text.starts_with(part))))
        }
        Function::EndsWith => two("endsWith", receiver, first, |text, part| Ok(Value::Bool(text.ends_with(part)))),
        Function::IndexOf => two("indexOf", receiver, first, |text, part| index_of(text, part, second)),
        Function::LastIndexOf => two("lastIndexOf", receiver, first, |text, part| last_index_of(text, part, second)),
        Function::Replace => two("replace", receiver, first, |text, old| replace(text, old, second, third)),
        Function::Split => two("split", receiver, first, |text, separator| split(text, separator, second)),
        Function::Slug => two("slug", receiver, first, slug),
        Function::Before => two("before", receiver, first, |text, separator| {
            built(text.split_once(separator).map_or(text, |(before, _)| before))
        }),
        Function::After => two("after", receiver, first, |text, separator| {
            text.split_once(separator).map_or(Ok(Value::Null), |(_, after)| built(after))
        }),
        // Answered by `call`.
        Function::Lower
        | Function::Upper
        | Function::LowerAscii
        | Function::UpperAscii
        | Function::Trim
        | Function::First
        | Function::Last => Ok(Value::Null),
    }
}

/// A function of two texts.
fn two(
    function: &'static str,
    receiver: &Value,
    argument: &Value,
    apply: impl FnOnce(&str, &str) -> Result<Value, EvalError>,
) -> Result<Value, EvalError> {
    apply(text_of(function, receiver)?, text_of(function, argument)?)
}

pub(super) fn text_of<'t>(function: &'static str, value: &'t Value) -> Result<&'t str, EvalError> {
    value.as_str().ok_or_else(|| mistyped(function, value))
}

fn list_of<'t>(function: &'static str, value: &'t Value) -> Result<&'t [Value], EvalError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| mistyped(function, value))
}

pub(super) fn built(text: &str) -> Result<Value, EvalError> {
    let mut builder = TextBuilder::default();
    builder.push(text)?;
    Ok(builder.finish())
}

/// Changes the case of every letter; a text of other ASCII letters only is passed on.
fn recased<'v>(
    receiver: Val<'v>,
    function: &'static str,
    changes: fn(&u8) -> bool,
    recase: fn(&str) -> String,
) -> Result<Val<'v>, EvalError> {
    let text = text_of(function, &receiver)?;
    if text.bytes().all(|byte| byte.is_ascii() && !changes(&byte)) {
        return Ok(receiver);
    }
    // Refused before the work: the other case of a text has about its length.
    if text.len() > TEXT_MAX_BYTES {
        return Err(EvalError::TooLong { max: TEXT_MAX_BYTES });
    }
    built(&recase(text)).map(Cow::Owned)
}

/// Changes the case of ASCII letters; a text without such is passed on.
fn ascii<'v>(
    receiver: Val<'v>,
    function: &'static str,
    changes: fn(&u8) -> bool,
    recase: fn(&str) -> String,
) -> Result<Val<'v>, EvalError> {
    let text = text_of(function, &receiver)?;
    if !text.bytes().any(|byte| changes(&byte)) {
        return Ok(receiver);
    }
    built(&recase(text)).map(Cow::Owned)
}

fn element<'v>(list: Val<'v>, function: &'static str, at: fn(usize) -> usize) -> Result<Val<'v>, EvalError> {
    let at = at(list_of(function, &list)?.len());
    Ok(match list {
        Cow::Borrowed(list) => list.get(at).map_or(Cow::Owned(Value::Null), Cow::Borrowed),
        Cow::Owned(mut list) => Cow::Owned(list.get_mut(at).map_or(Value::Null, Value::take)),
    })
}

fn to_bool(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(EvalError::Conversion { function: "bool" }),
        },
        other => Err(mistyped("bool", other)),
    }
}

fn to_int(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::Number(number) => match (number.as_i128(), number.as_f64()) {
            (None, Some(float)) => {
                i64::try_from(float.trunc() as i128).map(Value::from).map_err(|_| EvalError::Overflow)
            }
            _ => Ok(value.clone()),
        },
        Value::String(text) => match (text.parse::<i64>(), text.parse::<u64>()) {
            (Ok(number), _) => Ok(Value::from(number)),
            (Err(_), Ok(number)) => Ok(Value::from(number)),
            _ => Err(EvalError::Conversion { function: "int" }),
        },
        other => Err(mistyped("int", other)),
    }
}

fn to_double(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::Number(number) => float(number.as_f64().ok_or(EvalError::NotFinite)?),
        Value::String(text) => {
            let parsed = text.parse::<f64>().map_err(|_| EvalError::Conversion { function: "double" })?;
            float(parsed)
        }
        other => Err(mistyped("double", other)),
    }
}

fn to_text(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::String(_) => Ok(value.clone()),
        Value::Bool(value) => Ok(Value::from(value.to_string())),
        Value::Number(number) => Ok(Value::from(number_text(number))),
        other => Err(mistyped("string", other)),
    }
}

fn size(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::String(text) => Ok(Value::from(text.chars().count())),
        Value::Array(items) => Ok(Value::from(items.len())),
        Value::Object(entries) => Ok(Value::from(entries.len())),
        other => Err(mistyped("size", other)),
    }
}

/// The texts of a list with `separator` between them; a null among them gives null.
fn join(list: &Value, separator: &Value) -> Result<Value, EvalError> {
    let separator = if separator.is_null() { "" } else { text_of("join", separator)? };
    let mut joined = TextBuilder::default();
    for (at, item) in list_of("join", list)?.iter().enumerate() {
        if item.is_null() {
            return Ok(Value::Null);
        }
        if at > 0 {
            joined.push(separator)?;
        }
        joined.push(text_of("join", item)?)?;
    }
    Ok(joined.finish())
}

fn distinct(items: &[Value], context: &Context<'_, '_>) -> Result<Value, EvalError> {
    let mut kept = ListBuilder::default();
    for item in items {
        context.spend(kept.items().len())?;
        if !kept.items().iter().any(|other| equal(item, other)) {
            kept.push(item.clone())?;
        }
    }
    Ok(kept.finish())
}
