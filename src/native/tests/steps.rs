//! The loop between plan and answer.

use super::stub::{Act, Stub};
use super::*;
use crate::native::{CallRecord, Observer, Steps, Turned, Turns, execute};
use crate::plan::{ScimResponse, Step, TurnRequest};

/// Asks for the calls of each entry, then answers; keeps the outcomes it was given.
struct Script {
    steps: std::vec::IntoIter<(Vec<NativeCall>, usize)>,
    given: Vec<Vec<NativeOutcome>>,
}

impl Steps for &mut Script {
    fn next(&mut self, outcomes: Vec<NativeOutcome>) -> Step {
        self.given.push(outcomes);
        match self.steps.next() {
            Some((calls, parallel)) => Step::Calls { calls, parallel },
            None => Step::Reply(Box::new(ScimResponse { status: 204, ..ScimResponse::default() })),
        }
    }
}

#[derive(Default)]
struct Transcript(Vec<String>);

impl Observer for Transcript {
    fn native_call(&mut self, record: CallRecord<'_>) {
        let answer = match record.outcome {
            NativeOutcome::Reply(reply) => reply.status.to_string(),
            NativeOutcome::Failed(failure) => failure.as_str().to_owned(),
        };
        self.0.push(format!("{} {} -> {answer} ({})", record.call.method, record.call.target, record.attempts));
    }
}

/// Nobody else is there.
pub(super) struct Alone;

impl Turns for Alone {
    async fn take(&mut self, _: TurnRequest) -> Turned {
        Turned::Granted
    }
}

fn to(target: &str) -> NativeCall {
    NativeCall { target: target.to_owned(), ..get() }
}

/// Pingora runs request filters on any thread.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test]
async fn a_plan_is_driven_to_its_answer_and_every_call_is_told() {
    // The first request is answered only after the second has come in: results must still be in the order asked.
    let second = Arc::new(tokio::sync::Notify::new());
    let stub = Stub::start(move |number| {
        let second = Arc::clone(&second);
        async move {
            match number {
                0 => second.notified().await,
                1 => second.notify_one(),
                _ => {}
            }
            Act::Answer(if number == 2 { 404 } else { 200 }, "", "")
        }
    })
    .await;
    let client = client(&backend(stub.address));
    let steps = vec![(vec![to("/a"), to("/b")], 2), (vec![to("/c")], 0), (vec![], 1)];
    let mut script = Script { steps: steps.into_iter(), given: Vec::new() };
    let (mut transcript, forwarded) = (Transcript::default(), Forwarded::default());
    let deadline = Instant::now() + Duration::from_secs(20);
    let context = CallContext { backend: 0, deadline, forwarded: &forwarded, variables: &[], keeping: None };
    let response = sendable(execute(&mut script, &client, &context, &mut transcript, &mut Alone)).await;
    assert_eq!(response.status, 204);
    assert_eq!(transcript.0, ["GET /a -> 200 (1)", "GET /b -> 200 (1)", "GET /c -> 404 (1)"]);
    assert_eq!(script.given.iter().map(Vec::len).collect::<Vec<_>>(), [0, 2, 1, 0]);
}

#[tokio::test]
async fn calls_that_may_not_run_together_do_not() {
    let stub = Stub::acting(vec![|| Act::Answer(200, "", "")]).await;
    let client = client(&backend(stub.address));
    let calls = (0..5).map(|number| to(&format!("/{number}"))).collect();
    let mut script = Script { steps: vec![(calls, 1)].into_iter(), given: Vec::new() };
    let forwarded = Forwarded::default();
    let context = CallContext {
        backend: 0,
        deadline: Instant::now() + Duration::from_secs(20),
        forwarded: &forwarded,
        variables: &[],
        keeping: None,
    };
    execute(&mut script, &client, &context, &mut Transcript::default(), &mut Alone).await;
    let order: Vec<String> = stub.requests().iter().map(|text| text[9..10].to_owned()).collect();
    assert_eq!((order.concat().as_str(), stub.connections()), ("01234", 1));
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent() {
    let stub = Stub::acting(vec![|| Act::Answer(200, "", "")]).await;
    let client = client(&backend(stub.address));
    let mut script = Script { steps: vec![(vec![to("/late")], 1)].into_iter(), given: Vec::new() };
    let forwarded = Forwarded::default();
    let context =
        CallContext { backend: 0, deadline: Instant::now(), forwarded: &forwarded, variables: &[], keeping: None };
    let mut transcript = Transcript::default();
    execute(&mut script, &client, &context, &mut transcript, &mut Alone).await;
    assert_eq!(transcript.0, ["GET /late -> timeout (0)"]);
    assert_eq!(stub.requests().len(), 0);
}
