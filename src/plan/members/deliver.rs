//! Member calls on their way: one per member or per batch, and what their replies mean.
//!
//! All of them are tried. A batch that meets an unknown member is halved until it is known who that is.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::members::MemberCall;
use crate::mapping::{Call, Members, MissingPolicy, Slot};
use crate::scim::ScimError;

use super::change::{Current, Difference};
use super::known::{self, Person};
use super::{key_of, unknown_member};
use crate::plan::call::{NativeCall, NativeOutcome};
use crate::plan::guard;
use crate::plan::judge::{Standing, assess, reply_matches, says_absent};
use crate::plan::read;
use crate::plan::render::Rows;
use crate::plan::run::Run;
use crate::plan::steps::{self, Progress};

/// Where membership calls go.
pub(super) struct Target<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) members: &'a Members,
    pub(super) key: &'a Value,
    /// Whether this request has read the group or made it, so that it is known to be there.
    pub(super) seen: bool,
    /// Whether the group was looked for because of a reply, and is there.
    looked: AtomicBool,
}

/// One member, or one batch, on its way.
pub(super) struct Delivery {
    people: Vec<Person>,
    /// Of a single one.
    member: Option<Value>,
    /// Where the call is about several.
    batch: Option<Value>,
}

/// What one delivery came to.
enum Settled {
    Done,
    /// Somebody in it is unknown.
    Missing,
    Failed(ScimError),
}

impl Delivery {
    pub(super) fn env<'e>(&'e self, target: &Target<'e>) -> Env<'e> {
        Env { id: Some(target.key), member: self.member.as_ref(), batch: self.batch.as_ref(), ..target.run.env() }
    }

    pub(super) fn who(&self) -> String {
        self.people.iter().map(|person| person.value.as_str()).collect::<Vec<_>>().join("', '")
    }
}

impl<'a> Target<'a> {
    pub(super) fn new(run: &'a Run<'a>, members: &'a Members, key: &'a Value, seen: bool) -> Self {
        Self { run, members, key, seen, looked: AtomicBool::new(false) }
    }

    /// The same after the group was read.
    pub(super) fn with_group_seen(self) -> Self {
        Self { seen: true, ..self }
    }

    /// Adds before removals, so that a group is never emptier than both its old and its new state.
    pub(super) async fn send_deltas(&self, change: Difference, current: &Current) -> Result<(), ScimError> {
        let Difference { add, remove } = change;
        self.run.native.trace(|trace| trace.members(&add, &remove));
        let batches = |call: &Option<MemberCall>, count: usize| {
            let size = call.as_ref().and_then(|call| call.batch).unwrap_or(1).max(1);
            count.div_ceil(size)
        };
        // Refused as a whole rather than half-way.
        self.run
            .native
            .ensure_room(batches(&self.members.add, add.len()) + batches(&self.members.remove, remove.len()))?;
        let mut failures = Failures::default();
        if let (Some(call), false) = (&self.members.add, add.is_empty()) {
            self.add(call, add, &mut failures).await?;
        }
        if let (Some(call), false) = (&self.members.remove, remove.is_empty()) {
            self.remove(call, remove, current, &mut failures).await?;
        }
        failures.into_result()
    }

    async fn add(&self, call: &MemberCall, values: Vec<String>, failures: &mut Failures) -> Result<(), ScimError> {
        let mut people = Vec::with_capacity(values.len());
        for value in values {
            match key_of(self.run, self.members, &value) {
                Some(key) => people.push(Person { value, key, object: None }),
                None => self.refuse_unknown(&value, failures),
            }
        }
        let (mut people, unknown) = known::read_people(self.run, self.members, call, people, true).await?;
        for person in unknown {
            people.extend(self.unknown_before_the_call(call, person, failures).await?);
        }
        if let Some(exclusive) = self.members.exclusive {
            let group = self.run.id_of(self.key).unwrap_or_default();
            let (joining, refused) = known::leave_others(self.run, self.members, exclusive, &group, people).await?;
            for error in refused {
                failures.add(error, 1);
            }
            people = joining;
        }
        let mut pending = self.deliveries(call, people, None);
        while !pending.is_empty() {
            let mut halves = Vec::new();
            let settled = match self.send_all(call, &pending).await {
                Ok(settled) => settled,
                Err(error) => {
                    failures.add(error, pending.iter().map(|delivery| delivery.people.len()).sum());
                    break;
                }
            };
            for (delivery, settled) in pending.into_iter().zip(settled) {
                let count = delivery.people.len();
                match settled {
                    Settled::Done => failures.succeeded += count,
                    Settled::Failed(error) => self.failed(error, count, failures).await?,
                    Settled::Missing if count > 1 => {
                        let mut first = delivery.people;
                        let second = first.split_off(count / 2);
                        halves.extend(self.deliveries(call, first, None));
                        halves.extend(self.deliveries(call, second, None));
                    }
                    Settled::Missing => self.missing(call, delivery, failures).await?,
                }
            }
            pending = halves;
        }
        Ok(())
    }

    async fn remove(
        &self,
        call: &MemberCall,
        values: Vec<String>,
        current: &Current,
        failures: &mut Failures,
    ) -> Result<(), ScimError> {
        // Nobody can be a member whose value cannot be an id.
        let person =
            |value: String| key_of(self.run, self.members, &value).map(|key| Person { value, key, object: None });
        let people = values.into_iter().filter_map(person).collect();
        let (people, gone) = known::read_people(self.run, self.members, call, people, false).await?;
        for person in &gone {
            self.run.note(format!("{} is not there any more, and so in no {}", person.value, self.run.type_name()));
        }
        failures.succeeded += gone.len();
        let deliveries = self.deliveries(call, people, Some(current).filter(|_| call.reads.row));
        let settled = match self.send_all(call, &deliveries).await {
            Ok(settled) => settled,
            Err(error) => {
                failures.add(error, deliveries.len());
                return Ok(());
            }
        };
        for (delivery, settled) in deliveries.iter().zip(settled) {
            match settled {
                Settled::Done | Settled::Missing => failures.succeeded += delivery.people.len(),
                Settled::Failed(error) => self.failed(error, delivery.people.len(), failures).await?,
            }
        }
        Ok(())
    }

    /// One call per member or per batch; with `rows`, one per row that showed the member.
    fn deliveries(&self, call: &MemberCall, people: Vec<Person>, rows: Option<&Current>) -> Vec<Delivery> {
        let mut found = Vec::new();
        if let Some(size) = call.batch {
            let mut people = people.into_iter().peekable();
            while people.peek().is_some() {
                let people: Vec<Person> = people.by_ref().take(size.max(1)).collect();
                let batch = people.iter().map(|person| person.key.clone()).collect();
                let member = match people.as_slice() {
                    [person] => Some(known::member(self.run, self.members, call, person, None)),
                    _ => None,
                };
                found.push(Delivery { people, member, batch: Some(batch) });
            }
            return found;
        }
        for person in people {
            let rows = rows.and_then(|current| current.shown_by.get(&person.value));
            let member = |row| Some(known::member(self.run, self.members, call, &person, row));
            let members: Vec<Option<Value>> = match rows {
                Some(rows) => rows.iter().map(|row| member(Some(row))).collect(),
                None => vec![member(None)],
            };
            let (value, key) = (person.value, person.key);
            found.extend(members.into_iter().map(|member| {
                let person = Person { value: value.clone(), key: key.clone(), object: None };
                Delivery { people: vec![person], member, batch: None }
            }));
        }
        found
    }

    async fn send_all(&self, call: &MemberCall, deliveries: &[Delivery]) -> Result<Vec<Settled>, ScimError> {
        let Some(single) = call.single() else {
            let mut settled = Vec::with_capacity(deliveries.len());
            for delivery in deliveries {
                settled.push(self.by_steps(call, delivery).await);
            }
            return Ok(settled);
        };
        let requests: Result<Vec<NativeCall>, ScimError> =
            deliveries.iter().map(|delivery| self.run.render(single, &delivery.env(self), Rows::default())).collect();
        let outcomes = self.run.native.together(requests?, self.members.parallel).await?;
        let mut settled = Vec::with_capacity(outcomes.len());
        for (delivery, outcome) in deliveries.iter().zip(outcomes) {
            settled.push(self.settle(single, delivery, &outcome).await?);
        }
        Ok(settled)
    }

    /// Several calls for one member, or one that depends on a condition. Their errors are judged by the error rules; 404
    /// to the first of them is how an unknown member shows.
    async fn by_steps(&self, call: &MemberCall, delivery: &Delivery) -> Settled {
        let (env, mut progress) = (delivery.env(self), Progress::default());
        let outcome = steps::carry_out(self.run, &call.flow, "the call", &env, Rows::default(), &mut progress).await;
        match outcome {
            Ok(_) => Settled::Done,
            Err(error) if says_absent(&error) && progress.done.is_empty() && call.flow.slot == Slot::MembersAdd => {
                Settled::Missing
            }
            Err(mut error) => {
                if !progress.done.is_empty() {
                    let (who, done) = (delivery.who(), progress.done.join(", "));
                    error.detail = format!("{} (done for '{who}' before this failed: {done})", error.detail);
                }
                Settled::Failed(error)
            }
        }
    }

    async fn settle(&self, call: &Call, delivery: &Delivery, outcome: &NativeOutcome) -> Result<Settled, ScimError> {
        let env = delivery.env(self);
        let adding = call.slot == Slot::MembersAdd;
        if adding && self.is_missing(call, outcome, &env) {
            self.expect_group(outcome).await?;
            return Ok(Settled::Missing);
        }
        Ok(match assess(self.run, call, outcome, &env) {
            Standing::Ok | Standing::Accepted => Settled::Done,
            Standing::Failed(error) => Settled::Failed(error),
        })
    }

    /// 404 may be about the member or about the group.
    pub(super) async fn expect_group(&self, outcome: &NativeOutcome) -> Result<(), ScimError> {
        match outcome {
            NativeOutcome::Reply(reply) if reply.status == 404 => self.look_for_group().await,
            _ => Ok(()),
        }
    }

    /// A group that is not there explains every failure.
    pub(super) async fn look_for_group(&self) -> Result<(), ScimError> {
        if self.seen || self.looked.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        match read::find_by_key(self.run, self.key).await {
            Ok(None) => Err(self.run.not_found(&self.run.id_of(self.key).unwrap_or_default())),
            _ => Ok(()),
        }
    }

    async fn failed(&self, error: ScimError, count: usize, failures: &mut Failures) -> Result<(), ScimError> {
        if says_absent(&error) {
            self.look_for_group().await?;
        }
        failures.add(error, count);
        Ok(())
    }

    /// Somebody whose own document is not there.
    async fn unknown_before_the_call(
        &self,
        call: &MemberCall,
        person: Person,
        failures: &mut Failures,
    ) -> Result<Option<Person>, ScimError> {
        let MissingPolicy::Create(attributes) = &self.members.missing.policy else {
            self.refuse_unknown(&person.value, failures);
            return Ok(None);
        };
        if self.is_hidden(&person.key).await? {
            failures.add(unknown_member(self.members, &person.value), 1);
            return Ok(None);
        }
        let member = known::member(self.run, self.members, call, &person, None);
        let value = person.value.clone();
        if let Err(error) = self.create_member(attributes, &value, &member).await {
            failures.add(error, 1);
            return Ok(None);
        }
        let (mut found, unknown) = known::read_people(self.run, self.members, call, vec![person], true).await?;
        for person in unknown {
            failures.add(unknown_member(self.members, &person.value), 1);
        }
        Ok(found.pop())
    }

    /// Whether somebody who seems not to be there is only hidden: nobody is made in their place.
    async fn is_hidden(&self, key: &Value) -> Result<bool, ScimError> {
        match self.run.of_type(&self.members.of).filter(guard::hides_by_document) {
            Some(of) => Ok(read::find_by_key(&of.seeing_all(), key).await?.is_some()),
            None => Ok(false),
        }
    }

    fn refuse_unknown(&self, value: &str, failures: &mut Failures) {
        match self.members.missing.policy {
            MissingPolicy::Ignore => self.run.note(format!("unknown member {value} ignored")),
            MissingPolicy::Reject | MissingPolicy::Create(_) => failures.add(unknown_member(self.members, value), 1),
        }
    }

    /// A call said that this one member is unknown.
    async fn missing(&self, call: &MemberCall, delivery: Delivery, failures: &mut Failures) -> Result<(), ScimError> {
        if call.single().is_none() {
            self.look_for_group().await?;
        }
        let who = delivery.who();
        let (MissingPolicy::Create(attributes), Some(member)) = (&self.members.missing.policy, &delivery.member) else {
            self.refuse_unknown(&who, failures);
            return Ok(());
        };
        if let Err(error) = self.create_member(attributes, &who, member).await {
            failures.add(error, 1);
            return Ok(());
        }
        // Once more, and only once.
        match self.send_all(call, std::slice::from_ref(&delivery)).await.map(|mut settled| settled.pop()) {
            Ok(Some(Settled::Done)) => failures.succeeded += 1,
            Ok(Some(Settled::Failed(error))) | Err(error) => failures.add(error, 1),
            Ok(Some(Settled::Missing) | None) => failures.add(unknown_member(self.members, &who), 1),
        }
        Ok(())
    }

    fn is_missing(&self, call: &Call, outcome: &NativeOutcome, env: &Env<'_>) -> bool {
        let already = || matches!(assess(self.run, call, outcome, env), Standing::Ok | Standing::Accepted);
        match &self.members.missing.when {
            Some(when) => reply_matches(when, outcome, env),
            None => matches!(outcome, NativeOutcome::Reply(reply) if reply.status == 404) && !already(),
        }
    }
}

/// Failed memberships of one request.
#[derive(Default)]
pub(super) struct Failures {
    worst: Option<ScimError>,
    failed: usize,
    succeeded: usize,
}

impl Failures {
    /// An error that is about so many members.
    fn add(&mut self, error: ScimError, members: usize) {
        self.failed += members;
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
