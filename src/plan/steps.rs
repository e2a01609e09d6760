//! The calls of one write slot, in order: its own call, then its steps.
//!
//! One runner for operations, write rules and whatever else holds a [`Flow`]. It stops at the first failure and
//! remembers what was done, so that nothing half-done stays unsaid and a create can be taken back.

use serde_json::{Map, Value};

use crate::expr::{Env, Name};
use crate::mapping::{Body, Call, Each, Flow, ListCall, Slot, Step};
use crate::scim::ScimError;

use super::call::NativeReply;
use super::lost::Lost;
use super::render::{self, Rows};
use super::run::Run;
use super::{judge, pages};

/// What was done so far in one request.
#[derive(Default)]
pub(super) struct Progress<'f> {
    /// Writes that succeeded, for the client and the log.
    pub(super) done: Vec<String>,
    /// On a create: the key of the new object, as soon as a reply says it.
    pub(super) key: Option<Value>,
    /// On a create: that the answer to its own call says too little.
    pub(super) lost: Option<Lost>,
    undo: Vec<Undo<'f>>,
}

/// A call that takes an earlier one back, with what it may refer to.
struct Undo<'f> {
    call: &'f Call,
    steps: Value,
    locals: Vec<Value>,
}

/// What a flow came to.
pub(super) struct Outcome<'f> {
    /// The last reply, unless it was one of many.
    pub(super) last: Option<(&'f Call, NativeReply)>,
}

/// A flow that is being carried out.
struct Walk<'w, 'f> {
    run: &'w Run<'w>,
    flow: &'f Flow,
    env: &'w Env<'w>,
    rows: Rows<'w>,
    /// What the slot's own call is called.
    label: &'w str,
    saved: Value,
    key: Option<Value>,
}

/// Carries a flow out. `label` is what its own call is called in messages.
///
/// # Errors
/// The mapped error of the first call that failed; `progress` says what was done before. 413 for a list with more
/// elements than its step allows, before the first call for it.
pub(super) async fn carry_out<'f>(
    run: &Run<'_>,
    flow: &'f Flow,
    label: &str,
    env: &Env<'_>,
    rows: Rows<'_>,
    progress: &mut Progress<'f>,
) -> Result<Outcome<'f>, ScimError> {
    let mut walk = Walk { run, flow, env, rows, label, saved: Value::Object(Map::new()), key: None };
    let mut last = None;
    for (index, step) in flow.steps.iter().enumerate() {
        let own = index == 0 && flow.has_own_call;
        if own && walk.has_nothing_to_send(&step.call) {
            continue;
        }
        match &step.each {
            Some(each) => {
                // Boxed, or one call would be as large as many.
                let made = Box::pin(walk.many(step, each, progress)).await?;
                last = if made { None } else { last };
            }
            None => {
                if let Some(reply) = walk.single(step, own, progress).await? {
                    last = Some((&step.call, reply));
                }
            }
        }
    }
    Ok(Outcome { last })
}

impl<'f> Walk<'_, 'f> {
    fn env<'e>(&'e self, locals: &'e [Value]) -> Env<'e> {
        Env { id: self.key.as_ref().or(self.env.id), steps: Some(&self.saved), locals, ..*self.env }
    }

    /// An update whose rows came to nothing says nothing.
    fn has_nothing_to_send(&self, call: &Call) -> bool {
        let empty = |rows: &Value| rows.as_object().is_some_and(Map::is_empty);
        self.flow.slot == Slot::Update && matches!(call.body, Body::Rows) && self.rows.changed.is_some_and(empty)
    }

    fn holds(&self, step: &Step, locals: &[Value]) -> Result<bool, ScimError> {
        let Some(when) = &step.when else { return Ok(true) };
        when.test(&self.env(locals)).map_err(|error| render::mapping_error(&step.call, &error))
    }

    /// One call; `None` when its condition does not hold.
    async fn single(
        &mut self,
        step: &'f Step,
        own: bool,
        progress: &mut Progress<'f>,
    ) -> Result<Option<NativeReply>, ScimError> {
        if !self.holds(step, &[])? {
            return Ok(None);
        }
        let env = self.env(&[]);
        if let Some(list) = &step.list {
            let read = Box::pin(self.lists(list, vec![env], 1)).await?.pop();
            let reply = read.ok_or_else(|| ScimError::internal("no reply"))??;
            self.remember(step, own, &reply)?;
            return Ok(Some(reply));
        }
        let request = self.run.render(&step.call, &env, self.rows)?;
        render::tell_veiled(self.run, &step.call, &env, self.rows, &request);
        let outcome = self.run.native.one(request).await?;
        let creates = own && self.flow.slot == Slot::Create;
        progress.lost = if creates { Lost::of(&outcome) } else { None };
        let reply = judge::judge(self.run, &step.call, outcome, &env).into_result()?;
        progress.lost = None;
        progress.did(step, self.label(step, own));
        // Before anything else can fail: what was made is there, whatever its reply looks like.
        let known = self.remember(step, own, &reply);
        progress.key.clone_from(&self.key);
        progress.can_undo(step, &self.saved, &[]);
        known?;
        Ok(Some(reply))
    }

    /// What later steps, and the phases of a create, need of a reply.
    fn remember(&mut self, step: &Step, own: bool, reply: &NativeReply) -> Result<(), ScimError> {
        if let Some(id) = &step.id {
            let saved = self.saved_from(step, reply)?;
            if let Value::Object(steps) = &mut self.saved {
                steps.insert(id.to_string(), saved);
            }
        }
        if self.flow.slot == Slot::Create && self.key.is_none() {
            self.key = match step.call.saved_id() {
                Some(extract) => {
                    let key = pages::extract(&extract.native, &extract.codec, reply);
                    let key = key.and_then(|key| self.run.mapping.id.key(&key));
                    Some(key.ok_or_else(|| unknown_id(self.run))?)
                }
                None if own => shown_key(self.run, &step.call, reply),
                None => None,
            };
        }
        Ok(())
    }

    fn saved_from(&self, step: &Step, reply: &NativeReply) -> Result<Value, ScimError> {
        // A list that could not be read must not pass for an empty one.
        if reply.unreadable
            && step.id.is_some()
            && step.call.save.iter().any(|(_, from)| from.native.header().is_none())
        {
            return Err(judge::unreadable(self.run));
        }
        let values = step.call.save.iter().map(|(name, from)| {
            (name.to_string(), pages::extract(&from.native, &from.codec, reply).unwrap_or(Value::Null))
        });
        Ok(Value::Object(values.collect()))
    }

    /// One call per element, `parallel` at a time; stops after the first group with a failure. Says whether any call
    /// was made.
    async fn many(&mut self, step: &'f Step, each: &Each, progress: &mut Progress<'f>) -> Result<bool, ScimError> {
        let elements = self.elements(step, each)?;
        self.run.native.ensure_room(elements.len())?;
        let total = elements.len();
        let mut results = Vec::with_capacity(total);
        let mut failure = None;
        for group in elements.chunks(each.parallel.max(1)) {
            let judged = match &step.list {
                Some(list) => {
                    let envs = group.iter().map(|element| self.env(std::slice::from_ref(element))).collect();
                    self.lists(list, envs, each.parallel).await?
                }
                None => self.replies(step, group, each.parallel).await?,
            };
            for (element, judged) in group.iter().zip(judged) {
                let locals = std::slice::from_ref(element);
                match judged.and_then(|reply| self.saved_from(step, &reply)) {
                    Ok(saved) => {
                        results.push(saved);
                        progress.can_undo(step, &self.saved, locals);
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            if failure.is_some() {
                break;
            }
        }
        match (results.len(), failure.is_some()) {
            (0, _) => {}
            (some, true) => progress.did(step, format!("{} for {some} of {total}", self.label(step, false))),
            (_, false) => progress.did(step, self.label(step, false)),
        }
        if let (Some(id), Value::Object(steps)) = (&step.id, &mut self.saved) {
            steps.insert(id.to_string(), Value::Array(results));
        }
        failure.map_or(Ok(total > 0), Err)
    }

    /// One call for each of some elements.
    async fn replies(
        &self,
        step: &Step,
        group: &[Value],
        parallel: usize,
    ) -> Result<Vec<Result<NativeReply, ScimError>>, ScimError> {
        let mut calls = Vec::with_capacity(group.len());
        for element in group {
            let env = self.env(std::slice::from_ref(element));
            let request = self.run.render(&step.call, &env, self.rows)?;
            render::tell_veiled(self.run, &step.call, &env, self.rows, &request);
            calls.push(request);
        }
        let outcomes = self.run.native.together(calls, parallel).await?;
        let judged = group.iter().zip(outcomes).map(|(element, outcome)| {
            let env = self.env(std::slice::from_ref(element));
            judge::judge(self.run, &step.call, outcome, &env).into_result()
        });
        Ok(judged.collect())
    }

    /// Lists that are read to their ends.
    async fn lists(
        &self,
        list: &ListCall,
        envs: Vec<Env<'_>>,
        parallel: usize,
    ) -> Result<Vec<Result<NativeReply, ScimError>>, ScimError> {
        let most = pages::Most::Parts(self.run.snapshot.limits.members_max);
        pages::whole(self.run, list, envs, most, parallel).await
    }

    /// The elements whose condition holds.
    fn elements(&self, step: &Step, each: &Each) -> Result<Vec<Value>, ScimError> {
        let env = self.env(&[]);
        let list = each.list.eval(&env).map_err(|error| render::mapping_error(&step.call, &error))?;
        let mut elements = match list.into_owned() {
            Value::Null => Vec::new(),
            Value::Array(elements) => elements,
            _ => return Err(render::mapping_fault(&step.call, "`for` is not a list")),
        };
        if elements.len() > each.max {
            return Err(ScimError::too_large(format!(
                "{} would be made {} times, and at most {} are allowed; none was made",
                self.label(step, false),
                elements.len(),
                each.max
            )));
        }
        let mut kept = Vec::with_capacity(elements.len());
        for element in elements.drain(..) {
            if self.holds(step, std::slice::from_ref(&element))? {
                kept.push(element);
            }
        }
        Ok(kept)
    }

    fn label(&self, step: &Step, own: bool) -> String {
        match &step.id {
            Some(id) => format!("step {id}"),
            None if own => self.label.to_owned(),
            None => step.call.origin.to_string(),
        }
    }
}

impl<'f> Progress<'f> {
    fn did(&mut self, step: &Step, label: String) {
        if &*step.call.method != "GET" {
            self.done.push(label);
        }
    }

    fn can_undo(&mut self, step: &'f Step, steps: &Value, locals: &[Value]) {
        if let Some(call) = &step.undo {
            self.undo.push(Undo { call, steps: steps.clone(), locals: locals.to_vec() });
        }
    }

    /// Whether anything can be taken back.
    pub(super) fn is_undoable(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Takes back what can be taken back, the last thing first. All of it is tried.
    ///
    /// # Errors
    /// The first failure. Something that is not there any more needs no taking back.
    pub(super) async fn take_back(&mut self, run: &Run<'_>, env: &Env<'_>) -> Result<(), ScimError> {
        let mut failure = None;
        while let Some(undo) = self.undo.pop() {
            let env = Env { steps: Some(&undo.steps), locals: &undo.locals, ..*env };
            if env.id.is_none() && names_id(undo.call) {
                failure = failure.or_else(|| Some(ScimError::new(502, "its id is not known")));
                continue;
            }
            match run.call(undo.call, &env, Rows::default()).await {
                Ok(_) => {}
                Err(error) if judge::says_absent(&error) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

fn names_id(call: &Call) -> bool {
    let mut found = false;
    call.each_template(&mut |template| found |= template.uses(Name::Id));
    found
}

/// The key in the object that a reply shows.
fn shown_key(run: &Run<'_>, call: &Call, reply: &NativeReply) -> Option<Value> {
    let item = call.envelope.item.find(&reply.body)?;
    let item = match item.items() {
        Some(mut items) => items.next()?,
        None => item,
    };
    run.mapping.id.read(item)
}

/// Nothing can be done about an object that was made and cannot be named.
pub(super) fn unknown_id(run: &Run<'_>) -> ScimError {
    ScimError::new(502, format!("the {} was created, but the application's reply does not say its id", run.type_name()))
}
