//! Membership: a set whose changes are deltas.
//!
//! In: what a request says about `members`. Out: native calls, and whether they were needed. The current members are
//! read only where the change cannot be sent without them: a group has tens of thousands.

mod change;
mod create;
mod deliver;
mod guarded;
mod known;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::expr::Env;
use crate::mapping::members::MemberSource;
use crate::mapping::{Flow, Members, MissingPolicy};
use crate::scim::patch::{self, MemberChange};
use crate::scim::{Bound, PatchOp, ScimError};

use super::ScimRequest;
use super::advice;
use super::guard;
use super::judge::{Standing, assess, reply_matches, says_absent};
use super::read::{self, MEMBERS, Object};
use super::render::Rows;
use super::run::Run;
use super::steps::{self, Progress};
use super::turn::Share;
use super::update::after;

use change::{Current, Difference, value_of, values};
use deliver::Target;
pub(super) use guarded::permit;
use known::{Detail, Person};

/// What operations on `members` ask for.
///
/// # Errors
/// 400 `noTarget` for a removal that would empty the group without naming anybody, unless the mapping allows it; 400
/// `invalidValue` for members of another type; 413 for more than the mapping allows.
pub(super) fn wanted(run: &Run<'_>, ops: &[PatchOp]) -> Result<MemberChange, ScimError> {
    let Some(members) = &run.mapping.members else { return Ok(MemberChange::None) };
    if patch::is_clear(ops, "members") && !members.allow_clear {
        return Err(ScimError::no_target(
            "removing all members without naming them is refused here; name the members, or replace them with an empty list",
        ));
    }
    for op in ops {
        match op {
            PatchOp::Add { value, .. } | PatchOp::Replace { value, .. } => {
                check_types(run, members, value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice))?;
            }
            PatchOp::RemoveElements { values, .. } => check_types(run, members, values)?,
            PatchOp::Remove { .. } => {}
        }
    }
    let change = patch::member_change(ops, "members");
    check_size(run, members, &change)?;
    Ok(change)
}

/// Refuses elements that are about another type: an id of theirs could be somebody else's id here.
fn check_types(run: &Run<'_>, members: &Members, elements: &[Value]) -> Result<(), ScimError> {
    for element in elements {
        let said = element.get("type").and_then(Value::as_str).filter(|said| !said.eq_ignore_ascii_case(&members.of));
        let referred = || {
            let path = element.get("$ref")?.as_str()?.trim_end_matches('/');
            let collection = path.rsplit('/').nth(1)?;
            let named = |mapping: &&Arc<crate::mapping::Mapping>| {
                mapping.resource_type.endpoint.trim_start_matches('/') == collection
            };
            let name = &*run.route.mappings.iter().find(named)?.resource_type.name;
            (name != members.of).then_some(name)
        };
        if let Some(other) = said.or_else(referred) {
            let value = value_of(element).unwrap_or_default();
            return Err(ScimError::invalid_value(format!(
                "members: '{value}' is said to be a {other}, and members of a {} are of type {} here; leave it out",
                run.type_name(),
                members.of
            )));
        }
    }
    Ok(())
}

fn check_size(run: &Run<'_>, members: &Members, change: &MemberChange) -> Result<(), ScimError> {
    let named = match change {
        MemberChange::Delta { add, remove } => add.len() + remove.len(),
        MemberChange::Set(elements) => elements.len(),
        MemberChange::None | MemberChange::NeedsState => 0,
    };
    check_count(run, members, named)
}

fn check_count(run: &Run<'_>, members: &Members, count: usize) -> Result<(), ScimError> {
    match members.max.filter(|max| count > *max) {
        None => Ok(()),
        Some(max) => Err(ScimError::too_large(format!(
            "this is about {count} members of one {}, and at most {max} are allowed; send fewer at once, or raise members.max in the mapping",
            run.type_name()
        ))
        .with_bound(Bound::MembersMax)),
    }
}

/// What makes a change of membership equal to another one, if it asks for nothing but named members.
pub(super) fn share(run: &Run<'_>, id: &str, request: &ScimRequest, change: &MemberChange) -> Option<Arc<Share>> {
    let MemberChange::Delta { add, remove } = change else { return None };
    // Who may be in one group only is moved by changes of other groups as well.
    if request.if_match.is_some() || run.mapping.members.as_ref()?.exclusive.is_some() {
        return None;
    }
    let about = json!([run.resource_key(id), run.context.base_url, request.query]).to_string();
    let add = add.iter().filter_map(value_of).collect();
    Some(Arc::new(Share { about, add, remove: remove.iter().cloned().collect() }))
}

/// Whether the current members must be known before anything is sent.
pub(super) fn needs_state(run: &Run<'_>, change: &MemberChange) -> bool {
    let Some(members) = &run.mapping.members else { return false };
    match change {
        MemberChange::None => false,
        MemberChange::NeedsState => true,
        MemberChange::Set(_) => members.always_diff,
        MemberChange::Delta { remove, .. } => members.always_diff || removal_needs_state(members, remove.is_empty()),
    }
}

/// Whether removing somebody needs to know who is there.
fn removal_needs_state(members: &Members, nobody: bool) -> bool {
    let by_row = members.remove.as_ref().is_some_and(|remove| remove.reads.row);
    !nobody && (by_row || members.exclusive.is_some())
}

/// Whether a group that was read before its members changed still shows its other attributes as they are.
pub(super) fn outlasts_members(run: &Run<'_>) -> bool {
    let apart = run.mapping.members.as_ref().is_some_and(|members| matches!(members.source, MemberSource::List(_)));
    // The application's own version may count memberships.
    apart && run.mapping.version.is_none()
}

/// Refuses members of another type, and too many.
pub(super) fn check(run: &Run<'_>, elements: &[Value]) -> Result<(), ScimError> {
    let Some(members) = &run.mapping.members else { return Ok(()) };
    check_types(run, members, elements)?;
    check_count(run, members, elements.len())
}

/// The same for a new group, and refuses values that cannot be ids of their type.
pub(super) fn check_ids(run: &Run<'_>, members: &Members, elements: &[Value]) -> Result<(), ScimError> {
    check(run, elements)?;
    if !matches!(members.missing.policy, MissingPolicy::Reject) {
        return Ok(());
    }
    for element in elements {
        let value = value_of(element).unwrap_or_default();
        if key_of(run, members, &value).is_none() {
            return Err(unknown_member(members, &value));
        }
    }
    Ok(())
}

/// The group whose members change.
pub(super) struct Group<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) id: &'a str,
    pub(super) key: &'a Value,
    /// The group, if this request has read it already.
    pub(super) known: Option<Object>,
    /// This request has made it, so that nobody is in it.
    pub(super) is_new: bool,
    /// Somebody may be in it already, which is seen first.
    pub(super) look: bool,
}

/// What carrying a change of membership out came to.
#[derive(Default)]
pub(super) struct Applied {
    /// Whether anything was sent.
    pub(super) sent: bool,
    /// The group, if it had to be read for this.
    pub(super) read: Option<Object>,
    /// Whether it is not even sure that the group is there.
    pub(super) doubt: bool,
}

/// Carries a change of membership out; `ops` decide a change that needs the current members.
///
/// # Errors
/// 404 when there is no such group. All calls are tried; if any failed, the worst mapped error, with counts.
pub(super) async fn apply(group: Group<'_>, change: MemberChange, ops: &[PatchOp]) -> Result<Applied, ScimError> {
    let Group { run, id, key, known, is_new, look } = group;
    let Some(members) = &run.mapping.members else { return Ok(Applied::default()) };
    let target = Target::new(run, members, key, known.is_some() || is_new);
    let change = match change {
        MemberChange::None => return Ok(Applied::default()),
        MemberChange::Set(elements) | MemberChange::Delta { add: elements, .. } if is_new => {
            let wanted = values(&elements);
            target.write_set(&Current::default(), &wanted, Prefer::Set).await?;
            return Ok(Applied { sent: !wanted.is_empty(), ..Applied::default() });
        }
        MemberChange::Delta { add, remove }
            if !look
                && !members.always_diff
                && !removal_needs_state(members, remove.is_empty())
                && can_send(members, &add, &remove) =>
        {
            run.note("current members not read");
            target.send_deltas(Difference { add: values(&add), remove }, &Current::default()).await?;
            return Ok(Applied { sent: true, read: None, doubt: target.has_doubt() });
        }
        other => other,
    };
    let (object, read) = match known {
        Some(object) => (object, None),
        None => {
            let object = read::fetch(run, id).await?;
            (object.clone(), Some(object))
        }
    };
    let target = target.with_group_seen();
    let (current, prefer, wanted) = match change {
        MemberChange::Delta { add, remove } => {
            let asked = Difference { add: values(&add), remove };
            let current = known::current(run, members, &object, Detail::Ids).await?;
            let wanted = asked.applied_to(&current.values);
            let left = Difference::between(&current.values, &wanted);
            if left.add.len() + left.remove.len() < asked.add.len() + asked.remove.len() {
                run.note(format!("members {left} (asked: {asked})"));
            }
            (current, Prefer::Deltas, wanted)
        }
        MemberChange::Set(elements) => {
            (known::current(run, members, &object, Detail::Ids).await?, Prefer::Set, values(&elements))
        }
        MemberChange::None | MemberChange::NeedsState => {
            let current = known::current(run, members, &object, Detail::Elements).await?;
            let mut state = read::base(run, &object);
            state.set(&MEMBERS, Some(Value::Array(current.elements.clone())).filter(|_| !current.elements.is_empty()));
            let after = patch::apply(&run.mapping.resource_type, state, ops)?;
            let wanted = values(after.get(&MEMBERS).and_then(Value::as_array).map_or(&[], Vec::as_slice));
            (current, Prefer::Deltas, wanted)
        }
    };
    check_count(run, members, wanted.len())?;
    Ok(Applied { sent: target.write_set(&current, &wanted, prefer).await?, read, doubt: false })
}

/// Whether a difference can go out as it is.
fn can_send<A, R>(members: &Members, add: &[A], remove: &[R]) -> bool {
    (add.is_empty() || members.add.is_some()) && (remove.is_empty() || members.remove.is_some())
}

/// Which form is used where the application has both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefer {
    /// The whole list at once.
    Set,
    /// What comes and goes.
    Deltas,
}

/// What hiding does to a whole list.
#[derive(Default)]
struct Veil {
    /// Values of those who would join and are not there, or not to be seen.
    absent: HashSet<String>,
    /// Keys of those who would leave and are hidden.
    stay: Vec<Value>,
}

impl Target<'_> {
    /// Brings a group from its current members to the wanted ones. Says whether anything was sent.
    async fn write_set(&self, current: &Current, wanted: &[String], prefer: Prefer) -> Result<bool, ScimError> {
        let difference = Difference::between(&current.values, wanted);
        if difference.is_empty() {
            return Ok(false);
        }
        let deltas = can_send(self.members, &difference.add, &difference.remove);
        match &self.members.set {
            Some(_) if deltas && prefer == Prefer::Set && self.names_strangers(&difference.add).await? => {
                self.send_deltas(difference, current).await?;
            }
            Some(set) if prefer == Prefer::Set || !deltas => self.send_set(set, current, wanted, difference).await?,
            _ if deltas => self.send_deltas(difference, current).await?,
            _ => {
                let what = if self.members.add.is_none() && !difference.add.is_empty() { "add" } else { "remove" };
                return Err(ScimError::mutability(format!("members: the application has no way to {what} them")));
            }
        }
        Ok(true)
    }

    /// Whether somebody who would join is not there, is hidden, or has yet to be made. The call that adds members looks at them where the
    /// application takes ids that are nobody's, and a whole list must be no way around that.
    async fn names_strangers(&self, joining: &[String]) -> Result<bool, ScimError> {
        let of = self.run.of_type(&self.members.of);
        let creates = matches!(self.members.missing.policy, MissingPolicy::Create(_));
        if creates && joining.iter().any(|value| key_of(self.run, self.members, value).is_none()) {
            return Ok(true);
        }
        let hides = || of.as_ref().is_some_and(guard::hides_by_document);
        let add = self.members.add.as_ref();
        let Some(add) = add.filter(|add| add.reads.scim || add.reads.object || hides()) else {
            return Ok(false);
        };
        let person = |value: &String| {
            let key = key_of(self.run, self.members, value)?;
            Some(Person { value: value.clone(), key, object: None })
        };
        let people = joining.iter().filter_map(person).collect();
        let (known, strangers) = known::read_people(self.run, self.members, add, people, true).await?;
        if let Some(of) = &of {
            known::remember(of, &known);
            known::remember(of, &strangers);
        }
        Ok(!strangers.is_empty())
    }

    /// Whom a whole list has to leave out because they are hidden, and whom it has to keep for the same reason.
    async fn veil(&self, difference: &Difference) -> Result<Veil, ScimError> {
        let Some(of) = self.run.of_type(&self.members.of).filter(guard::hides_by_document) else {
            return Ok(Veil::default());
        };
        let person = |run: &Run<'_>, value: &String| {
            let key = run.native_id(value)?;
            Some(Person { value: value.clone(), key, object: None })
        };
        let joining = difference.add.iter().filter_map(|value| person(&of, value)).collect();
        let joining = known::objects(&of, self.members, self.members.add.as_ref(), joining).await?;
        known::remember(&of, &joining);
        let absent = joining.into_iter().filter(|person| person.object.is_none());
        let all = of.seeing_all();
        let leaving = difference.remove.iter().filter_map(|value| person(&all, value)).collect();
        let leaving = known::objects(&all, self.members, None, leaving).await?;
        let is_hidden = |person: &Person| {
            let document = person.object.as_ref().map(|object| &object.document as _);
            document.is_some() && guard::hides(&of, &person.key, document)
        };
        let stay = leaving.into_iter().filter(is_hidden).map(|person| person.key);
        Ok(Veil { absent: absent.map(|person| person.value).collect(), stay: stay.collect() })
    }

    /// Replaces the whole list. Where the reply says that somebody is unknown but not who, and members can be added one
    /// by one, that tells who it is.
    async fn send_set(
        &self,
        set: &Flow,
        current: &Current,
        wanted: &[String],
        difference: Difference,
    ) -> Result<(), ScimError> {
        let Veil { absent, stay } = self.veil(&difference).await?;
        let mut keys = Vec::with_capacity(wanted.len());
        for value in wanted {
            let key = key_of(self.run, self.members, value).filter(|_| !absent.contains(value));
            match (key, &self.members.missing.policy) {
                (Some(key), _) => keys.push(key),
                (None, MissingPolicy::Ignore) => self.run.note(format!("unknown member {value} ignored")),
                (None, _) => return Err(unknown_member(self.members, value)),
            }
        }
        // What the client does not see it cannot have wished to remove.
        keys.extend(current.hidden.iter().filter_map(|value| key_of(&self.run.seeing_all(), self.members, value)));
        keys.extend(stay);
        self.run.native.trace(|trace| trace.members(&difference.add, &difference.remove));
        let batch = Value::Array(keys);
        let env = Env { id: Some(self.key), batch: Some(&batch), ..self.run.env() };
        let Some(set) = set.single() else { return self.set_by_steps(set, &env).await };
        let request = self.run.render(set, &env, Rows::default())?;
        let outcome = self.run.native.together(vec![request], 1).await?.pop();
        let outcome = outcome.ok_or_else(|| ScimError::internal("no outcome"))?;
        let missing = self.members.missing.when.as_ref().is_some_and(|when| reply_matches(when, &outcome, &env));
        if missing {
            self.expect_group(&outcome).await?;
            if can_send(self.members, &difference.add, &difference.remove) {
                return self.send_deltas(difference, current).await;
            }
            return Err(ScimError::invalid_value(format!(
                "members: the application does not know every {} that is named",
                self.members.of
            )));
        }
        match assess(self.run, set, &outcome, &env) {
            Standing::Ok | Standing::Accepted => Ok(()),
            Standing::Failed(error) => Err(error),
        }
    }
}

impl Target<'_> {
    /// Several calls that together replace the list, or one that depends on a condition.
    async fn set_by_steps(&self, set: &Flow, env: &Env<'_>) -> Result<(), ScimError> {
        let mut progress = Progress::default();
        let done = steps::carry_out(self.run, set, "the call", env, Rows::default(), &mut progress).await;
        match done {
            Ok(_) => Ok(()),
            Err(error) if says_absent(&error) && progress.done.is_empty() => {
                self.look_for_group().await?;
                Err(error)
            }
            Err(error) => Err(after(error, &progress.done, advice::SENDS_LIST)),
        }
    }
}

/// The native key of a member.
fn key_of(run: &Run<'_>, members: &Members, value: &str) -> Option<Value> {
    match run.of_type(&members.of) {
        Some(of) => of.native_id(value),
        None => (!value.is_empty()).then(|| Value::from(value)),
    }
}

fn unknown_member(members: &Members, value: &str) -> ScimError {
    ScimError::invalid_value(format!("members: there is no {} with id '{value}'", members.of))
}
