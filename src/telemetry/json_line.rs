//! In: an event. Out: one line of JSON: `timestamp`, `level`, the fields of the event, `target`.
//!
//! Written straight into the buffer of the line, because one is written for every request.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::native::http1::decimal;

/// The format of log lines when nobody is looking.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        LINE.with(|kept| {
            // Taken only by a value that logs while it is printed, which then gets a line of its own.
            let (mut kept, mut own) = (kept.try_borrow_mut().ok(), Default::default());
            let (line, clock): &mut (String, Clock) = kept.as_deref_mut().unwrap_or(&mut own);
            line.clear();
            line.push_str("{\"timestamp\":\"");
            clock.write(line);
            line.push_str("\",\"level\":\"");
            line.push_str(metadata.level().as_str());
            line.push('"');
            event.record(&mut Fields(line));
            line.push_str(",\"target\":\"");
            line.push_str(metadata.target());
            line.push_str("\"}\n");
            writer.write_str(line)
        })
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
    fn write(&mut self, line: &mut String) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
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

struct Fields<'a>(&'a mut String);

impl Fields<'_> {
    fn name(&mut self, field: &Field) {
        self.0.push_str(",\"");
        self.0.push_str(field.name());
        self.0.push_str("\":");
    }

    fn plain(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.name(field);
        let _ = self.0.write_fmt(value);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        escape(value, self.0);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        push_number(self.0, value, 0);
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
        self.name(field);
        escape(&format!("{value:?}"), self.0);
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
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        line.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => line.push_str("\\\""),
            Some('\\') => line.push_str("\\\\"),
            Some('\n') => line.push_str("\\n"),
            Some(control) => drop(write!(line, "\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = characters.as_str();
    }
    line.push_str(rest);
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_as_they_were() {
        for text in ["", "plain", "\"quoted\" \\ and\nbroken\t\u{1}\u{7f}", "\u{e9}\u{1f600}\"", "\\"] {
            let mut line = String::new();
            escape(text, &mut line);
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text, "{line}");
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
        Clock::default().write(&mut line);
        let before = jiff::Timestamp::now();
        let written: jiff::Timestamp = line.parse().unwrap();
        assert!(line.len() == "1970-01-01T00:00:00.000000Z".len() && before.duration_since(written).as_secs() < 60);
    }
}
