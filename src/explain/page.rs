//! Gathers a transcript while a plan runs. In: calls, outcomes, reports, in order. Out: entries with everything secret
//! hidden.

use std::sync::Arc;

use serde_json::Value;

use crate::config::{Backend, Format};
use crate::plan::{Context, Decision, NativeCall, NativeOutcome, Report, ScimResponse, Trace, allowed};
use crate::route::Endpoint;

use super::mask::Mask;
use super::sent::Sent;
use super::transcript::{Call, End, Entry, Made, Transcript};
use super::{Replied, Replies, Request};

/// A transcript being written.
pub(super) struct Page {
    request: String,
    entries: Vec<Entry>,
    mask: Mask,
    calls: usize,
    /// Where the entries of the last step begin.
    step: usize,
    shown: Shown,
    used: Trace,
    /// Places of the rules by which calls were made again.
    rules: Vec<(Arc<str>, u32)>,
}

/// How much of the report has been written already.
#[derive(Default)]
struct Shown {
    repairs: Vec<(&'static str, u64)>,
    filter_repairs: usize,
    unmapped: usize,
    unknown: usize,
    notes: usize,
    changes: usize,
    guards: usize,
    tables: usize,
    decisions: usize,
}

impl Page {
    pub(super) fn new(request: &Request) -> Self {
        let mask = Mask::of_body(&request.body);
        let request = format!("{} {}", request.method, mask.text(&request.target));
        Self {
            request,
            entries: Vec::new(),
            mask,
            calls: 0,
            step: 0,
            shown: Shown::default(),
            used: Trace::default(),
            rules: Vec::new(),
        }
    }

    pub(super) fn route(&mut self, context: &Context) {
        let snapshot = &context.snapshot;
        let Some(route) = snapshot.routes.get(context.route) else { return };
        let backend = snapshot.backends.get(route.backend).map_or("none", |backend| &backend.name);
        let variables =
            snapshot.variables.iter().zip(context.variables.iter()).filter_map(|(name, value)| match value {
                Some(Value::String(value)) => Some((name.to_string(), self.mask.text(value))),
                _ => None,
            });
        let variables = variables.collect();
        self.entries.push(Entry::Route { origin: route.origin.to_string(), backend: backend.to_owned(), variables });
    }

    /// What is new in the report since it was last shown.
    pub(super) fn report(&mut self, report: &Report) {
        for (repair, count) in report.repairs.iter() {
            let name = repair.name();
            let known = self.shown.repairs.iter().position(|(shown, _)| *shown == name);
            let before = known.and_then(|index| self.shown.repairs.get(index)).map_or(0, |(_, count)| *count);
            if count > before {
                self.entries.push(Entry::Repair { name: name.to_owned(), times: count - before });
                self.shown.repairs.retain(|(shown, _)| *shown != name);
                self.shown.repairs.push((name, count));
            }
        }
        for name in report.filter_repairs.iter().skip(self.shown.filter_repairs) {
            self.entries.push(Entry::Repair { name: format!("filter: {name}"), times: 1 });
        }
        let ignored = |mask: &Mask, name: &str, reason| Entry::Ignored { name: mask.text(name), reason };
        for name in report.unmapped.iter().skip(self.shown.unmapped) {
            self.entries.push(ignored(&self.mask, name, "not mapped"));
        }
        for name in report.unknown.iter().skip(self.shown.unknown) {
            self.entries.push(ignored(&self.mask, name, "in no schema"));
        }
        for note in report.notes.iter().skip(self.shown.notes) {
            self.entries.push(Entry::Note { text: self.mask.text(note) });
        }
        self.shown.filter_repairs = report.filter_repairs.len();
        self.shown.unmapped = report.unmapped.len();
        self.shown.unknown = report.unknown.len();
        self.shown.notes = report.notes.len();
    }

    /// What the plan has set out to change since it was last asked.
    pub(super) fn trace(&mut self, trace: Trace) {
        for what in trace.changes.iter().skip(self.shown.changes) {
            self.entries.push(Entry::Change { what: self.mask.text(what) });
        }
        self.shown.changes = trace.changes.len();
        for text in trace.tables.iter().skip(self.shown.tables) {
            self.entries.push(Entry::Table { text: self.mask.text(text) });
        }
        self.shown.tables = trace.tables.len();
        for text in trace.guards.iter().skip(self.shown.guards) {
            self.entries.push(Entry::Guard { text: self.mask.text(text) });
        }
        self.shown.guards = trace.guards.len();
        for decision in trace.decisions.iter().skip(self.shown.decisions) {
            self.decided(decision);
        }
        self.shown.decisions = trace.decisions.len();
        self.used = trace;
    }

    /// Puts a decision beside the reply that it is about: the first one of its kind that has none yet.
    fn decided(&mut self, decision: &Decision) {
        let (origin, status) = (decision.call.to_string(), decision.status.to_string());
        let calls = self.entries.iter_mut().skip(self.step).filter_map(|entry| match entry {
            Entry::Call(call) => Some(call),
            _ => None,
        });
        let is_meant = |call: &&mut Box<Call>| {
            let reply = call.reply.as_deref().and_then(|reply| reply.split(' ').next());
            call.rule.is_none() && call.origin == origin && reply == Some(&*status)
        };
        if let Some(call) = { calls }.find(is_meant) {
            call.rule = Some(self.mask.text(&decision.text));
        }
    }

    /// Marks calls that may be under way together.
    pub(super) fn together(&mut self, calls: usize, parallel: usize) {
        self.step = self.entries.len();
        if calls > 1 {
            self.entries.push(Entry::Together { first: self.calls + 1, last: self.calls + calls, parallel });
        }
    }

    pub(super) fn call(&mut self, backend: Option<&Backend>, call: &NativeCall, replied: &Replied) {
        self.calls += 1;
        let outcome = replied.outcome.as_ref();
        let form = backend.is_some_and(|backend| backend.format == Format::Form);
        let made = Made {
            method: call.method.to_string(),
            target: self.mask.text(&call.target),
            body: call.body.as_ref().map(|body| self.mask.value(self.shown_body(body))),
            form,
        };
        let headers = call.headers.iter().map(|(name, value)| (name.to_string(), self.mask.text(value))).collect();
        let mut sent = Sent { target: made.target.clone(), headers, body: made.body.clone() };
        if let Some(backend) = backend {
            sent.attach(&backend.auth, &made.method);
        }
        let reply = outcome.map(|outcome| match outcome {
            NativeOutcome::Reply(reply) if reply.unreadable => format!("{}   (not JSON)", reply.status),
            NativeOutcome::Reply(reply) => reply.status.to_string(),
            NativeOutcome::Failed(failure) => failure.as_str().to_owned(),
        });
        self.entries.push(Entry::Call(Box::new(Call {
            number: self.calls,
            method: made.method.clone(),
            target: sent.target,
            headers: sent.headers,
            body: sent.body,
            form,
            resource: call.resource.to_string(),
            slot: call.slot.as_str(),
            origin: call.origin.to_string(),
            parts: self.parts(call),
            again: replied.again.clone(),
            reply,
            rule: None,
            made,
        })));
        self.rules.extend(replied.rules.iter().map(|rule| (Arc::clone(&rule.source), rule.line)));
    }

    fn parts(&self, call: &NativeCall) -> Vec<String> {
        let given = call.parts.iter().flat_map(|parts| parts.iter()).map(ToString::to_string);
        let here = self.used.from_native.iter().filter(|(sent, _)| Some(sent) == call.body.as_ref());
        let mut parts: Vec<String> = given.chain(here.map(|(_, row)| format!("{row} (needs native)"))).collect();
        parts.dedup();
        parts
    }

    /// A body in the form in which it may be shown.
    fn shown_body<'b>(&'b self, body: &'b Value) -> &'b Value {
        self.used.veiled.iter().find(|(sent, _)| sent == body).map_or(body, |(_, shown)| shown)
    }

    /// Says which replies the plan waits for.
    pub(super) fn missing(&mut self, calls: &[&NativeCall]) {
        let line = |call: &&NativeCall| format!("{} {}", call.method, self.mask.text(&call.target));
        let calls = calls.iter().map(line).collect();
        self.entries.push(Entry::Stopped { calls });
    }

    pub(super) fn answer(&mut self, response: &ScimResponse, endpoint: &Endpoint) {
        let allow = (response.status == 405).then(|| ("Allow".to_owned(), allowed(endpoint).to_owned()));
        // `meta` shows the others.
        let worth = response.headers.iter().filter(|(name, _)| response.body.is_none() || *name == "Retry-After");
        let headers = worth.map(|(name, value)| ((*name).to_owned(), self.mask.text(value)));
        let headers = allow.into_iter().chain(headers).collect();
        let body = response.body.as_ref().map(|body| self.mask.value(&body.tree()));
        self.entries.push(Entry::Answer { status: response.status, headers, body });
    }

    /// Replies that nothing asked for, and tables that are none of this application.
    pub(super) fn unused(&mut self, replies: &Replies, backend: Option<&Backend>) {
        let known = |name: &str| backend.is_some_and(|backend| backend.tables.iter().any(|table| &*table.name == name));
        let tables = replies.tables().filter(|name| !known(name)).map(|name| format!("tables.{name}"));
        let calls = replies.unused().map(|call| self.mask.text(call));
        self.entries.extend(calls.chain(tables).map(|call| Entry::Unused { call }));
    }

    /// A request that never becomes a plan.
    pub(super) fn without_plan(mut self, reason: String, end: End) -> Transcript {
        self.entries.push(Entry::NoRoute { reason });
        if let End::Answered(status) = end {
            self.entries.push(Entry::Answer { status, headers: Vec::new(), body: None });
        }
        self.finish(end)
    }

    pub(super) fn finish(mut self, end: End) -> Transcript {
        self.used.rules.extend(self.rules);
        Transcript { request: self.request, entries: self.entries, end, used: self.used }
    }
}
