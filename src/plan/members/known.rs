//! What has to be read before members can be written: who is in the group, and what the members are.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::expr::Env;
use crate::mapping::members::{Exclusive, MemberCall, MemberSource};
use crate::mapping::{MemberLookup, Members, Readers};
use crate::scim::ScimError;

use super::change::{Current, value_of};
use crate::plan::read::{self, Object};
use crate::plan::run::{Run, named_id};
use crate::plan::{complete, guard, pages, parts, query};

/// How much of the members has to be known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Who they are.
    Ids,
    /// All that is shown of them.
    Elements,
}

/// The members a group has. What showed them is kept where a removal is about that.
pub(super) async fn current(
    run: &Run<'_>,
    members: &Members,
    object: &Object,
    detail: Detail,
) -> Result<Current, ScimError> {
    let wanted = || Readers { members: true, ..Readers::default() };
    let group = if run.mapping.parts.is_empty() {
        Vec::new()
    } else {
        complete::settled(run, vec![object.clone()], wanted).await?
    };
    let object = group.first().unwrap_or(object);
    let mut lists = read::member_items(run, members, std::slice::from_ref(object)).await?;
    if let (MemberSource::List(_), Some(items)) = (&members.source, lists.first()) {
        run.remember_members(&object.id, items);
    }
    if detail == Detail::Elements {
        lists = complete::member_items(run, members, lists).await?;
    }
    let items = lists.pop().unwrap_or_default();
    let by_row = members.remove.as_ref().is_some_and(|remove| remove.reads.row);
    let elements = read::elements(run, members, &items);
    let values = super::change::values(&elements);
    let hidden = hidden(run, members, &items, &values);
    let mut shown_by: HashMap<String, Vec<Value>> = HashMap::new();
    let of = run.of_type(&members.of);
    for item in items.into_iter().filter(|_| by_row) {
        if let Some(value) = read::read(&members.value, &item).and_then(|value| named_id(of.as_ref(), &value)) {
            shown_by.entry(value).or_default().push(item);
        }
    }
    Ok(Current { values, elements, hidden, shown_by })
}

/// Members that guards keep from the client.
fn hidden(run: &Run<'_>, members: &Members, items: &[Value], seen: &[String]) -> Vec<String> {
    if !run.of_type(&members.of).is_some_and(|of| guard::hides_some(&of)) {
        return Vec::new();
    }
    let seen: HashSet<&String> = seen.iter().collect();
    let all = super::change::values(&read::elements(&run.seeing_all(), members, items));
    all.into_iter().filter(|value| !seen.contains(value)).collect()
}

/// A member on its way into a call.
pub(super) struct Person {
    pub(super) value: String,
    pub(super) key: Value,
    /// The member's own document, where it had to be read.
    pub(super) object: Option<Object>,
}

/// Reads the members' own documents where the call, or a rule about other groups, needs them. Somebody who is not there
/// comes back in the second list.
pub(super) async fn read_people(
    run: &Run<'_>,
    members: &Members,
    call: &MemberCall,
    people: Vec<Person>,
    adding: bool,
) -> Result<(Vec<Person>, Vec<Person>), ScimError> {
    let needed = call.reads.scim || call.reads.object || (adding && members.exclusive.is_some());
    let of = run.of_type(&members.of).filter(|of| needed || guard::hides_by_document(of));
    let Some(of) = of else { return Ok((people, Vec::new())) };
    let read = objects(&of, members, Some(call), people).await?;
    Ok(read.into_iter().partition(|person| person.object.is_some()))
}

/// The same people with their own documents, as far as these are there and may be seen. What this request has read is
/// not read again.
pub(super) async fn objects(
    of: &Run<'_>,
    members: &Members,
    call: Option<&MemberCall>,
    people: Vec<Person>,
) -> Result<Vec<Person>, ScimError> {
    let whole = call.is_some_and(|call| call.reads.scim || call.reads.object);
    let (mut found, mut unread) = (Vec::with_capacity(people.len()), Vec::new());
    for person in people {
        match of.recent_person(&person.value) {
            Some(object) => found.push(Person { object, ..person }),
            None => {
                unread.push(Person { value: person.value.clone(), key: person.key.clone(), object: None });
                found.push(person);
            }
        }
    }
    let keys: Vec<&Value> = unread.iter().map(|person| &person.key).collect();
    let read = match call.and_then(|call| call.lookup.as_ref()) {
        Some(lookup) => together(of, lookup, &unread).await?,
        None if whole => complete::by_keys_with_parts(of, &keys, members.parallel).await?,
        None => complete::by_keys(of, &keys, members.parallel).await?,
    };
    let mut read: HashMap<String, Option<Object>> =
        unread.iter().map(|person| person.value.clone()).zip(read).collect();
    for person in &mut found {
        if let Some(object) = read.get_mut(&person.value) {
            person.object = object.take();
        }
    }
    if whole && !of.mapping.parts.is_empty() {
        found = with_parts(of, found).await?;
    }
    Ok(found)
}

/// Keeps what was read of people for those who ask after this.
pub(super) fn remember(of: &Run<'_>, people: &[Person]) {
    for person in people {
        of.remember_person(&person.value, person.object.as_ref());
    }
}

/// People who were read for another purpose, with all of their parts.
async fn with_parts(of: &Run<'_>, people: Vec<Person>) -> Result<Vec<Person>, ScimError> {
    let known = people.iter().filter_map(|person| person.object.clone()).collect();
    let read = parts::fetched(of, known, of.mapping.all_parts()).await?;
    let mut read: HashMap<String, Object> = read.into_iter().map(|object| (object.id.clone(), object)).collect();
    let place = |person: Person| {
        let object = of.id_of(&person.key).and_then(|id| read.remove(&id));
        Person { object, ..person }
    };
    Ok(people.into_iter().map(place).collect())
}

/// The documents of several people by one call for each batch; `None` for who is not there.
async fn together(of: &Run<'_>, lookup: &MemberLookup, people: &[Person]) -> Result<Vec<Option<Object>>, ScimError> {
    let mut found: HashMap<String, Object> = HashMap::new();
    for people in people.chunks(lookup.batch.max(1)) {
        let batch = people.iter().map(|person| person.key.clone()).collect();
        let env = Env { batch: Some(&batch), ..of.env() };
        // One that ignores what it was asked for may answer with everybody, and no more than a page of them is read.
        let max = people.len().max(lookup.list.paging.max as usize);
        let items = pages::all(of, &lookup.list, &env, max).await?;
        let objects = query::objects(of, &lookup.list, items);
        let everything = || Readers { rows: !0, members: true, groups: true, hides: true };
        let objects = complete::settled(of, objects, everything).await?;
        let objects = parts::fetched(of, objects, of.mapping.all_parts()).await?;
        found.extend(objects.into_iter().map(|object| (object.id.clone(), object)));
    }
    let object = |person: &Person| found.get(&of.id_of(&person.key)?).cloned();
    Ok(people.iter().map(object).collect())
}

/// `member`, as calls see it.
pub(super) fn member(
    run: &Run<'_>,
    members: &Members,
    call: &MemberCall,
    person: &Person,
    row: Option<&Value>,
) -> Value {
    let mut member = json!({ "id": person.key, "value": person.value });
    if let Some(row) = row {
        member["native"] = row.clone();
        if let Some(display) = members.display.as_ref().and_then(|extract| read::read(extract, row)) {
            member["display"] = display;
        }
    }
    if let (Some(object), Some(of)) = (&person.object, run.of_type(&members.of)) {
        if call.reads.scim {
            member["scim"] = Value::Object(read::base(&of, object).0);
        }
        if call.reads.object {
            member["object"] = object.document.tree().clone();
        }
    }
    member
}

/// Says who leaves another group by joining this one, or refuses it; the second list holds the refusals.
pub(super) async fn leave_others(
    run: &Run<'_>,
    members: &Members,
    exclusive: Exclusive,
    group: &str,
    people: Vec<Person>,
) -> Result<(Vec<Person>, Vec<ScimError>), ScimError> {
    let Some(of) = run.of_type(&members.of) else { return Ok((people, Vec::new())) };
    let Some(inverse) = &of.mapping.inverse else { return Ok((people, Vec::new())) };
    let objects: Vec<Object> = people.iter().filter_map(|person| person.object.clone()).collect();
    let objects = complete::settled(&of, objects, || Readers { groups: true, ..Readers::default() }).await?;
    let groups = read::groups_of(&of.seeing_all(), inverse, &objects).await?;
    let hidden = |other: &String| run.native_id(other).is_none();
    let mut others: HashMap<&str, Vec<String>> = HashMap::new();
    for (object, groups) in objects.iter().zip(&groups) {
        let elsewhere = groups.iter().filter_map(value_of).filter(|other| other != group).collect();
        others.insert(&object.id, elsewhere);
    }
    let (mut joining, mut refused) = (Vec::with_capacity(people.len()), Vec::new());
    for person in people {
        let others = others.get(person.value.as_str()).filter(|others| !others.is_empty());
        let named = others.map(|others| {
            let name =
                |other| if hidden(other) { "another one".to_owned() } else { format!("{}/{other}", run.type_name()) };
            others.iter().map(name).collect::<Vec<_>>().join(", ")
        });
        // Nobody is taken out of a group that this client does not see.
        let secret = others.is_some_and(|others| others.iter().any(hidden));
        match (named, if secret { Exclusive::Refuse } else { exclusive }) {
            (Some(named), Exclusive::Refuse) => refused.push(ScimError::invalid_value(format!(
                "members: '{}' is in {named}, and can be in one {} only; remove it there first",
                person.value,
                run.type_name()
            ))),
            (Some(named), Exclusive::Move) => {
                run.note(format!("{} leaves {named} by joining {}/{group} (exclusive)", person.value, run.type_name()));
                run.native.report(|report| report.moved_members += 1);
                joining.push(person);
            }
            (None, _) => joining.push(person),
        }
    }
    Ok((joining, refused))
}
