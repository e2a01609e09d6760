//! PUT and PATCH (RFC 7644 3.5.1, 3.5.2).
//!
//! The old state is read only where the request cannot be carried out without it; a PATCH that sets single-valued
//! attributes is one native call.

use serde_json::Value;

use crate::dialect::{self, Purpose, Repairs};
use crate::document::Tree;
use crate::expr::Env;
use crate::mapping::{Call, Flow, NativePath, Order, Phase, PutOmitted, RowSet, WriteRule, to_native};
use crate::scim::patch::{self, MemberChange};
use crate::scim::projection::Projection;
use crate::scim::query::parse_projection;
use crate::scim::{PatchOp, Resource, ScimError};

use super::call::{NativeReply, ScimResponse};
use super::direct::{self, Direct};
use super::members::{Applied, Group};
use super::read::{self, MEMBERS, Object};
use super::render::Rows;
use super::run::Run;
use super::steps::{self, Outcome, Progress};
use super::turn::{TurnRequest, Work};
use super::veil::veiled;
use super::{ScimRequest, advice, answer, change, guard, members, parts, show, tables};

/// `PATCH /Type/{id}`.
#[inline]
pub(super) async fn patch(run: &Run<'_>, id: &str, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let resource_type = &run.mapping.resource_type;
    let projection = parse_projection(&request.query, resource_type, &answer::query_limits(run))?;
    let body = change::json_body(run, &request.body)?;
    let mut repairs = Repairs::default();
    let normalised = dialect::patch(resource_type, body, &answer::body_limits(run), Some(id), &mut repairs);
    run.record_repairs(&repairs);
    run.record_id(id);
    let normalised = normalised?;
    let (ops, member_ops) = split(run, normalised.ops);
    run.record_ignored(Vec::new(), normalised.unknown);
    tables::know_sent(run, &ops).await?;
    let change = members::wanted(run, &member_ops)?;
    let key = run.native_id(id).ok_or_else(|| run.not_found(id))?;
    let sees = guard::wants_to_see(run, !ops.is_empty(), &change);
    let direct = if !sees && request.if_match.is_none() && !members::needs_state(run, &change) {
        direct::changes(run, &ops)
    } else {
        None
    };
    let blind = direct.is_some() && matches!(change, MemberChange::None);
    let keys = run.keys_for(id, if blind { Work::Blind } else { Work::Merge });
    let share = members::share(run, id, request, &change).filter(|_| ops.is_empty());
    run.turn(TurnRequest { keys, share }).await?;

    // Boxed like all that is rare below: a plan is moved about, and most changes are one call.
    let known = if sees { Some(Box::pin(read::fetch_with_parts(run, id)).await?) } else { None };
    if change != MemberChange::None {
        Box::pin(members::permit(run, Some(&key), known.as_ref(), &change, &member_ops)).await?;
    }
    let written = match direct {
        Some(Direct { scim, rows }) => {
            guard::allow_change(run, &key, None, state_of(&scim)?, rows)?;
            if rows != 0 {
                run.note("old state not read");
            }
            Written { before: None, after: write(run, &key, &scim, None, rows).await? }
        }
        None => Box::pin(send_difference(run, id, known, &ops, request)).await?,
    };
    let only_members = ops.is_empty() && !member_ops.is_empty();
    let bare = only_members && run.snapshot.server.group_patch_status == 204 && matches!(projection, Projection::All);
    let latest = match change {
        MemberChange::None => written.after,
        change => Box::pin(with_members(run, id, &key, written, (change, &member_ops), bare)).await?,
    };
    if bare {
        return Ok(answer::empty(204));
    }
    updated(run, id, latest, &projection).await
}

/// What writing attributes left behind.
struct Written {
    /// The object as read before, if it was.
    before: Option<Object>,
    /// The object as it is, if that is known.
    after: Option<Object>,
}

/// Changes the members after the attributes; answers with the object as it is, if that is known. `bare` says that the
/// answer will not look at it. Boxed by who calls it, or every write would be as large as a change of members.
async fn with_members(
    run: &Run<'_>,
    id: &str,
    key: &Value,
    written: Written,
    (change, ops): (MemberChange, &[PatchOp]),
    bare: bool,
) -> Result<Option<Object>, ScimError> {
    let Written { before, after } = written;
    let group = Group { run, id, key, known: after.clone().or(before), is_new: false, look: false };
    let Applied { sent, read, doubt } = members::apply(group, change, ops).await?;
    if doubt && bare {
        read::fetch(run, id).await?;
    }
    Ok(after.or(read).filter(|_| !sent || members::outlasts_members(run)))
}

/// `PUT /Type/{id}`.
#[inline]
pub(super) async fn replace(run: &Run<'_>, id: &str, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let resource_type = &run.mapping.resource_type;
    let projection = parse_projection(&request.query, resource_type, &answer::query_limits(run))?;
    let body = change::json_body(run, &request.body)?;
    let mut repairs = Repairs::default();
    let purpose = match run.mapping.put_omitted {
        PutOmitted::Clear => Purpose::Replace,
        PutOmitted::Keep => Purpose::Merge,
    };
    let normalised = dialect::resource(resource_type, body, purpose, &answer::body_limits(run), &mut repairs);
    run.record_repairs(&repairs);
    run.record_id(id);
    let normalised = normalised?;
    run.record_ignored(change::unmapped(run, &normalised.resource), normalised.unknown);
    tables::know_names(run, &normalised.resource).await?;
    let members_cleared = normalised.cleared.contains(&*MEMBERS);
    let mut sent = normalised.resource;
    let members = sent.get(&MEMBERS).and_then(Value::as_array).cloned();
    sent.set(&MEMBERS, None);
    members::check(run, members.as_deref().unwrap_or_default())?;

    run.turn_on(id, Work::Merge).await?;
    let object = read::fetch_with_parts(run, id).await?;
    let old = read::base(run, &object);
    guard_version(run, &object, request).await?;
    change::check_active(run, &sent, Some(&old))?;
    let new = change::replacement(run, &old, sent);
    let changed = change::changed_rows(run, &old, &new)?;
    let change = match members {
        Some(members) if run.mapping.members.is_some() => MemberChange::Set(members),
        None if members_cleared && run.mapping.members.is_some() => MemberChange::Set(Vec::new()),
        _ => MemberChange::None,
    };
    guard::allow_change(run, &object.key, Some(&object), &new, changed)?;
    if change != MemberChange::None {
        Box::pin(members::permit(run, Some(&object.key), Some(&object), &change, &[])).await?;
    }
    let after = write(run, &object.key, &Value::Object(new.0), Some((&object, &old)), changed).await?;
    let key = object.key.clone();
    let written = Written { after: if changed == 0 { Some(object.clone()) } else { after }, before: Some(object) };
    let latest = match change {
        MemberChange::None => written.after,
        change => Box::pin(with_members(run, id, &key, written, (change, &[]), false)).await?,
    };
    updated(run, id, latest, &projection).await
}

/// Attribute operations, and operations on members. What the mapping has no place for is dropped and counted.
fn split(run: &Run<'_>, mut ops: Vec<PatchOp>) -> (Vec<PatchOp>, Vec<PatchOp>) {
    let is_unmapped = |op: &PatchOp| !change::is_mapped(run, &op.path().attr);
    if ops.iter().any(is_unmapped) {
        let unmapped = ops.extract_if(.., |op| is_unmapped(op));
        let names = unmapped.map(|op| op.path().attr.to_string()).collect();
        run.record_ignored(names, Vec::new());
    }
    if run.mapping.members.is_none() {
        return (ops, Vec::new());
    }
    ops.into_iter().partition(|op| op.path().attr.attribute != MEMBERS.attribute)
}

/// 412 when `If-Match` names another version. The version covers members, so the whole resource is read.
async fn guard_version(run: &Run<'_>, object: &Object, request: &ScimRequest) -> Result<(), ScimError> {
    if request.if_match.is_none() {
        return Ok(());
    }
    let whole = read::one(run, object.clone(), &Projection::All).await?;
    answer::check_if_match(request, &whole)
}

/// Reads the old state, applies the operations to it and sends the difference.
async fn send_difference(
    run: &Run<'_>,
    id: &str,
    seen: Option<Object>,
    ops: &[PatchOp],
    request: &ScimRequest,
) -> Result<Written, ScimError> {
    let object = match seen {
        Some(object) => parts::with_all(run, object).await?,
        None => read::fetch_with_parts(run, id).await?,
    };
    guard_version(run, &object, request).await?;
    let old = read::base(run, &object);
    let new = patch::apply(&run.mapping.resource_type, old.clone(), ops)?;
    change::check_readable_only(run, &patch::touched(ops), Some((&old, &new)))?;
    let changed = change::changed_rows(run, &old, &new)?;
    guard::allow_change(run, &object.key, Some(&object), &new, changed)?;
    let after = write(run, &object.key, &Value::Object(new.0), Some((&object, &old)), changed).await?;
    Ok(Written { after: if changed == 0 { Some(object.clone()) } else { after }, before: Some(object) })
}

/// Sends changed rows: rules first where they say so, then the ordinary update, then the other rules. Answers with
/// the object of the last reply, if that reply shows it.
///
/// # Errors
/// The mapped error of the first call that failed; its detail names what was done before.
pub(super) async fn send(
    run: &Run<'_>,
    key: &Value,
    state: &Resource,
    old: Option<(&Object, &Resource)>,
    changed: RowSet,
) -> Result<Option<Object>, ScimError> {
    write(run, key, &Value::Object(state.0.clone()), old, changed).await
}

/// The same for a state in the form in which expressions see it. Rules and parts are boxed: most mappings have none.
async fn write(
    run: &Run<'_>,
    key: &Value,
    scim: &Value,
    old: Option<(&Object, &Resource)>,
    changed: RowSet,
) -> Result<Option<Object>, ScimError> {
    let state = state_of(scim)?;
    change::note_elements(run, state);
    if changed == 0 {
        return Ok(None);
    }
    let old_scim = old.map(|(_, resource)| Value::Object(resource.0.clone()));
    let native = old.map(|(object, _)| &object.document as _);
    let env = Env { id: Some(key), scim: Some(scim), old: old_scim.as_ref(), native, ..run.env() };
    run.native.trace(|trace| trace.changed(run.mapping, changed, old.map(|(_, resource)| resource), state));

    let (rules, rest) = applying(run, changed, &env)?;
    if let Some((_, row)) = run.mapping.rows_in(rest & !to_native::update_rows(run.mapping)).next() {
        return Err(change::fixed(row));
    }
    let mut progress = Progress::default();
    let mut latest = None;
    for rule in rules.iter().filter(|rule| rule.order == Order::Before) {
        let start = progress.done.len();
        let sent = Box::pin(by_rule(run, rule, state, &env, &mut progress)).await;
        latest = sent.map_err(|error| stopped(error, &progress, start))?;
    }
    let update = progress.done.len();
    let by_parts = run.mapping.own_call_rows();
    if rest & !by_parts != 0 {
        let sent = ordinary(run, rest & !by_parts, state, &env, &mut progress).await;
        latest = sent.map_err(|error| stopped(error, &progress, update))?;
    }
    for part in run.mapping.parts.iter().filter(|part| rest & by_parts & part.rows != 0) {
        let start = progress.done.len();
        let sent = Box::pin(parts::send(run, part, rest & part.rows, state, &env, &mut progress)).await;
        sent.map_err(|error| stopped(error, &progress, start))?;
        // What is shown of the object may have followed.
        latest = None;
    }
    for rule in rules.iter().filter(|rule| rule.order == Order::After) {
        // What a rule does not claim the update has sent, so that a retry may find nothing left to change.
        let start = if rule.claims { progress.done.len() } else { update };
        let sent = Box::pin(by_rule(run, rule, state, &env, &mut progress)).await;
        latest = sent.map_err(|error| stopped(error, &progress, start))?;
    }
    Ok(latest)
}

fn state_of(scim: &Value) -> Result<&Resource, ScimError> {
    Resource::of(scim).ok_or_else(|| ScimError::internal("a resource is no object"))
}

/// The rules that apply to changed rows, and the rows that they leave to the update.
pub(super) fn applying<'f>(
    run: &Run<'f>,
    changed: RowSet,
    env: &Env<'_>,
) -> Result<(Vec<&'f WriteRule>, RowSet), ScimError> {
    let mut rules = Vec::new();
    let mut rest = changed;
    for rule in run.mapping.writes.iter().filter(|rule| rule.on_update && rule.rows & changed != 0) {
        if holds(rule, env)? {
            rules.push(rule);
            if rule.claims {
                rest &= !rule.rows;
            }
        }
    }
    Ok((rules, rest))
}

fn holds(rule: &WriteRule, env: &Env<'_>) -> Result<bool, ScimError> {
    match &rule.when {
        Some(when) => {
            when.test(env).map_err(|error| ScimError::internal(format!("mapping error at {}: {error}", rule.origin)))
        }
        None => Ok(true),
    }
}

/// Nothing is rolled back: a retry computes the remaining difference and sends only that. `start` is how much was done
/// before anything about the attributes at hand was.
fn stopped(error: ScimError, progress: &Progress<'_>, start: usize) -> ScimError {
    let retry = if progress.done.len() == start { advice::SENDS_REST } else { advice::SENDS_NOTHING };
    after(error, &progress.done, retry)
}

/// Says what was done before something failed.
pub(super) fn after(mut error: ScimError, done: &[String], retry: &str) -> ScimError {
    if !done.is_empty() {
        error.detail = format!("{} (done before this failed: {}; {retry})", error.detail, done.join(", "));
    }
    error
}

async fn by_rule<'f>(
    run: &Run<'f>,
    rule: &'f WriteRule,
    state: &Resource,
    env: &Env<'_>,
    progress: &mut Progress<'f>,
) -> Result<Option<Object>, ScimError> {
    let mut changed = to_native::document(
        run.mapping,
        rule.rows,
        state,
        env.native.map(Tree::tree),
        to_native::Purpose::Update,
        env,
    )?;
    strip(run, &mut changed);
    run.native.trace(|trace| {
        trace.written(run.mapping, rule.rows);
        trace.rule(&rule.origin);
    });
    let veiled = veiled(run, &changed, &changed, &[]);
    let rows = Rows { veiled: veiled.as_ref(), ..Rows::new(&changed, &changed) };
    let outcome = steps::carry_out(run, &rule.flow, &rule.origin.to_string(), env, rows, progress).await?;
    Ok(latest(run, &rule.flow, outcome, env))
}

async fn ordinary<'f>(
    run: &Run<'f>,
    rows: RowSet,
    state: &Resource,
    env: &Env<'_>,
    progress: &mut Progress<'f>,
) -> Result<Option<Object>, ScimError> {
    let Some(OwnCall { flow, whole, changed }) = own_call(run, rows, state, env)? else { return Ok(None) };
    let whole = whole.as_ref().unwrap_or(&changed);
    let veiled = veiled(run, whole, &changed, &[]);
    let rows = Rows { veiled: veiled.as_ref(), ..Rows::new(whole, &changed) };
    let outcome = steps::carry_out(run, flow, "the update", env, rows, progress).await?;
    Ok(latest(run, flow, outcome, env))
}

/// What carries changed rows, and the documents that it may send.
struct OwnCall<'f> {
    flow: &'f Flow,
    /// Without it what changed is all.
    whole: Option<Value>,
    changed: Value,
}

/// The update, or the replacement of the whole object; `None` if that would be as it is.
fn own_call<'f>(
    run: &Run<'f>,
    rows: RowSet,
    state: &Resource,
    env: &Env<'_>,
) -> Result<Option<OwnCall<'f>>, ScimError> {
    let update = to_native::Purpose::Update;
    // Rows of parts that have no call of their own are here by name alone.
    let part_rows = run.mapping.part_rows();
    let base = env.native.map(Tree::tree);
    let mut changed = to_native::document(run.mapping, rows & !part_rows, state, base, update, env)?;
    run.native.trace(|trace| trace.written(run.mapping, rows));
    if let Some(flow) = &run.mapping.ops.update {
        if let Some((row, _)) = to_native::left_out(run.mapping, rows, state).next() {
            return Err(ScimError::invalid_value(format!(
                "{} cannot be removed: the application's update has no form for a field that is not there",
                row.target
            )));
        }
        let mut whole = None;
        if run.mapping.writing.update_is_whole {
            let rows = (present(run, to_native::update_rows(run.mapping), state) | rows) & !part_rows;
            let document = to_native::document(run.mapping, rows, state, base, update, env)?;
            strip(run, whole.insert(document));
        }
        strip(run, &mut changed);
        return Ok(Some(OwnCall { flow, whole, changed }));
    }
    let (Some(flow), Some(native)) = (&run.mapping.ops.replace, env.native.map(Tree::tree)) else {
        let names: Vec<String> = run.mapping.rows_in(rows).map(|(_, row)| row.target.to_string()).collect();
        return Err(ScimError::mutability(format!("the application has no way to change {}", names.join(", "))));
    };
    let mut whole = parts::own(run, native).into_owned();
    merge(&mut whole, &changed, 0);
    to_native::left_out(run.mapping, rows, state).for_each(|(_, path)| path.put(&mut whole, None));
    if whole == *parts::own(run, native) {
        return Ok(None);
    }
    strip(run, &mut whole);
    Ok(Some(OwnCall { flow, whole: Some(whole), changed }))
}

/// Takes out what the application shows and refuses to be sent.
fn strip(run: &Run<'_>, document: &mut Value) {
    run.mapping.strip.iter().for_each(|path| path.strip(document));
}

/// Sends native fields with `update`, or the whole object with them. `label` is what that is called in messages.
pub(super) async fn send_fields(
    run: &Run<'_>,
    object: &Object,
    old: &Resource,
    fields: &[(NativePath, Value)],
    label: &str,
) -> Result<(), ScimError> {
    let native = &*parts::own(run, object.document.tree());
    let scim = Value::Object(old.0.clone());
    let env = Env { id: Some(&object.key), scim: Some(&scim), old: Some(&scim), native: Some(native), ..run.env() };
    let fill = |document: &mut Value| fields.iter().for_each(|(path, value)| path.put(document, Some(value.clone())));
    let mut changed = Value::Object(serde_json::Map::new());
    for field in fields.iter().filter_map(|(path, _)| path.whole_field()) {
        if let Some(held) = native.get(field) {
            changed[field] = held.clone();
        }
    }
    fill(&mut changed);
    let mut whole = native.clone();
    fill(&mut whole);
    if whole == *native {
        return Ok(());
    }
    let mut progress = Progress::default();
    let flow = match (&run.mapping.ops.update, &run.mapping.ops.replace) {
        (Some(flow), _) => {
            let update = to_native::Purpose::Update;
            let rows = present(run, to_native::update_rows(run.mapping) & !run.mapping.part_rows(), old);
            whole = to_native::document(run.mapping, rows, old, Some(native), update, &env)?;
            fill(&mut whole);
            flow
        }
        (None, Some(flow)) => flow,
        (None, None) => return Err(ScimError::internal("the mapping has no call that sends native fields")),
    };
    strip(run, &mut whole);
    strip(run, &mut changed);
    let sends_whole = run.mapping.ops.update.is_none() || flow.sends_all_rows();
    let mapped = if sends_whole { &whole } else { &changed };
    let named: Vec<&NativePath> = fields.iter().map(|(path, _)| path).collect();
    let veiled = veiled(run, mapped, &changed, &named);
    let rows = Rows { veiled: veiled.as_ref(), ..Rows::new(mapped, &changed) };
    let done = steps::carry_out(run, flow, label, &env, rows, &mut progress).await;
    done.map(drop).map_err(|error| after(error, &progress.done, &format!("a retry repeats {label}")))
}

/// Rows of a set that have a value.
fn present(run: &Run<'_>, set: RowSet, state: &Resource) -> RowSet {
    run.mapping.with_value(set, state)
}

/// The object that the last reply of a flow shows.
fn latest(run: &Run<'_>, flow: &Flow, outcome: Outcome<'_>, env: &Env<'_>) -> Option<Object> {
    let (call, reply) = outcome.last.filter(|_| !flow.then.contains(&Phase::Get))?;
    shown(run, call, reply, env)
}

/// Objects merge, everything else is replaced. Depth is that of the mapping's paths; the bound is a second lock.
fn merge(into: &mut Value, from: &Value, depth: usize) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) if depth < 64 => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value, depth + 1);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// The object a reply shows, if it is the one that was written.
fn shown(run: &Run<'_>, call: &Call, reply: NativeReply, env: &Env<'_>) -> Option<Object> {
    let object = read::object_in(run, &call.envelope.item, reply)?;
    let same = env.id.is_some_and(|key| *key == object.key || run.id_of(key).is_some_and(|id| object.id == id));
    (same && is_whole(run, &object)).then_some(object)
}

/// Some replies name the object and what changed. One without a value that every resource has is not taken for it.
fn is_whole(run: &Run<'_>, object: &Object) -> bool {
    let held = |path: &NativePath| path.find(&object.document).is_some_and(|value| !value.is_null());
    run.mapping.rows_in(run.mapping.writing.required).all(|(_, row)| row.native_path().is_none_or(held))
}

/// 200 with the resource.
async fn updated(
    run: &Run<'_>,
    id: &str,
    latest: Option<Object>,
    projection: &Projection,
) -> Result<ScimResponse, ScimError> {
    let object = match latest {
        Some(object) => object,
        None => Box::pin(read::fetch(run, id)).await?,
    };
    let shown = show::one(run, object, projection).await?;
    Ok(answer::with_resource(200, shown))
}
