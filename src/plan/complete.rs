//! From objects as a list or a reply shows them to objects that may be shown.
//!
//! In: objects, and what the request wants of them. Out: those that are there and may be seen, with everything that is
//! wanted. The order is fixed: what is wanted and missing is read first (fields that a list leaves out, then parts), then
//! it is decided whether the object is there; the SCIM filter is checked after that. What is wanted is known before
//! anything is read, so that a request that does not ask for it makes no call.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::members::MemberSource;
use crate::mapping::{Lacks, Members, Readers};
use crate::scim::{AttrPath, ScimError};

use super::judge::judge;
use super::parts;
use super::read::{self, GROUPS, MEMBERS, Object};
use super::render::Rows;
use super::run::Run;

/// What attributes come from.
pub(super) fn wanted(run: &Run<'_>, wants: impl Fn(&AttrPath) -> bool) -> Readers {
    let rows = run.mapping.rows.iter().enumerate().filter(|(_, row)| wants(&row.target.path));
    Readers {
        rows: rows.fold(0, |set, (index, _)| set | 1 << index),
        members: run.mapping.members.is_some() && wants(&MEMBERS),
        groups: run.mapping.inverse.is_some() && wants(&GROUPS),
        hides: false,
    }
}

/// The objects that are there and may be seen, in order, with what is wanted of them.
///
/// # Errors
/// 400 `tooMany` when that takes more calls than a request may make; then none of them is made.
pub(super) async fn settled(
    run: &Run<'_>,
    objects: Vec<Object>,
    wanted: impl FnOnce() -> Readers,
) -> Result<Vec<Object>, ScimError> {
    let has_parts = !run.mapping.parts.is_empty();
    if !has_parts && objects.iter().all(|object| object.lacks.is_none()) {
        return Ok(objects);
    }
    // Whether an object may be seen is always wanted.
    let wanted = Readers { hides: true, ..wanted() };
    let objects = Box::pin(completed(run, objects, &wanted)).await?;
    if has_parts {
        note_unneeded(run, &objects, &wanted);
        Box::pin(with_parts(run, objects, &wanted)).await
    } else {
        Ok(objects)
    }
}

/// Items of lists with what those lack.
async fn completed(run: &Run<'_>, objects: Vec<Object>, wanted: &Readers) -> Result<Vec<Object>, ScimError> {
    let thin = |object: &Object| object.lacks.as_ref().is_some_and(|lacks| lacks.readers.meets(wanted));
    let keys: Vec<&Value> = objects.iter().filter(|object| thin(object)).map(|object| &object.key).collect();
    let Some(lacks) = objects.iter().find(|object| thin(object)).and_then(|object| object.lacks.clone()) else {
        return Ok(objects);
    };
    announce(run, &lacks, lacks.parallel, keys.len())?;
    let mut read = by_keys(run, &keys, lacks.parallel).await?.into_iter();
    let whole =
        objects.into_iter().filter_map(|object| if thin(&object) { read.next().flatten() } else { Some(object) });
    Ok(whole.collect())
}

/// Objects with the parts that something of what is wanted is read from.
async fn with_parts(run: &Run<'_>, objects: Vec<Object>, wanted: &Readers) -> Result<Vec<Object>, ScimError> {
    let mut objects = parts::fetched(run, objects, run.mapping.parts_for(wanted)).await?;
    if parts_hide(run) {
        objects.retain(|object| read::is_visible(run, &object.key, &object.document));
    }
    Ok(objects)
}

/// For a transcript: which parts a request saves. What an earlier step of it has read or saved is not said again.
fn note_unneeded(run: &Run<'_>, objects: &[Object], wanted: &Readers) {
    if !run.native.is_traced() || objects.is_empty() {
        return;
    }
    let held = objects.iter().fold(run.mapping.parts_for(wanted), |held, object| held | object.parts);
    for (_, part) in run.mapping.parts_in(run.mapping.all_parts() & !held) {
        let note = Cow::from(format!("{} not needed", part.name));
        run.native.report(|report| {
            if !report.notes.contains(&note) {
                report.notes.push(note);
            }
        });
    }
}

/// Whether an object may only be seen or not when some of its parts are known.
pub(super) fn parts_hide(run: &Run<'_>) -> bool {
    run.mapping.parts.iter().any(|part| part.readers.hides)
}

/// The object, if it may be seen: where parts decide that, they are read.
pub(super) async fn decided(run: &Run<'_>, object: Option<Object>) -> Result<Option<Object>, ScimError> {
    if !parts_hide(run) {
        return Ok(object);
    }
    let wanted = Readers { hides: true, ..Readers::default() };
    Ok(Box::pin(with_parts(run, object.into_iter().collect(), &wanted)).await?.pop())
}

/// Whether every row could be read from what is there of an object.
pub(super) fn holds_rows(run: &Run<'_>, object: &Object) -> bool {
    object.lacks.as_ref().is_none_or(|lacks| lacks.readers.rows == 0)
        && run.mapping.parts_in(!object.parts).all(|(_, part)| part.readers.rows == 0)
}

/// Resources of a page at the most: where parts are read for each of them, the number of calls stays known.
pub(super) fn page_max(run: &Run<'_>, wants: impl Fn(&AttrPath) -> bool) -> usize {
    if run.mapping.parts.is_empty() {
        return usize::MAX;
    }
    let set = run.mapping.parts_for(&Readers { hides: true, ..wanted(run, wants) });
    run.mapping.parts_in(set).map(|(_, part)| part.max).min().unwrap_or(usize::MAX)
}

/// Says what follows, or why it cannot.
fn announce(run: &Run<'_>, lacks: &Lacks, parallel: usize, count: usize) -> Result<(), ScimError> {
    let paths: Vec<String> = lacks.paths.iter().map(|path| format!("`{path}`")).collect();
    let why = format!("the list lacks {}", paths.join(", "));
    run.native.ensure_room(count).map_err(|mut error| {
        error.detail = format!("{} (each of {count} objects has to be read on its own: {why})", error.detail);
        error
    })?;
    run.note(format!("items completed by get: {count}, {parallel} at a time, for {why} ({})", lacks.origin));
    Ok(())
}

/// Objects by native key, read side by side; `None` for one that is not there, or not to be seen.
pub(super) async fn by_keys(run: &Run<'_>, keys: &[&Value], parallel: usize) -> Result<Vec<Option<Object>>, ScimError> {
    let Some(get) = &run.mapping.ops.get else {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            found.push(read::find_by_key(run, key).await?);
        }
        return Ok(found);
    };
    let env = |key| -> Env<'_> { Env { id: Some(key), ..run.env() } };
    let calls: Result<Vec<_>, _> = keys.iter().map(|key| run.render(get, &env(key), Rows::default())).collect();
    let outcomes = run.native.together(calls?, parallel).await?;
    let judged = keys.iter().zip(outcomes);
    let found = judged.map(|(key, outcome)| read::got(run, get, key, judge(run, get, outcome, &env(key))));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    if !parts_hide(run) {
        return Ok(found);
    }
    let wanted = Readers { hides: true, ..Readers::default() };
    Ok(at_their_keys(run, keys, with_parts(run, found.into_iter().flatten().collect(), &wanted).await?))
}

/// The same with all of their parts.
pub(super) async fn by_keys_with_parts(
    run: &Run<'_>,
    keys: &[&Value],
    parallel: usize,
) -> Result<Vec<Option<Object>>, ScimError> {
    let found = by_keys(run, keys, parallel).await?;
    if run.mapping.parts.is_empty() {
        return Ok(found);
    }
    let objects = parts::fetched(run, found.into_iter().flatten().collect(), run.mapping.all_parts()).await?;
    Ok(at_their_keys(run, keys, objects))
}

fn at_their_keys(run: &Run<'_>, keys: &[&Value], objects: Vec<Object>) -> Vec<Option<Object>> {
    let objects: HashMap<String, Object> = objects.into_iter().map(|object| (object.id.clone(), object)).collect();
    keys.iter().map(|key| objects.get(&run.id_of(key)?).cloned()).collect()
}

/// Gives the items of member lists what they lack, out of the members' own objects.
pub(super) async fn member_items(
    run: &Run<'_>,
    members: &Members,
    lists: Vec<Vec<Value>>,
) -> Result<Vec<Vec<Value>>, ScimError> {
    let lacks = match &members.source {
        MemberSource::List(list) => list.lacks.as_ref(),
        MemberSource::Native(_) => None,
    };
    let (Some(lacks), Some(of)) = (lacks, run.of_type(&members.of)) else { return Ok(lists) };
    let key_of = |item: &Value| of.mapping.id.key(&read::read(&members.value, item)?);
    let mut keys: Vec<Value> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for key in lists.iter().flatten().filter_map(key_of) {
        places.entry(key.to_string()).or_insert_with(|| {
            keys.push(key);
            keys.len() - 1
        });
    }
    if keys.is_empty() {
        return Ok(lists);
    }
    announce(run, lacks, members.parallel, keys.len())?;
    let keys: Vec<&Value> = keys.iter().collect();
    let found = by_keys(&of, &keys, members.parallel).await?;
    let complete = |mut item: Value| {
        // An item that names nobody is left out where elements are made of items.
        let Some(place) = key_of(&item).and_then(|key| places.get(&key.to_string()).copied()) else {
            return Some(item);
        };
        let object = found.get(place)?.as_ref()?;
        for path in &lacks.paths {
            if let Some(value) = path.find(&object.document) {
                path.put(&mut item, Some(value.to_value()));
            }
        }
        Some(item)
    };
    Ok(lists.into_iter().map(|items| items.into_iter().filter_map(complete).collect()).collect())
}
