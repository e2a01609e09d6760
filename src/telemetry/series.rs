//! Series that are found by their labels once, and counted without looking for them from then on.
//!
//! In: a status and how to find its series. Out: the series, one higher. A series exists from its first event on, as if
//! it had been asked for by its labels.

use std::sync::OnceLock;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::metrics::NativeMetrics;
use crate::plan::FilterPath;

/// One counter for each status that is usual; others are found anew each time.
#[derive(Debug, Default)]
pub struct Codes([OnceLock<IntCounter>; USUAL.len()]);

impl Codes {
    /// Counts one; `find` says which series it is.
    pub fn count(&self, status: u16, find: impl FnOnce() -> IntCounter) {
        match self.kept(status) {
            Some(kept) => kept.get_or_init(find).inc(),
            None => find().inc(),
        }
    }

    /// Makes the series without counting.
    pub fn find(&self, status: u16, find: impl FnOnce() -> IntCounter) {
        match self.kept(status) {
            Some(kept) => drop(kept.get_or_init(find)),
            None => drop(find()),
        }
    }

    fn kept(&self, status: u16) -> Option<&OnceLock<IntCounter>> {
        USUAL.iter().position(|usual| *usual == status).and_then(|index| self.0.get(index))
    }
}

/// The series of the answers to one operation on one type of a route.
#[derive(Debug, Default)]
pub struct AnswerSeries {
    /// Answers without a `scimType`.
    pub(super) answers: Codes,
    pub(super) duration: OnceLock<Histogram>,
    /// The part of it that was not spent waiting.
    pub(super) mapping: OnceLock<Histogram>,
    /// Native calls per request.
    pub(super) calls: OnceLock<Histogram>,
    /// By how a filter was answered.
    pub(super) filters: [OnceLock<IntCounter>; FilterPath::ALL.len()],
}

/// The series of the calls of one slot to one backend.
#[derive(Debug, Default)]
pub struct CallSeries {
    /// Calls that were answered.
    pub(super) replies: Codes,
    pub(super) duration: OnceLock<Histogram>,
}

/// The series of one backend that its calls touch.
#[derive(Clone, Debug)]
pub struct LineSeries {
    /// Calls under way.
    pub in_flight: IntGauge,
    /// Calls that wait.
    pub queued: IntGauge,
    retries: [IntCounter; RetryReason::ALL.len()],
}

impl LineSeries {
    /// Finds the series of a backend.
    pub fn new(metrics: &NativeMetrics, backend: &str) -> Self {
        Self {
            in_flight: metrics.in_flight.with_label_values(&[backend]),
            queued: metrics.queued.with_label_values(&[backend]),
            retries: RetryReason::ALL.map(|reason| metrics.retries.with_label_values(&[backend, reason.as_str()])),
        }
    }

    /// A call is sent again.
    pub fn retried(&self, reason: RetryReason) {
        if let Some(counter) = self.retries.get(reason as usize) {
            counter.inc();
        }
    }
}

/// One more in a gauge, until dropped: what ends in no ordinary way is counted out all the same.
#[derive(Debug)]
pub struct Counted<'g>(&'g IntGauge);

impl<'g> Counted<'g> {
    /// Counts one in.
    pub fn begin(gauge: &'g IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How a request ended, for whoever only wants to know whether it did well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was carried out: a status below 400.
    Ok,
    /// It cannot be carried out: 4xx.
    Rejected,
    /// It could not be carried out: 5xx.
    Failed,
}

impl Answered {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Rejected, Self::Failed];

    /// By the status of the answer.
    pub fn of(status: u16) -> Self {
        match status {
            ..400 => Self::Ok,
            400..500 => Self::Rejected,
            _ => Self::Failed,
        }
    }

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// Why an attribute did not reach the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DroppedReason {
    /// No row of the mapping is about it.
    Unmapped,
    /// No schema knows it.
    Unknown,
    /// The application holds one of the values that were sent.
    Collapsed,
}

impl DroppedReason {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Unmapped, Self::Unknown, Self::Collapsed];

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::Unknown => "unknown",
            Self::Collapsed => "collapsed",
        }
    }
}

/// Why a native call was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// There was no connection.
    Connect,
    /// The connection ended early.
    Interrupted,
    /// 502, 503 or 504.
    Unavailable,
    /// 429.
    RateLimited,
    /// An error rule asks for it.
    Rule,
    /// The credential was refused, and there is a fresh one.
    Credential,
}

impl RetryReason {
    /// Every one of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Connect, Self::Interrupted, Self::Unavailable, Self::RateLimited, Self::Rule, Self::Credential];

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Interrupted => "interrupted",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::Rule => "rule",
            Self::Credential => "credential",
        }
    }
}

/// What SCIM requests, native calls and web pages are answered with, nearly always.
const USUAL: [u16; 20] =
    [200, 201, 204, 404, 401, 409, 400, 202, 301, 302, 304, 403, 405, 412, 422, 429, 500, 502, 503, 504];
