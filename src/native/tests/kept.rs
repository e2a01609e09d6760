//! Replies that are kept: shared, aged, ended by writes, and never of a call that must be true at this moment.

use super::steps::Alone;
use super::stub::{Act, Stub};
use super::*;
use crate::native::{CallRecord, Keeping, KeptReplies, Observer, Steps, execute};
use crate::plan::{ScimResponse, Step};

struct Calls(std::vec::IntoIter<NativeCall>, u16);

impl Steps for Calls {
    fn next(&mut self, _: Vec<NativeOutcome>) -> Step {
        match self.0.next() {
            Some(call) => Step::Calls { calls: vec![call], parallel: 1 },
            None => Step::Reply(Box::new(ScimResponse { status: self.1, ..ScimResponse::default() })),
        }
    }
}

/// Counts what was sent and what was not.
#[derive(Default)]
struct Counter(usize, usize);

impl Observer for Counter {
    fn native_call(&mut self, record: CallRecord<'_>) {
        if record.kept { self.1 += 1 } else { self.0 += 1 }
    }
}

struct Setting {
    client: NativeClient,
    kept: KeptReplies,
    stub: Stub,
}

impl Setting {
    async fn new() -> Self {
        let stub = Stub::acting(vec![|| Act::Answer(200, "", "{}")]).await;
        Self { client: client(&backend(stub.address)), kept: KeptReplies::default(), stub }
    }

    /// One plan that makes these calls and answers with a status; how many were sent, and how many were not.
    async fn plan(&self, owner: &str, calls: Vec<NativeCall>, status: u16) -> (usize, usize) {
        let forwarded = Forwarded::default();
        let shown_by = [(Arc::from("Group"), vec![Arc::from("User")])];
        let owner = || owner.to_owned();
        let keeping = Keeping { kept: &self.kept, owner: &owner, credential: &|| [0; 32], shown_by: &shown_by };
        let deadline = Instant::now() + Duration::from_secs(20);
        let context =
            CallContext { backend: 0, deadline, forwarded: &forwarded, variables: &[], keeping: Some(keeping) };
        let mut counter = Counter::default();
        execute(Calls(calls.into_iter(), status), &self.client, &context, &mut counter, &mut Alone).await;
        (counter.0, counter.1)
    }
}

fn list(target: &str, keep_ms: u64) -> NativeCall {
    let keep = Some(Duration::from_millis(keep_ms));
    NativeCall { target: target.to_owned(), keep, ..call("GET", Slot::List) }
}

#[tokio::test]
async fn a_reply_serves_again_until_it_is_too_old() {
    let setting = Setting::new().await;
    assert_eq!(setting.plan("a", vec![list("/x", 60_000), list("/x", 60_000), list("/y", 60_000)], 200).await, (2, 1));
    assert_eq!(setting.plan("a", vec![list("/x", 60_000)], 200).await, (0, 1));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(setting.plan("a", vec![list("/x", 10)], 200).await, (1, 0), "too old for this caller");
    // What must be true at this moment is asked for at this moment.
    assert_eq!(setting.plan("a", vec![NativeCall { keep: None, ..list("/x", 1) }], 200).await, (1, 0));
    // Others see other things.
    assert_eq!(setting.plan("b", vec![list("/x", 60_000)], 200).await, (1, 0));
}

#[tokio::test]
async fn a_write_ends_what_it_may_have_changed() {
    let setting = Setting::new().await;
    let group = |call: NativeCall| NativeCall { resource: Arc::from("Group"), ..call };
    let both = || vec![list("/users", 60_000), group(list("/groups", 60_000))];
    assert_eq!(setting.plan("a", both(), 200).await, (2, 0));
    assert_eq!(setting.plan("a", both(), 200).await, (0, 2));
    // A plan that writes and reads sees its own write; groups do not show what a user is called.
    setting.plan("a", vec![post(user()), list("/users", 60_000)], 201).await;
    assert_eq!(setting.plan("a", both(), 200).await, (0, 2));
    setting.plan("a", vec![post(user())], 201).await;
    assert_eq!(setting.plan("a", both(), 200).await, (1, 1));
    // Users show their groups. What fails may have been carried out.
    setting.plan("a", vec![group(post(user()))], 500).await;
    assert_eq!(setting.plan("a", both(), 200).await, (2, 0));
    // Another owner's writes are none of its business.
    setting.plan("b", vec![post(user())], 201).await;
    assert_eq!(setting.plan("a", both(), 200).await, (0, 2));
}

#[tokio::test]
async fn what_made_a_plan_fail_is_not_kept() {
    let setting = Setting::new().await;
    setting.plan("a", vec![list("/x", 60_000)], 502).await;
    assert_eq!(setting.plan("a", vec![list("/x", 60_000)], 200).await, (1, 0));
    let stub = Stub::acting(vec![|| Act::Answer(404, "", "{}"), || Act::Answer(200, "", "not json")]).await;
    let setting = Setting { client: client(&backend(stub.address)), kept: KeptReplies::default(), stub };
    assert_eq!(setting.plan("a", vec![list("/x", 60_000), list("/x", 60_000), list("/x", 60_000)], 200).await, (3, 0));
}

#[tokio::test]
async fn callers_that_ask_together_share_one_fetch() {
    let setting = Setting::new().await;
    let plans = (0..8).map(|_| setting.plan("a", vec![list("/x", 60_000)], 200));
    let counts = futures_util::future::join_all(plans).await;
    assert_eq!(counts.iter().map(|(sent, _)| sent).sum::<usize>(), 1);
    assert_eq!(setting.stub.requests().len(), 1);
}
