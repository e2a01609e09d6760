//! From objects as a list or a reply shows them to objects that may be shown.
//!
//! In: objects, and what the request wants of them. Out: those that are there and may be seen, with everything that is
//! wanted. The order is fixed: what is wanted and missing is read first, then it is decided whether the object is there;
//! the SCIM filter is checked after that. What is wanted is known before anything is read, so that a request that does
//! not ask for it makes no call.

use std::collections::HashMap;

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::members::MemberSource;
use crate::mapping::{Lacks, Members, Readers};
use crate::scim::{AttrPath, ScimError};

use super::judge::judge;
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
    if objects.iter().all(|object| object.lacks.is_none()) {
        return Ok(objects);
    }
    // Whether an object may be seen is always wanted.
    let wanted = Readers { hides: true, ..wanted() };
    let thin = |object: &Object| object.lacks.as_ref().is_some_and(|lacks| lacks.readers.meets(&wanted));
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
    judged.map(|(key, outcome)| read::got(run, get, key, judge(run, get, outcome, &env(key)))).collect()
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
            if let Some(value) = path.get(&object.document) {
                path.put(&mut item, Some(value.clone()));
            }
        }
        Some(item)
    };
    Ok(lists.into_iter().map(|items| items.into_iter().filter_map(complete).collect()).collect())
}
