//! Evaluation of resolved nodes over borrowed documents.
//!
//! In: a [`Node`] and an [`Env`]. Out: a value, borrowed from a document or from the node where nothing had to be built,
//! or an [`EvalError`]. It never panics, and its work is bounded by the node and by [`WORK_MAX`].

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::Value;

use super::build::{ListBuilder, MapBuilder, TextBuilder};
use super::node::{Loop, LoopAction, Node, Pattern, PatternAction};
use super::operators::{arithmetic, compare, condition, equal, mistyped, negate};
use super::{Env, EvalError, LOOPS_MAX, WORK_MAX, library};

/// A value on its way through an evaluation.
pub(super) type Val<'v> = Cow<'v, Value>;

/// The work of a loop turn, in comparisons of an element.
const TURN_STEPS: usize = 8;

const NULL: Val<'static> = Cow::Owned(Value::Null);

/// Evaluates `node` over `env`.
pub(super) fn run<'e>(node: &'e Node, env: &Env<'e>) -> Result<Val<'e>, EvalError> {
    let work = Cell::new(WORK_MAX);
    eval(node, &Context { env, loops: [None; LOOPS_MAX], work: &work })
}

/// What an evaluation can see.
#[derive(Clone, Copy)]
pub(super) struct Context<'v, 'c> {
    env: &'c Env<'v>,
    /// The elements the enclosing loops stand at.
    loops: [Option<&'v Value>; LOOPS_MAX],
    work: &'c Cell<u32>,
}

impl Context<'_, '_> {
    /// Takes `steps` from the work that is left.
    pub(super) fn spend(&self, steps: usize) -> Result<(), EvalError> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.work.get().checked_sub(steps));
        self.work.set(left.ok_or(EvalError::TooMuchWork { max: WORK_MAX })?);
        Ok(())
    }
}

pub(super) fn eval<'v>(node: &'v Node, context: &Context<'v, '_>) -> Result<Val<'v>, EvalError> {
    Ok(match node {
        Node::Literal(value) => Cow::Borrowed(value),
        Node::Name(name) => context.env.read(*name).map_or(NULL, Cow::Borrowed),
        Node::LoopVariable(depth) => context.loops.get(*depth).copied().flatten().map_or(NULL, Cow::Borrowed),
        Node::Select(operand, field) => select(eval(operand, context)?, field),
        Node::Has(operand, field) => truth(eval(operand, context)?.get(&**field).is_some()),
        Node::Index(parts) => {
            let (operand, at) = both(parts, context)?;
            index(operand, &at)?
        }
        Node::List(elements) => list(elements, context)?,
        Node::Map(entries) => map(entries, context)?,
        Node::Not(operand) => truth(!test(operand, context)?),
        Node::Negate(operand) => Cow::Owned(negate(&*eval(operand, context)?)?),
        Node::And(parts) => truth(!either(parts, context, false)?),
        Node::Or(parts) => truth(either(parts, context, true)?),
        Node::Conditional(parts) => {
            let [if_true, then, otherwise] = &**parts;
            return eval(if test(if_true, context)? { then } else { otherwise }, context);
        }
        Node::Default(parts) => {
            let [value, otherwise] = &**parts;
            match eval(value, context)? {
                value if value.is_null() => return eval(otherwise, context),
                value => value,
            }
        }
        Node::Compare(comparison, parts) => {
            let (left, right) = both(parts, context)?;
            truth(compare(*comparison, &left, &right))
        }
        Node::In(parts) => {
            let (item, container) = both(parts, context)?;
            contains(&item, &container, context)?
        }
        Node::Arithmetic(operator, parts) => {
            let (left, right) = both(parts, context)?;
            arithmetic(*operator, left, right)?
        }
        Node::Call(function, args) => return library::call(*function, args, context),
        Node::Password(recipe) => {
            let seed = context.env.seed.ok_or(EvalError::NoRandomness)?;
            Cow::Owned(Value::String(recipe.generate(seed, context.env.scim)))
        }
        Node::Pattern(pattern) => return match_pattern(pattern, context),
        Node::Loop(each) => return run_loop(each, context),
    })
}

fn both<'v>(parts: &'v [Node; 2], context: &Context<'v, '_>) -> Result<(Val<'v>, Val<'v>), EvalError> {
    let [first, second] = parts;
    Ok((eval(first, context)?, eval(second, context)?))
}

fn truth(value: bool) -> Val<'static> {
    Cow::Owned(Value::Bool(value))
}

fn test<'v>(node: &'v Node, context: &Context<'v, '_>) -> Result<bool, EvalError> {
    condition(&*eval(node, context)?)
}

/// Whether a part is a condition equal to `wanted`; for `wanted = false` this is the negation of `&&`. As in CEL, a part
/// that decides the result makes a failure of the other irrelevant, whatever their order.
fn either<'v>(parts: &'v [Node; 2], context: &Context<'v, '_>, wanted: bool) -> Result<bool, EvalError> {
    match test(&parts[0], context) {
        Ok(value) if value == wanted => Ok(true),
        Ok(_) => Ok(test(&parts[1], context)? == wanted),
        Err(error) => match test(&parts[1], context) {
            Ok(value) if value == wanted => Ok(true),
            _ => Err(error),
        },
    }
}

fn select<'v>(operand: Val<'v>, field: &str) -> Val<'v> {
    match operand {
        Cow::Borrowed(value) => value.get(field).map_or(NULL, Cow::Borrowed),
        Cow::Owned(mut value) => value.get_mut(field).map_or(NULL, |found| Cow::Owned(found.take())),
    }
}

fn index<'v>(operand: Val<'v>, index: &Value) -> Result<Val<'v>, EvalError> {
    let at = match index {
        Value::String(key) => return Ok(select(operand, key)),
        Value::Null => return Ok(NULL),
        Value::Number(number) => whole_index(number).ok_or_else(|| mistyped("[]", index))?,
        other => return Err(mistyped("[]", other)),
    };
    Ok(match operand {
        Cow::Borrowed(value) => value.get(at).map_or(NULL, Cow::Borrowed),
        Cow::Owned(mut value) => value.get_mut(at).map_or(NULL, |found| Cow::Owned(found.take())),
    })
}

/// The position a whole number stands for, beyond the end of any list if it is negative; a fraction is none.
fn whole_index(number: &serde_json::Number) -> Option<usize> {
    let at = match (number.as_i128(), number.as_f64()) {
        (Some(at), _) => at,
        (None, Some(at)) if at.fract() == 0.0 => at as i128,
        _ => return None,
    };
    Some(usize::try_from(at).unwrap_or(usize::MAX))
}

fn list<'v>(elements: &'v [Node], context: &Context<'v, '_>) -> Result<Val<'v>, EvalError> {
    let mut list = ListBuilder::default();
    for element in elements {
        list.push(eval(element, context)?.into_owned())?;
    }
    Ok(Cow::Owned(list.finish()))
}

fn map<'v>(entries: &'v [[Node; 2]], context: &Context<'v, '_>) -> Result<Val<'v>, EvalError> {
    let mut map = MapBuilder::default();
    for [key, value] in entries {
        let key = match eval(key, context)?.into_owned() {
            Value::String(key) => key,
            other => return Err(mistyped("{}", &other)),
        };
        map.insert(key, eval(value, context)?.into_owned())?;
    }
    Ok(Cow::Owned(map.finish()))
}

/// `item in container`; nothing is in null.
fn contains(item: &Value, container: &Value, context: &Context<'_, '_>) -> Result<Val<'static>, EvalError> {
    Ok(truth(match container {
        Value::Null => false,
        Value::Array(items) => {
            context.spend(items.len())?;
            items.iter().any(|other| equal(item, other))
        }
        Value::Object(entries) => item.as_str().is_some_and(|key| entries.contains_key(key)),
        other => return Err(mistyped("in", other)),
    }))
}

fn match_pattern<'v>(pattern: &'v Pattern, context: &Context<'v, '_>) -> Result<Val<'v>, EvalError> {
    let receiver = eval(&pattern.receiver, context)?;
    let (operation, replacement) = match &pattern.action {
        PatternAction::Matches(_) => ("matches", None),
        PatternAction::Strip(_) => ("strip", None),
        PatternAction::Replace(_, node) => ("replaceRe", Some((node, eval(node, context)?))),
    };
    let text = match &*receiver {
        Value::Null => return Ok(NULL),
        Value::String(text) => text,
        other => return Err(mistyped(operation, other)),
    };
    library::spend_text(text, context)?;
    match (&pattern.action, replacement) {
        (PatternAction::Matches(pattern), _) => Ok(truth(pattern.is_match(text))),
        (PatternAction::Strip(regex), _) if regex.is_match(text) => replaced(regex, text, |_, _| Ok(())),
        (PatternAction::Replace(regex, _), Some((node, value))) if !value.is_null() => {
            let Value::String(with) = &*value else {
                return Err(mistyped(operation, &value));
            };
            // `$1` is a group only in a literal: a value from a document is never read as a pattern of any kind.
            let expand = matches!(node, Node::Literal(_)) && with.contains('$');
            replaced(regex, text, |captures, built| {
                if !expand {
                    return built.push(with);
                }
                let mut expanded = String::new();
                captures.expand(with, &mut expanded);
                built.push(&expanded)
            })
        }
        (PatternAction::Replace(..), _) => Ok(NULL),
        (PatternAction::Strip(_), _) => Ok(receiver),
    }
}

/// `text` with each match written by `write`.
fn replaced<'v>(
    regex: &regex::Regex,
    text: &str,
    write: impl Fn(&regex::Captures<'_>, &mut TextBuilder) -> Result<(), EvalError>,
) -> Result<Val<'v>, EvalError> {
    let mut built = TextBuilder::default();
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let Some(found) = captures.get(0) else {
            continue;
        };
        built.push(text.get(end..found.start()).unwrap_or_default())?;
        write(&captures, &mut built)?;
        end = found.end();
    }
    built.push(text.get(end..).unwrap_or_default())?;
    Ok(Cow::Owned(built.finish()))
}

/// A macro. The elements may belong to a list that only lives here, so what is taken from them is copied.
fn run_loop<'v>(each: &'v Loop, context: &Context<'v, '_>) -> Result<Val<'v>, EvalError> {
    let range = eval(&each.range, context)?;
    let keys: Vec<Value>;
    let items: &[Value] = match &*range {
        Value::Null => &[],
        Value::Array(items) => items,
        Value::Object(entries) => {
            keys = entries.keys().map(|key| Value::String(key.clone())).collect();
            &keys
        }
        other => return Err(mistyped("a loop", other)),
    };
    context.spend(items.len().saturating_mul(TURN_STEPS))?;
    let value = match &each.action {
        LoopAction::Exists(body) => Value::Bool(any(items, each, body, context, true)?),
        LoopAction::All(body) => Value::Bool(!any(items, each, body, context, false)?),
        LoopAction::ExistsOne(body) => {
            let mut count = 0_usize;
            for item in items {
                count += usize::from(test(body, &at(context, each, item))?);
            }
            Value::Bool(count == 1)
        }
        LoopAction::Filter(body) => {
            let mut list = ListBuilder::default();
            for item in items {
                if test(body, &at(context, each, item))? {
                    list.push(item.clone())?;
                }
            }
            list.finish()
        }
        LoopAction::Map(only_if, element) => {
            let mut list = ListBuilder::default();
            for item in items {
                let inner = at(context, each, item);
                if only_if.as_ref().map_or(Ok(true), |only_if| test(only_if, &inner))? {
                    list.push(eval(element, &inner)?.into_owned())?;
                }
            }
            list.finish()
        }
    };
    Ok(Cow::Owned(value))
}

/// Whether the body is `wanted` for an element; see [`either`] for failures.
fn any<'v>(
    items: &'v [Value],
    each: &'v Loop,
    body: &'v Node,
    context: &Context<'v, '_>,
    wanted: bool,
) -> Result<bool, EvalError> {
    let mut failure = None;
    for item in items {
        match test(body, &at(context, each, item)) {
            Ok(value) if value == wanted => return Ok(true),
            Ok(_) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(false), Err)
}

/// The context of the loop's body at `item`.
fn at<'v, 'c>(context: &Context<'v, 'c>, each: &Loop, item: &'v Value) -> Context<'v, 'c> {
    let mut inner = *context;
    if let Some(place) = inner.loops.get_mut(each.variable) {
        *place = Some(item);
    }
    inner
}
