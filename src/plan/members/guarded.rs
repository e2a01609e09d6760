//! Whether guards permit a change of membership, told before anything is written.

use serde_json::Value;

use crate::mapping::Members;
use crate::mapping::guard::Verb;
use crate::scim::patch::{self, MemberChange};
use crate::scim::{PatchOp, ScimError};

use super::change::{Difference, values};
use super::known::{self, Detail, Person};
use crate::plan::guard::{self, Facts};
use crate::plan::read::{self, MEMBERS, Object};
use crate::plan::run::Run;

/// Refuses a change that a guard of the group, or of anybody who would join or leave, denies. `known` is the group, if
/// it was read; a new one has no object and no members.
///
/// # Errors
/// 403 with the guard's detail.
pub(in crate::plan) async fn permit(
    run: &Run<'_>,
    key: Option<&Value>,
    known: Option<&Object>,
    change: &MemberChange,
    ops: &[PatchOp],
) -> Result<(), ScimError> {
    let Some(members) = &run.mapping.members else { return Ok(()) };
    let of = run.of_type(&members.of).filter(|of| guard::is_about(of, Verb::Member));
    let about_group = guard::is_about(run, Verb::Members);
    if matches!(change, MemberChange::None) || (of.is_none() && !about_group) {
        return Ok(());
    }
    let mut read = None;
    let needs_group = match change {
        MemberChange::Set(_) | MemberChange::NeedsState => true,
        MemberChange::Delta { .. } | MemberChange::None => about_group && guard::needs_object(run, Verb::Members),
    };
    if let (true, None, Some(key)) = (needs_group, known, key) {
        let id = run.id_of(key).unwrap_or_default();
        read = Some(read::fetch_with_parts(run, &id).await?);
    }
    let group = known.or(read.as_ref());
    let difference = difference(run, members, group, change, ops).await?;
    if difference.is_empty() {
        return Ok(());
    }
    guard::allow(run, Verb::Members, key, Facts { object: group, scim: None })?;
    match of {
        Some(of) => permit_people(&of, members, difference).await,
        None => Ok(()),
    }
}

/// Who would join and leave.
async fn difference(
    run: &Run<'_>,
    members: &Members,
    group: Option<&Object>,
    change: &MemberChange,
    ops: &[PatchOp],
) -> Result<Difference, ScimError> {
    let (elements, group) = match (change, group) {
        (MemberChange::Delta { add, remove }, _) => {
            return Ok(Difference { add: values(add), remove: remove.clone() });
        }
        (MemberChange::Set(elements), None) => return Ok(Difference { add: values(elements), remove: Vec::new() }),
        (MemberChange::Set(elements), Some(group)) => (Some(elements), group),
        (MemberChange::NeedsState, Some(group)) => (None, group),
        (MemberChange::NeedsState, None) | (MemberChange::None, _) => return Ok(Difference::default()),
    };
    // Operations may select by what is shown; a list of all is about who they are.
    let detail = if elements.is_some() { Detail::Ids } else { Detail::Elements };
    let current = known::current(run, members, group, detail).await?;
    let wanted = match elements {
        Some(elements) => values(elements),
        None => {
            let mut state = read::base(run, group);
            state.set(&MEMBERS, Some(Value::Array(current.elements.clone())).filter(|_| !current.elements.is_empty()));
            let after = patch::apply(&run.mapping.resource_type, state, ops)?;
            values(after.get(&MEMBERS).and_then(Value::as_array).map_or(&[], Vec::as_slice))
        }
    };
    Ok(Difference::between(&current.values, &wanted))
}

async fn permit_people(of: &Run<'_>, members: &Members, difference: Difference) -> Result<(), ScimError> {
    let looks = guard::looks_into(of, Verb::Member);
    let mut all = Vec::with_capacity(difference.add.len() + difference.remove.len());
    for (values, call) in [(difference.add, &members.add), (difference.remove, &members.remove)] {
        let person = |value: String| of.native_id(&value).map(|key| Person { value, key, object: None });
        let mut people: Vec<Person> = values.into_iter().filter_map(person).collect();
        if looks {
            people = known::objects(of, members, call.as_ref(), people).await?;
            known::remember(of, &people);
            // Who is not there, or hidden, is found out when the calls are made.
            people.retain(|person| person.object.is_some());
        }
        all.append(&mut people);
    }
    all.iter().try_for_each(|person| {
        guard::allow(of, Verb::Member, Some(&person.key), Facts { object: person.object.as_ref(), scim: None })
    })
}
