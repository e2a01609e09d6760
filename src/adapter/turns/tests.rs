//! Who waits for whom, and who is answered with whom.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::*;

fn on(keys: &[&str]) -> TurnRequest {
    TurnRequest { keys: keys.iter().map(|key| (*key).to_owned()).collect(), share: None }
}

/// A request about the members of one group.
fn members(group: &str, add: &[&str], remove: &[&str]) -> TurnRequest {
    let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<HashSet<_>>();
    let share = Share { about: group.to_owned(), add: set(add), remove: set(remove) };
    TurnRequest { share: Some(Arc::new(share)), ..on(&[group]) }
}

struct Hall {
    locks: Arc<ResourceLocks>,
}

impl Hall {
    fn new() -> Self {
        Self { locks: Arc::default() }
    }

    async fn enter(&self, request: TurnRequest) -> Turn {
        match self.locks.take(request, 0).await {
            Taken::Turn(turn) => turn,
            Taken::Answer(_) => panic!("answered by another"),
        }
    }

    /// Somebody who waits; the place in the queue is taken when this returns.
    async fn wait(&self, request: TurnRequest, caller: u64) -> JoinHandle<Taken> {
        let locks = Arc::clone(&self.locks);
        let waiting = tokio::spawn(async move { locks.take(request, caller).await });
        tokio::task::yield_now().await;
        waiting
    }
}

fn answer(status: u16) -> ScimResponse {
    ScimResponse { status, ..ScimResponse::default() }
}

async fn status(waiting: JoinHandle<Taken>) -> Option<u16> {
    match waiting.await.unwrap() {
        Taken::Turn(_) => None,
        Taken::Answer(answer) => Some(answer.status),
    }
}

#[tokio::test]
async fn one_key_one_turn_and_nothing_is_left_behind() {
    let hall = Hall::new();
    let first = hall.enter(on(&["Groups/1"])).await;
    let other = hall.enter(on(&["Groups/2"])).await;
    let waiting = hall.wait(on(&["Groups/1"]), 0).await;
    assert!(!waiting.is_finished());
    drop(first);
    drop(waiting.await.unwrap());
    drop(other);
    assert!(hall.locks.is_empty());
}

#[tokio::test]
async fn giving_up_the_wait_leaves_nothing_behind_and_lets_the_next_one_in() {
    let hall = Hall::new();
    let first = hall.enter(on(&["a"])).await;
    let gave_up = timeout_at(Instant::now() + Duration::from_millis(1), hall.locks.take(on(&["a", "b"]), 0)).await;
    assert!(gave_up.is_err());
    drop(hall.enter(on(&["b"])).await);
    drop(first);
    assert!(hall.locks.is_empty());
}

#[tokio::test]
async fn several_keys_come_all_at_once_in_the_order_of_asking() {
    let hall = Hall::new();
    let first = hall.enter(on(&["b"])).await;
    let both = hall.wait(on(&["b", "a", "a"]), 0).await;
    // `a` is free, but who asked for both was there before.
    let late = hall.wait(on(&["a"]), 0).await;
    let reversed = hall.wait(on(&["a", "b"]), 0).await;
    drop(first);
    let both = both.await.unwrap();
    assert!(!late.is_finished() && !reversed.is_finished());
    drop(both);
    drop(late.await.unwrap());
    drop(reversed.await.unwrap());
    assert!(hall.locks.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_with_overlapping_keys_all_get_through() {
    let hall = Hall::new();
    let inside: Arc<Mutex<HashSet<usize>>> = Arc::default();
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let (locks, inside) = (Arc::clone(&hall.locks), Arc::clone(&inside));
            tokio::spawn(async move {
                let wanted = [number % 5, (number * 3 + 1) % 5, (number * 7 + 2) % 5];
                let keys = wanted.map(|key| key.to_string());
                let turn = locks.take(TurnRequest { keys: keys.to_vec(), share: None }, 0).await;
                for key in HashSet::from(wanted) {
                    assert!(inside.lock().unwrap().insert(key), "{key} is taken");
                }
                tokio::task::yield_now().await;
                for key in &wanted {
                    inside.lock().unwrap().remove(key);
                }
                drop(turn);
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(20), task).await.expect("nobody waits for ever").unwrap();
    }
    assert!(hall.locks.is_empty());
}

#[tokio::test]
async fn equal_requests_share_one_outcome() {
    let hall = Hall::new();
    let first = hall.enter(members("g", &["ann", "bo"], &[])).await;
    let same = hall.wait(members("g", &["bo", "ann"], &[]), 0).await;
    let other = hall.wait(members("g", &["cy"], &[]), 0).await;
    let again = hall.wait(members("g", &["ann", "bo"], &[]), 0).await;
    assert!(!same.is_finished() && !other.is_finished() && !again.is_finished());
    first.end(&answer(204));
    assert_eq!((status(same).await, status(other).await, status(again).await), (Some(204), None, Some(204)));
    assert!(hall.locks.is_empty());
}

#[tokio::test]
async fn what_is_not_the_same_is_not_joined() {
    let unequal = [
        (members("h", &["ann"], &[]), 0, "another group"),
        (members("g", &["bo"], &[]), 0, "another member"),
        (members("g", &["ann"], &["bo"]), 0, "more than that"),
        (on(&["g"]), 0, "anything else"),
        (members("g", &["ann"], &[]), 1, "another caller"),
    ];
    for (request, caller, what) in unequal {
        let hall = Hall::new();
        let first = hall.enter(members("g", &["ann"], &[])).await;
        let request = TurnRequest { keys: vec!["g".to_owned()], ..request };
        let waiting = hall.wait(request, caller).await;
        first.end(&answer(204));
        assert_eq!(status(waiting).await, None, "{what}");
    }
}

#[tokio::test]
async fn nobody_is_joined_across_a_change_that_matters() {
    for between in [members("g", &[], &["ann"]), on(&["g"])] {
        let hall = Hall::new();
        let first = hall.enter(members("g", &["ann"], &[])).await;
        let between = hall.wait(between, 0).await;
        let again = hall.wait(members("g", &["ann"], &[]), 0).await;
        first.end(&answer(204));
        drop(between.await.unwrap());
        assert_eq!(status(again).await, None);
    }
}

#[tokio::test]
async fn who_joined_one_that_went_away_goes_alone() {
    let hall = Hall::new();
    let first = hall.enter(members("g", &["ann"], &[])).await;
    let waiting = [0, 1].map(|_| {
        let locks = Arc::clone(&hall.locks);
        tokio::spawn(async move { matches!(locks.take(members("g", &["ann"], &[]), 0).await, Taken::Turn(_)) })
    });
    while hall.locks.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    drop(first);
    // One goes ahead without an answer to give; the other one joined it, and then goes ahead as well.
    for waiting in waiting {
        assert!(waiting.await.unwrap());
    }
    assert!(hall.locks.is_empty());
}

#[test]
fn the_credential_of_whoever_waits_is_not_printed() {
    let waiting = IntGauge::new("waiting", "Requests that wait.").unwrap();
    let mut credential = HeaderValue::from_static("Bearer s3cret");
    credential.set_sensitive(true);
    let locks = Arc::default();
    let turns = RequestTurns::new(&locks, &waiting, Instant::now(), Some(&credential));
    let shown = format!("{turns:?}");
    let bytes = format!("{:?}", credential.as_bytes());
    assert!(!shown.contains("s3cret") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}
