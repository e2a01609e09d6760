//! Writes to one resource take turns, in the order in which they ask; equal ones may be carried out once.
//!
//! Every key has a queue. A request is put into the queues of all its keys at once and has its turn when it is first in
//! all of them. Because that happens in one step, any two requests stand in the same order wherever they meet, so they
//! cannot wait for each other.
//!
//! A request that only adds and removes named members is joined to an equal one that is waiting or under way: one
//! outcome answers both. Not across a request in between that it would not commute with: that would change the order in
//! which the two were asked for.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use prometheus::IntGauge;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::native::{Turned, Turns};
use crate::plan::{Report, ScimResponse, Share, TurnRequest};
use crate::telemetry::series::Counted;

/// The queues of all keys, each there only while somebody is in it.
#[derive(Debug, Default)]
pub struct ResourceLocks {
    queues: Mutex<Queues>,
    /// Tells credentials apart without keeping them.
    callers: RandomState,
}

type Queues = HashMap<String, Queue>;

/// Those who want one key.
#[derive(Debug)]
struct Queue {
    first: Arc<Ticket>,
    /// Mostly nobody.
    behind: VecDeque<Arc<Ticket>>,
}

/// A place in the queues of some keys.
#[derive(Debug)]
struct Ticket {
    keys: Vec<String>,
    /// For a request that others may join.
    joinable: Option<Joinable>,
    /// Told when the ticket, having waited, is first everywhere.
    first: Notify,
}

#[derive(Debug)]
struct Joinable {
    share: Arc<Share>,
    /// Requests of different callers are never joined.
    caller: u64,
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
    /// Nobody is before it.
    First(Turn),
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
        let mut tickets: Vec<&Arc<Ticket>> = queues.values().flat_map(Queue::tickets).collect();
        tickets.sort_unstable_by_key(|ticket| Arc::as_ptr(ticket));
        tickets.dedup_by_key(|ticket| Arc::as_ptr(ticket));
        let waits = |ticket: &Arc<Ticket>| usize::from(!is_first(&queues, ticket));
        let joined = |ticket: &Ticket| ticket.joinable.as_ref().map_or(0, |with| with.outcome.receiver_count());
        tickets.iter().map(|ticket| waits(ticket) + joined(ticket)).sum()
    }

    /// Waits for the turn on all keys of the request, or for the answer to an equal one.
    #[cfg(test)]
    async fn take(self: &Arc<Self>, mut request: TurnRequest, caller: u64) -> Taken {
        let placed = self.place(&mut request, caller);
        self.wait(placed, request, caller).await
    }

    /// Waits from the place that the request has.
    async fn wait(self: &Arc<Self>, mut placed: Placed, mut request: TurnRequest, caller: u64) -> Taken {
        loop {
            match placed {
                Placed::First(turn) => return Taken::Turn(turn),
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
                    placed = self.place(&mut request, caller);
                }
            }
        }
    }

    /// Joins the request to an equal one, or puts it into all its queues, which takes its keys.
    fn place(self: &Arc<Self>, request: &mut TurnRequest, caller: u64) -> Placed {
        let mut queues = self.queues();
        if let Some(outcome) = equal(&queues, request, caller) {
            return Placed::Joined(outcome);
        }
        let mut keys = std::mem::take(&mut request.keys);
        keys.sort_unstable();
        keys.dedup();
        let joinable = request.share.clone().map(|share| Joinable { share, caller, outcome: watch::Sender::new(None) });
        let ticket = Arc::new(Ticket { keys, joinable, first: Notify::new() });
        let mut is_first = true;
        for key in &ticket.keys {
            let ticket = Arc::clone(&ticket);
            match queues.entry(key.clone()) {
                Entry::Vacant(place) => drop(place.insert(Queue { first: ticket, behind: VecDeque::new() })),
                Entry::Occupied(mut queue) => {
                    queue.get_mut().behind.push_back(ticket);
                    is_first = false;
                }
            }
        }
        let turn = Turn { ticket, locks: Arc::clone(self) };
        if is_first { Placed::First(turn) } else { Placed::Queued(turn) }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// From the first to the last.
    fn tickets(&self) -> impl DoubleEndedIterator<Item = &Arc<Ticket>> {
        std::iter::once(&self.first).chain(&self.behind)
    }
}

/// The outcome of an equal request in the queue, with nothing behind it that this one must not overtake.
fn equal(queues: &Queues, request: &TurnRequest, caller: u64) -> Option<watch::Receiver<Option<Arc<ScimResponse>>>> {
    let (Some(share), [key]) = (&request.share, request.keys.as_slice()) else { return None };
    for ticket in queues.get(key)?.tickets().rev() {
        let other = ticket.joinable.as_ref()?;
        if other.caller == caller && other.share == *share {
            return Some(other.outcome.subscribe());
        }
        if share.disturbs(&other.share) {
            return None;
        }
    }
    None
}

fn is_first(queues: &Queues, ticket: &Arc<Ticket>) -> bool {
    let first = |key| queues.get(key).is_some_and(|queue| Arc::ptr_eq(&queue.first, ticket));
    ticket.keys.iter().all(first)
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.locks.queues();
        for key in &self.ticket.keys {
            // Taken out, because mostly nobody else is in it.
            let Some((key, mut queue)) = queues.remove_entry(key) else { continue };
            if !Arc::ptr_eq(&queue.first, &self.ticket) {
                queue.behind.retain(|ticket| !Arc::ptr_eq(ticket, &self.ticket));
                queues.insert(key, queue);
                continue;
            }
            let Some(next) = queue.behind.pop_front() else { continue };
            queue.first = Arc::clone(&next);
            queues.insert(key, queue);
            if is_first(&queues, &next) {
                next.first.notify_one();
            }
        }
    }
}

impl Turn {
    /// Passes the turn on and tells those who joined how it ended.
    fn end(self, response: &ScimResponse) {
        if self.ticket.joinable.is_none() {
            return;
        }
        let ticket = Arc::clone(&self.ticket);
        // Gone from the queue before it is told: who asks from here on asks anew.
        drop(self);
        if let Some(Joinable { outcome, .. }) = &ticket.joinable
            && outcome.receiver_count() > 0
        {
            let note = "answered together with an equal request".into();
            let Report { error, resource_id, .. } = response.report.clone();
            let report = Report { notes: vec![note], error, resource_id, ..Report::default() };
            outcome.send_replace(Some(Arc::new(ScimResponse { report, ..response.clone() })));
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
    credential: Option<&'a HeaderValue>,
    held: Option<Turn>,
}

impl<'a> RequestTurns<'a> {
    /// Callers with different credentials are never answered together.
    pub(super) fn new(
        locks: &'a Arc<ResourceLocks>,
        waiting: &'a IntGauge,
        deadline: Instant,
        credential: Option<&'a HeaderValue>,
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
    async fn take(&mut self, mut request: TurnRequest) -> Turned {
        self.held = None;
        if request.keys.is_empty() {
            return Turned::Granted;
        }
        let caller = request.share.as_ref().map_or(0, |_| self.locks.callers.hash_one(self.credential));
        let placed = self.locks.place(&mut request, caller);
        // A turn that is there comes at once, and nobody sees it waited for.
        if let Placed::First(turn) = placed {
            self.held = Some(turn);
            return Turned::Granted;
        }
        let _waiting = Counted::begin(self.waiting);
        // Boxed, because hardly anybody waits.
        match Box::pin(timeout_at(self.deadline, self.locks.wait(placed, request, caller))).await {
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
