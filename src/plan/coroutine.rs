//! How a plan pauses for native calls without knowing who makes them.
//!
//! A plan is written as straight-line `async` code whose only suspension points are [`Native::together`] and
//! [`Native::turn`]. No runtime is involved: [`Coroutine::resume`] polls once with a waker that does nothing, and a
//! pending future means that a question is waiting in the exchange. This keeps every flow readable top to bottom (create, then phases, then members)
//! where a hand-written state machine would scatter it, and still lets a test or `explain` drive it with canned
//! replies.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sha2::{Digest as _, Sha256};

use crate::mapping::tables::Entries;
use crate::scim::{Bound, ScimError};

use super::call::{NativeCall, NativeOutcome, Report};
use super::recent::Recent;
use super::tables::Known;
use super::trace::Trace;
use super::turn::TurnRequest;

/// What passes between the plan and its driver.
#[derive(Debug, Default)]
struct Exchange {
    started: bool,
    asked: Option<Asked>,
    answered: Option<Vec<NativeOutcome>>,
    calls_made: usize,
    /// Keys given to calls.
    keys: u64,
    /// Whether a turn was given and not given back.
    has_turn: bool,
    report: Report,
    /// What was read about members and still holds; nothing in a request that changes none.
    recent: Option<Box<Recent>>,
    /// Filled only if somebody asked for it.
    trace: Option<Box<Trace>>,
}

/// What a plan waits for.
#[derive(Debug)]
pub(super) enum Asked {
    /// These calls, so many at a time.
    Calls(Vec<NativeCall>, usize),
    /// Its turn.
    Turn(TurnRequest),
}

/// The plan's side of the exchange.
#[derive(Clone, Debug)]
pub(super) struct Native {
    shared: Arc<Shared>,
    calls_max: usize,
    is_traced: bool,
}

/// What both sides have.
#[derive(Debug, Default)]
struct Shared {
    exchange: Mutex<Exchange>,
    /// Reference tables, once they are read.
    tables: Known,
}

impl Native {
    pub(super) fn new(calls_max: usize) -> Self {
        Self { shared: Arc::default(), calls_max, is_traced: false }
    }

    /// One that gathers a [`Trace`].
    pub(super) fn traced(calls_max: usize) -> Self {
        let native = Self { is_traced: true, ..Self::new(calls_max) };
        native.lock().trace = Some(Box::default());
        native
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
                return Err(self.too_many(exchange.calls_made));
            }
            exchange.calls_made += expected;
            if exchange.recent.is_some() && !calls.iter().all(|call| call.slot.reads()) {
                exchange.recent = None;
            }
            exchange.asked = Some(Asked::Calls(calls, parallel.max(1)));
        }
        let outcomes = self.answer().await;
        if outcomes.len() == expected {
            Ok(outcomes)
        } else {
            Err(ScimError::internal("the executor returned a wrong number of outcomes"))
        }
    }

    /// Has one call carried out.
    ///
    /// # Errors
    /// As [`Native::together`].
    pub(super) async fn one(&self, call: NativeCall) -> Result<NativeOutcome, ScimError> {
        let outcome = self.together(vec![call], 1).await?.pop();
        outcome.ok_or_else(|| ScimError::internal("no outcome"))
    }

    /// Whether so many more calls may be made, before the first of them.
    ///
    /// # Errors
    /// 400 `tooMany`, as [`Native::together`].
    pub(super) fn ensure_room(&self, calls: usize) -> Result<(), ScimError> {
        let made = self.lock().calls_made;
        if made + calls > self.calls_max { Err(self.too_many(made)) } else { Ok(()) }
    }

    fn too_many(&self, made: usize) -> ScimError {
        ScimError::too_many(format!(
            "this request needs more than {} native calls (made so far: {made}); ask for less at once",
            self.calls_max
        ))
        .with_bound(Bound::CallsMax)
    }

    /// Waits for a turn; false when it did not come in time. What was held before is given back.
    pub(super) async fn turn(&self, request: TurnRequest) -> bool {
        {
            let mut exchange = self.lock();
            if request.keys.is_empty() && !exchange.has_turn {
                return true;
            }
            exchange.has_turn = !request.keys.is_empty();
            exchange.recent = None;
            exchange.asked = Some(Asked::Turn(request));
        }
        let refusals = self.answer().await;
        if !refusals.is_empty() {
            self.lock().has_turn = false;
        }
        refusals.is_empty()
    }

    /// The answer to what was just asked.
    fn answer(&self) -> Answer<'_> {
        Answer { exchange: &self.shared.exchange, is_out: false }
    }

    pub(super) fn tables(&self) -> &Known {
        &self.shared.tables
    }

    /// A key that no other call has: of this request, or of any other.
    pub(super) fn next_key(&self, seed: Option<&[u8; 32]>) -> Option<String> {
        let seed = seed?;
        let number = {
            let mut exchange = self.lock();
            exchange.keys += 1;
            exchange.keys
        };
        let digest = Sha256::new().chain_update(b"idempotency").chain_update(seed).chain_update(number.to_be_bytes());
        let mut key = String::with_capacity(36);
        for (index, byte) in digest.finalize().iter().take(16).enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                key.push('-');
            }
            let _ = write!(key, "{byte:02x}");
        }
        Some(key)
    }

    /// Keeps something that was read, until something is written.
    pub(super) fn remember<T>(&self, add: impl FnOnce(&mut Recent) -> T) {
        add(self.lock().recent.get_or_insert_default());
    }

    /// What was read before, if it still holds.
    pub(super) fn recall<T>(&self, find: impl FnOnce(&Recent) -> Option<T>) -> Option<T> {
        self.lock().recent.as_deref().and_then(find)
    }

    /// Changes the report of this request.
    pub(super) fn report<T>(&self, change: impl FnOnce(&mut Report) -> T) -> T {
        change(&mut self.lock().report)
    }

    /// Adds to the trace, if there is one.
    pub(super) fn trace(&self, add: impl FnOnce(&mut Trace)) {
        if self.is_traced
            && let Some(trace) = &mut self.lock().trace
        {
            add(trace);
        }
    }

    pub(super) fn is_traced(&self) -> bool {
        self.is_traced
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        lock(&self.shared.exchange)
    }
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Answer<'a> {
    exchange: &'a Mutex<Exchange>,
    /// Whether the plan has paused for it.
    is_out: bool,
}

impl Future for Answer<'_> {
    type Output = Vec<NativeOutcome>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.is_out, true) {
            return Poll::Pending;
        }
        match lock(self.exchange).answered.take() {
            Some(outcomes) => Poll::Ready(outcomes),
            None => Poll::Pending,
        }
    }
}

/// A future that is made where it stays. Made first and boxed then, it would be copied with all the room that it has for
/// what it is going to hold, which is kilobytes. For that the compiler has to see how it is made: the functions whose
/// futures are given here are marked `inline`.
#[inline]
pub(crate) fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}

/// What a resumed coroutine came to.
pub(super) enum Resumed<T> {
    Asked(Asked),
    Done(T),
}

/// A plan in progress.
pub(super) struct Coroutine<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    native: Native,
}

impl<T> Coroutine<T> {
    pub(super) fn new<F: Future<Output = T> + Send + 'static>(native: Native, make: impl FnOnce() -> F) -> Self {
        Self { future: boxed(make), native }
    }

    /// Hands over the outcomes of what was asked for last and runs to the next question, or to the end.
    pub(super) fn resume(&mut self, outcomes: Vec<NativeOutcome>) -> Resumed<T> {
        {
            let mut exchange = self.native.lock();
            if exchange.started {
                exchange.answered = Some(outcomes);
            }
            exchange.started = true;
        }
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Resumed::Done(value),
            Poll::Pending => {
                let asked = self.native.lock().asked.take();
                Resumed::Asked(asked.unwrap_or(Asked::Calls(Vec::new(), 1)))
            }
        }
    }

    pub(super) fn give_tables(&self, entries: Entries) {
        self.native.tables().give(entries);
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
