//! Guards: what must not be touched, or not be seen.
//!
//! A hidden object is absent for every reader: it is left out where documents become objects ([`hides`]). A denied
//! write is refused before the first native write ([`allow`]). The object is read only where a guard needs it.

use serde_json::Value;

use crate::document::Tree;
use crate::expr::{Env, Name};
use crate::mapping::guard::Verb;
use crate::mapping::{Extract, Guard, RowSet};
use crate::scim::patch::MemberChange;
use crate::scim::{Resource, ScimError};

use super::read::{self, Object};
use super::run::Run;

/// What is known when a write is judged.
#[derive(Clone, Copy, Default)]
pub(super) struct Facts<'f> {
    /// The object as it is.
    pub(super) object: Option<&'f Object>,
    /// The new state, as far as the request says it.
    pub(super) scim: Option<&'f Resource>,
}

impl<'a> Run<'a> {
    /// The same request seen by somebody from whom nothing is hidden: names are held by hidden objects, too.
    pub(super) fn seeing_all(&self) -> Self {
        Self { sees_hidden: true, ..*self }
    }

    fn guards(&self) -> &'a [Guard] {
        if self.sees_hidden { &[] } else { &self.mapping.guards }
    }
}

/// Whether anything of this type may be hidden.
pub(super) fn hides_some(run: &Run<'_>) -> bool {
    run.guards().iter().any(Guard::hides)
}

/// Whether hiding is decided by the document.
pub(super) fn hides_by_document(run: &Run<'_>) -> bool {
    run.guards().iter().any(|guard| guard.hides() && guard.needs_object())
}

/// Whether an object is hidden, as far as the id alone, or the document, tells.
pub(super) fn hides(run: &Run<'_>, key: &Value, document: Option<&dyn Tree>) -> bool {
    let decided = |guard: &&Guard| guard.hides() && (document.is_some() || !guard.needs_object());
    run.guards().iter().filter(decided).any(|guard| matches(run, guard, key, document))
}

/// Whether an object is hidden that is known by an item of another list: a member, or a group of somebody.
pub(super) fn hides_item(of: &Run<'_>, value: &Extract, item: &Value, id: &str) -> bool {
    if !hides_some(of) {
        return false;
    }
    let Some(key) = of.mapping.id.decode(id) else { return false };
    let document = shown_object(of, value).and_then(|at| at.get(item));
    let decided = |guard: &&Guard| {
        let held = |path: &Vec<String>| document.is_some_and(|document| holds(document, path));
        guard.hides() && guard.when.field_paths(Name::Native).iter().all(held)
    };
    of.guards().iter().filter(decided).any(|guard| matches(of, guard, &key, document.map(|document| document as _)))
}

/// Where an item shows the object itself: around the place of its id.
fn shown_object(of: &Run<'_>, value: &Extract) -> Option<crate::mapping::NativePath> {
    value.codec.is_empty().then(|| value.native.before(&of.mapping.id.native)).flatten()
}

fn holds(document: &Value, path: &[String]) -> bool {
    let mut at = Some(document);
    for name in path {
        at = at.and_then(|value| value.get(name));
    }
    at.is_some()
}

/// What cannot be decided is hidden.
fn matches(run: &Run<'_>, guard: &Guard, key: &Value, document: Option<&dyn Tree>) -> bool {
    let env = Env { id: Some(key), native: document, ..run.env() };
    let matches = guard.when.test(&env).unwrap_or(true);
    if matches {
        trace(run, guard, "hidden");
    }
    matches
}

fn trace(run: &Run<'_>, guard: &Guard, what: &str) {
    run.native.trace(|trace| {
        trace.rule(&guard.origin);
        trace.guard(format!("{} matches ({}): {what}", guard.origin, guard.when.source()));
    });
}

/// Whether an object has to be read before this may be done to it.
pub(super) fn needs_object(run: &Run<'_>, verb: Verb) -> bool {
    run.guards().iter().any(|guard| (guard.hides() || guard.deny.names(verb)) && guard.needs_object())
}

/// Whether any guard that hides nothing is about this.
pub(super) fn is_about(run: &Run<'_>, verb: Verb) -> bool {
    run.guards().iter().any(|guard| !guard.hides() && guard.deny.names(verb))
}

/// Whether one of these needs the document.
pub(super) fn looks_into(run: &Run<'_>, verb: Verb) -> bool {
    run.guards().iter().any(|guard| !guard.hides() && guard.deny.names(verb) && guard.needs_object())
}

/// Refuses what a guard denies. Hidden objects do not come this far.
///
/// # Errors
/// 403 with the guard's detail.
pub(super) fn allow(run: &Run<'_>, verb: Verb, key: Option<&Value>, facts: Facts<'_>) -> Result<(), ScimError> {
    if !is_about(run, verb) {
        return Ok(());
    }
    let scim = facts.scim.map(|resource| Value::Object(resource.0.clone()));
    let old = facts.object.map(|object| Value::Object(read::base(run, object).0));
    let env = Env {
        id: key,
        scim: scim.as_ref(),
        native: facts.object.map(|object| &object.document as _),
        old: old.as_ref(),
        ..run.env()
    };
    for guard in run.guards().iter().filter(|guard| !guard.hides() && guard.deny.names(verb)) {
        let fault = |error| ScimError::internal(format!("mapping error at {}: {error}", guard.origin));
        if !guard.when.test(&env).map_err(fault)? {
            continue;
        }
        trace(run, guard, &format!("{} denied", verb.as_str()));
        let detail = match &guard.detail {
            Some(detail) => detail.text(&env).map_err(fault)?,
            None => None,
        };
        let id = key.and_then(|key| run.id_of(key)).unwrap_or_default();
        let detail = detail.filter(|detail| !detail.is_empty());
        return Err(ScimError::new(403, detail.unwrap_or_else(|| refusal(run, verb, &id, guard))));
    }
    Ok(())
}

fn refusal(run: &Run<'_>, verb: Verb, id: &str, guard: &Guard) -> String {
    let space = if id.is_empty() { "" } else { " " };
    let what = match verb {
        Verb::Read => "cannot be read",
        Verb::Create => "cannot be created",
        Verb::Update => "cannot be changed",
        Verb::Delete => "cannot be deleted",
        Verb::Members => "keeps its members",
        Verb::Member => "can neither join nor leave a group",
    };
    format!("{}{space}{id} {what} here: a guard of the mapping says so ({})", run.type_name(), guard.origin)
}

/// Whether an object has to be read before it is changed: its attributes, its membership, or both.
pub(super) fn wants_to_see(run: &Run<'_>, changes_attributes: bool, members: &MemberChange) -> bool {
    let changes_members = !matches!(members, MemberChange::None);
    (changes_attributes && needs_object(run, Verb::Update)) || (changes_members && needs_object(run, Verb::Members))
}

/// Refuses a change of these rows. A request that changes nothing is no write that could be denied.
///
/// # Errors
/// 403 with the guard's detail.
pub(super) fn allow_change(
    run: &Run<'_>,
    key: &Value,
    object: Option<&Object>,
    new: &Resource,
    changed: RowSet,
) -> Result<(), ScimError> {
    if changed == 0 {
        return Ok(());
    }
    allow(run, Verb::Update, Some(key), Facts { object, scim: Some(new) })
}

/// Refuses to make something. The key is known where the mapping computes it.
///
/// # Errors
/// 403; 409 `uniqueness` for a key whose holder would be hidden, whether or not there is one.
pub(super) fn allow_create(run: &Run<'_>, key: Option<&Value>, resource: &Resource) -> Result<(), ScimError> {
    if key.is_some_and(|key| hides(run, key, None)) {
        return Err(held_by_hidden(run));
    }
    allow(run, Verb::Create, key, Facts { object: None, scim: Some(resource) })
}

/// A hidden object holds its name without being named.
pub(super) fn held_by_hidden(run: &Run<'_>) -> ScimError {
    ScimError::uniqueness(format!("another {} has this name; choose another one", run.type_name()))
}
