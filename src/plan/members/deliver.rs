//! Member calls on their way: one per member or per batch, and what their replies mean.
//!
//! All of them are tried. A batch that meets an unknown member is halved until it is known who that is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::expr::{Env, Name};
use crate::mapping::members::MemberCall;
use crate::mapping::{AlsoOk, Call, Members, MissingPolicy, Slot};
use crate::scim::ScimError;

use super::change::{Current, Difference};
use super::known::{self, Person};
use super::{key_of, unknown_member};
use crate::plan::advice;
use crate::plan::call::{NativeCall, NativeOutcome};
use crate::plan::create::OnTheWay;
use crate::plan::judge::{self, Standing, assess, reply_matches, says_absent};
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
    /// What looking for the group because of a reply has shown.
    looked: OnceLock<Shown>,
    /// That there was no such thing counted as success.
    doubt: AtomicBool,
    /// That another call of this request did something with the group.
    proof: AtomicBool,
}

/// Whether a group is there, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    There,
    /// Looking for it failed.
    Unknown(ScimError),
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
        Self {
            run,
            members,
            key,
            seen,
            looked: OnceLock::new(),
            doubt: AtomicBool::new(false),
            proof: AtomicBool::new(false),
        }
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
        // Who was sent under another value is wanted, whatever the group says.
        let remove: Vec<String> = remove.into_iter().filter(|value| !failures.has_come(value)).collect();
        if let (Some(call), false) = (&self.members.remove, remove.is_empty()) {
            self.remove(call, remove, current, &mut failures).await?;
        }
        failures.into_result()
    }

    async fn add(&self, call: &MemberCall, values: Vec<String>, failures: &mut Failures) -> Result<(), ScimError> {
        let mut people = Vec::with_capacity(values.len());
        let mut strangers = Vec::new();
        for value in values {
            match key_of(self.run, self.members, &value) {
                Some(key) => people.push(Person { value, key, object: None }),
                None => strangers.extend(self.stranger(call, &value, failures).await?),
            }
        }
        let (mut people, unknown) = known::read_people(self.run, self.members, call, people, true).await?;
        for person in unknown {
            people.extend(self.unknown_before_the_call(call, person, failures).await?);
        }
        people.append(&mut strangers);
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
                    Settled::Failed(error) => self.failed(call, &delivery, error, failures).await?,
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
                Settled::Failed(error) => self.failed(call, delivery, error, failures).await?,
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
            // "There is no such thing" is success for a member, and not for a group.
            Standing::Accepted if says_nothing_else(call) && is_not_found(outcome) => {
                self.doubt.store(true, Ordering::Relaxed);
                Settled::Done
            }
            Standing::Ok | Standing::Accepted => {
                self.proof.store(true, Ordering::Relaxed);
                Settled::Done
            }
            Standing::Failed(error) => Settled::Failed(error),
        })
    }

    /// 404 may be about the member or about the group.
    pub(super) async fn expect_group(&self, outcome: &NativeOutcome) -> Result<(), ScimError> {
        if is_not_found(outcome) { self.look_for_group().await.map(drop) } else { Ok(()) }
    }

    /// Whether a reply that counts as success may have been about the group, which nobody has looked for.
    pub(super) fn has_doubt(&self) -> bool {
        let known = self.seen || self.proof.load(Ordering::Relaxed) || self.looked.get() == Some(&Shown::There);
        self.doubt.load(Ordering::Relaxed) && !known
    }

    /// A group that is not there explains every failure.
    pub(super) async fn look_for_group(&self) -> Result<Shown, ScimError> {
        if self.seen {
            return Ok(Shown::There);
        }
        if let Some(shown) = self.looked.get() {
            return Ok(shown.clone());
        }
        let shown = match read::find_by_key(self.run, self.key).await {
            Ok(None) => return Err(self.run.not_found(&self.run.id_of(self.key).unwrap_or_default())),
            Ok(Some(_)) => Shown::There,
            Err(error) => Shown::Unknown(error),
        };
        Ok(self.looked.get_or_init(|| shown).clone())
    }

    async fn failed(
        &self,
        call: &MemberCall,
        delivery: &Delivery,
        mut error: ScimError,
        failures: &mut Failures,
    ) -> Result<(), ScimError> {
        if says_absent(&error) {
            let shown = self.look_for_group().await?;
            error = match shown {
                // An application from which no group can be read is not unwell.
                Shown::Unknown(failure) if failure.status != 501 => failure,
                shown => self.not_the_group(call.flow.slot, delivery, &shown, &error),
            };
        }
        failures.add(error, delivery.people.len());
        Ok(())
    }

    /// To the client 404 means that the group is gone, and it would make another one.
    fn not_the_group(&self, slot: Slot, delivery: &Delivery, shown: &Shown, error: &ScimError) -> ScimError {
        let (name, of, who) = (&self.run.backend.name, self.run.type_name(), delivery.who());
        let group = match shown {
            Shown::There => format!("and the {of} is there"),
            Shown::Unknown(_) => format!("and whether the {of} is there cannot be seen"),
        };
        let removal = slot == Slot::MembersRemove;
        let (what, meant) = if removal {
            ("removal", "they are no member, say `also_ok = [404]` in `members.remove`")
        } else {
            ("addition", "the application does not know them, let `members.missing` say so")
        };
        let own = error.detail != judge::unknown_object(self.run);
        let detail = if own {
            format!("members: '{who}': {}", error.detail)
        } else {
            format!("members: {name} answered 404 to the {what} of '{who}', {group}; if that means that {meant}")
        };
        if removal { ScimError::no_target(detail) } else { ScimError::invalid_value(detail) }
    }

    pub(super) fn refuse_unknown(&self, value: &str, failures: &mut Failures) {
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
        let Some(member) = &delivery.member else {
            self.refuse_unknown(&who, failures);
            return Ok(());
        };
        let Some(person) = self.welcome(call, &who, member, failures).await? else { return Ok(()) };
        let who = person.value.clone();
        let again = self.deliveries(call, vec![person], None);
        // Once more, and only once.
        let settled = self.send_all(call, &again).await.map(|mut settled| settled.pop());
        match (settled, again.first()) {
            (Ok(Some(Settled::Done)), _) => failures.succeeded += 1,
            (Ok(Some(Settled::Failed(error))), Some(delivery)) => self.failed(call, delivery, error, failures).await?,
            (Ok(Some(Settled::Failed(error))) | Err(error), _) => failures.add(error, 1),
            (Ok(Some(Settled::Missing) | None), _) => failures.add(unknown_member(self.members, &who), 1),
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

fn is_not_found(outcome: &NativeOutcome) -> bool {
    matches!(outcome, NativeOutcome::Reply(reply) if reply.status == 404)
}

/// Whether `also_ok` takes any 404, whatever else the reply says.
fn says_nothing_else(call: &Call) -> bool {
    call.success.also_ok.iter().any(|also| match also {
        AlsoOk::Status(status) => *status == 404,
        AlsoOk::When(when) => !when.uses(Name::Body) && !when.uses(Name::Headers),
    })
}

/// Failed memberships of one request.
#[derive(Default)]
pub(super) struct Failures {
    worst: Option<ScimError>,
    failed: usize,
    succeeded: usize,
    /// Ids of people who were sent under values that nobody knew.
    came: Vec<String>,
    /// Those of them who were made, for the client.
    made: Vec<String>,
}

impl Failures {
    /// An error that is about so many members.
    pub(super) fn add(&mut self, error: ScimError, members: usize) {
        self.failed += members;
        if self.worst.as_ref().is_none_or(|worst| error.status > worst.status) {
            self.worst = Some(error);
        }
    }

    /// Somebody is there whom nobody knew.
    pub(super) fn came(&mut self, of: &Run<'_>, who: &OnTheWay) {
        self.came.push(who.id.clone());
        if who.fresh {
            self.made.push(format!("{} {}", of.type_name(), who.id));
        }
    }

    fn has_come(&self, id: &str) -> bool {
        self.came.iter().any(|came| came == id)
    }

    fn into_result(self) -> Result<(), ScimError> {
        let Some(mut worst) = self.worst else { return Ok(()) };
        let all = self.failed + self.succeeded;
        let mut said = Vec::new();
        if all > 1 {
            said.push(format!("{} of {all} membership changes failed; {}", self.failed, advice::SENDS_REST));
        }
        if !self.made.is_empty() {
            said.push(format!("created on the way: {}", self.made.join(", ")));
        }
        if !said.is_empty() {
            worst.detail = format!("{} ({})", worst.detail, said.join("; "));
        }
        Err(worst)
    }
}
