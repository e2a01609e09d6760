//! Membership: a set whose changes are deltas.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::dialect::{self, Purpose, Repairs};
use crate::expr::Env;
use crate::mapping::members::{MemberCall, MemberSource};
use crate::mapping::{Call, Members, MissingPolicy, to_native};
use crate::scim::patch::{self, MemberChange};
use crate::scim::{PatchOp, Resource, ScimError};

use super::call::{NativeCall, NativeOutcome};
use super::judge::{Standing, assess, judge, reply_matches};
use super::read::{self, MEMBERS, Object};
use super::render::Rows;
use super::run::{Run, id_text};
use super::turn::Share;
use super::{ScimRequest, answer, create, steps};

/// What operations on `members` ask for.
///
/// # Errors
/// 400 `noTarget` for a removal that would empty the group without naming anybody, unless the mapping allows it.
pub(super) fn wanted(run: &Run<'_>, ops: &[PatchOp]) -> Result<MemberChange, ScimError> {
    let Some(members) = &run.mapping.members else { return Ok(MemberChange::None) };
    if patch::is_clear(ops, "members") && !members.allow_clear {
        return Err(ScimError::no_target(
            "removing all members without naming them is refused here; name the members, or replace them with an empty list",
        ));
    }
    Ok(patch::member_change(ops, "members"))
}

/// What makes a change of membership equal to another one, if it asks for nothing but named members.
pub(super) fn share(run: &Run<'_>, id: &str, request: &ScimRequest, change: &MemberChange) -> Option<Arc<Share>> {
    let MemberChange::Delta { add, remove } = change else { return None };
    if request.if_match.is_some() {
        return None;
    }
    let about = json!([run.resource_key(id), run.context.base_url, request.query]).to_string();
    let add = add.iter().filter_map(member_value).collect();
    Some(Arc::new(Share { about, add, remove: remove.iter().cloned().collect() }))
}

/// Whether the current members must be known before anything is sent.
pub(super) fn needs_state(run: &Run<'_>, change: &MemberChange) -> bool {
    let always = run.mapping.members.as_ref().is_some_and(|members| members.always_diff);
    matches!(change, MemberChange::NeedsState) || (always && !matches!(change, MemberChange::None))
}

/// Whether a group that was read before its members changed still shows its other attributes as they are.
pub(super) fn outlasts_members(run: &Run<'_>) -> bool {
    let apart = run.mapping.members.as_ref().is_some_and(|members| matches!(members.source, MemberSource::List(_)));
    // The application's own version may count memberships.
    apart && run.mapping.version.is_none()
}

/// Refuses members whose value cannot be an id of their type.
pub(super) fn check_ids(run: &Run<'_>, members: &Members, elements: &[Value]) -> Result<(), ScimError> {
    if !matches!(members.missing.policy, MissingPolicy::Reject) {
        return Ok(());
    }
    for element in elements {
        let value = member_value(element).unwrap_or_default();
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
}

/// What carrying a change of membership out came to.
#[derive(Default)]
pub(super) struct Applied {
    /// Whether anything was sent.
    pub(super) sent: bool,
    /// The group, if it had to be read for this.
    pub(super) read: Option<Object>,
}

/// Carries a change of membership out; `ops` decide a change that needs the current members.
///
/// # Errors
/// 404 when there is no such group. All calls are tried; if any failed, the worst mapped error, with counts.
pub(super) async fn apply(group: Group<'_>, change: MemberChange, ops: &[PatchOp]) -> Result<Applied, ScimError> {
    let Group { run, id, key, known } = group;
    let Some(members) = &run.mapping.members else { return Ok(Applied::default()) };
    let target = Target { run, members, key, seen: known.is_some() };
    if let MemberChange::Delta { add, remove } = &change
        && !members.always_diff
        && has_deltas(members)
    {
        run.note("current members not read");
        target.send_deltas(values(add), remove.clone()).await?;
        return Ok(Applied { sent: true, read: None });
    }
    if matches!(change, MemberChange::None) {
        return Ok(Applied::default());
    }
    let (object, read) = match known {
        Some(object) => (object, None),
        None => {
            let object = read::fetch(run, id).await?;
            (object.clone(), Some(object))
        }
    };
    let target = Target { seen: true, ..target };
    let state = read::whole(run, vec![object], |path| *path == *MEMBERS).await?.pop().unwrap_or_default();
    let current = member_values(&state);
    let wanted = match change {
        MemberChange::Delta { add, remove } => with_delta(&current, &values(&add), &remove),
        MemberChange::Set(elements) => values(&elements),
        MemberChange::None | MemberChange::NeedsState => {
            member_values(&patch::apply(&run.mapping.resource_type, state, ops)?)
        }
    };
    Ok(Applied { sent: target.to_set(current, wanted).await?, read })
}

/// Ids of the members a resource shows.
fn member_values(resource: &Resource) -> Vec<String> {
    values(resource.get(&MEMBERS).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default())
}

fn has_deltas(members: &Members) -> bool {
    members.add.is_some() && members.remove.is_some()
}

/// Distinct member values, in order.
fn values(elements: &[Value]) -> Vec<String> {
    let mut seen = HashSet::new();
    elements.iter().filter_map(member_value).filter(|value| seen.insert(value.clone())).collect()
}

fn member_value(element: &Value) -> Option<String> {
    element.get("value").and_then(id_text)
}

fn with_delta(current: &[String], add: &[String], remove: &[String]) -> Vec<String> {
    let removed: HashSet<&String> = remove.iter().collect();
    let present: HashSet<&String> = current.iter().collect();
    let kept = current.iter().filter(|value| !removed.contains(value));
    kept.chain(add.iter().filter(|value| !present.contains(value))).cloned().collect()
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

/// Where membership calls go.
struct Target<'a> {
    run: &'a Run<'a>,
    members: &'a Members,
    key: &'a Value,
    /// Whether this request has read the group, so that it is known to be there.
    seen: bool,
}

/// One member, or one batch, on its way.
struct Delivery {
    values: Vec<String>,
    member: Option<Value>,
    batch: Option<Value>,
}

impl Delivery {
    fn env<'e>(&'e self, target: &Target<'e>) -> Env<'e> {
        Env { id: Some(target.key), member: self.member.as_ref(), batch: self.batch.as_ref(), ..target.run.env() }
    }
}

impl Target<'_> {
    async fn to_set(&self, current: Vec<String>, wanted: Vec<String>) -> Result<bool, ScimError> {
        let (have, want): (HashSet<&String>, HashSet<&String>) = (current.iter().collect(), wanted.iter().collect());
        if have == want {
            return Ok(false);
        }
        let add: Vec<String> = wanted.iter().filter(|value| !have.contains(value)).cloned().collect();
        let remove: Vec<String> = current.iter().filter(|value| !want.contains(value)).cloned().collect();
        if let Some(set) = &self.members.set {
            self.run.native.trace(|trace| trace.members(&add, &remove));
            self.send_set(set, &wanted).await?;
            return Ok(true);
        }
        self.send_deltas(add, remove).await?;
        Ok(true)
    }

    async fn send_set(&self, set: &Call, wanted: &[String]) -> Result<(), ScimError> {
        let keys = wanted
            .iter()
            .map(|value| key_of(self.run, self.members, value).ok_or_else(|| unknown_member(self.members, value)));
        let batch = Value::Array(keys.collect::<Result<_, _>>()?);
        let env = Env { id: Some(self.key), batch: Some(&batch), ..self.run.env() };
        self.run.call(set, &env, Rows::default()).await.map(drop)
    }

    /// Adds before removals, so that a group is never emptier than both its old and its new state.
    async fn send_deltas(&self, add: Vec<String>, remove: Vec<String>) -> Result<(), ScimError> {
        self.run.native.trace(|trace| trace.members(&add, &remove));
        let mut failures = Failures::default();
        if let (Some(call), false) = (&self.members.add, add.is_empty()) {
            self.deliver(call, add, true, &mut failures).await?;
        }
        if let (Some(call), false) = (&self.members.remove, remove.is_empty()) {
            self.deliver(call, remove, false, &mut failures).await?;
        }
        let in_doubt = failures.absent && failures.failed > 0 && !self.seen;
        if in_doubt && matches!(read::find_by_key(self.run, self.key).await, Ok(None)) {
            // 404 may be about the member or about the group; one that is not there explains every failure.
            return Err(self.run.not_found(&id_text(self.key).unwrap_or_default()));
        }
        failures.into_result()
    }

    async fn deliver(
        &self,
        call: &MemberCall,
        values: Vec<String>,
        adding: bool,
        failures: &mut Failures,
    ) -> Result<(), ScimError> {
        let mut known = Vec::with_capacity(values.len());
        for value in values {
            match key_of(self.run, self.members, &value) {
                Some(key) => known.push((value, key)),
                // Nobody of that id can be a member.
                None if !adding => {}
                None => match self.members.missing.policy {
                    MissingPolicy::Ignore => self.run.note(format!("unknown member {value} ignored")),
                    _ => failures.add(unknown_member(self.members, &value)),
                },
            }
        }
        let deliveries: Vec<Delivery> =
            known.chunks(call.batch.unwrap_or(1).max(1)).map(|chunk| delivery(call, chunk)).collect();
        let outcomes = self.send_all(call, &deliveries).await?;
        for (delivery, outcome) in deliveries.iter().zip(outcomes) {
            self.settle(call, delivery, &outcome, adding, failures).await?;
        }
        Ok(())
    }

    async fn send_all(&self, call: &MemberCall, deliveries: &[Delivery]) -> Result<Vec<NativeOutcome>, ScimError> {
        let calls: Result<Vec<NativeCall>, ScimError> = deliveries
            .iter()
            .map(|delivery| self.run.render(&call.call, &delivery.env(self), Rows::default()))
            .collect();
        self.run.native.together(calls?, self.members.parallel).await
    }

    async fn settle(
        &self,
        call: &MemberCall,
        delivery: &Delivery,
        outcome: &NativeOutcome,
        adding: bool,
        failures: &mut Failures,
    ) -> Result<(), ScimError> {
        let env = delivery.env(self);
        failures.absent |= matches!(outcome, NativeOutcome::Reply(reply) if reply.status == 404);
        if adding && self.is_missing(call, outcome, &env) {
            return self.settle_missing(call, delivery, failures).await;
        }
        match assess(self.run, &call.call, outcome, &env) {
            Standing::Ok | Standing::Accepted => failures.succeeded += 1,
            Standing::Failed(error) => failures.add(error),
        }
        Ok(())
    }

    fn is_missing(&self, call: &MemberCall, outcome: &NativeOutcome, env: &Env<'_>) -> bool {
        let already = |outcome| matches!(assess(self.run, &call.call, outcome, env), Standing::Ok | Standing::Accepted);
        match &self.members.missing.when {
            Some(when) => reply_matches(when, outcome, env),
            None => !already(outcome) && matches!(outcome, NativeOutcome::Reply(reply) if reply.status == 404),
        }
    }

    async fn settle_missing(
        &self,
        call: &MemberCall,
        delivery: &Delivery,
        failures: &mut Failures,
    ) -> Result<(), ScimError> {
        match &self.members.missing.policy {
            MissingPolicy::Reject => {
                let who = delivery.values.join("', '");
                failures.add(unknown_member(self.members, &who));
            }
            MissingPolicy::Ignore => self.run.note(format!("unknown member {} ignored", delivery.values.join(", "))),
            MissingPolicy::Create(attributes) => match self.create_and_add(call, delivery, attributes).await {
                Ok(()) => failures.succeeded += 1,
                Err(error) => failures.add(error),
            },
        }
        Ok(())
    }

    /// Creates an unknown member and repeats the add, once.
    async fn create_and_add(
        &self,
        call: &MemberCall,
        delivery: &Delivery,
        attributes: &[(crate::scim::AttrPath, crate::expr::Template)],
    ) -> Result<(), ScimError> {
        let who = delivery.values.join("', '");
        let env = delivery.env(self);
        self.run.note(format!("unknown member {who} is created"));
        self.create_member(attributes, &env).await.map_err(|mut error| {
            error.detail = format!("members: {} '{who}' could not be created: {}", self.members.of, error.detail);
            error
        })?;
        let request = self.run.render(&call.call, &env, Rows::default())?;
        let outcome = self.run.native.together(vec![request], 1).await?.pop();
        let outcome = outcome.ok_or_else(|| ScimError::internal("no outcome"))?;
        if self.is_missing(call, &outcome, &env) {
            return Err(unknown_member(self.members, &who));
        }
        judge(self.run, &call.call, outcome, &env).into_result().map(drop)
    }

    /// Creates an unknown member through its type's own `create`.
    async fn create_member(
        &self,
        attributes: &[(crate::scim::AttrPath, crate::expr::Template)],
        env: &Env<'_>,
    ) -> Result<(), ScimError> {
        let of = self.run.of_type(&self.members.of);
        let (of, flow) = of.and_then(|of| of.mapping.ops.create.as_ref().map(|flow| (of, flow))).ok_or_else(|| {
            ScimError::internal(format!("{}: {} has no create", self.members.origin, self.members.of))
        })?;
        let mut sent = Resource::default();
        for (path, template) in attributes {
            let value = template
                .eval(env)
                .map_err(|error| ScimError::internal(format!("mapping error at {}: {error}", self.members.origin)))?;
            sent.set(path, Some(value));
        }
        let body = Value::Object(sent.0);
        let (limits, mut repairs) = (answer::body_limits(&of), Repairs::default());
        let normalised = dialect::resource(&of.mapping.resource_type, body, Purpose::Create, &limits, &mut repairs)?;
        let scim = Value::Object(normalised.resource.0.clone());
        let key = match &of.mapping.id.derive {
            Some(derive) => derive.text(&Env { scim: Some(&scim), ..of.env() }).ok().flatten().map(Value::from),
            None => env.member.and_then(|member| member.get("id").cloned()),
        };
        let env = Env { id: key.as_ref(), scim: Some(&scim), ..of.env() };
        let rows = to_native::create_rows(of.mapping);
        let purpose = to_native::Purpose::Create;
        let mut document = to_native::document(of.mapping, rows, &normalised.resource, None, purpose, &env)?;
        let derived = key.as_ref().filter(|_| of.mapping.id.derive.is_some());
        create::with_key(&of, flow, derived, &mut document);
        let rows = Rows { mapped: Some(&document), changed: Some(&document) };
        steps::carry_out(&of, flow, "the create", &env, rows, &mut steps::Progress::default()).await.map(drop)
    }
}

fn delivery(call: &MemberCall, chunk: &[(String, Value)]) -> Delivery {
    let values = chunk.iter().map(|(value, _)| value.clone()).collect();
    let (member, batch) = match (call.batch, chunk) {
        (None, [(value, key)]) => {
            let mut member = Map::new();
            member.insert("id".to_owned(), key.clone());
            member.insert("value".to_owned(), Value::from(value.as_str()));
            (Some(Value::Object(member)), None)
        }
        _ => (None, Some(chunk.iter().map(|(_, key)| key.clone()).collect())),
    };
    Delivery { values, member, batch }
}

/// Failed deliveries of one request.
#[derive(Default)]
struct Failures {
    worst: Option<ScimError>,
    /// Some reply was 404.
    absent: bool,
    failed: usize,
    succeeded: usize,
}

impl Failures {
    fn add(&mut self, error: ScimError) {
        self.failed += 1;
        if self.worst.as_ref().is_none_or(|worst| error.status > worst.status) {
            self.worst = Some(error);
        }
    }

    fn into_result(self) -> Result<(), ScimError> {
        let Some(mut worst) = self.worst else { return Ok(()) };
        if self.failed + self.succeeded > 1 {
            worst.detail = format!(
                "{} ({} of {} membership changes failed; a retry sends what is left)",
                worst.detail,
                self.failed,
                self.failed + self.succeeded
            );
        }
        Err(worst)
    }
}
