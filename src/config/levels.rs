//! Which log lines are written: a level, and other levels for some targets.
//!
//! In: `info,scimshim::native=debug`. Out: the level of a target. A target is a module or whatever else a line says
//! it comes from; [`TARGETS`] are those that exist for people to name.

use std::fmt;
use std::ops::Range;

use super::diagnostic::{closest, suggest};

/// How much is said. Each includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Somebody has to do something.
    Error,
    /// Somebody may want to know.
    Warn,
    /// A line for every SCIM request.
    #[default]
    Info,
    /// A line for every native call, and for what passes through.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const ALL: [Self; 6] = [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

/// Where lines come from, and what they are about. Each stands for everything below it as well.
pub const TARGETS: &[(&str, &str)] = &[
    ("scimshim", "everything of this program"),
    ("scimshim::request", "SCIM requests: one line each, failures at `warn`, remarks of the plan at `debug`"),
    ("scimshim::native", "native calls at `debug`, logins, refused credentials, the circuit breaker"),
    ("scimshim::passthrough", "what passes through: failures at `warn`, every request at `debug`"),
    ("scimshim::connection", "requests refused by protocol, connections turned away"),
    ("scimshim::config", "loads and reloads, with every finding"),
    ("scimshim::server", "start, stop, panics, changes of the log level"),
    ("scimshim::trace", "the export of spans"),
];

/// The levels of all targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    rest: LogLevel,
    /// Longest first, so that the first that fits is the one that counts.
    targets: Vec<(String, LogLevel)>,
}

/// What is wrong with a text of levels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", .help.as_deref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct LevelsError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where in the text.
    pub span: Range<usize>,
}

impl Levels {
    /// Parses `LEVEL` and `TARGET=LEVEL`, separated by commas.
    ///
    /// # Errors
    ///
    /// What is wrong with the first part that is.
    pub fn parse(text: &str) -> Result<Self, LevelsError> {
        let whole = |message: String| LevelsError { message, help: None, span: 0..text.len() };
        if text.len() > TEXT_MAX_BYTES {
            return Err(whole(format!("levels have at most {TEXT_MAX_BYTES} bytes")));
        }
        let (mut rest, mut targets, mut at) = (None, Vec::new(), 0);
        for part in text.split(',') {
            let start = at + (part.len() - part.trim_start().len());
            let directive = part.trim();
            at += part.len() + 1;
            let error = |message: String, help| {
                Err(LevelsError { message, help, span: start..(start + directive.len()).max(start) })
            };
            let (target, word) = match directive.split_once('=') {
                Some((target, word)) => (Some(target.trim()), word.trim()),
                None => (None, directive),
            };
            let level = match (LogLevel::parse(word), target) {
                (Some(level), _) => level,
                (None, None) if is_target(word) => {
                    let help = format!("write `{word}=debug`, for instance");
                    return error(format!("`{word}` has no level"), Some(help));
                }
                (None, _) => {
                    let levels = LogLevel::ALL.map(LogLevel::as_str);
                    return error(format!("`{word}` is no level"), suggest(word, levels));
                }
            };
            let Some(target) = target else {
                if rest.replace(level).is_some() {
                    return error("two levels for all targets".to_owned(), None);
                }
                continue;
            };
            if let Err((message, help)) = check_target(target) {
                return error(message, help);
            }
            if targets.iter().any(|(known, _)| known == target) {
                return error(format!("two levels for `{target}`"), None);
            }
            targets.push((target.to_owned(), level));
        }
        targets.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        Ok(Self { rest: rest.unwrap_or_default(), targets })
    }

    /// The level of a target: that of the longest name that it is or is below of.
    pub fn of(&self, target: &str) -> LogLevel {
        let below =
            |name: &str| target.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        self.targets.iter().find(|(name, _)| below(name)).map_or(self.rest, |(_, level)| *level)
    }

    /// The highest of all.
    pub fn highest(&self) -> LogLevel {
        self.targets.iter().map(|(_, level)| *level).fold(self.rest, LogLevel::max)
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rest.as_str())?;
        self.targets.iter().rev().try_for_each(|(target, level)| write!(f, ",{target}={}", level.as_str()))
    }
}

/// Whether a word without a level looks like a target rather than like a level that is misspelt.
fn is_target(word: &str) -> bool {
    word.contains("::") || TARGETS.iter().any(|(target, _)| *target == word)
}

/// Targets of this program are known; those of libraries are names of Rust modules.
fn check_target(target: &str) -> Result<(), (String, Option<String>)> {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !target.split("::").all(word) {
        return Err((format!("`{target}` is not a target"), Some("a target is written scimshim::native".to_owned())));
    }
    let known = |name: &str| target == name || target.starts_with(&format!("{name}::"));
    let own = target == "scimshim" || target.starts_with("scimshim::");
    if own && target != "scimshim" && !TARGETS.iter().skip(1).any(|(name, _)| known(name)) {
        let names = TARGETS.iter().map(|(name, _)| *name);
        return Err((format!("there is no target `{target}`"), suggest(target, names)));
    }
    if !own && let Some(name) = closest(target, ["scimshim"]) {
        return Err((format!("there is no target `{target}`"), Some(format!("did you mean `{name}`?"))));
    }
    Ok(())
}

/// Longer than anything a person writes.
pub const TEXT_MAX_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts() {
        let levels = Levels::parse("warn, scimshim=info,scimshim::native=debug,pingora_core=off").unwrap();
        for (target, expected) in [
            ("hyper::proto", LogLevel::Warn),
            ("scimshim", LogLevel::Info),
            ("scimshim::request", LogLevel::Info),
            ("scimshim::native", LogLevel::Debug),
            ("scimshim::native::line", LogLevel::Debug),
            ("scimshim::natively", LogLevel::Info),
            ("pingora_core::apps", LogLevel::Off),
        ] {
            assert_eq!(levels.of(target), expected, "{target}");
        }
        assert_eq!(levels.highest(), LogLevel::Debug);
        assert_eq!(levels.to_string(), "warn,scimshim=info,pingora_core=off,scimshim::native=debug");
        assert_eq!(Levels::parse(&levels.to_string()).unwrap(), levels);
    }

    #[test]
    fn what_is_not_said_is_info() {
        assert_eq!(Levels::parse("scimshim::trace=trace").unwrap().of("scimshim::request"), LogLevel::Info);
        assert_eq!(Levels::default(), Levels::parse("info").unwrap());
        assert_eq!(Levels::parse("off").unwrap().highest(), LogLevel::Off);
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, span: Range<usize>, said: &str| {
            let error = Levels::parse(text).unwrap_err();
            assert_eq!((error.span.clone(), error.to_string().as_str()), (span, said), "{text}");
        };
        check("inof", 0..4, "`inof` is no level; did you mean `info`?");
        check("", 0..0, "`` is no level; there is: `off`, `error`, `warn`, `info`, `debug`, `trace`");
        check(
            "info, scimshim::native=loud",
            6..27,
            "`loud` is no level; there is: `off`, `error`, `warn`, `info`, `debug`, `trace`",
        );
        check(
            "scimshim::native",
            0..16,
            "`scimshim::native` has no level; write `scimshim::native=debug`, for instance",
        );
        check(
            "scimshim::natvie=debug",
            0..22,
            "there is no target `scimshim::natvie`; did you mean `scimshim::native`?",
        );
        check("scimshm=debug", 0..13, "there is no target `scimshm`; did you mean `scimshim`?");
        check("info,warn", 5..9, "two levels for all targets");
        check("h2=info,h2=warn", 8..15, "two levels for `h2`");
        check("a b=info", 0..8, "`a b` is not a target; a target is written scimshim::native");
        assert!(Levels::parse(&"x".repeat(TEXT_MAX_BYTES + 1)).unwrap_err().message.contains("at most 1024"));
    }

    #[test]
    fn anything_may_be_asked() {
        use proptest::prelude::*;
        proptest!(|(text in ".{0,80}")| {
            if let Ok(levels) = Levels::parse(&text) {
                prop_assert_eq!(Levels::parse(&levels.to_string()).unwrap(), levels);
            }
        });
    }
}
