//! The lines of a transcript.
//!
//! In: what happened, in order. Out: text. A line either begins with a word in the margin (`route`, `note`, `answer`)
//! or with the number of a native call; what belongs to it is indented below.

use std::fmt::Write as _;

use serde_json::Value;

use crate::plan::{Context, NativeCall, NativeOutcome, Report, SECRET_MARKER, ScimResponse, allowed};
use crate::route::Endpoint;

use super::{End, Explanation, Replies, Request};

/// How the body of the answer is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// On one line.
    Compact,
    /// Over several lines.
    Pretty,
}

/// A transcript being written.
pub(super) struct Page<'r> {
    text: String,
    layout: Layout,
    request: &'r Request,
    /// Passwords in the request, which the application is told and nobody else.
    hidden: Vec<String>,
    calls: usize,
    shown: Shown,
}

/// How much of the report has been written already.
#[derive(Default)]
struct Shown {
    repairs: Vec<(&'static str, u64)>,
    filter_repairs: usize,
    unmapped: usize,
    unknown: usize,
    notes: usize,
}

impl<'r> Page<'r> {
    pub(super) fn new(layout: Layout, request: &'r Request) -> Self {
        let hidden = serde_json::from_slice(&request.body).map(|body: Value| passwords(&body)).unwrap_or_default();
        Self { text: String::new(), layout, request, hidden, calls: 0, shown: Shown::default() }
    }

    pub(super) fn route(&mut self, context: &Context) {
        let snapshot = &context.snapshot;
        let Some(route) = snapshot.routes.get(context.route) else { return };
        let backend = snapshot.backends.get(route.backend).map_or("none", |backend| &backend.name);
        let mut line = format!("{}   backend {backend}", route.origin);
        for (name, value) in snapshot.variables.iter().zip(&context.variables) {
            if let Some(Value::String(value)) = value {
                let _ = write!(line, "   {name}={value}");
            }
        }
        self.margin("route", &line);
    }

    /// What is new in the report since it was last shown.
    pub(super) fn report(&mut self, report: &Report) {
        for (repair, count) in report.repairs.iter() {
            let name = repair.name();
            let known = self.shown.repairs.iter().position(|(shown, _)| *shown == name);
            let before = known.and_then(|index| self.shown.repairs.get(index)).map_or(0, |(_, count)| *count);
            if count > before {
                let times = count - before;
                self.margin("repair", &if times == 1 { name.to_owned() } else { format!("{name}   x{times}") });
                self.shown.repairs.retain(|(shown, _)| *shown != name);
                self.shown.repairs.push((name, count));
            }
        }
        for name in report.filter_repairs.iter().skip(self.shown.filter_repairs) {
            self.margin("repair", &format!("filter: {name}"));
        }
        for name in report.unmapped.iter().skip(self.shown.unmapped) {
            self.margin("ignored", &format!("{name}   (not mapped)"));
        }
        for name in report.unknown.iter().skip(self.shown.unknown) {
            self.margin("ignored", &format!("{name}   (in no schema)"));
        }
        for note in report.notes.iter().skip(self.shown.notes) {
            self.margin("note", note);
        }
        self.shown.filter_repairs = report.filter_repairs.len();
        self.shown.unmapped = report.unmapped.len();
        self.shown.unknown = report.unknown.len();
        self.shown.notes = report.notes.len();
    }

    /// Marks calls that may be under way together.
    pub(super) fn together(&mut self, calls: usize, parallel: usize) {
        if calls > 1 {
            let (first, last) = (self.calls + 1, self.calls + calls);
            let how = match parallel {
                1 => "one after the other".to_owned(),
                parallel if parallel >= calls => "together".to_owned(),
                parallel => format!("{parallel} at a time"),
            };
            let _ = writeln!(self.text, "{first}-{last}  {how}");
        }
    }

    pub(super) fn call(&mut self, call: &NativeCall, outcome: Option<&NativeOutcome>) {
        self.calls += 1;
        let origin = format!("{} {}, {}", call.resource, call.slot.as_str(), call.origin);
        let line = format!("{}  {} {}", self.calls, call.method, self.masked_text(&call.target));
        let _ = writeln!(self.text, "{line:<55} {origin}");
        for (name, value) in &call.headers {
            let value = self.masked_text(value);
            let _ = writeln!(self.text, "   {name}: {value}");
        }
        if let Some(body) = &call.body {
            let _ = writeln!(self.text, "   {}", self.masked(body));
        }
        let said = match outcome {
            Some(NativeOutcome::Reply(reply)) if reply.unreadable => format!("{}   (not JSON)", reply.status),
            Some(NativeOutcome::Reply(reply)) => reply.status.to_string(),
            Some(NativeOutcome::Failed(failure)) => failure.as_str().to_owned(),
            None => "?".to_owned(),
        };
        let _ = writeln!(self.text, "   <- {said}");
    }

    /// Says which replies the plan waits for, in the form in which they can be given.
    pub(super) fn missing(&mut self, calls: &[&NativeCall]) {
        if calls.is_empty() {
            return;
        }
        self.margin("stopped", "what follows depends on the reply of the application; add it to the replies:");
        for call in calls {
            let line = Value::from(format!("{} {}", call.method, self.masked_text(&call.target)));
            let _ = writeln!(self.text, "\n[[reply]]\ncall = {line}\nstatus = 200\nbody = '{{}}'");
        }
    }

    pub(super) fn answer(&mut self, response: &ScimResponse, endpoint: &Endpoint) {
        self.margin("answer", &response.status.to_string());
        if response.status == 405 {
            self.below(&format!("Allow: {}", allowed(endpoint)));
        }
        for (name, value) in &response.headers {
            // `meta` shows the others.
            if response.body.is_none() || *name == "Retry-After" {
                self.below(&format!("{name}: {value}"));
            }
        }
        if let Some(body) = &response.body {
            let body = self.masked(body);
            match self.layout {
                Layout::Compact => self.below(&body.to_string()),
                Layout::Pretty => {
                    let text = format!("{body:#}");
                    text.lines().for_each(|line| self.below(line));
                }
            }
        }
    }

    /// Replies that nothing asked for.
    pub(super) fn unused(&mut self, replies: &Replies) {
        for call in replies.unused() {
            self.margin("unused", call);
        }
    }

    /// A request that never becomes a plan.
    pub(super) fn without_plan(mut self, route: &str, end: End) -> Explanation {
        self.margin("route", route);
        if let End::Answered(status) = end {
            self.margin("answer", &status.to_string());
        }
        self.finish(end)
    }

    pub(super) fn finish(self, end: End) -> Explanation {
        let first = format!("{} {}\n", self.request.method, self.masked_text(&self.request.target));
        Explanation { text: first + &self.text, end }
    }

    fn margin(&mut self, word: &str, line: &str) {
        let line = self.masked_text(line);
        let _ = writeln!(self.text, "{word:<8} {line}");
    }

    fn below(&mut self, line: &str) {
        let _ = writeln!(self.text, "         {line}");
    }

    /// A body with secrets and passwords as `***`. Its depth was bounded when it was parsed or built.
    fn masked(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) if fields.contains_key(SECRET_MARKER) => Value::from(MASK),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, field)| (key.clone(), self.masked(field)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(|item| self.masked(item)).collect(),
            Value::String(text) if self.hidden.contains(text) => Value::from(MASK),
            Value::String(text) => Value::from(self.masked_text(text)),
            other => other.clone(),
        }
    }

    /// Text in which no password stands. A very short one is only hidden where it is a value of its own: letters of
    /// it are everywhere.
    fn masked_text(&self, text: &str) -> String {
        let long = self.hidden.iter().filter(|hidden| hidden.len() >= HIDDEN_INSIDE_MIN);
        long.fold(text.to_owned(), |text, hidden| text.replace(hidden.as_str(), MASK))
    }
}

/// Every password in a request body: by key, or as the value of an operation on `password`.
fn passwords(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    gather(value, &mut found);
    // The longest first, so that one which is part of another leaves nothing of it behind.
    found.sort_by_key(|text| std::cmp::Reverse(text.len()));
    found
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        Value::Object(fields) => {
            let about_password = fields
                .iter()
                .any(|(key, value)| key.eq_ignore_ascii_case("path") && value.as_str().is_some_and(is_password));
            for (key, field) in fields {
                if is_password(key) || (about_password && key.eq_ignore_ascii_case("value")) {
                    texts(field, found);
                }
                gather(field, found);
            }
        }
        _ => {}
    }
}

/// `password`, also behind the URN of its schema.
fn is_password(name: &str) -> bool {
    name.rsplit(':').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("password"))
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

const MASK: &str = "***";
const HIDDEN_INSIDE_MIN: usize = 4;
