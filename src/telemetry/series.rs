//! Series that are found by their labels once, and counted without looking for them from then on.
//!
//! In: a status and how to find its series. Out: the series, one higher. A series exists from its first event on, as if
//! it had been asked for by its labels.

use std::sync::OnceLock;

use prometheus::{Histogram, IntCounter};

/// One counter for each status that is usual; others are found anew each time.
#[derive(Debug, Default)]
pub struct Codes([OnceLock<IntCounter>; USUAL.len()]);

impl Codes {
    /// Counts one; `find` says which series it is.
    pub fn count(&self, status: u16, find: impl FnOnce() -> IntCounter) {
        let kept = USUAL.iter().position(|usual| *usual == status).and_then(|index| self.0.get(index));
        match kept {
            Some(kept) => kept.get_or_init(find).inc(),
            None => find().inc(),
        }
    }
}

/// The series of the answers to one operation on one type of a route.
#[derive(Debug, Default)]
pub struct AnswerSeries {
    /// Answers without a `scimType`.
    pub(super) answers: Codes,
    pub(super) duration: OnceLock<Histogram>,
    /// Native calls per request.
    pub(super) calls: OnceLock<Histogram>,
}

/// The series of the calls of one slot to one backend.
#[derive(Debug, Default)]
pub struct CallSeries {
    /// Calls that were answered.
    pub(super) replies: Codes,
    pub(super) duration: OnceLock<Histogram>,
}

/// What SCIM requests, native calls and web pages are answered with, nearly always.
const USUAL: [u16; 20] =
    [200, 201, 204, 404, 401, 409, 400, 202, 301, 302, 304, 403, 405, 412, 422, 429, 500, 502, 503, 504];
