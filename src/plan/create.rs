//! POST (RFC 7644 3.3).

use serde_json::Value;

use crate::dialect::{self, Purpose, Repairs};
use crate::expr::{Env, Name};
use crate::mapping::{Body, BodyNode, Call, Collision, Phase, RowSet, to_native};
use crate::scim::patch::MemberChange;
use crate::scim::query::parse_projection;
use crate::scim::{Resource, ScimError};

use super::call::{NativeReply, ScimResponse};
use super::judge::Verdict;
use super::members::Group;
use super::read::{self, MEMBERS, Object};
use super::render::Rows;
use super::run::{Run, id_text};
use super::{ScimRequest, answer, change, members, pages, update};

pub(super) async fn create(run: &Run<'_>, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let resource_type = &run.mapping.resource_type;
    let projection = parse_projection(&request.query, resource_type, &answer::query_limits(run))?;
    let body = change::json_body(run, &request.body)?;
    let mut repairs = Repairs::default();
    let normalised = dialect::resource(resource_type, body, Purpose::Create, &answer::body_limits(run), &mut repairs);
    run.record_repairs(&repairs);
    let normalised = normalised?;
    run.record_ignored(change::unmapped(run, &normalised.resource), normalised.unknown);
    let mut resource = normalised.resource;
    let members = resource.get(&MEMBERS).and_then(Value::as_array).cloned().unwrap_or_default();
    resource.set(&MEMBERS, None);
    check_members(run, &members)?;
    change::check_mirrors(run, &resource)?;
    change::check_active(run, &resource, None)?;

    let call =
        run.mapping.ops.create.as_ref().ok_or_else(|| {
            ScimError::new(501, format!("the application offers no way to create a {}", run.type_name()))
        })?;
    let derived = derived_key(run, &resource)?;
    let made = match held(run, derived.as_ref(), &resource).await? {
        Some(holder) => Made { id: holder.id.clone(), key: holder.key.clone(), object: Some(holder) },
        None => make(run, call, &resource, derived).await?,
    };
    run.record_id(&made.id);
    let object =
        follow_up(run, call, &resource, members, &made).await.map_err(|error| half_made(run, &made.id, error))?;
    let whole = read::one(run, object, &projection).await.map_err(|error| half_made(run, &made.id, error))?;
    Ok(answer::with_resource(run, 201, whole, &projection))
}

/// What the create call left behind.
struct Made {
    id: String,
    key: Value,
    object: Option<Object>,
}

/// Members that cannot be ids of their type are refused before anything is made.
fn check_members(run: &Run<'_>, elements: &[Value]) -> Result<(), ScimError> {
    match (&run.mapping.members, elements.is_empty()) {
        (Some(members), false) => members::check_ids(run, members, elements),
        _ => Ok(()),
    }
}

/// The key a new object will have, where the mapping computes it.
fn derived_key(run: &Run<'_>, resource: &Resource) -> Result<Option<Value>, ScimError> {
    let Some(template) = &run.mapping.id.derive else { return Ok(None) };
    let scim = Value::Object(resource.0.clone());
    let env = Env { scim: Some(&scim), ..run.env() };
    let text = template
        .text(&env)
        .map_err(|error| ScimError::internal(format!("mapping error at {}: {error}", run.mapping.origin)))?;
    let text = text.unwrap_or_default();
    let fits = !text.is_empty() && !text.contains('/') && text != "." && text != "..";
    let key = if fits { run.native_id(&text) } else { None };
    key.map(Some).ok_or_else(|| {
        ScimError::invalid_value(format!(
            "the application cannot use '{text}' as the key of a {}; change the attribute it is made from",
            run.type_name()
        ))
    })
}

/// The object that already has the derived key, where it may be used instead of a new one.
async fn held(run: &Run<'_>, derived: Option<&Value>, resource: &Resource) -> Result<Option<Object>, ScimError> {
    let (Some(key), Collision::Reject | Collision::Reuse) = (derived, run.mapping.id.collision) else {
        return Ok(None);
    };
    let Some(holder) = read::find_by_key(run, key).await? else { return Ok(None) };
    let held = read::base(run, &holder);
    let same_source = run
        .mapping
        .rows
        .iter()
        .filter(|row| row.required || row.target.path.attribute.as_ref() == "displayName")
        .all(|row| change::value(run, row, &held) == change::value(run, row, resource));
    if run.mapping.id.collision == Collision::Reuse && same_source {
        run.note(format!("the key {} is held by an equal object, which is used", holder.id));
        return Ok(Some(holder));
    }
    let name =
        held.0.get("displayName").or_else(|| held.0.get("userName")).and_then(Value::as_str).unwrap_or(&holder.id);
    Err(ScimError::uniqueness(format!("the key {} is taken by '{name}'", holder.id)))
}

async fn make(run: &Run<'_>, call: &Call, resource: &Resource, derived: Option<Value>) -> Result<Made, ScimError> {
    let scim = Value::Object(resource.0.clone());
    let env = Env { id: derived.as_ref(), scim: Some(&scim), ..run.env() };
    let rows = to_native::create_rows(run.mapping);
    let mut document = to_native::document(run.mapping, rows, resource, None, to_native::Purpose::Create, &env)?;
    run.native.trace(|trace| trace.written(run.mapping, with_value(run, resource, rows)));
    with_key(run, call, derived.as_ref(), &mut document);
    let rows = Rows { mapped: Some(&document), changed: Some(&document) };
    let reply = match run.verdict(call, &env, rows).await? {
        Verdict::Ok(reply) | Verdict::Accepted(reply) => reply,
        Verdict::Failed(error) => return Err(error),
    };
    let saved = saved_id(call, &reply);
    let object = read::object_in(run, &call.envelope.item, reply);
    let key = saved.or_else(|| object.as_ref().map(|object| object.key.clone())).or(derived);
    let key = key.ok_or_else(|| {
        ScimError::new(
            502,
            format!("the {} was created, but the application's reply does not say its id", run.type_name()),
        )
    })?;
    let id = id_text(&key).unwrap_or_default();
    Ok(Made { id, key, object })
}

/// A key that the adapter computed travels in the document, unless the call carries it in its path.
pub(super) fn with_key(run: &Run<'_>, call: &Call, derived: Option<&Value>, document: &mut Value) {
    let native = &run.mapping.id.native;
    let in_path = call.segments.iter().any(|segment| segment.uses(Name::Id));
    if let Some(key) = derived.filter(|_| !in_path && native.get(document).is_none_or(Value::is_null)) {
        native.put(document, Some(key.clone()));
    }
}

/// `save = { id = .. }`.
fn saved_id(call: &Call, reply: &NativeReply) -> Option<Value> {
    let (_, extract) = call.save.iter().find(|(name, _)| &**name == "id")?;
    pages::extract(&extract.native, &extract.codec, reply)
}

/// Phases after the create call; answers with the object as it then is.
async fn follow_up(
    run: &Run<'_>,
    call: &Call,
    resource: &Resource,
    members: Vec<Value>,
    made: &Made,
) -> Result<Object, ScimError> {
    let mut object = made.object.clone();
    let unsent = unsent_rows(run, call, resource);
    let rules = run.mapping.writes.iter().filter(|rule| rule.on_create).fold(0, |set, rule| set | rule.rows);
    let pending = unsent | (rules & with_value(run, resource, !0) & to_native::update_rows(run.mapping));
    if pending != 0 {
        let known = match &object {
            Some(object) => object.clone(),
            None => read::find_by_key(run, &made.key).await?.ok_or_else(|| run.not_found(&made.id))?,
        };
        let old = read::base(run, &known);
        let differing = pending_rows(run, &old, resource, pending);
        if differing != 0 {
            object = update::send(run, &made.key, resource, Some((&known, &old)), differing).await?;
        }
    }
    if !members.is_empty() && run.mapping.members.is_some() {
        let group = Group { run, id: &made.id, key: &made.key, known: object.clone() };
        members::apply(group, MemberChange::Delta { add: members, remove: Vec::new() }, &[]).await?;
        object = object.filter(|_| members::outlasts_members(run));
    }
    if call.then.contains(&Phase::Get) {
        object = None;
    }
    match object {
        Some(object) => Ok(object),
        None => read::find_by_key(run, &made.key).await?.ok_or_else(|| run.not_found(&made.id)),
    }
}

/// Rows with a value that the create call did not carry and an update can.
fn unsent_rows(run: &Run<'_>, call: &Call, resource: &Resource) -> RowSet {
    let sent = if carries_rows(&call.body) { to_native::create_rows(run.mapping) } else { 0 };
    with_value(run, resource, to_native::update_rows(run.mapping) & !sent)
}

fn carries_rows(body: &Body) -> bool {
    match body {
        Body::None => false,
        Body::Rows => true,
        Body::Built(node) => matches!(node, BodyNode::Object { .. }),
    }
}

fn with_value(run: &Run<'_>, resource: &Resource, set: RowSet) -> RowSet {
    run.mapping
        .rows_in(set)
        .filter(|(_, row)| change::value(run, row, resource).is_some())
        .fold(0, |set, (index, _)| set | 1 << index)
}

fn pending_rows(run: &Run<'_>, old: &Resource, resource: &Resource, pending: RowSet) -> RowSet {
    run.mapping
        .rows_in(pending)
        .filter(|(_, row)| change::value(run, row, old) != change::value(run, row, resource))
        .fold(0, |set, (index, _)| set | 1 << index)
}

/// The object exists, but not everything about it was carried out: the client must know.
fn half_made(run: &Run<'_>, id: &str, mut error: ScimError) -> ScimError {
    error.detail = format!("{} {id} was created, but not completed: {}", run.type_name(), error.detail);
    error
}
