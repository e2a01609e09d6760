//! A cycle as text for people: a block per step, aligned, in colour where there is a terminal for it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};

use serde_json::Value;

use super::{Outcome, Tally};
use crate::adapter::NativeRecord;

/// Writes blocks to `out`.
#[derive(Debug)]
pub struct Report<W> {
    out: W,
    paint: Paint,
    steps: usize,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paint {
    Plain,
    Ansi,
}

#[derive(Clone, Copy)]
enum Colour {
    Green,
    Red,
    Yellow,
    Dim,
    Bold,
}

impl Report<io::Stdout> {
    /// To standard output: coloured if that is a terminal and `NO_COLOR` is not set.
    pub fn stdout() -> Report<io::Stdout> {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let paint = if wanted && io::stdout().is_terminal() { Paint::Ansi } else { Paint::Plain };
        Report { out: io::stdout(), paint, steps: 0 }
    }
}

impl<W: Write> Report<W> {
    /// To anything else, without colours.
    pub fn plain(out: W) -> Report<W> {
        Report { out, paint: Paint::Plain, steps: 0 }
    }

    /// Begins a cycle.
    ///
    /// # Errors
    /// Nothing can be written.
    pub fn title(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out, "\n{}\n", self.paint.text(Colour::Bold, title))
    }

    /// Adds a step.
    ///
    /// # Errors
    /// Nothing can be written.
    pub fn step(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.steps += 1;
        let block = self.block(outcome);
        self.out.write_all(block.as_bytes())?;
        self.out.flush()
    }

    /// Ends with the numbers.
    ///
    /// # Errors
    /// Nothing can be written.
    pub fn summary(&mut self, tally: Tally) -> io::Result<()> {
        let colour = if tally.is_clean() { Colour::Green } else { Colour::Red };
        let text = format!("{} of {} steps behaved", tally.behaved, tally.steps);
        writeln!(self.out, "\n{}", self.paint.text(colour, &text))
    }

    /// ```text
    ///  12  disable ann                                          200  ok
    ///      PATCH /Users/1 {"Operations":[...]}
    ///      repair  op-casing, string-boolean
    ///      native  POST /api/employees/1/disable -> 200
    /// ```
    fn block(&self, outcome: &Outcome) -> String {
        let Outcome { name, request_line, body, status, detail, exchange, deviations } = outcome;
        let status = status.map_or_else(|| "---".to_owned(), |status| status.to_string());
        let verdict = if deviations.is_empty() {
            self.paint.text(Colour::Green, "ok")
        } else {
            self.paint.text(Colour::Red, "DEVIATES")
        };
        let name = self.paint.text(Colour::Bold, &format!("{name:<NAME_WIDTH$}"));
        let mut block = format!("{:>3}  {name}  {status}  {verdict}\n", self.steps);
        // Writing to a `String` cannot fail.
        let mut line = |label: &str, colour: Colour, text: &str| {
            let label = self.paint.text(colour, &format!("{label:<6}"));
            let _ = writeln!(block, "     {label}  {text}");
        };
        line("scim", Colour::Dim, &with_body(&readable(request_line), body.as_ref()));
        if let Some(exchange) = exchange {
            let repairs: Vec<String> = exchange.repairs.iter().map(|(name, count)| counted(name, *count)).collect();
            if !repairs.is_empty() {
                line("repair", Colour::Yellow, &repairs.join(", "));
            }
            if !exchange.ignored.is_empty() {
                line("ignore", Colour::Yellow, &cut(&exchange.ignored.join(", ")));
            }
            for note in &exchange.notes {
                line("note", Colour::Dim, &cut(note));
            }
            for call in &exchange.native {
                line("native", Colour::Dim, &native(call));
            }
        }
        if let Some(detail) = detail {
            line("says", Colour::Yellow, &cut(detail));
        }
        for deviation in deviations {
            line("BUT", Colour::Red, deviation);
        }
        block
    }
}

impl Paint {
    fn text(self, colour: Colour, text: &str) -> String {
        let code = match (self, colour) {
            (Paint::Plain, _) => return text.to_owned(),
            (_, Colour::Green) => 32,
            (_, Colour::Red) => 31,
            (_, Colour::Yellow) => 33,
            (_, Colour::Dim) => 2,
            (_, Colour::Bold) => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

fn native(call: &NativeRecord) -> String {
    let end = match (call.status, &call.failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(failure)) => (*failure).to_owned(),
        (None, None) => "no reply".to_owned(),
    };
    format!("{} -> {end}", with_body(&format!("{} {}", call.method, call.target), call.body.as_ref()))
}

/// The query of a filter is unreadable as it is sent.
fn readable(request_line: &str) -> String {
    percent_encoding::percent_decode_str(request_line).decode_utf8_lossy().chars().map(printable).collect()
}

/// `schemas` says nothing that the line before it does not say.
fn with_body(line: &str, body: Option<&Value>) -> String {
    let Some(mut body) = body.cloned() else { return line.to_owned() };
    if let Some(members) = body.as_object_mut() {
        members.remove("schemas");
    }
    format!("{line} {}", cut(&body.to_string()))
}

fn counted(name: &str, count: u64) -> String {
    if count == 1 { name.to_owned() } else { format!("{name} x{count}") }
}

/// One line of bounded length without control characters, wherever the text comes from.
fn cut(text: &str) -> String {
    let mut line: String = text.chars().take(TEXT_MAX_CHARS).map(printable).collect();
    if text.chars().nth(TEXT_MAX_CHARS).is_some() {
        line.push_str("...");
    }
    line
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

const NAME_WIDTH: usize = 48;
const TEXT_MAX_CHARS: usize = 400;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Outcome, Tally};
    use super::{Colour, Paint, Report, TEXT_MAX_CHARS, cut};
    use crate::adapter::{ExchangeRecord, NativeRecord};

    fn outcome() -> Outcome {
        let call = |method: &str, status| NativeRecord {
            method: method.to_owned(),
            target: "/api/employees/1".to_owned(),
            body: (method != "GET").then(|| json!({"job_title": "T"})),
            status,
            failure: None,
        };
        Outcome {
            name: "update ann".to_owned(),
            request_line: "PATCH /Users/1?filter=a%20eq%20%22b%22".to_owned(),
            body: Some(json!({"schemas": ["x"], "Operations": []})),
            status: Some(404),
            detail: Some("no such\nuser".to_owned()),
            exchange: Some(ExchangeRecord {
                request_id: String::new(),
                method: "PATCH".to_owned(),
                target: String::new(),
                status: 404,
                repairs: vec![("op-casing".to_owned(), 2), ("flat-key".to_owned(), 1)],
                ignored: vec!["nickName".to_owned()],
                notes: vec!["old state not read".to_owned()],
                native: vec![call("GET", Some(200)), call("PATCH", None)],
            }),
            deviations: vec!["status 404 instead of 200".to_owned()],
        }
    }

    #[test]
    fn a_step_reads_as_a_block() {
        let mut text = Vec::new();
        let mut report = Report::plain(&mut text);
        report.title("Entra ID").unwrap();
        report.step(&outcome()).unwrap();
        report.summary(Tally { behaved: 0, steps: 1 }).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"

        Entra ID

          1  update ann                                        404  DEVIATES
             scim    PATCH /Users/1?filter=a eq "b" {"Operations":[]}
             repair  op-casing x2, flat-key
             ignore  nickName
             note    old state not read
             native  GET /api/employees/1 -> 200
             native  PATCH /api/employees/1 {"job_title":"T"} -> no reply
             says    no such user
             BUT     status 404 instead of 200

        0 of 1 steps behaved
        "#);
    }

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(Paint::Ansi.text(Colour::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Paint::Plain.text(Colour::Red, "x"), "x");
    }

    #[test]
    fn lines_are_bounded_and_printable() {
        assert_eq!(cut("a\u{1b}[1m\nb"), "a [1m b");
        assert_eq!(cut(&"ü".repeat(TEXT_MAX_CHARS)).chars().count(), TEXT_MAX_CHARS);
        assert_eq!(cut(&"ü".repeat(TEXT_MAX_CHARS + 1)).chars().count(), TEXT_MAX_CHARS + 3);
    }
}
