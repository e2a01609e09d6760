//! What is there already when something is to be created: the holder of its key, or the account of the same person.

use std::borrow::Cow;

use serde_json::Value;

use crate::mapping::{Collision, Exists, Readers, Row, RowSet, to_native};
use crate::scim::filter::{CompareOp, Comparison, Filter};
use crate::scim::{Resource, ScimError};

use super::lost::{self, Wanted};
use super::read::{self, Object};
use super::run::{Run, id_text};
use super::turn::{TurnRequest, Work};
use super::{change, complete, guard, parts, query, update};

/// Waits until nobody else creates the same thing, and where there are members, until nobody changes what belongs to
/// whom.
pub(super) async fn take_turn(
    run: &Run<'_>,
    derived: Option<&Value>,
    resource: &Resource,
    members: &[Value],
) -> Result<(), ScimError> {
    let mut keys: Vec<String> = derived.and_then(|key| run.id_of(key)).iter().map(|id| run.resource_key(id)).collect();
    keys.extend(match_key(run, resource));
    if !members.is_empty() {
        keys.extend(run.lock_key());
    }
    if keys.is_empty() {
        return Ok(());
    }
    run.turn(TurnRequest { keys, share: None }).await
}

/// The same, and until nobody else works on an object that was found.
pub(super) async fn take_turn_on(run: &Run<'_>, holder: &Object, resource: &Resource) -> Result<(), ScimError> {
    let mut keys = run.keys_for(&holder.id, Work::Merge);
    keys.extend(match_key(run, resource));
    run.turn(TurnRequest { keys, share: None }).await
}

/// What two creates of the same thing have in common.
fn match_key(run: &Run<'_>, resource: &Resource) -> Option<String> {
    let row = run.mapping.rows.get(run.mapping.exists.as_ref()?.row)?;
    let value = change::value(run, row, resource)?;
    Some(run.turn_key(&[run.type_name(), "match", &id_text(&value)?.to_lowercase()]))
}

/// What is there already.
pub(super) enum Found {
    /// An object that is used instead of a new one.
    Live(Object),
    /// One that was deleted, and can be brought back.
    Gone(Object),
}

/// What is there before anything is sent: by its key, or because it is the same.
///
/// # Errors
/// As [`held`] and [`adopted`].
pub(super) async fn before(
    run: &Run<'_>,
    derived: Option<&Value>,
    resource: &Resource,
) -> Result<Option<Found>, ScimError> {
    match held(run, derived, resource).await? {
        Some(found) => Ok(Some(found)),
        None => adopted(run, resource).await,
    }
}

/// The object that already has the derived key, where it may be used instead of a new one.
pub(super) async fn held(
    run: &Run<'_>,
    derived: Option<&Value>,
    resource: &Resource,
) -> Result<Option<Found>, ScimError> {
    let (Some(key), Collision::Reject | Collision::Reuse) = (derived, run.mapping.id.collision) else {
        return Ok(None);
    };
    let Some(holder) = read::find_by_key(&seeing_gone(run), key).await? else { return Ok(None) };
    if guard::hides(run, &holder.key, Some(&holder.document)) {
        return Err(guard::held_by_hidden(run));
    }
    if read::is_gone(run, &holder.key, &holder.document) {
        return Ok(Some(Found::Gone(holder)));
    }
    let holder = parts::with_all(run, holder).await?;
    let held = read::base(run, &holder);
    let same_source = run
        .mapping
        .rows
        .iter()
        .filter(|row| row.required || row.target.path.attribute.as_ref() == "displayName")
        .all(|row| change::value(run, row, &held) == change::value(run, row, resource));
    if run.mapping.id.collision == Collision::Reuse && same_source {
        run.note(format!("the key {} is held by an equal object, which is used", holder.id));
        return Ok(Some(Found::Live(holder)));
    }
    let name =
        held.0.get("displayName").or_else(|| held.0.get("userName")).and_then(Value::as_str).unwrap_or(&holder.id);
    Err(ScimError::uniqueness(format!("the key {} is taken by '{name}'", holder.id)))
}

/// The same run, which finds what is gone where that can be brought back.
fn seeing_gone<'a>(run: &Run<'a>) -> Run<'a> {
    Run { with_gone: run.mapping.ops.revival.is_some(), ..run.seeing_all() }
}

/// An object that is gone and holds the derived key.
pub(super) async fn gone(run: &Run<'_>, derived: Option<&Value>) -> Result<Option<Found>, ScimError> {
    let (Some(key), Some(_)) = (derived, &run.mapping.ops.revival) else { return Ok(None) };
    let found = read::find_by_key(&seeing_gone(run), key).await?;
    let seen = found.filter(|found| !guard::hides(run, &found.key, Some(&found.document)));
    Ok(seen.filter(|found| read::is_gone(run, &found.key, &found.document)).map(Found::Gone))
}

/// The object that is the same by `[resource.T.exists]`, brought to the state that the request asks for.
///
/// # Errors
/// 409 `uniqueness` where it may not be adopted, or where more than one would do.
async fn adopted(run: &Run<'_>, resource: &Resource) -> Result<Option<Found>, ScimError> {
    let Some(exists) = &run.mapping.exists else { return Ok(None) };
    let all = same(&seeing_gone(run), exists, resource).await?;
    if all.iter().any(|holder| guard::hides(run, &holder.key, Some(&holder.document))) {
        return Err(guard::held_by_hidden(run));
    }
    let is_gone = |object: &Object| read::is_gone(run, &object.key, &object.document);
    let (mut gone, mut found): (Vec<_>, Vec<_>) = all.into_iter().partition(is_gone);
    let Some(holder) = found.pop() else {
        if gone.len() > 1 {
            run.note(format!("{} of these were deleted before, and none of them is revived", gone.len()));
            return Ok(None);
        }
        return Ok(gone.pop().map(Found::Gone));
    };
    let name = run.mapping.rows.get(exists.row).map_or_else(String::new, |row| row.target.to_string());
    if !exists.adopt {
        return Err(ScimError::uniqueness(format!("this {name} is taken by {} {}", run.type_name(), holder.id)));
    }
    if !found.is_empty() {
        return Err(ScimError::uniqueness(format!(
            "more than one {} has this {name}, so none can be adopted; make it unique in the application",
            run.type_name()
        )));
    }
    run.note(format!("{} {} has this {name} already and is adopted", run.type_name(), holder.id));
    take_turn_on(run, &holder, resource).await?;
    let holder = read::fetch_with_parts(run, &holder.id).await?;
    let old = read::base(run, &holder);
    let rows = run.mapping.rows_in(to_native::update_rows(run.mapping));
    let differs = |row| {
        let wanted = change::value(run, row, resource);
        wanted.is_some() && !change::equal(row, change::value(run, row, &old).as_deref(), wanted.as_deref())
    };
    let changed = rows.filter(|(_, row)| differs(row)).fold(0, |set, (index, _)| set | 1 << index);
    guard::allow_change(run, &holder.key, Some(&holder), resource, changed)?;
    let after = update::send(run, &holder.key, resource, Some((&holder, &old)), changed).await?;
    let object = match after {
        Some(object) => object,
        None if changed == 0 => holder,
        None => read::fetch(run, &holder.id).await?,
    };
    Ok(Some(Found::Live(object)))
}

/// The one object that is what a create of it would make, by whatever tells objects apart here.
///
/// # Errors
/// 409 `uniqueness` where somebody hidden is it, or where more than one could be.
pub(super) async fn there(
    run: &Run<'_>,
    derived: Option<&Value>,
    resource: &Resource,
) -> Result<Option<Object>, ScimError> {
    let wanted = Wanted { derived, resource, is_one_call: true };
    let mut found = lost::look(&run.seeing_all(), &wanted).await?.unwrap_or_default();
    if found.iter().any(|object| guard::hides(run, &object.key, Some(&object.document))) {
        return Err(guard::held_by_hidden(run));
    }
    if found.len() > 1 {
        let detail = format!("more than one {} could be meant; make it unique in the application", run.type_name());
        return Err(ScimError::uniqueness(detail));
    }
    Ok(found.pop())
}

/// Objects with the same value of the matched attribute, by SCIM equality.
pub(super) async fn same(run: &Run<'_>, exists: &Exists, resource: &Resource) -> Result<Vec<Object>, ScimError> {
    let Some(row) = run.mapping.rows.get(exists.row) else { return Ok(Vec::new()) };
    let Some(value) = change::value(run, row, resource).map(Cow::into_owned) else { return Ok(Vec::new()) };
    let found = query::fresh(run, &equality(row, &value)).await?;
    with_value(run, exists.row, &value, 0, found).await
}

/// The filter that asks for a value of a row.
pub(super) fn equality(row: &Row, value: &Value) -> Filter {
    Filter::Compare(Comparison {
        path: row.target.path.clone(),
        op: CompareOp::Eq,
        value: value.clone(),
        kind: row.target.kind,
        case_exact: row.target.case_exact,
    })
}

/// The objects that have a value of a row, by SCIM equality. Items of lists are completed by what this row, and `besides`
/// it others, need.
pub(super) async fn with_value(
    run: &Run<'_>,
    index: usize,
    value: &Value,
    besides: RowSet,
    found: Vec<Object>,
) -> Result<Vec<Object>, ScimError> {
    let Some(row) = run.mapping.rows.get(index) else { return Ok(Vec::new()) };
    let rows = besides | 1 << index;
    let mut found = complete::settled(run, found, || Readers { rows, ..Readers::default() }).await?;
    found.retain(|object| {
        let held = read::base(run, object);
        change::equal(row, change::value(run, row, &held).as_deref(), Some(value))
    });
    Ok(found)
}

/// Whether a create looks for the holder of its key before it is sent.
pub(super) fn looks_for_key(run: &Run<'_>, derived: Option<&Value>) -> bool {
    derived.is_some() && matches!(run.mapping.id.collision, Collision::Reject | Collision::Reuse)
}
