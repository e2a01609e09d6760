//! Where log lines go: standard output, JSON when nobody is looking, text on a terminal.
//!
//! In: events of this program, and warnings of libraries. Out: lines. What is written can be changed while running, see
//! [`set_levels`]; a place that is not listened to costs one comparison.
//!
//! Libraries log through a facade of their own, with paths and hosts in their texts: a query string may hold a filter,
//! and a filter holds names. So of their records, warnings and errors alone, only those texts are written that hold no
//! values; of the others the place in the source says which they are.

use std::io::IsTerminal;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::IntCounter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use super::levels;
use super::line::{self, MESSAGE, Shape};
use super::outlet::Outlet;
use crate::config::levels::{Levels, LogLevel};
use crate::config::{LogFormat, LogRule};

pub use levels::{LevelSource, LevelState, end as end_levels, set as set_levels, state};

static OUTLET: LazyLock<Outlet> = LazyLock::new(Outlet::counting);
static AS_TEXT: AtomicBool = AtomicBool::new(false);
/// Whether a flag says how lines look, so that no configuration does.
static FORMAT_FIXED: AtomicBool = AtomicBool::new(false);

/// What the command line says, before any configuration.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Instead of the configuration's.
    pub levels: Option<Levels>,
    /// Instead of the configuration's.
    pub format: Option<LogFormat>,
}

/// Writes the lines that still wait. To be called before the process ends.
pub fn flush() {
    OUTLET.flush();
}

/// How many lines were dropped: one counter for the whole process.
pub(super) fn dropped_lines() -> Option<&'static IntCounter> {
    OUTLET.dropped()
}

/// Starts logging. Called again, as several servers in one process do, it changes nothing.
pub fn start(options: LogOptions) {
    if tracing::subscriber::set_global_default(Writer).is_err() {
        return;
    }
    OUTLET.start();
    levels::set_flag(options.levels);
    show_as(options.format.unwrap_or_default());
    FORMAT_FIXED.store(options.format.is_some(), Ordering::Relaxed);
    if log::set_logger(&LIBRARIES).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
    std::panic::set_hook(Box::new(|panic| {
        // The place only: the words of a panic may hold input.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "scimshim::server", place, "panic");
    }));
}

/// A configuration is in force.
pub fn configure(rule: &LogRule) {
    levels::set_config(&rule.levels);
    if !FORMAT_FIXED.load(Ordering::Relaxed) {
        show_as(rule.format);
    }
}

fn show_as(format: LogFormat) {
    let text = match format {
        LogFormat::Json => false,
        LogFormat::Text => true,
        LogFormat::Auto => std::io::stdout().is_terminal(),
    };
    AS_TEXT.store(text, Ordering::Relaxed);
}

pub(super) fn shape() -> Shape {
    if AS_TEXT.load(Ordering::Relaxed) { Shape::Text } else { Shape::Json }
}

/// Takes the events of this process. Spans are not its business.
struct Writer;

impl Subscriber for Writer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let (level, target) = (*metadata.level(), metadata.target());
        metadata.is_event() && (level <= Level::WARN || is_own(target)) && ours(level) <= levels::in_force().of(target)
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        use tracing::level_filters::LevelFilter;
        Some(match levels::in_force().highest() {
            LogLevel::Off => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let level = *metadata.level();
        if is_own(metadata.target()) {
            line::of_event(shape(), event, |line| OUTLET.put(level, line));
        } else {
            of_library(level, metadata.target(), WITHHELD, metadata.module_path(), metadata.line());
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn ours(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// Takes the records of libraries.
struct Libraries;

static LIBRARIES: Libraries = Libraries;

impl log::Log for Libraries {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let level = if metadata.level() == log::Level::Error { LogLevel::Error } else { LogLevel::Warn };
        metadata.level() <= log::Level::Warn && level <= levels::in_force().of(metadata.target())
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = if record.level() == log::Level::Error { Level::ERROR } else { Level::WARN };
        of_library(level, record.target(), words(record), record.module_path(), record.line());
    }

    fn flush(&self) {}
}

fn is_own(target: &str) -> bool {
    target.strip_prefix("scimshim").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn of_library(level: Level, target: &str, words: &str, module: Option<&str>, place: Option<u32>) {
    let fields = |fields: &mut line::Fields<'_>| {
        fields.text(MESSAGE, words);
        fields.text("module", module.unwrap_or_default());
        fields.number("line", place.unwrap_or_default().into());
    };
    line::with_line(shape(), level, target, fields, |line| OUTLET.put(level, line));
}

/// The text of a record if it holds no values.
fn words(record: &log::Record<'_>) -> &'static str {
    record.args().as_str().unwrap_or(WITHHELD)
}

const WITHHELD: &str = "a library has something to say that may hold input; see its source";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_libraries_only_what_holds_no_values_is_repeated() {
        let path = std::hint::black_box("/Users?filter=ann");
        let said = |args: std::fmt::Arguments<'_>| words(&log::Record::builder().args(args).build());
        assert_eq!(said(format_args!("Respond header is already sent")), "Respond header is already sent");
        assert!(!said(format_args!("Fail to proxy {path}")).contains("ann"));
    }
}
