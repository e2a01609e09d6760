//! Writes to one resource take turns, in the order in which they ask; equal ones may be carried out once.
//!
//! Every key has a queue. A request is put into the queues of all its keys at once and has its turn when it is first in
//! all of them. Because that happens in one step, any two requests stand in the same order wherever they meet, so they
//! cannot wait for each other.
//!
//! A request that only adds and removes named members is joined to an equal one that is waiting or under way: one
//! outcome answers both. Not across a request in between that it would not commute with: that would change the order in
//! which the two were asked for.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::native::{Turned, Turns};
use crate::plan::{Report, ScimResponse, Share, TurnRequest};
use crate::telemetry::series::Counted;

/// The queues of all keys, each there only while somebody is in it.
#[derive(Debug, Default)]
pub struct ResourceLocks {
    queues: Mutex<HashMap<String, VecDeque<Arc<Ticket>>>>,
    /// Tells credentials apart without keeping them.
    callers: RandomState,
}

/// A place in the queues of some keys.
#[derive(Debug)]
struct Ticket {
    keys: Vec<String>,
    share: Option<Arc<Share>>,
    /// Requests of different callers are never joined.
    caller: u64,
    /// Told when the ticket is first everywhere.
    first: Notify,
    /// The outcome, for those who joined.
    outcome: watch::Sender<Option<Arc<ScimResponse>>>,
}

/// A turn; dropping it passes the turn on.
#[derive(Debug)]
struct Turn {
    ticket: Arc<Ticket>,
    locks: Arc<ResourceLocks>,
}

/// What a request that asks for a turn meets.
enum Placed {
    Queued(Turn),
    Joined(watch::Receiver<Option<Arc<ScimResponse>>>),
}

/// What waiting came to.
enum Taken {
    Turn(Turn),
    Answer(Arc<ScimResponse>),
}

impl ResourceLocks {
    /// Queues that exist at the moment.
    pub fn len(&self) -> usize {
        self.queues().len()
    }

    /// Whether nobody holds anything or waits for it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Requests that wait for somebody else.
    pub fn waiting(&self) -> usize {
        let queues = self.queues();
        let mut tickets: Vec<&Arc<Ticket>> = queues.values().flatten().collect();
        tickets.sort_unstable_by_key(|ticket| Arc::as_ptr(ticket));
        tickets.dedup_by_key(|ticket| Arc::as_ptr(ticket));
        let waits = |ticket: &Arc<Ticket>| usize::from(!is_first(&queues, ticket));
        tickets.iter().map(|ticket| waits(ticket) + ticket.outcome.receiver_count()).sum()
    }

    /// Waits for the turn on all keys of the request, or for the answer to an equal one.
    async fn take(self: &Arc<Self>, request: TurnRequest, caller: u64) -> Taken {
        loop {
            match self.place(&request, caller) {
                Placed::Queued(turn) => {
                    turn.ticket.first.notified().await;
                    return Taken::Turn(turn);
                }
                Placed::Joined(mut outcome) => {
                    let answer = outcome.wait_for(Option::is_some).await.map(|answer| answer.clone());
                    if let Ok(Some(answer)) = answer {
                        return Taken::Answer(answer);
                    }
                    // The other one went away without an answer, so this one is on its own.
                }
            }
        }
    }

    fn place(self: &Arc<Self>, request: &TurnRequest, caller: u64) -> Placed {
        let mut queues = self.queues();
        if let Some(equal) = equal(&queues, request, caller) {
            return Placed::Joined(equal.outcome.subscribe());
        }
        let mut keys = request.keys.clone();
        keys.sort_unstable();
        keys.dedup();
        let (outcome, _) = watch::channel(None);
        let share = request.share.clone();
        let ticket = Arc::new(Ticket { keys, share, caller, first: Notify::new(), outcome });
        for key in &ticket.keys {
            queues.entry(key.clone()).or_default().push_back(Arc::clone(&ticket));
        }
        if is_first(&queues, &ticket) {
            ticket.first.notify_one();
        }
        Placed::Queued(Turn { ticket, locks: Arc::clone(self) })
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Arc<Ticket>>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An equal request in the queue, with nothing behind it that this one must not overtake.
fn equal(queues: &HashMap<String, VecDeque<Arc<Ticket>>>, request: &TurnRequest, caller: u64) -> Option<Arc<Ticket>> {
    let (Some(share), [key]) = (&request.share, request.keys.as_slice()) else { return None };
    for ticket in queues.get(key)?.iter().rev() {
        let other = ticket.share.as_ref()?;
        if ticket.caller == caller && other == share {
            return Some(Arc::clone(ticket));
        }
        if share.disturbs(other) {
            return None;
        }
    }
    None
}

fn is_first(queues: &HashMap<String, VecDeque<Arc<Ticket>>>, ticket: &Arc<Ticket>) -> bool {
    let first = |key| queues.get(key).and_then(VecDeque::front).is_some_and(|first| Arc::ptr_eq(first, ticket));
    ticket.keys.iter().all(first)
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.locks.queues();
        for key in &self.ticket.keys {
            let Some(queue) = queues.get_mut(key) else { continue };
            queue.retain(|ticket| !Arc::ptr_eq(ticket, &self.ticket));
            let next = queue.front().cloned();
            match next {
                None => drop(queues.remove(key)),
                Some(next) if is_first(&queues, &next) => next.first.notify_one(),
                Some(_) => {}
            }
        }
    }
}

impl Turn {
    /// Passes the turn on and tells those who joined how it ended.
    fn end(self, response: &ScimResponse) {
        let ticket = Arc::clone(&self.ticket);
        // Gone from the queue before it is told: who asks from here on asks anew.
        drop(self);
        if ticket.outcome.receiver_count() > 0 {
            let note = "answered together with an equal request".to_owned();
            let Report { error, resource_id, .. } = response.report.clone();
            let report = Report { notes: vec![note], error, resource_id, ..Report::default() };
            ticket.outcome.send_replace(Some(Arc::new(ScimResponse { report, ..response.clone() })));
        }
    }
}

/// The turns of one request.
#[derive(Debug)]
pub(super) struct RequestTurns<'a> {
    locks: &'a Arc<ResourceLocks>,
    /// Requests that wait.
    waiting: &'a IntGauge,
    deadline: Instant,
    credential: Option<&'a [u8]>,
    held: Option<Turn>,
}

impl<'a> RequestTurns<'a> {
    /// Callers with different credentials are never answered together.
    pub(super) fn new(
        locks: &'a Arc<ResourceLocks>,
        waiting: &'a IntGauge,
        deadline: Instant,
        credential: Option<&'a [u8]>,
    ) -> Self {
        Self { locks, waiting, deadline, credential, held: None }
    }

    /// The request has this answer.
    pub(super) fn end(self, response: &ScimResponse) {
        if let Some(turn) = self.held {
            turn.end(response);
        }
    }
}

impl Turns for RequestTurns<'_> {
    async fn take(&mut self, request: TurnRequest) -> Turned {
        self.held = None;
        if request.keys.is_empty() {
            return Turned::Granted;
        }
        let caller = self.locks.callers.hash_one(self.credential);
        // A turn that is there comes at once, and nobody sees it waited for.
        let _waiting = Counted::begin(self.waiting);
        match timeout_at(self.deadline, self.locks.take(request, caller)).await {
            Ok(Taken::Turn(turn)) => {
                self.held = Some(turn);
                Turned::Granted
            }
            Ok(Taken::Answer(answer)) => Turned::Answered(Box::new(ScimResponse::clone(&answer))),
            Err(_) => Turned::Late,
        }
    }
}

#[cfg(test)]
mod tests;
