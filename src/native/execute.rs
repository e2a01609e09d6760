//! In: anything that says its next [`Step`]. Out: the answer it ends with. The loop between them knows no SCIM.

use futures_util::StreamExt as _;
use futures_util::stream;
use std::time::Duration;

use super::client::{CallContext, NativeClient};
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
    loop {
        let (calls, parallel) = match plan.next(outcomes) {
            Step::Reply(response) => return response,
            Step::Turn(request) => {
                outcomes = match turns.take(request).await {
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
            [call] => vec![client.call(call, context).await],
            calls => {
                let under_way: Vec<_> = calls.iter().map(|call| client.call(call, context)).collect();
                stream::iter(under_way).buffered(parallel).collect().await
            }
        };
        for (call, done) in calls.iter().zip(&completed) {
            let (duration, attempts) = (done.duration, done.attempts);
            observer.native_call(CallRecord { call, outcome: &done.outcome, duration, attempts });
        }
        outcomes = completed.into_iter().map(|done| done.outcome).collect();
    }
}
