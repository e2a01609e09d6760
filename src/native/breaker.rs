//! Leaves a backend alone that keeps failing: a circuit breaker.
//!
//! Closed, calls pass, and failures in a row are counted. Open, none passes for a while. Then one may try: it closes
//! the breaker or opens it again. Pure but for the lock: the time is an argument.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::BreakerRule;
use crate::plan::{NativeFailure, NativeOutcome};

/// The breaker of one backend.
#[derive(Debug)]
pub(super) struct Breaker {
    rule: Option<BreakerRule>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One call is under way to see whether the backend is back.
    Probing,
}

/// What a change of the breaker came to: the value of its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// One call may try.
    HalfOpen,
    /// No call passes.
    Open,
}

impl BreakerState {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The value of the metric.
    pub fn level(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// Leave to make one call. Dropped without an outcome, it says nothing about the backend.
#[derive(Debug)]
pub(super) struct Pass<'b> {
    breaker: &'b Breaker,
    probe: bool,
    settled: bool,
}

impl Breaker {
    pub(super) fn new(rule: Option<BreakerRule>) -> Self {
        Self { rule, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Leave to make a call, or how long there is none.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        if self.rule.is_none() {
            return Ok(Pass { breaker: self, probe: false, settled: false });
        }
        let mut state = self.lock();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now < until => return Err(until - now),
            State::Open { .. } => {
                *state = State::Probing;
                true
            }
            State::Probing => return Err(Duration::from_secs(1)),
        };
        Ok(Pass { breaker: self, probe, settled: false })
    }

    /// What it is at the moment.
    pub(super) fn state(&self) -> BreakerState {
        match *self.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing => BreakerState::HalfOpen,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Tells the breaker what became of the call; returns the state if it changed.
    pub(super) fn settle(mut self, outcome: &NativeOutcome, now: Instant) -> Option<BreakerState> {
        self.settled = true;
        let rule = self.breaker.rule?;
        let failed = is_failure(outcome);
        let mut state = self.breaker.lock();
        let before = *state;
        *state = match (before, failed) {
            (State::Probing, true) if self.probe => State::Open { until: now + rule.pause },
            (State::Probing, false) if self.probe => State::Closed { failures: 0 },
            (State::Closed { failures }, true) if failures + 1 >= rule.failures => {
                State::Open { until: now + rule.pause }
            }
            (State::Closed { failures }, true) => State::Closed { failures: failures + 1 },
            (State::Closed { .. }, false) => State::Closed { failures: 0 },
            // A call that began before the breaker opened.
            (other, _) => other,
        };
        match *state {
            State::Closed { .. } if before == State::Probing => Some(BreakerState::Closed),
            State::Open { .. } if !matches!(before, State::Open { .. }) => Some(BreakerState::Open),
            _ => None,
        }
    }

    /// Whether this call is to find out if the backend is back.
    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            // The next call may try at once.
            *self.breaker.lock() = State::Open { until: Instant::now() };
        }
    }
}

/// Whether an outcome says that the backend is down, rather than that it does not like the call.
pub(super) fn is_failure(outcome: &NativeOutcome) -> bool {
    match outcome {
        NativeOutcome::Reply(reply) => matches!(reply.status, 502..=504),
        NativeOutcome::Failed(failure) => {
            matches!(
                failure,
                NativeFailure::Connect | NativeFailure::Interrupted | NativeFailure::Timeout | NativeFailure::Untrusted
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::NativeReply;

    const PAUSE: Duration = Duration::from_secs(10);

    fn breaker() -> Breaker {
        Breaker::new(Some(BreakerRule { failures: 3, pause: PAUSE }))
    }

    fn down() -> NativeOutcome {
        NativeOutcome::Failed(NativeFailure::Connect)
    }

    fn up(status: u16) -> NativeOutcome {
        NativeOutcome::Reply(NativeReply { status, ..NativeReply::default() })
    }

    fn failing(breaker: &Breaker, times: usize, now: Instant) -> Option<BreakerState> {
        (0..times).filter_map(|_| breaker.admit(now).unwrap().settle(&down(), now)).last()
    }

    #[test]
    fn failures_in_a_row_open_it_and_any_answer_starts_the_count_again() {
        let (breaker, now) = (breaker(), Instant::now());
        for answer in [200, 404, 500, 401, 429] {
            assert_eq!(failing(&breaker, 2, now), None);
            assert_eq!(breaker.admit(now).unwrap().settle(&up(answer), now), None, "{answer}");
        }
        assert_eq!(failing(&breaker, 2, now), None);
        assert_eq!(breaker.admit(now).unwrap().settle(&up(503), now), Some(BreakerState::Open));
        assert_eq!(breaker.admit(now + PAUSE / 2).map(drop), Err(PAUSE / 2));
    }

    #[test]
    fn one_call_tries_and_decides() {
        let (breaker, now) = (breaker(), Instant::now());
        failing(&breaker, 3, now);
        let later = now + PAUSE;
        let probe = breaker.admit(later).unwrap();
        assert_eq!((probe.is_probe(), breaker.state()), (true, BreakerState::HalfOpen));
        assert!(breaker.admit(later).is_err());
        assert_eq!(probe.settle(&down(), later), Some(BreakerState::Open));
        assert_eq!(breaker.admit(later + PAUSE / 2).map(drop), Err(PAUSE / 2));
        let probe = breaker.admit(later + PAUSE).unwrap();
        assert_eq!(probe.settle(&up(200), later + PAUSE), Some(BreakerState::Closed));
        assert!(breaker.admit(later + PAUSE).is_ok());
    }

    #[test]
    fn a_call_that_was_given_up_leaves_the_try_to_the_next() {
        let (breaker, now) = (breaker(), Instant::now());
        failing(&breaker, 3, now);
        drop(breaker.admit(now + PAUSE).unwrap());
        assert!(breaker.admit(Instant::now() + PAUSE).unwrap().is_probe());
    }

    #[test]
    fn late_news_from_before_it_opened_change_nothing() {
        let (breaker, now) = (breaker(), Instant::now());
        let early = [breaker.admit(now).unwrap(), breaker.admit(now).unwrap()];
        failing(&breaker, 3, now);
        let [one, two] = early;
        assert_eq!((one.settle(&up(200), now), two.settle(&down(), now + PAUSE)), (None, None));
        assert_eq!(breaker.admit(now + PAUSE / 2).map(drop), Err(PAUSE / 2));
    }

    #[test]
    fn without_a_rule_it_never_opens() {
        let (breaker, now) = (Breaker::new(None), Instant::now());
        assert_eq!(failing(&breaker, 1000, now), None);
    }
}
