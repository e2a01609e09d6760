//! What the operators mean on JSON values: equality, order, arithmetic, conditions.
//!
//! In: values. Out: a value, or why there is none. It evaluates no nodes.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::EvalError;
use super::build::{ListBuilder, TextBuilder};
use super::node::{Arithmetic, Comparison};

/// A value as a condition: null is false.
pub(super) fn condition(value: &Value) -> Result<bool, EvalError> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Null => Ok(false),
        other => Err(EvalError::NotACondition { found: type_name(other) }),
    }
}

/// The name of a value's type, for messages.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// The failure of `operation` over `value`.
pub(super) fn mistyped(operation: &'static str, value: &Value) -> EvalError {
    EvalError::Type { operation, found: type_name(value) }
}

pub(super) fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order(left, right).is_some_and(Ordering::is_lt),
        Comparison::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Comparison::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Comparison::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
    }
}

/// Equality of values; numbers are compared as numbers at every depth, so `1 == 1.0`.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number_order(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        (left, right) => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number_order(left, right),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn number_order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (Some(left), None) => whole_order(left, right.as_f64()?),
        (None, Some(right)) => whole_order(right, left.as_f64()?).map(Ordering::reverse),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// Exact, where converting the whole number would round it.
fn whole_order(whole: i128, float: f64) -> Option<Ordering> {
    // A cast to `i128` saturates, and every whole JSON number is far inside its range.
    let truncated = float.trunc() as i128;
    let fraction = 0.0.partial_cmp(&float.fract())?;
    Some(whole.cmp(&truncated).then(fraction))
}

pub(super) fn arithmetic<'v>(
    operator: Arithmetic,
    left: Cow<'v, Value>,
    right: Cow<'v, Value>,
) -> Result<Cow<'v, Value>, EvalError> {
    if left.is_null() || right.is_null() {
        return Ok(Cow::Owned(Value::Null));
    }
    let value = match (operator, &*left, &*right) {
        (_, Value::Number(left), Value::Number(right)) => match (left.as_i128(), right.as_i128()) {
            (Some(left), Some(right)) => whole_arithmetic(operator, left, right)?,
            (None, None) => float_arithmetic(operator, left, right)?,
            _ => return Err(mistyped(symbol(operator), &Value::Number(right.clone()))),
        },
        (Arithmetic::Add, Value::String(_), Value::String(right)) => {
            let mut text = TextBuilder::from(left.into_owned());
            text.push(right)?;
            text.finish()
        }
        (Arithmetic::Add, Value::Array(_), Value::Array(_)) => {
            let mut list = ListBuilder::default();
            for item in elements(left).into_iter().chain(elements(right)) {
                list.push(item)?;
            }
            list.finish()
        }
        (Arithmetic::Add, Value::Number(_) | Value::String(_) | Value::Array(_), right) => {
            return Err(mistyped("+", right));
        }
        (operator, Value::Number(_), right) => return Err(mistyped(symbol(operator), right)),
        (operator, left, _) => return Err(mistyped(symbol(operator), left)),
    };
    Ok(Cow::Owned(value))
}

fn elements(list: Cow<'_, Value>) -> Vec<Value> {
    match list.into_owned() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn symbol(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Remainder => "%",
    }
}

/// Arithmetic wide enough that no two 64-bit operands overflow it; the result must fit again.
fn whole_arithmetic(operator: Arithmetic, left: i128, right: i128) -> Result<Value, EvalError> {
    if right == 0 && matches!(operator, Arithmetic::Divide | Arithmetic::Remainder) {
        return Err(EvalError::DivideByZero);
    }
    let result = match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    whole(result.ok_or(EvalError::Overflow)?, left.max(right))
}

/// CEL's `int` is signed. A result above that is only kept if an operand already was one of JSON's larger numbers.
fn whole(result: i128, largest_operand: i128) -> Result<Value, EvalError> {
    if let Ok(result) = i64::try_from(result) {
        return Ok(Value::from(result));
    }
    match u64::try_from(result) {
        Ok(result) if largest_operand > i128::from(i64::MAX) => Ok(Value::from(result)),
        _ => Err(EvalError::Overflow),
    }
}

fn float_arithmetic(operator: Arithmetic, left: &Number, right: &Number) -> Result<Value, EvalError> {
    let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else {
        return Err(EvalError::NotFinite);
    };
    float(match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => {
            return Err(EvalError::Type { operation: "%", found: "double" });
        }
    })
}

/// A float as a JSON number.
pub(super) fn float(value: f64) -> Result<Value, EvalError> {
    Number::from_f64(value).map(Value::Number).ok_or(EvalError::NotFinite)
}

pub(super) fn negate(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Number(number) => match (number.as_i128(), number.as_f64()) {
            (Some(whole_number), _) => whole(-whole_number, 0),
            (None, Some(value)) => float(-value),
            (None, None) => Err(EvalError::NotFinite),
        },
        other => Err(mistyped("-", other)),
    }
}

/// A number as `string()` and templates write it.
pub(super) fn number_text(number: &Number) -> String {
    if let Some(whole) = number.as_i64() {
        return whole.to_string();
    }
    match (number.as_i128(), number.as_f64()) {
        (None, Some(float)) => float.to_string(),
        _ => number.to_string(),
    }
}
