//! In: anything that says its next [`Step`]. Out: the answer it ends with. The loop between them knows no SCIM.

use futures_util::StreamExt as _;
use futures_util::stream;
use std::time::Duration;
use tokio::time::Instant;

use super::client::{CallContext, Completed, NativeClient};
use super::kept::Fetched;
use crate::mapping::Slot;
use crate::plan::{NativeCall, NativeFailure, NativeOutcome, ScimResponse, Step, TurnRequest};

/// A plan, or in tests a script.
pub trait Steps {
    /// Takes the outcomes of the calls asked for last, in their order (none at first), and says what is next.
    fn next(&mut self, outcomes: Vec<NativeOutcome>) -> Step;
}

/// Gives turns: one plan at a time works on one thing.
pub trait Turns {
    /// Waits for the turn, for as long as the request may take; gives back what this plan held before.
    fn take(&mut self, request: TurnRequest) -> impl Future<Output = Turned> + Send;
}

/// What waiting for a turn came to.
#[derive(Debug)]
pub enum Turned {
    /// It has come.
    Granted,
    /// It has not come in time.
    Late,
    /// An equal request has been answered meanwhile, and its answer is this one's too.
    Answered(Box<ScimResponse>),
}

/// Is told of every native call: metrics, audit log, transcript of a demonstration.
pub trait Observer {
    /// Told once per call, in the order of the plan, after the calls of its step are done.
    fn native_call(&mut self, record: CallRecord<'_>);

    /// Told how long the plan has waited, for the calls of one step or for a turn.
    fn waited(&mut self, _: Duration) {}
}

/// What became of one call.
#[derive(Clone, Copy, Debug)]
pub struct CallRecord<'a> {
    /// The call, without credentials and secrets.
    pub call: &'a NativeCall,
    /// Its outcome.
    pub outcome: &'a NativeOutcome,
    /// From the moment the plan asked for it, waiting and retries included.
    pub duration: Duration,
    /// How often it was tried; 0 if the deadline passed before its turn came.
    pub attempts: u32,
    /// Answered from a reply that was kept: nothing was sent.
    pub kept: bool,
}

/// Drives a plan to its answer. Every call ends by the deadline of the context, so this does too, as long as the plan
/// asks for finitely many calls; a plan bounds their number itself.
pub async fn execute(
    mut plan: impl Steps,
    client: &NativeClient,
    context: &CallContext<'_>,
    observer: &mut impl Observer,
    turns: &mut impl Turns,
) -> Box<ScimResponse> {
    let mut outcomes = Vec::new();
    let mut fetched = Vec::new();
    loop {
        let (calls, parallel) = match plan.next(outcomes) {
            Step::Reply(response) => {
                // Only the plan can tell whether a reply was any good.
                if let Some(keeping) = context.keeping.filter(|_| response.status >= 400) {
                    // A name that is in no table is no reason to read the tables for every request that has it.
                    let blamed = fetched.iter().filter(|(_, slot)| *slot != Slot::Table || response.status >= 500);
                    keeping.forget(&blamed.map(|(key, _)| *key).collect::<Vec<_>>());
                }
                return response;
            }
            Step::Turn(request) => {
                let begun = Instant::now();
                let turned = turns.take(request).await;
                observer.waited(begun.elapsed());
                outcomes = match turned {
                    Turned::Granted => Vec::new(),
                    Turned::Late => vec![NativeOutcome::Failed(NativeFailure::Timeout)],
                    Turned::Answered(response) => return response,
                };
                continue;
            }
            Step::Calls { calls, parallel } => (calls, parallel.max(1)),
        };
        let completed = match calls.as_slice() {
            // The most common step by far needs no queue.
            [call] => {
                let completed = carry_out(call, client, context).await;
                // The clock was read for the call itself.
                observer.waited(completed.0.duration);
                vec![completed]
            }
            calls => {
                let begun = Instant::now();
                let under_way: Vec<_> = calls.iter().map(|call| carry_out(call, client, context)).collect();
                let completed = stream::iter(under_way).buffered(parallel).collect().await;
                observer.waited(begun.elapsed());
                completed
            }
        };
        for (call, (done, _)) in calls.iter().zip(&completed) {
            let Completed { duration, attempts, kept, .. } = *done;
            observer.native_call(CallRecord { call, outcome: &done.outcome, duration, attempts, kept });
        }
        let new = calls.iter().zip(&completed);
        fetched.extend(new.filter_map(|(call, (_, fetched))| Some(((*fetched)?, call.slot))));
        outcomes = completed.into_iter().map(|(done, _)| done.outcome).collect();
    }
}

/// One call, from memory where it may be. A write ends the time of what is kept.
async fn carry_out(call: &NativeCall, client: &NativeClient, context: &CallContext<'_>) -> (Completed, Fetched) {
    let reads = call.slot.reads();
    if let (Some(keeping), Some(time), true) = (context.keeping, call.keep, reads) {
        // Boxed, so that a call that is not kept does not make room for it.
        let fetch = client.call(call, context);
        return Box::pin(keeping.read(call, time, context.deadline, fetch)).await;
    }
    let _writing = context.keeping.filter(|_| !reads).map(|keeping| keeping.writing(&call.resource));
    (client.call(call, context).await, None)
}
