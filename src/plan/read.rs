//! Reading: one native object, and from native objects to whole SCIM resources.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};

use crate::document::{Document, Tree, View};
use crate::expr::Env;
use crate::mapping::members::{InverseSource, MemberSource};
use crate::mapping::part::PartSet;
use crate::mapping::{Call, Extract, FilterCall, Inverse, Lacks, ListCall, Members, NativePath, RowSet, from_native};
use crate::scim::filter::CompareOp;
use crate::scim::projection::Projection;
use crate::scim::query::parse_projection;
use crate::scim::schema::Returned;
use crate::scim::{AttrPath, Resource, ScimError};

use super::call::{NativeReply, ScimResponse};
use super::judge::Verdict;
use super::render::Rows;
use super::run::{Run, id_text, location, named_id};
use super::{ScimRequest, answer, complete, guard, judge, pages, parts, show, tables};

/// Path of `members`.
pub(super) static MEMBERS: LazyLock<AttrPath> =
    LazyLock::new(|| AttrPath { extension: None, attribute: Arc::from("members"), sub: None });
/// Path of `groups`.
pub(super) static GROUPS: LazyLock<AttrPath> =
    LazyLock::new(|| AttrPath { extension: None, attribute: Arc::from("groups"), sub: None });

/// A native object and what its SCIM side is called.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// SCIM id.
    pub(super) id: String,
    /// Native key, of its native type.
    pub(super) key: Value,
    /// The native document.
    pub(super) document: Document,
    /// Native version, where the API has one.
    pub(super) version: Option<String>,
    /// What the list that showed it leaves out.
    pub(super) lacks: Option<Arc<Lacks>>,
    /// Parts that the document holds.
    pub(super) parts: PartSet,
}

/// `GET /Type/{id}` (RFC 7644 3.4.1).
#[inline]
pub(super) async fn get(run: &Run<'_>, id: &str, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let projection = parse_projection(&request.query, &run.mapping.resource_type, &answer::query_limits(run))?;
    run.record_id(id);
    let object = fetch(run, id).await?;
    let shown = show::one(run, object, &projection).await?;
    Ok(answer::found(shown, request))
}

/// One object by SCIM id.
///
/// # Errors
/// 404 when there is none, or when the id cannot be a key here; then no call is made.
pub(super) async fn fetch(run: &Run<'_>, id: &str) -> Result<Object, ScimError> {
    let absent = || run.not_found(id);
    let key = run.native_id(id).ok_or_else(absent)?;
    find_by_key(run, &key).await?.ok_or_else(absent)
}

/// One object by native key; `None` when the application says that there is none.
pub(super) async fn find_by_key(run: &Run<'_>, key: &Value) -> Result<Option<Object>, ScimError> {
    let env = Env { id: Some(key), ..run.env() };
    let object = if let Some(get) = &run.mapping.ops.get {
        let verdict = run.verdict(get, &env, Rows::default()).await?;
        got(run, get, key, verdict)?
    } else {
        Box::pin(by_list(run, key)).await?
    };
    let object = complete::decided(run, object).await?;
    if let Some(object) = &object {
        tables::know_keys(run, std::slice::from_ref(object)).await?;
    }
    Ok(object)
}

/// One object by SCIM id with all of its parts, as a write has to know it.
///
/// # Errors
/// As [`fetch`].
pub(super) async fn fetch_with_parts(run: &Run<'_>, id: &str) -> Result<Object, ScimError> {
    parts::with_all(run, fetch(run, id).await?).await
}

/// What the reply to `get` says; `None` when the application says that there is no such object.
pub(super) fn got(run: &Run<'_>, get: &Call, key: &Value, verdict: Verdict) -> Result<Option<Object>, ScimError> {
    let object = match verdict.into_result() {
        Ok(reply) if says_something_else(run, &get.envelope.item, &reply) => {
            let name = &run.backend.name;
            return Err(ScimError::new(502, format!("{name} answered without the object that was asked for")));
        }
        Ok(reply) => object_in(run, &get.envelope.item, reply),
        Err(error) if judge::says_absent(&error) => None,
        Err(error) => return Err(error),
    };
    // An application that ignores what it was asked for must not hand out a stranger.
    Ok(object.filter(|object| run.id_of(key).is_some_and(|id| object.id == id)))
}

/// A reply with something in it, but not with the object: an error in the form of a success would look like an absent
/// object. Null there, an empty list and an empty reply do say that there is none.
fn says_something_else(run: &Run<'_>, item: &NativePath, reply: &NativeReply) -> bool {
    let shown = match item.find(&reply.body) {
        Some(shown) => shown.items().map_or(Some(shown), |mut items| items.next()),
        None => {
            let fields = reply.body.view().fields().is_some_and(|fields| fields.len() > 0);
            return fields && item.whole_field().is_none();
        }
    };
    shown.is_some_and(|shown| match shown.fields() {
        Some(fields) => fields.len() > 0 && run.mapping.id.read(shown).is_none(),
        None => !shown.is_null(),
    })
}

/// Without a `get`, a list restricted to the id serves.
async fn by_list(run: &Run<'_>, key: &Value) -> Result<Option<Object>, ScimError> {
    let plan = run.mapping.filters.iter().find_map(|plan| match &plan.how {
        FilterCall::List(list) if &*plan.path.attribute == "id" && plan.ops.contains(&CompareOp::Eq) => Some(list),
        _ => None,
    });
    let list = plan
        .ok_or_else(|| ScimError::new(501, format!("the application offers no way to read one {}", run.type_name())))?;
    let env = Env { id: Some(key), value: Some(key), ..run.env() };
    let items = pages::all(run, list, &env, list.paging.max as usize).await?;
    let id = run.id_of(key);
    Ok(items.into_iter().filter_map(|item| object(run, item, None)).find(|found| Some(&found.id) == id.as_ref()))
}

/// An object from an unwrapped reply, or from an item of a list with what that lacks; `None` without a key, or when it
/// is not to be seen. Where an item does not say whether it is, that is decided when it has been completed.
pub(super) fn object(run: &Run<'_>, document: Document, lacks: Option<&Arc<Lacks>>) -> Option<Object> {
    let key = run.mapping.id.read(&document)?;
    let id = run.id_of(&key)?;
    let undecided = lacks.is_some_and(|lacks| lacks.readers.hides) || complete::parts_hide(run);
    if !undecided && !is_visible(run, &key, &document) {
        return None;
    }
    let version = run.mapping.version.as_ref().filter(|extract| extract.native.header().is_none());
    let version = version.and_then(|extract| read(extract, &document)).as_ref().and_then(id_text);
    Some(Object { id, key, document, version, lacks: lacks.cloned(), parts: 0 })
}

/// Whether an object is there and may be seen.
pub(super) fn is_visible(run: &Run<'_>, key: &Value, document: &dyn Tree) -> bool {
    (run.with_gone || !is_gone(run, key, document)) && !guard::hides(run, key, Some(document))
}

/// Whether an object is treated as absent.
pub(super) fn is_gone(run: &Run<'_>, key: &Value, document: &dyn Tree) -> bool {
    let env = Env { id: Some(key), native: Some(document), ..run.env() };
    run.mapping.gone.as_ref().is_some_and(|gone| gone.test(&env).unwrap_or(false))
}

/// An object in a reply, with the version of its header.
pub(super) fn object_in(run: &Run<'_>, item: &NativePath, reply: NativeReply) -> Option<Object> {
    let in_header = run.mapping.version.as_ref().filter(|extract| extract.native.header().is_some());
    let version = in_header.map(|extract| pages::extract(&extract.native, &extract.codec, &reply));
    let document = item.take_part(reply.body)?;
    let document = match document.view().items() {
        Some(mut items) => document.part(items.next()?),
        None => document,
    };
    let mut found = object(run, document, None)?;
    if let Some(version) = version {
        found.version = version.as_ref().and_then(id_text);
    }
    Some(found)
}

/// A value of a native document through read-direction codecs.
pub(super) fn read<'d>(extract: &Extract, document: impl Into<View<'d>>) -> Option<Value> {
    let raw = extract.native.find(document)?.value();
    from_native::decode(&extract.codec, &raw).ok().filter(|value| !value.is_null())
}

/// The whole resource of one object.
pub(super) async fn one(run: &Run<'_>, object: Object, projection: &Projection) -> Result<Resource, ScimError> {
    let id = object.id.clone();
    let resource = whole(run, vec![object], shown_by(run, projection)).await?.pop();
    resource.ok_or_else(|| run.not_found(&id))
}

/// What a projection shows: `groups` may be there only for those who ask by name.
pub(super) fn shown_by<'p>(run: &Run<'p>, projection: &'p Projection) -> impl Fn(&AttrPath) -> bool + 'p {
    let on_request = run.mapping.inverse.as_ref().is_some_and(|inverse| inverse.on_request);
    move |path| {
        if on_request && *path == *GROUPS {
            projection.wants_returned(path, Returned::Request)
        } else {
            projection.wants(path)
        }
    }
}

/// From objects to resources, in order; an object that is not there any more is left out. `wants` says which attributes
/// are needed, so that calls for others are saved.
pub(super) async fn whole(
    run: &Run<'_>,
    objects: Vec<Object>,
    wants: impl Fn(&AttrPath) -> bool,
) -> Result<Vec<Resource>, ScimError> {
    let objects = complete::settled(run, objects, || complete::wanted(run, &wants)).await?;
    assembled(run, objects, wants).await
}

/// The same for objects that have all that is wanted: one resource each.
pub(super) async fn assembled(
    run: &Run<'_>,
    objects: Vec<Object>,
    wants: impl Fn(&AttrPath) -> bool,
) -> Result<Vec<Resource>, ScimError> {
    let related = related(run, &objects, wants).await?;
    let complete = related.complete;
    let resources = objects.into_iter().zip(related.of_each()).map(|(object, (members, groups))| {
        let mut resource = base(run, &object);
        relate(&mut resource, members, groups);
        answer::finish(run, &mut resource, &object, complete && complete::holds_rows(run, &object));
        resource
    });
    Ok(resources.collect())
}

/// What objects have to do with others, as SCIM elements, in the order of the objects.
pub(super) struct Related {
    members: Vec<Vec<Value>>,
    groups: Vec<Vec<Value>>,
    /// Whether members were read, where the type has any.
    complete: bool,
}

impl Related {
    /// Members and groups of each object; without end, because where nothing was read there is nothing.
    pub(super) fn of_each(self) -> impl Iterator<Item = (Vec<Value>, Vec<Value>)> {
        let (mut members, mut groups) = (self.members.into_iter(), self.groups.into_iter());
        std::iter::repeat_with(move || (members.next().unwrap_or_default(), groups.next().unwrap_or_default()))
    }
}

/// Reads what `wants` asks for. What most requests do not read is boxed, so that they do not carry room for it.
pub(super) async fn related(
    run: &Run<'_>,
    objects: &[Object],
    wants: impl Fn(&AttrPath) -> bool,
) -> Result<Related, ScimError> {
    tables::know_keys(run, objects).await?;
    let mut related = Related { members: Vec::new(), groups: Vec::new(), complete: true };
    if let Some(members) = &run.mapping.members {
        related.complete = wants(&MEMBERS);
        if related.complete {
            related.members = Box::pin(members_of(run, members, objects)).await?;
        }
    }
    if let Some(inverse) = run.mapping.inverse.as_ref().filter(|_| wants(&GROUPS)) {
        related.groups = groups_of(run, inverse, objects).await?;
    }
    Ok(related)
}

fn relate(resource: &mut Resource, members: Vec<Value>, groups: Vec<Value>) {
    if !members.is_empty() {
        resource.set(&MEMBERS, Some(Value::Array(members)));
    }
    if !groups.is_empty() {
        resource.set(&GROUPS, Some(Value::Array(groups)));
    }
}

/// Some rows of one object, with its id, members and groups: enough to decide about, and not to be shown.
pub(super) fn extract(
    run: &Run<'_>,
    object: &Object,
    rows: RowSet,
    (members, groups): (Vec<Value>, Vec<Value>),
) -> Resource {
    let env = Env { id: Some(&object.key), ..run.env() };
    let mut faults = Vec::new();
    let mut resource = from_native::extract(run.mapping, &object.document, rows, &env, &mut faults);
    show::note_faults(run, object, faults);
    resource.0.insert("id".to_owned(), Value::from(object.id.as_str()));
    relate(&mut resource, members, groups);
    run.native.trace(|trace| trace.read(run.mapping, &resource));
    resource
}

/// The rows of one object, with its id.
pub(super) fn base(run: &Run<'_>, object: &Object) -> Resource {
    let env = Env { id: Some(&object.key), ..run.env() };
    let mut faults = Vec::new();
    let mut resource = from_native::resource(run.mapping, &object.document, &env, &mut faults);
    show::note_faults(run, object, faults);
    resource.0.insert("id".to_owned(), Value::from(object.id.as_str()));
    run.native.trace(|trace| trace.read(run.mapping, &resource));
    resource
}

/// The members of each object, as SCIM elements.
async fn members_of(run: &Run<'_>, members: &Members, objects: &[Object]) -> Result<Vec<Vec<Value>>, ScimError> {
    let lists = complete::member_items(run, members, member_items(run, members, objects).await?).await?;
    Ok(lists.iter().map(|items| elements(run, members, items)).collect())
}

/// The native items that show the members of each object.
///
/// # Errors
/// 400 `tooMany` for a group with more members than may be read.
pub(super) async fn member_items(
    run: &Run<'_>,
    members: &Members,
    objects: &[Object],
) -> Result<Vec<Vec<Value>>, ScimError> {
    let path = match &members.source {
        MemberSource::Native(path) => path,
        MemberSource::List(list) => {
            if let [object] = objects
                && let Some(items) = run.recent_members(&object.id)
            {
                return Ok(vec![items]);
            }
            let max = members.max.unwrap_or(run.snapshot.limits.members_max);
            return lists_of(run, list, members.parallel, pages::Most::Members(max), objects).await;
        }
    };
    let mut all = Vec::with_capacity(objects.len());
    for object in objects {
        let items = path.find(&object.document).and_then(View::items);
        let items: Vec<Value> = items.into_iter().flatten().map(View::to_value).collect();
        if let Some(max) = members.max {
            pages::Most::Members(max).check(run, items.len())?;
        }
        all.push(items);
    }
    Ok(all)
}

/// One list per object, read side by side.
async fn lists_of(
    run: &Run<'_>,
    list: &ListCall,
    parallel: usize,
    most: pages::Most,
    objects: &[Object],
) -> Result<Vec<Vec<Value>>, ScimError> {
    let env = |object| -> Env<'_> {
        let object: &Object = object;
        Env { id: Some(&object.key), native: Some(&object.document), ..run.env() }
    };
    let envs = objects.iter().map(env).collect();
    let lists = pages::many(run, list, envs, most, parallel).await?;
    let slot = list.call.slot.as_str();
    let known = lists.into_iter().zip(objects).map(|(list, object)| match list {
        // Removed a moment ago, or a wrong path in the configuration: neither is an empty list.
        Err(error) if judge::says_absent(&error) => Err(ScimError::new(
            502,
            format!(
                "{} knows {} {} and answers 404 for {}; try again, and check the path of that call if it lasts",
                run.backend.name,
                run.type_name(),
                object.id,
                slot,
            ),
        )),
        other => other.map(pages::trees),
    });
    known.collect()
}

/// SCIM member elements from native items. An item without an id is left out; who is shown by several is there once.
pub(super) fn elements(run: &Run<'_>, members: &Members, items: &[Value]) -> Vec<Value> {
    let of = run.of_type(&members.of);
    let endpoint = of.map(|of| of.mapping.resource_type.endpoint.clone());
    let mut seen = HashSet::new();
    let elements = items.iter().filter_map(|item| {
        let id = named_id(of.as_ref(), &read(&members.value, item)?)?;
        let hidden = |of: &Run<'_>| {
            guard::hides_item(of, &members.value, item, &id) || shows_gone(of, &members.value.native, item, &id)
        };
        if of.as_ref().is_some_and(hidden) || !seen.insert(id.clone()) {
            return None;
        }
        let mut element = Map::new();
        if let Some(endpoint) = &endpoint {
            element.insert("$ref".to_owned(), Value::from(location(&run.context.base_url, endpoint, &id)));
        }
        if let Some(display) = members.display.as_ref().and_then(|extract| read(extract, item)) {
            element.insert("display".to_owned(), display);
        }
        element.insert("type".to_owned(), Value::from(members.of.as_str()));
        element.insert("value".to_owned(), Value::from(id));
        Some(Value::Object(element))
    });
    elements.collect()
}

/// Whether an item of a membership holds the document of an object that is gone: itself, or around the value that is
/// the id. What is no document of the object says nothing about it.
fn shows_gone(of: &Run<'_>, value: &NativePath, item: &Value, id: &str) -> bool {
    if of.mapping.gone.is_none() {
        return false;
    }
    let around = value.parent();
    let around = around.as_ref().and_then(|parent| parent.get(item));
    [Some(item), around].into_iter().flatten().any(|document| {
        let key = of.mapping.id.read(document).filter(|key| of.id_of(key).as_deref() == Some(id));
        key.is_some_and(|key| is_gone(of, &key, document))
    })
}

/// The groups of each object, as SCIM elements.
pub(super) async fn groups_of(
    run: &Run<'_>,
    inverse: &Inverse,
    objects: &[Object],
) -> Result<Vec<Vec<Value>>, ScimError> {
    let of = run.of_type(&inverse.group);
    let endpoint = of.map(|of| of.mapping.resource_type.endpoint.clone());
    let lists = match &inverse.source {
        InverseSource::Native(path) => {
            let items = objects.iter().map(|object| match path.find(&object.document).map(View::to_value) {
                Some(Value::Array(items)) => items,
                Some(Value::Null) | None => Vec::new(),
                Some(single) => vec![single],
            });
            items.collect()
        }
        InverseSource::Call(list) => {
            let most = pages::Most::Members(run.snapshot.limits.members_max);
            Box::pin(lists_of(run, list, inverse.parallel, most, objects)).await?
        }
    };
    if lists.iter().all(Vec::is_empty) {
        return Ok(lists);
    }
    let element = |item: &Value| {
        let id = named_id(of.as_ref(), &read(&inverse.value, item)?)?;
        let hidden = |of: &Run<'_>| {
            guard::hides_item(of, &inverse.value, item, &id) || shows_gone(of, &inverse.value.native, item, &id)
        };
        if of.as_ref().is_some_and(hidden) {
            return None;
        }
        let mut element = json!({ "type": "direct", "value": id });
        if let Some(endpoint) = &endpoint {
            element["$ref"] = Value::from(location(&run.context.base_url, endpoint, &id));
        }
        if let Some(display) = inverse.display.as_ref().and_then(|extract| read(extract, item)) {
            element["display"] = display;
        }
        Some(element)
    };
    let once = |items: &Vec<Value>| {
        let mut seen = HashSet::new();
        let elements = items.iter().filter_map(element);
        elements.filter(|element| seen.insert(element["value"].as_str().map(str::to_owned))).collect()
    };
    Ok(lists.iter().map(once).collect())
}
