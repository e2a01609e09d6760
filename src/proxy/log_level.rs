//! `/log-level` of the admin listener: which log lines are written, and other ones for a while.
//!
//! In: GET; or from loopback POST with levels as its body and perhaps `?for=10m`, or DELETE. Out: what is in force, as
//! JSON. What cannot be read changes nothing and is answered 400 with the reason.

use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Bytes};
use tokio::time::{Instant, sleep};

use super::admin::{answer_json, not_allowed, text};
use crate::config::levels::{Levels, TEXT_MAX_BYTES};
use crate::config::units;
use crate::telemetry::log;

/// Answers a request from a caller who may change things, or not.
pub(super) async fn answer<B>(request: Request<B>, trusted: bool) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match *request.method() {
        Method::GET | Method::HEAD => in_force(),
        Method::POST | Method::DELETE if !trusted => {
            text(StatusCode::FORBIDDEN, "only for callers on loopback: `scimshim log-level`\n".to_owned())
        }
        Method::DELETE => {
            if log::end_levels(None) {
                note();
            }
            in_force()
        }
        Method::POST => match set(request).await {
            Ok(()) => in_force(),
            Err(reason) => text(StatusCode::BAD_REQUEST, format!("{reason}\n")),
        },
        _ => not_allowed("GET, HEAD, POST, DELETE"),
    }
}

async fn set<B>(request: Request<B>) -> Result<(), String>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let lasting = lasting(request.uri().query().unwrap_or_default())?;
    let body = Limited::new(request.into_body(), TEXT_MAX_BYTES).collect().await;
    let body = body.map_err(|_| format!("levels have at most {TEXT_MAX_BYTES} bytes"))?.to_bytes();
    let text = std::str::from_utf8(&body).map_err(|_| "levels are text".to_owned())?;
    let levels = Levels::parse(text.trim()).map_err(|error| error.to_string())?;
    let number = log::set_levels(levels, lasting.map(|lasting| Instant::now() + lasting));
    note();
    if let Some(lasting) = lasting {
        tokio::spawn(async move {
            sleep(lasting).await;
            if log::end_levels(Some(number)) {
                note();
            }
        });
    }
    Ok(())
}

/// `for=10m`; nothing else is known.
fn lasting(query: &str) -> Result<Option<Duration>, String> {
    let mut lasting = None;
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let duration = part.strip_prefix("for=").and_then(units::duration);
        let duration = duration.filter(|duration| (SHORTEST..=LONGEST).contains(duration));
        let reason = "the query is `for=10m`: from 1s to 24h, or nothing for until it is changed again";
        lasting = Some(duration.ok_or_else(|| reason.to_owned())?);
    }
    Ok(lasting)
}

/// For whoever wonders later why so much, or so little, was logged.
fn note() {
    let log::LevelState { levels, source, .. } = log::state();
    tracing::warn!(target: "scimshim::server", %levels, source = source.as_str(), "log levels changed");
}

fn in_force() -> Response<Full<Bytes>> {
    let log::LevelState { levels, source, configured, until } = log::state();
    let left = until.map(|until| until.saturating_duration_since(Instant::now()).as_secs());
    let state = serde_json::json!({
        "level": levels.to_string(),
        "source": source.as_str(),
        "configured": configured.to_string(),
        "seconds_left": left,
    });
    answer_json(&state)
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
