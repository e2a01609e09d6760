//! Which calls are sent again. The server counts.

use futures_util::future::join_all;

use super::stub::{Act, Stub};
use super::*;
use crate::native::retry::pause;

const OK: fn() -> Act = || Act::Answer(200, "", "{}");
const UNAVAILABLE: fn() -> Act = || Act::Answer(503, "", "{}");
const CUT_SHORT: fn() -> Act = || Act::Raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_owned());

#[tokio::test]
async fn calls_that_may_be_repeated_are() {
    let search = call("POST", Slot::List);
    let marked = NativeCall { idempotent: true, ..post(user()) };
    let put = NativeCall { body: Some(user()), ..call("PUT", Slot::Replace) };
    let delete = call("DELETE", Slot::Delete);
    let one = async |first: fn() -> Act, call: &NativeCall| {
        let stub = Stub::acting(vec![first, OK]).await;
        let completed = send(&client(&backend(stub.address)), call).await;
        assert_eq!((reply(&completed).0, completed.attempts), (200, 2), "{call:?}");
        let requests = stub.requests();
        assert_eq!(requests.len(), 2, "{call:?}");
        assert_eq!(requests[0], requests[1], "{call:?}");
    };
    let first: [fn() -> Act; 5] =
        [UNAVAILABLE, || Act::Answer(502, "", ""), || Act::Answer(504, "", ""), || Act::Close, CUT_SHORT];
    let get = get();
    let cases = first.iter().flat_map(|first| [&get, &search, &marked, &put, &delete].map(|call| one(*first, call)));
    join_all(cases).await;
}

#[tokio::test]
async fn repetitions_are_counted_by_their_reason() {
    let limited: fn() -> Act = || Act::Answer(429, "retry-after: 0\r\n", "");
    for (first, reason) in [
        (UNAVAILABLE, "unavailable"),
        (|| Act::Close, "interrupted"),
        (CUT_SHORT, "interrupted"),
        (limited, "rate_limited"),
    ] as [(fn() -> Act, &str); 4]
    {
        let stub = Stub::acting(vec![first, OK]).await;
        let metrics = Metrics::new().unwrap();
        let backends = [backend(stub.address)];
        let client = NativeClient::for_backends(&backends, &secrets(), &limits(), &[0], Arc::clone(&metrics)).unwrap();
        assert_eq!(send(&client, &get()).await.attempts, 2, "{reason}");
        let text = metrics.render();
        for word in ["connect", "interrupted", "unavailable", "rate_limited", "rule", "credential"] {
            let count = u8::from(word == reason);
            let line = format!("scimshim_native_retries_total{{backend=\"app\",reason=\"{word}\"}} {count}\n");
            assert!(text.contains(&line), "{line} in {text}");
        }
    }
}

#[tokio::test]
async fn calls_of_unknown_outcome_are_not() {
    let patch = NativeCall { body: Some(user()), ..call("PATCH", Slot::Update) };
    for call in [&post(user()), &patch, &call("POST", Slot::MembersAdd)] {
        for (act, expected) in [(UNAVAILABLE, Some(503)), (CUT_SHORT, None), (|| Act::Close, None)] {
            let stub = Stub::acting(vec![act]).await;
            let completed = send(&client(&backend(stub.address)), call).await;
            match expected {
                Some(status) => assert_eq!(reply(&completed).0, status, "{call:?}"),
                None => assert_eq!(completed.outcome, failed(NativeFailure::Interrupted), "{call:?}"),
            }
            assert_eq!((stub.requests().len(), completed.attempts), (1, 1), "{call:?}");
        }
    }
}

#[tokio::test]
async fn other_replies_are_answers() {
    for answer in [|| Act::Answer(500, "", "{}"), || Act::Answer(429, "", ""), || Act::Answer(404, "", "")] {
        let stub = Stub::acting(vec![answer]).await;
        assert_eq!(send(&client(&backend(stub.address)), &get()).await.attempts, 1);
        assert_eq!(stub.requests().len(), 1);
    }
}

#[tokio::test]
async fn there_are_three_attempts_at_the_most() {
    let stub = Stub::acting(vec![UNAVAILABLE]).await;
    let completed = send(&client(&backend(stub.address)), &get()).await;
    assert_eq!((reply(&completed).0, completed.attempts, stub.requests().len()), (503, 3, 3));
}

#[tokio::test]
async fn without_a_connection_everything_is_tried_again() {
    // A port that was free a moment ago.
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let completed = send(&client(&backend(address)), &post(user())).await;
    assert_eq!((completed.outcome, completed.attempts), (failed(NativeFailure::Connect), 3));
}

#[tokio::test]
async fn the_deadline_leaves_no_time_for_another_attempt() {
    let stub = Stub::acting(vec![UNAVAILABLE]).await;
    let completed = send_within(&client(&backend(stub.address)), &get(), Duration::from_millis(45)).await;
    assert_eq!(completed.attempts, 1, "{completed:?}");
}

#[test]
fn pauses_double_with_jitter_and_follow_the_server() {
    let unavailable = |headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        NativeOutcome::Reply(NativeReply { status: 503, headers, ..NativeReply::default() })
    };
    let ms = Duration::from_millis;
    let rule = Retry { attempts: 3, delay: ms(100) };
    let pause = |outcome: &NativeOutcome, attempts, random| pause(rule, true, outcome, attempts, random);
    for random in [0, 1, 49_999_999, u64::MAX] {
        let first = pause(&unavailable(&[]), 1, random).unwrap();
        let second = pause(&unavailable(&[]), 2, random).unwrap();
        assert!((ms(50)..ms(100)).contains(&first) && (ms(100)..ms(200)).contains(&second), "{first:?} {second:?}");
        assert_eq!(pause(&unavailable(&[]), 3, random), None);
    }
    assert_eq!(pause(&unavailable(&[("retry-after", "2")]), 1, 0), Some(Duration::from_secs(2)));
    assert_eq!(pause(&unavailable(&[("retry-after", "0")]), 1, 0), Some(ms(50)));
    assert_eq!(pause(&unavailable(&[("retry-after", "6")]), 1, 0), None);
    assert_eq!(pause(&unavailable(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]), 1, 0), Some(ms(50)));
    assert_eq!(pause(&failed(NativeFailure::Timeout), 1, 0), None);
    assert_eq!(pause(&failed(NativeFailure::TooLarge), 1, 0), None);
}
