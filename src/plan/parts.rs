//! Parts of an object: documents of their own, read beside the object and written behind it.
//!
//! In: objects, and which parts of them are needed; or rows of a part that change. Out: the objects with these parts
//! under their names; or the calls that write them. Which parts a request needs is known before anything is read.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::expr::Env;
use crate::mapping::part::{Part, PartSet, PartSource};
use crate::mapping::{Call, RowSet, to_native};
use crate::scim::{Resource, ScimError};

use super::call::{NativeCall, NativeOutcome};
use super::judge::{self, Verdict, judge};
use super::pages::{self, Most, Reading};
use super::read::Object;
use super::render::Rows;
use super::run::Run;
use super::steps::{self, Progress};
use super::veil::{Veiled, veiled};
use super::{change, tables};

/// The objects with these parts, in order. An object of which a part is 404 is going, and left out.
///
/// # Errors
/// 400 `tooMany` when that takes more calls than a request may make; then none of them is made.
pub(super) async fn fetched(run: &Run<'_>, mut objects: Vec<Object>, set: PartSet) -> Result<Vec<Object>, ScimError> {
    let mut fetches = Vec::new();
    let mut parallel = usize::MAX;
    for (place, object) in objects.iter().enumerate() {
        for (index, part) in run.mapping.parts_in(set & !object.parts) {
            let env = Env { id: Some(&object.key), ..run.env() };
            parallel = parallel.min(part.parallel);
            fetches.push(Fetch { place, index, part, state: Under::new(run, part, env) });
        }
    }
    loop {
        let mut requests = Vec::new();
        for fetch in &fetches {
            requests.extend(fetch.state.request(run)?);
        }
        if requests.is_empty() {
            break;
        }
        let outcomes = run.native.together(requests, parallel).await?;
        for (fetch, outcome) in fetches.iter_mut().filter(|fetch| fetch.state.is_open()).zip(outcomes) {
            fetch.state.take(run, outcome)?;
        }
    }
    let read: Vec<_> =
        fetches.into_iter().map(|fetch| (fetch.place, fetch.index, fetch.part, fetch.state.end())).collect();
    let mut going = vec![false; objects.len()];
    for (place, index, part, value) in read {
        let Some(object) = objects.get_mut(place) else { continue };
        match (value, std::mem::take(&mut object.document).into_tree()) {
            (Some(value), Value::Object(mut fields)) => {
                fields.insert(part.name.to_string(), value);
                object.document = Value::Object(fields).into();
                object.parts |= 1 << index;
            }
            _ => going.iter_mut().skip(place).take(1).for_each(|going| *going = true),
        }
    }
    let kept = objects.into_iter().zip(going).filter(|(_, going)| !going);
    Ok(kept.map(|(object, _)| object).collect())
}

/// One object with all of its parts, as a write has to know it.
///
/// # Errors
/// 404 when one of them says that the object is going.
pub(super) async fn with_all(run: &Run<'_>, object: Object) -> Result<Object, ScimError> {
    if run.mapping.parts.is_empty() {
        return Ok(object);
    }
    let id = object.id.clone();
    let object = fetched(run, vec![object], run.mapping.all_parts()).await?.pop().ok_or_else(|| run.not_found(&id))?;
    tables::know_keys(run, std::slice::from_ref(&object)).await?;
    Ok(object)
}

/// A part of one object.
struct Fetch<'a, 'e> {
    /// Which object.
    place: usize,
    index: usize,
    part: &'a Part,
    state: Under<'a, 'e>,
}

/// A part on its way.
enum Under<'a, 'e> {
    Get(&'a Call, Env<'e>),
    List(Box<Reading<'a, 'e>>),
    Read(Value),
    Absent,
}

impl<'a, 'e> Under<'a, 'e> {
    fn new(run: &Run<'_>, part: &'a Part, env: Env<'e>) -> Self {
        match &part.source {
            PartSource::Get(call) => Self::Get(call, env),
            PartSource::List(list) => {
                let most = Most::Parts(run.snapshot.limits.members_max);
                Self::List(Box::new(Reading::new(list, env, most)))
            }
        }
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Get(..) | Self::List(_))
    }

    fn request(&self, run: &Run<'_>) -> Result<Option<NativeCall>, ScimError> {
        match self {
            Self::Get(call, env) => run.render(call, env, Rows::default()).map(Some),
            Self::List(reading) => reading.request(run).map(Some),
            Self::Read(_) | Self::Absent => Ok(None),
        }
    }

    fn take(&mut self, run: &Run<'_>, outcome: NativeOutcome) -> Result<(), ScimError> {
        let next = match self {
            Self::Get(call, env) => match judge(run, call, outcome, env) {
                // Success by `also_ok` alone says that there is nothing.
                Verdict::Accepted(_) => Some(Self::Read(Value::Object(Map::new()))),
                Verdict::Ok(reply) => Some(Self::Read(match call.envelope.item.take(reply.body.into_tree()) {
                    Some(Value::Array(items)) => items.into_iter().next().unwrap_or_default(),
                    found => found.unwrap_or_default(),
                })),
                Verdict::Failed(error) if judge::says_absent(&error) => Some(Self::Absent),
                Verdict::Failed(error) => return Err(error),
            },
            Self::List(reading) => match reading.take(run, outcome) {
                Ok(None) => None,
                Ok(Some(items)) => Some(Self::Read(Value::Array(pages::trees(items)))),
                Err(error) if judge::says_absent(&error) => Some(Self::Absent),
                Err(error) => return Err(error),
            },
            Self::Read(_) | Self::Absent => None,
        };
        if let Some(next) = next {
            *self = next;
        }
        Ok(())
    }

    fn end(self) -> Option<Value> {
        match self {
            Self::Read(value) => Some(value),
            Self::Get(..) | Self::List(_) | Self::Absent => None,
        }
    }
}

/// Sends changed rows of one part by its own call.
///
/// # Errors
/// The mapped error of the first call that failed; 400 `invalidValue` for a value that cannot be left out there.
pub(super) async fn send<'f>(
    run: &Run<'f>,
    part: &'f Part,
    rows: RowSet,
    state: &Resource,
    env: &Env<'_>,
    progress: &mut Progress<'f>,
) -> Result<(), ScimError> {
    let Some(flow) = &part.update else { return Ok(()) };
    // What is sent whole is clear about what it leaves out.
    let left_out = to_native::left_out(run.mapping, rows, state).next();
    if let Some((row, _)) = left_out.filter(|_| !flow.sends_all_rows()) {
        return Err(ScimError::invalid_value(format!(
            "{} cannot be removed: the application has no form for a field that is not there",
            row.target
        )));
    }
    let changed = to_native::part_document(run.mapping, part, rows, state, env)?;
    let all = if flow.sends_all_rows() {
        let present = run.mapping.rows_in(part.rows & to_native::update_rows(run.mapping));
        let present = present.filter(|(_, row)| change::value(run, row, state).is_some());
        let present = present.fold(rows, |set, (index, _)| set | 1 << index);
        Some(to_native::part_document(run.mapping, part, present, state, env)?)
    } else {
        None
    };
    run.native.trace(|trace| trace.written(run.mapping, rows));
    let mapped = all.as_ref().unwrap_or(&changed);
    let veiled = shown(run, part, mapped, &changed);
    let rows = Rows { veiled: veiled.as_ref(), ..Rows::new(mapped, &changed) };
    steps::carry_out(run, flow, &format!("the update of {}", part.name), env, rows, progress).await.map(drop)
}

/// What a transcript may show: rows are about paths that begin with the part.
fn shown(run: &Run<'_>, part: &Part, mapped: &Value, changed: &Value) -> Option<Veiled> {
    if !run.native.is_traced() {
        return None;
    }
    let whole = |inner: &Value| Value::Object(Map::from_iter([(part.name.to_string(), inner.clone())]));
    let inner = |outer: Value| outer.get(&*part.name).cloned().unwrap_or_default();
    let Veiled { mapped, changed } = veiled(run, &whole(mapped), &whole(changed), &[])?;
    Some(Veiled { mapped: inner(mapped), changed: inner(changed) })
}

/// A native document without its parts: what the object's own calls read and write.
pub(super) fn own<'d>(run: &Run<'_>, document: &'d Value) -> Cow<'d, Value> {
    if run.mapping.parts.is_empty() {
        return Cow::Borrowed(document);
    }
    let mut own = document.clone();
    if let Value::Object(fields) = &mut own {
        run.mapping.parts.iter().for_each(|part| drop(fields.remove(&*part.name)));
    }
    Cow::Owned(own)
}
