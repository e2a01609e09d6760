//! Which outcomes are tried again, and after how long. Pure but for [`jitter`].
//!
//! | outcome | tried again |
//! |---|---|
//! | no connection | always: nothing was sent |
//! | connection ended early; status 502, 503, 504 | calls that may be repeated |
//! | status 429 that says when to come back | calls that may be repeated |
//! | deadline of an attempt passed; reply too large | never: a slow backend must not get more to do |
//! | any other reply | never: it is an answer |
//!
//! A call may be repeated if its slot reads, its method is idempotent (RFC 9110 9.2.2), the mapping says so, or it
//! carries a key for which the application carries it out once.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use crate::config::Retry;
use crate::plan::{NativeCall, NativeFailure, NativeOutcome, NativeReply};
use crate::telemetry::series::RetryReason;

/// How long to wait before the next attempt, or `None` if this outcome stands. `attempts` were made so far, the first
/// one included; `random` spreads clients that failed together.
pub(super) fn pause(
    rule: Retry,
    repeatable: bool,
    outcome: &NativeOutcome,
    attempts: u32,
    random: u64,
) -> Option<Duration> {
    if attempts >= rule.attempts || !worth_repeating(repeatable, outcome) {
        return None;
    }
    let asked = match outcome {
        NativeOutcome::Reply(reply) => retry_after(reply),
        NativeOutcome::Failed(_) => None,
    };
    match asked {
        Some(asked) if asked > RETRY_AFTER_MAX => None,
        _ => Some(backoff(rule.delay, attempts, random).max(asked.unwrap_or_default())),
    }
}

/// Whether another attempt may help, if there is still one. With most outcomes it may not, and nothing else is asked.
pub(super) fn worth_repeating(repeatable: bool, outcome: &NativeOutcome) -> bool {
    match outcome {
        NativeOutcome::Failed(NativeFailure::Connect) => true,
        NativeOutcome::Failed(NativeFailure::Interrupted) => repeatable,
        NativeOutcome::Failed(_) => false,
        NativeOutcome::Reply(reply) => match reply.status {
            502..=504 => repeatable,
            429 => repeatable && retry_after(reply).is_some(),
            _ => false,
        },
    }
}

/// Why a call whose outcome is tried again is.
pub(super) fn reason(outcome: &NativeOutcome) -> RetryReason {
    match outcome {
        NativeOutcome::Failed(NativeFailure::Connect) => RetryReason::Connect,
        NativeOutcome::Failed(_) => RetryReason::Interrupted,
        NativeOutcome::Reply(reply) if reply.status == 429 => RetryReason::RateLimited,
        NativeOutcome::Reply(_) => RetryReason::Unavailable,
    }
}

/// Whether a call may be carried out twice.
pub(super) fn repeatable(call: &NativeCall) -> bool {
    call.idempotent || call.slot.reads() || matches!(&*call.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}

/// Seconds of `Retry-After`; a date is not waited for.
fn retry_after(reply: &NativeReply) -> Option<Duration> {
    reply.headers.get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// Doubles from attempt to attempt; between half and all of that.
fn backoff(delay: Duration, attempts: u32, random: u64) -> Duration {
    let full = delay.saturating_mul(1 << attempts.saturating_sub(1).min(8));
    let half = full / 2;
    let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(random % spread)
}

/// A number that differs from call to call. Not for secrets.
pub(super) fn jitter() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Longest `Retry-After` that is waited for; with a longer one the reply stands, and the client is told.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);
