//! Native queries as pre-filters: which of them cover a filter, and what they find.
//!
//! Every look-up must find at least what its comparison means; the filter is evaluated again in full on what comes
//! back. A comparison whose value has no complete native form is not looked up at all: finding less would look like an
//! application in which nobody matches.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::{Codec, FilterCall, FilterPlan, Row, Source, from_native, to_native};
use crate::scim::filter::{CompareOp, Comparison, Filter};
use crate::scim::{AttrPath, ScimError};

use super::call::FilterPath;
use super::pages;
use super::query::{objects, scan_max};
use super::read::{self, Object};
use super::run::Run;

/// A superset of the objects that satisfy the filter; `None` if no native queries cover it. `tell` is told how they are
/// looked for, before that is done.
pub(super) async fn candidates(
    run: &Run<'_>,
    filter: &Filter,
    tell: impl FnOnce(FilterPath),
) -> Result<Option<Vec<Object>>, ScimError> {
    let Some(lookups) = covering(run, None, filter) else { return Ok(None) };
    let by_key = lookups.iter().all(|lookup| lookup.cost() <= 1);
    tell(if by_key { FilterPath::Lookup } else { FilterPath::Pushed });
    let mut found: Vec<Object> = Vec::new();
    for (index, lookup) in lookups.iter().enumerate() {
        let asked = lookups.get(..index).is_some_and(|before| before.contains(lookup));
        if !asked {
            found.append(&mut ask(run, lookup).await?);
        }
    }
    Ok(Some(each_once(found)))
}

fn each_once(mut objects: Vec<Object>) -> Vec<Object> {
    if objects.len() > 1 {
        let mut seen = HashSet::with_capacity(objects.len());
        objects.retain(|object| seen.insert(object.id.clone()));
    }
    objects
}

/// What could be asked for, in words, for who asked for something else.
pub(super) fn supported(run: &Run<'_>) -> String {
    let plans = run.mapping.filters.iter();
    let mut texts: Vec<String> =
        plans.flat_map(|plan| plan.ops.iter().map(move |op| format!("{} {}", plan.path, op.as_str()))).collect();
    if run.mapping.ops.get.is_some() && !texts.iter().any(|text| text == "id eq") {
        texts.push("id eq".to_owned());
    }
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

/// One native query.
#[derive(Debug)]
struct Lookup<'a> {
    how: How<'a>,
    /// What is looked for, in native form; null finds nothing.
    value: Value,
}

#[derive(Clone, Copy, Debug)]
enum How<'a> {
    /// The operation `get`; there is no plan for it, and none is needed.
    ById,
    Plan(&'a FilterPlan),
}

impl PartialEq for Lookup<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = match (self.how, other.how) {
            (How::ById, How::ById) => true,
            (How::Plan(a), How::Plan(b)) => std::ptr::eq(a, b),
            _ => false,
        };
        same && self.value == other.value
    }
}

impl Lookup<'_> {
    /// How much work it is for the application, roughly. A value that cannot be stored costs nothing.
    fn cost(&self) -> usize {
        match self.how {
            _ if self.value.is_null() => 0,
            How::ById => 1,
            How::Plan(plan) => match &plan.how {
                FilterCall::Get { .. } => 1,
                FilterCall::List(list) if list.call.envelope.single => 1,
                FilterCall::List(_) if plan.ops.contains(&CompareOp::Eq) => 2,
                FilterCall::List(_) => 4,
            },
        }
    }
}

/// The queries that together cover a filter: the cheapest part of a conjunction, every branch of an `or`. `around` is
/// the attribute whose elements the filter is about, inside a value path.
fn covering<'a>(run: &Run<'a>, around: Option<&AttrPath>, filter: &Filter) -> Option<Vec<Lookup<'a>>> {
    match filter {
        Filter::Or(parts) => {
            let parts = parts.iter().map(|part| covering(run, around, part));
            Some(parts.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        Filter::And(parts) => {
            let parts = parts.iter().filter_map(|part| covering(run, around, part));
            parts.min_by_key(|lookups| lookups.iter().map(Lookup::cost).sum::<usize>())
        }
        Filter::ValuePath(path, inner) => covering(run, Some(path), inner),
        // For one element, where a query would ask about all of them.
        Filter::Compare(comparison) if around.is_some() && comparison.op == CompareOp::Ne => None,
        Filter::Compare(comparison) => {
            let within = around.map(|outer| outer.child(&comparison.path.attribute));
            Some(vec![lookup(run, within.as_ref().unwrap_or(&comparison.path), comparison)?])
        }
        Filter::Not(_) | Filter::Present(_) => None,
    }
}

/// The cheapest query that finds whatever satisfies a comparison of what is at the path. A plan for the operator itself
/// goes before one that finds more.
fn lookup<'a>(run: &Run<'a>, path: &AttrPath, comparison: &Comparison) -> Option<Lookup<'a>> {
    let plans = run.mapping.filters.iter().filter(|plan| same_attribute(&plan.path, path));
    let found = plans.filter_map(|plan| {
        let exact = plan.ops.contains(&comparison.op);
        let op = if exact { comparison.op } else { *plan.ops.iter().find(|op| includes(**op, comparison.op))? };
        let value = native_value(run, plan, op, comparison)?;
        Some((!exact, Lookup { how: How::Plan(plan), value }))
    });
    let planned = found.min_by_key(|(wider, lookup)| (*wider, lookup.cost())).map(|(_, lookup)| lookup);
    planned.or_else(|| {
        let by_id = comparison.op == CompareOp::Eq && *path == AttrPath::core("id", None);
        let readable = by_id && run.mapping.ops.get.is_some();
        readable.then(|| Lookup { how: How::ById, value: comparison.value.clone() })
    })
}

/// Whether everything that satisfies `asked` satisfies `wider`, for one and the same value.
fn includes(wider: CompareOp, asked: CompareOp) -> bool {
    use CompareOp::{Co, Eq, Ew, Ge, Gt, Le, Lt, Sw};
    matches!((wider, asked), (Co, Eq | Sw | Ew) | (Sw | Ew | Ge | Le, Eq) | (Ge, Gt) | (Le, Lt))
}

/// `emails` and `emails.value` mean the same in a comparison.
fn same_attribute(plan: &AttrPath, asked: &AttrPath) -> bool {
    plan.same_attribute(asked) && own_sub(plan) == own_sub(asked)
}

fn own_sub(path: &AttrPath) -> Option<&str> {
    path.sub.as_deref().filter(|sub| *sub != "value")
}

/// The compared value in the row's native form; null if no object can have it, `None` if it has no form with which
/// everything would be found.
fn native_value(run: &Run<'_>, plan: &FilterPlan, op: CompareOp, comparison: &Comparison) -> Option<Value> {
    let value = &comparison.value;
    let Some(row) = plan.row.and_then(|row| run.mapping.rows.get(row)) else { return id_value(run, op, value) };
    let row = match &row.source {
        Source::Mirror { row } => run.mapping.rows.get(*row)?,
        _ => row,
    };
    let Source::Native { codec, .. } = &row.source else { return Some(value.clone()) };
    match op {
        CompareOp::Eq => equal_value(run, row, codec, value),
        CompareOp::Ne => {
            let native = to_native::encode(row, value, &run.env()).ok()?;
            let back = from_native::decode_in(codec, &native, &run.env()).ok()?;
            (back == *value).then_some(native)
        }
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => textual(codec, op, value),
        CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le => {
            let keeps_order = |codec: &Codec| matches!(codec, Codec::Lower | Codec::DateTime(_));
            codec.iter().all(keeps_order).then(|| to_native::encode(row, value, &run.env()).ok()).flatten()
        }
    }
}

/// The native key that a compared id stands for. An order or a part of encoded ids says nothing about the keys.
fn id_value(run: &Run<'_>, op: CompareOp, value: &Value) -> Option<Value> {
    if !run.mapping.id.encoded {
        return Some(value.clone());
    }
    let key = || value.as_str().and_then(|id| run.native_id(id));
    (op == CompareOp::Eq).then(|| key().unwrap_or(Value::Null))
}

fn equal_value(run: &Run<'_>, row: &Row, codec: &[Codec], value: &Value) -> Option<Value> {
    // Elements of a joined list have no native form of their own.
    if codec.iter().any(|codec| matches!(codec, Codec::Join(_))) {
        return Some(value.clone());
    }
    let reads_more = |codec: &Codec| match codec {
        // Other native values read as this one, too.
        Codec::Map(map) => map.else_read.as_ref().is_some_and(|read| alike(read, value)),
        Codec::Segment { .. } | Codec::Unwrap(_) | Codec::Json => true,
        _ => false,
    };
    if codec.iter().any(reads_more) {
        return None;
    }
    // What the codec refuses cannot be read either.
    Some(to_native::encode(row, value, &run.env()).unwrap_or(Value::Null))
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
}

/// A part of a text in native form. What a codec puts around the whole is left out where it need not touch the part.
fn textual(codec: &[Codec], op: CompareOp, value: &Value) -> Option<Value> {
    let mut text = value.as_str()?.to_owned();
    for codec in codec {
        text = match codec {
            Codec::Lower => text.to_lowercase(),
            Codec::Upper => text.to_uppercase(),
            Codec::Trim => text.trim().to_owned(),
            Codec::Prefix(prefix) if op == CompareOp::Sw => format!("{prefix}{text}"),
            Codec::Suffix(suffix) if op == CompareOp::Ew => format!("{text}{suffix}"),
            Codec::Prefix(_) | Codec::Suffix(_) => text,
            _ => return None,
        };
    }
    Some(Value::from(text))
}

async fn ask(run: &Run<'_>, lookup: &Lookup<'_>) -> Result<Vec<Object>, ScimError> {
    if lookup.value.is_null() {
        return Ok(Vec::new());
    }
    if let How::Plan(plan) = lookup.how {
        run.native.trace(|trace| trace.rule(&plan.origin));
        if let FilterCall::List(list) = &plan.how {
            let env = Env { value: Some(&lookup.value), ..run.env() };
            return Ok(objects(run, list, pages::all(run, list, &env, scan_max(run)).await?));
        }
    }
    // Boxed, because a query needs less room.
    Box::pin(by_key(run, key(run, lookup)?)).await
}

/// The key by which one object is looked up.
fn key(run: &Run<'_>, lookup: &Lookup<'_>) -> Result<Option<Value>, ScimError> {
    let id = &run.mapping.id;
    match lookup.how {
        How::ById => Ok(lookup.value.as_str().and_then(|id| run.native_id(id))),
        How::Plan(FilterPlan { how: FilterCall::Get { key: Some(template) }, origin, .. }) => {
            let key = template.eval(&Env { value: Some(&lookup.value), ..run.env() });
            let key = key.map_err(|error| ScimError::internal(format!("mapping error at {origin}: {error}")))?;
            Ok(id.key(&key))
        }
        How::Plan(_) => Ok(id.key(&lookup.value)),
    }
}

/// What cannot be a key is the key of nobody.
async fn by_key(run: &Run<'_>, key: Option<Value>) -> Result<Vec<Object>, ScimError> {
    let Some(key) = key else { return Ok(Vec::new()) };
    Ok(read::find_by_key(run, &key).await?.into_iter().collect())
}
