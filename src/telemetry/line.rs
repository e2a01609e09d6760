//! In: an event. Out: one line, of JSON or for people.
//!
//! JSON is `ts`, `level`, `target`, `msg`, then the fields of the event: `request_id`, `trace_id` and whatever else it
//! has. Written straight into the buffer of the line, because one is written for every request. Whatever stands in a
//! value, it cannot end the line, nor move the cursor of whoever reads it on a terminal.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::native::http1::decimal;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object of JSON.
    Json,
    /// For people: time, level, target, message, `name=value`.
    Text,
}

/// Writes the line of an event and hands it over.
pub(super) fn of_event(shape: Shape, event: &Event<'_>, out: impl FnOnce(&str)) {
    let metadata = event.metadata();
    with_line(shape, *metadata.level(), metadata.target(), |fields| event.record(fields), out);
}

/// Writes any other line.
pub(super) fn with_line(
    shape: Shape,
    level: Level,
    target: &str,
    fields: impl FnOnce(&mut Fields<'_>),
    out: impl FnOnce(&str),
) {
    LINE.with(|kept| {
        // Taken only by a value that logs while it is printed, which then gets a line of its own.
        let (mut kept, mut own) = (kept.try_borrow_mut().ok(), Default::default());
        let (line, clock): &mut (String, Clock) = kept.as_deref_mut().unwrap_or(&mut own);
        line.clear();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        write(line, shape, |line| clock.write(now, line), level, target, fields);
        out(line);
    });
}

fn write(
    line: &mut String,
    shape: Shape,
    time: impl FnOnce(&mut String),
    level: Level,
    target: &str,
    fields: impl FnOnce(&mut Fields<'_>),
) {
    match shape {
        Shape::Json => {
            line.push_str("{\"ts\":\"");
            time(line);
            line.push_str("\",\"level\":\"");
            line.push_str(level.as_str());
            line.push_str("\",\"target\":\"");
            line.push_str(target);
            line.push('"');
            fields(&mut Fields { line, shape });
            line.push_str("}\n");
        }
        Shape::Text => {
            time(line);
            // The words are of three lengths at the most, and stand under each other.
            let _ = write!(line, " {:>5} {target}:", level.as_str());
            fields(&mut Fields { line, shape });
            line.push('\n');
        }
    }
}

thread_local! {
    static LINE: RefCell<(String, Clock)> = RefCell::default();
}

/// The time in RFC 3339 with microseconds; all but those is made once a second.
#[derive(Default)]
struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    fn write(&mut self, now: Duration, line: &mut String) {
        if self.second != now.as_secs() || self.text.is_empty() {
            self.second = now.as_secs();
            let time = i64::try_from(self.second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
            self.text = time.unwrap_or_default().to_string();
            self.text.truncate("1970-01-01T00:00:00".len());
        }
        line.push_str(&self.text);
        line.push('.');
        // A one before them keeps the zeros in front.
        push_number(line, 1_000_000 + u64::from(now.subsec_micros()), 1);
        line.push('Z');
    }
}

/// Where the fields of a line go.
pub(super) struct Fields<'a> {
    line: &'a mut String,
    shape: Shape,
}

impl Fields<'_> {
    /// A field of this name.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.begin(name);
        match self.shape {
            Shape::Text if name == MESSAGE => escape_bare(value, self.line),
            Shape::Text if is_bare(value) => self.line.push_str(value),
            Shape::Json | Shape::Text => escape(value, self.line),
        }
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.begin(name);
        push_number(self.line, value, 0);
    }

    fn begin(&mut self, name: &str) {
        match (self.shape, name) {
            (Shape::Json, MESSAGE) => self.line.push_str(",\"msg\":"),
            (Shape::Json, _) => {
                self.line.push_str(",\"");
                self.line.push_str(name);
                self.line.push_str("\":");
            }
            (Shape::Text, MESSAGE) => self.line.push(' '),
            (Shape::Text, _) => {
                self.line.push(' ');
                self.line.push_str(name);
                self.line.push('=');
            }
        }
    }

    fn plain(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.begin(field.name());
        let _ = self.line.write_fmt(value);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for infinity.
        if value.is_finite() {
            self.plain(field, format_args!("{value}"));
        } else {
            self.plain(field, format_args!("null"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match self.shape {
            // Written piece by piece: the words of an event come this way, and every request has an event.
            Shape::Json => {
                self.begin(field.name());
                self.line.push('"');
                let _ = write!(Escaped(self.line), "{value:?}");
                self.line.push('"');
            }
            // How it is written depends on all of it.
            Shape::Text => self.text(field.name(), &format!("{value:?}")),
        }
    }
}

/// The inside of a JSON string.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape_quoted(text, self.0);
        Ok(())
    }
}

/// The digits of a number without the first few.
fn push_number(line: &mut String, number: u64, without: usize) {
    let mut digits = [0; 20];
    let digits = decimal(number, &mut digits).get(without..).unwrap_or_default();
    line.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

/// A JSON string. Runs of ordinary characters are copied whole.
fn escape(text: &str, line: &mut String) {
    line.push('"');
    escape_quoted(text, line);
    line.push('"');
}

fn escape_quoted(text: &str, line: &mut String) {
    escape_with(text, line, |byte| byte == b'"' || byte == b'\\');
}

/// The same without quotes around it, and with those within it as they are: a message for people.
fn escape_bare(text: &str, line: &mut String) {
    escape_with(text, line, |_| false);
}

fn escape_with(text: &str, line: &mut String, quoted: impl Fn(u8) -> bool) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| is_suspect(byte) || quoted(byte)) {
        let (plain, special) = rest.split_at(at);
        line.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => line.push_str("\\\""),
            Some('\\') => line.push_str("\\\\"),
            Some('\n') => line.push_str("\\n"),
            Some(control) if is_unprintable(control) => drop(write!(line, "\\u{:04x}", u32::from(control))),
            Some(other) => line.push(other),
            None => {}
        }
        rest = characters.as_str();
    }
    line.push_str(rest);
}

/// Whether a byte is a control character, or begins one of those beyond ASCII: U+0080 to U+009F, which terminals obey
/// too, and U+2028, U+2029 and the marks that turn the direction of writing.
fn is_suspect(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, 0x7f | 0xc2 | 0xe2)
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a value needs no quotes to be seen where it ends.
fn is_bare(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    !value.is_empty() && value.bytes().all(plain)
}

/// What the library calls the message of an event.
pub(super) const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_as_they_were() {
        for text in [
            "",
            "plain",
            "\"quoted\" \\ and\nbroken\t\u{1}\u{7f}\u{9b}\u{2028}",
            "\u{e9}\u{a9}\u{201c}\u{1f600}\"",
            "\\",
        ] {
            let mut line = String::new();
            escape(text, &mut line);
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text, "{line}");
            assert!(!line.contains(is_unprintable), "{line:?}");
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 1_000_001, u64::MAX] {
            let mut line = String::new();
            push_number(&mut line, number, 0);
            assert_eq!(line, number.to_string());
        }
        let mut line = String::new();
        push_number(&mut line, 1_000_042, 1);
        assert_eq!(line, "000042");
    }

    #[test]
    fn the_time_is_rfc_3339() {
        let mut line = String::new();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Clock::default().write(now, &mut line);
        let before = jiff::Timestamp::now();
        let written: jiff::Timestamp = line.parse().unwrap();
        assert!(line.len() == "1970-01-01T00:00:00.000000Z".len() && before.duration_since(written).as_secs() < 60);
    }

    /// The line of whatever is logged, at a time that does not pass.
    fn lines(shape: Shape, log: impl FnOnce()) -> String {
        struct Kept(Shape, std::sync::Mutex<String>);
        impl tracing::Subscriber for Kept {
            fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
                true
            }
            fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
                tracing::span::Id::from_u64(1)
            }
            fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
            fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
            fn event(&self, event: &Event<'_>) {
                let metadata = event.metadata();
                let time = |line: &mut String| Clock::default().write(Duration::new(1_700_000_000, 42_000), line);
                let fields = |fields: &mut Fields<'_>| event.record(fields);
                write(&mut self.1.lock().unwrap(), self.0, time, *metadata.level(), metadata.target(), fields);
            }
            fn enter(&self, _: &tracing::span::Id) {}
            fn exit(&self, _: &tracing::span::Id) {}
        }
        let kept = std::sync::Arc::new(Kept(shape, std::sync::Mutex::default()));
        tracing::subscriber::with_default(kept.clone(), log);
        kept.1.lock().unwrap().clone()
    }

    fn some_events() {
        let (none, trace_id) = (None::<&str>, Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let (request_id, reason, attempts, late) = ("r-1", "a \"b\"\n\u{1b}[2J", 3_u32, true);
        let status = 200_u16;
        tracing::info!(target: "scimshim::request", request_id, trace_id, scim_type = none, status, "scim request answered");
        tracing::warn!(target: "scimshim::native", reason, attempts, late, "not\u{9b}now \"x\"");
        tracing::debug!(target: "scimshim::native", origin = %"config.toml:7", share = 0.5, empty = "", "native call");
    }

    #[test]
    fn a_line_of_json_has_one_schema() {
        let text = lines(Shape::Json, some_events);
        let expected = r#"{"ts":"2023-11-14T22:13:20.000042Z","level":"INFO","target":"scimshim::request","msg":"scim request answered","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","status":200}
{"ts":"2023-11-14T22:13:20.000042Z","level":"WARN","target":"scimshim::native","msg":"not\u009bnow \"x\"","reason":"a \"b\"\n\u001b[2J","attempts":3,"late":true}
{"ts":"2023-11-14T22:13:20.000042Z","level":"DEBUG","target":"scimshim::native","msg":"native call","origin":"config.toml:7","share":0.5,"empty":""}
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_line_for_people_says_the_same() {
        let text = lines(Shape::Text, some_events);
        let expected = r#"2023-11-14T22:13:20.000042Z  INFO scimshim::request: scim request answered request_id=r-1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 status=200
2023-11-14T22:13:20.000042Z  WARN scimshim::native: not\u009bnow "x" reason="a \"b\"\n\u001b[2J" attempts=3 late=true
2023-11-14T22:13:20.000042Z DEBUG scimshim::native: native call origin=config.toml:7 share=0.5 empty=""
"#;
        assert_eq!(text, expected);
    }
}
