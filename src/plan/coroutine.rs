//! How a plan pauses for native calls without knowing who makes them.
//!
//! A plan is written as straight-line `async` code whose only suspension point is [`Native::together`]. No runtime is
//! involved: [`Coroutine::resume`] polls once with a waker that does nothing, and a pending future means that calls
//! are waiting in the exchange. This keeps every flow readable top to bottom (create, then phases, then members)
//! where a hand-written state machine would scatter it, and still lets a test or `explain` drive it with canned
//! replies.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::scim::ScimError;

use super::call::{NativeCall, NativeOutcome, Report};
use super::trace::Trace;

/// What passes between the plan and its driver.
#[derive(Debug, Default)]
struct Exchange {
    asked: Option<(Vec<NativeCall>, usize)>,
    answered: Option<Vec<NativeOutcome>>,
    calls_made: usize,
    report: Report,
    /// Filled only if somebody asked for it.
    trace: Option<Box<Trace>>,
}

/// The plan's side of the exchange.
#[derive(Clone, Debug)]
pub(super) struct Native {
    exchange: Arc<Mutex<Exchange>>,
    calls_max: usize,
}

impl Native {
    pub(super) fn new(calls_max: usize) -> Self {
        Self { exchange: Arc::default(), calls_max }
    }

    /// Has the calls carried out, at most `parallel` at a time; one outcome each, in order.
    ///
    /// # Errors
    /// 400 `tooMany` when the request would need more calls than allowed; none of these is made then.
    pub(super) async fn together(
        &self,
        calls: Vec<NativeCall>,
        parallel: usize,
    ) -> Result<Vec<NativeOutcome>, ScimError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let expected = calls.len();
        {
            let mut exchange = self.lock();
            if exchange.calls_made + expected > self.calls_max {
                let made = exchange.calls_made;
                return Err(ScimError::too_many(format!(
                    "this request needs more than {} native calls (made so far: {made}); ask for less at once",
                    self.calls_max
                )));
            }
            exchange.calls_made += expected;
            exchange.asked = Some((calls, parallel.max(1)));
        }
        let outcomes = Answer { exchange: &self.exchange }.await;
        if outcomes.len() == expected {
            Ok(outcomes)
        } else {
            Err(ScimError::internal("the executor returned a wrong number of outcomes"))
        }
    }

    /// Changes the report of this request.
    pub(super) fn report<T>(&self, change: impl FnOnce(&mut Report) -> T) -> T {
        change(&mut self.lock().report)
    }

    /// Adds to the trace, if there is one.
    pub(super) fn trace(&self, add: impl FnOnce(&mut Trace)) {
        if let Some(trace) = &mut self.lock().trace {
            add(trace);
        }
    }

    pub(super) fn start_trace(&self) {
        self.lock().trace = Some(Box::default());
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        lock(&self.exchange)
    }
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Answer<'a> {
    exchange: &'a Mutex<Exchange>,
}

impl Future for Answer<'_> {
    type Output = Vec<NativeOutcome>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match lock(self.exchange).answered.take() {
            Some(outcomes) => Poll::Ready(outcomes),
            None => Poll::Pending,
        }
    }
}

/// What a resumed coroutine came to.
pub(super) enum Resumed<T> {
    Calls(Vec<NativeCall>, usize),
    Done(T),
}

/// A plan in progress.
pub(super) struct Coroutine<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    native: Native,
}

impl<T> Coroutine<T> {
    pub(super) fn new(native: Native, future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future), native }
    }

    /// Hands over the outcomes of the last calls and runs to the next ones, or to the end.
    pub(super) fn resume(&mut self, outcomes: Vec<NativeOutcome>) -> Resumed<T> {
        let first = {
            let mut exchange = self.native.lock();
            let first = exchange.calls_made == 0;
            if !first {
                exchange.answered = Some(outcomes);
            }
            first
        };
        debug_assert!(first || self.native.lock().asked.is_none());
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Resumed::Done(value),
            Poll::Pending => {
                let (calls, parallel) = self.native.lock().asked.take().unwrap_or_default();
                Resumed::Calls(calls, parallel)
            }
        }
    }

    pub(super) fn start_trace(&self) {
        self.native.start_trace();
    }

    /// A copy of the trace gathered so far; empty if none was asked for.
    pub(super) fn trace(&self) -> Trace {
        self.native.lock().trace.as_deref().cloned().unwrap_or_default()
    }

    /// A copy of the report gathered so far.
    pub(super) fn report(&self) -> Report {
        self.native.lock().report.clone()
    }

    /// The report gathered so far.
    pub(super) fn take_report(&self) -> Report {
        std::mem::take(&mut self.native.lock().report)
    }
}
