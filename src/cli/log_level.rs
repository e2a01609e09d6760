//! `scimshim log-level`: what a running sidecar logs, and the flags of `run` about the same.
//!
//! In: where the admin listener is, and perhaps levels. Out: what is in force.

use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{Method, StatusCode};
use serde::Deserialize;

use super::probe::{AdminArgs, ask, duration, runtime};
use super::{Failure, say};
use crate::config::LogFormat;
use crate::config::levels::Levels;

#[derive(Args, Debug)]
pub(super) struct LogLevelArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// What is logged from here on, such as `info,scimshim::native=debug`; without it nothing is changed.
    #[arg(value_parser = levels)]
    levels: Option<Levels>,
    /// For how long; without it until it is changed again.
    #[arg(long = "for", value_parser = duration, requires = "levels")]
    lasting: Option<Duration>,
    /// Go back to what the command line or the configuration says.
    #[arg(long, conflicts_with = "levels")]
    reset: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Objects of JSON.
    Json,
    /// For people.
    Text,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Auto => Self::Auto,
            Format::Json => Self::Json,
            Format::Text => Self::Text,
        }
    }
}

/// What the server says about its log.
#[derive(Debug, Deserialize)]
struct State {
    level: String,
    source: String,
    configured: String,
    seconds_left: Option<u64>,
}

/// Shows what is logged, having changed it if told to.
pub(super) fn log_level(args: &LogLevelArgs) -> Result<(), Failure> {
    let admin = args.admin.address()?;
    let (method, body) = match (&args.levels, args.reset) {
        (Some(levels), _) => (Method::POST, levels.to_string()),
        (None, true) => (Method::DELETE, String::new()),
        (None, false) => (Method::GET, String::new()),
    };
    let lasting = args.lasting.map(|lasting| format!("?for={}ms", lasting.as_millis())).unwrap_or_default();
    let (status, answer) = runtime()?.block_on(ask(admin, method, &format!("/log-level{lasting}"), &body))?;
    if status != StatusCode::OK {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&answer).trim_end()).into());
    }
    say(&shown(&serde_json::from_slice(&answer)?))
}

fn shown(state: &State) -> String {
    let State { level, source, configured, seconds_left } = state;
    match (source.as_str(), seconds_left) {
        ("admin", Some(left)) => format!("{level} (for {left} s more, then {configured})\n"),
        ("admin", None) => format!("{level} (set while running; otherwise {configured})\n"),
        _ => format!("{level}\n"),
    }
}

/// Levels of the command line.
pub(super) fn levels(text: &str) -> Result<Levels, String> {
    Levels::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_one_line() {
        let state = |source: &str, seconds_left| State {
            level: "debug".to_owned(),
            source: source.to_owned(),
            configured: "info".to_owned(),
            seconds_left,
        };
        assert_eq!(shown(&state("config", None)), "debug\n");
        assert_eq!(shown(&state("admin", None)), "debug (set while running; otherwise info)\n");
        assert_eq!(shown(&state("admin", Some(7))), "debug (for 7 s more, then info)\n");
    }
}
