//! A transcript as text. A line either begins with a word in the margin (`route`, `note`, `answer`) or with the number
//! of a native call; what belongs to it is indented below.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

use super::transcript::{Call, Entry, Made, Transcript};
use crate::plan::form;

/// How the body of the answer is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// On one line.
    Compact,
    /// Over several lines.
    Pretty,
}

impl Transcript {
    /// The transcript as people read it; every line ends with a line break.
    pub fn text(&self, layout: Layout) -> String {
        let mut text = format!("{}\n", self.request);
        for entry in &self.entries {
            write_entry(&mut text, entry, layout);
        }
        text
    }

    /// The native calls.
    pub fn calls(&self) -> impl Iterator<Item = &Made> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Call(call) => Some(&call.made),
            _ => None,
        })
    }
}

fn write_entry(text: &mut String, entry: &Entry, layout: Layout) {
    match entry {
        Entry::Route { origin, backend, variables } => {
            let mut line = format!("{origin}   backend {backend}");
            for (name, value) in variables {
                let _ = write!(line, "   {name}={value}");
            }
            margin(text, "route", &line);
        }
        Entry::NoRoute { reason } => margin(text, "route", reason),
        Entry::Repair { name, times: 1 } => margin(text, "repair", name),
        Entry::Repair { name, times } => margin(text, "repair", &format!("{name}   x{times}")),
        Entry::Ignored { name, reason } => margin(text, "ignored", &format!("{name}   ({reason})")),
        Entry::Change { what } => margin(text, "change", what),
        Entry::Table { text: table } => margin(text, "table", table),
        Entry::Guard { text: guard } => margin(text, "guard", guard),
        Entry::Note { text: note } => margin(text, "note", note),
        Entry::Together { first, last, parallel } => {
            let how = match parallel {
                1 => "one after the other".to_owned(),
                parallel if *parallel > last - first => "together".to_owned(),
                parallel => format!("{parallel} at a time"),
            };
            let _ = writeln!(text, "{first}-{last}  {how}");
        }
        Entry::Call(call) => write_call(text, call),
        Entry::Stopped { calls } => {
            let why = "what follows depends on the reply of the application; add it to the replies:";
            margin(text, "stopped", why);
            for call in calls {
                let _ =
                    writeln!(text, "\n[[reply]]\ncall = {}\nstatus = 200\nbody = '{{}}'", Value::from(call.as_str()));
            }
        }
        Entry::Answer { status, headers, body } => {
            margin(text, "answer", &status.to_string());
            for (name, value) in headers {
                below(text, &format!("{name}: {value}"));
            }
            match (body, layout) {
                (Some(body), Layout::Compact) => below(text, &body.to_string()),
                (Some(body), Layout::Pretty) => format!("{body:#}").lines().for_each(|line| below(text, line)),
                (None, _) => {}
            }
        }
        Entry::Unused { call } => margin(text, "unused", call),
    }
}

fn write_call(text: &mut String, call: &Call) {
    let line = format!("{}  {} {}", call.number, call.method, call.target);
    let _ = writeln!(text, "{line:<55} {} {}, {}", call.resource, call.slot, call.origin);
    if !call.parts.is_empty() {
        let _ = writeln!(text, "   from {}", call.parts.join(", "));
    }
    for (name, value) in &call.headers {
        let _ = writeln!(text, "   {name}: {value}");
    }
    match &call.body {
        Some(body) if call.form => {
            for (name, value) in form::pairs(body) {
                let _ = writeln!(text, "   {}={}", on_one_line(&name), on_one_line(&value));
            }
        }
        Some(body) => drop(writeln!(text, "   {body}")),
        None => {}
    }
    for reply in &call.again {
        let _ = writeln!(text, "   <- {reply}");
    }
    let rule = call.rule.as_ref().map_or_else(String::new, |rule| format!("   {rule}"));
    let _ = writeln!(text, "   <- {}{rule}", call.reply.as_deref().unwrap_or("?"));
}

/// What would break a line, or hide in it, is escaped.
fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    Cow::Owned(escaped)
}

fn margin(text: &mut String, word: &str, line: &str) {
    let _ = writeln!(text, "{word:<8} {line}");
}

fn below(text: &mut String, line: &str) {
    let _ = writeln!(text, "         {line}");
}
