//! Time, size, concurrency.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::sync::Barrier;

use super::stub::{Act, Stub};
use super::*;
use crate::native::wire::REPLY_HEAD_MAX_BYTES;

#[tokio::test]
async fn an_attempt_ends_with_the_time_of_its_backend() {
    let stub = Stub::acting(vec![|| Act::Hang]).await;
    let client = client(&Backend { timeout: Duration::from_millis(30), ..backend(stub.address) });
    let completed = send(&client, &get()).await;
    assert_eq!((completed.outcome, completed.attempts), (failed(NativeFailure::Timeout), 1));
    assert!((Duration::from_millis(30)..Duration::from_secs(5)).contains(&completed.duration));
}

#[tokio::test]
async fn a_call_ends_with_the_deadline_of_its_request() {
    let stub = Stub::acting(vec![|| Act::Hang]).await;
    let client = client(&backend(stub.address));
    let completed = send_within(&client, &get(), Duration::from_millis(30)).await;
    assert_eq!(completed.outcome, failed(NativeFailure::Timeout));
    assert!(completed.duration < Duration::from_secs(5), "{completed:?}");
}

#[tokio::test]
async fn a_body_that_never_ends_counts_against_the_time_too() {
    let stub = Stub::acting(vec![|| Act::Stall("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")]).await;
    let client = client(&Backend { timeout: Duration::from_millis(30), ..backend(stub.address) });
    assert_eq!(send(&client, &get()).await.outcome, failed(NativeFailure::Timeout));
}

#[tokio::test]
async fn a_call_that_is_given_up_is_counted_out() {
    let stub = Stub::acting(vec![|| Act::Hang]).await;
    let metrics = Metrics::new().unwrap();
    let backend = Backend { concurrency: 1, ..backend(stub.address) };
    let client = NativeClient::for_backends(&[backend], &secrets(), &limits(), &[0], Arc::clone(&metrics)).unwrap();
    let shown = |name: &str, count: u64| {
        metrics.render().contains(&format!("scimshim_native_{name}{{backend=\"app\"}} {count}\n"))
    };
    let get = get();
    let both = async { tokio::join!(send(&client, &get), send(&client, &get)) };
    let seen = async {
        while !(shown("requests_in_flight", 1) && shown("queued", 1)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // The future is dropped in the middle of one call and of the wait for the other.
    tokio::select! {
        _ = both => panic!("answered: {}", metrics.render()),
        () = seen => {}
    }
    assert!(shown("requests_in_flight", 0) && shown("queued", 0), "{}", metrics.render());
}

#[tokio::test]
async fn waiting_for_a_turn_counts_against_the_deadline() {
    let stub = Stub::acting(vec![|| Act::Hang]).await;
    let client = client(&Backend { concurrency: 1, ..backend(stub.address) });
    let (get, time) = (get(), Duration::from_millis(40));
    let both = join_all([send_within(&client, &get, time), send_within(&client, &get, time)]).await;
    assert_eq!(both.iter().map(|completed| completed.attempts).collect::<Vec<_>>(), [1, 0]);
    let outcomes: Vec<_> = both.into_iter().map(|completed| completed.outcome).collect();
    assert_eq!(outcomes, [failed(NativeFailure::Timeout), failed(NativeFailure::Busy)]);
    assert!(stub.requests().len() <= 1);
}

#[tokio::test]
async fn calls_under_way_are_as_many_as_configured_and_no_more() {
    // Requests wait for one another in pairs, so fewer than two at a time would hang.
    let (pair, under_way, peak) =
        (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&peak);
    let stub = Stub::start(move |_| {
        let (pair, under_way, peak) = (Arc::clone(&pair), Arc::clone(&under_way), Arc::clone(&peak));
        async move {
            peak.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            pair.wait().await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            Act::Answer(200, "", "{}")
        }
    })
    .await;
    let client = client(&Backend { concurrency: 2, ..backend(stub.address) });
    let get = get();
    let completed = join_all((0..8).map(|_| send(&client, &get))).await;
    assert!(completed.iter().all(|completed| reply(completed).0 == 200));
    assert_eq!((seen.load(Ordering::SeqCst), stub.requests().len()), (2, 8));
}

#[tokio::test]
async fn replies_are_limited_announced_or_not() {
    let limit = limits().reply_max_bytes;
    let announced =
        |size: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n\"{}\"", "x".repeat(size - 2));
    let until_close = |size: usize| format!("HTTP/1.1 200 OK\r\n\r\n\"{}\"", "x".repeat(size - 2));
    let chunked = |size: usize| {
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n\"{}\"\r\n0\r\n\r\n",
            "x".repeat(size - 2)
        )
    };
    let shapes: [&dyn Fn(usize) -> String; 3] = [&announced, &until_close, &chunked];
    for shape in shapes {
        for (size, fits) in [(limit, true), (limit + 1, false)] {
            let text = shape(size);
            let stub = Stub::start(move |_| std::future::ready(Act::Raw(text.clone()))).await;
            let completed = send(&client(&backend(stub.address)), &get()).await;
            if fits {
                assert_eq!(reply(&completed).1.as_str().map(str::len), Some(limit - 2));
            } else {
                assert_eq!((completed.outcome, completed.attempts), (failed(NativeFailure::TooLarge), 1));
            }
        }
    }
}

#[tokio::test]
async fn a_huge_head_is_no_reply() {
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(3 * REPLY_HEAD_MAX_BYTES));
    let stub = Stub::start(move |_| std::future::ready(Act::Raw(head.clone()))).await;
    let completed = send(&client(&backend(stub.address)), &post(user())).await;
    assert_eq!(completed.outcome, failed(NativeFailure::Interrupted));
}

#[tokio::test]
async fn connections_are_kept_for_the_next_call() {
    let stub = Stub::acting(vec![|| Act::Answer(200, "", "{}")]).await;
    let client = client(&backend(stub.address));
    for _ in 0..3 {
        assert_eq!(reply(&send(&client, &post(user())).await).0, 200);
    }
    assert_eq!((stub.requests().len(), stub.connections()), (3, 1));
}

#[tokio::test]
async fn https_to_a_plain_server_is_no_connection() {
    let stub = Stub::acting(vec![|| Act::Raw("HTTP/1.1 400 Bad\r\n\r\n".to_owned())]).await;
    let mut secure = backend(stub.address);
    secure.url.tls = true;
    match NativeClient::for_backends(&[secure], &secrets(), &limits(), &[], Metrics::new().unwrap()) {
        Ok(client) => {
            let completed = send_within(&client, &get(), Duration::from_millis(500)).await;
            assert!(matches!(completed.outcome, NativeOutcome::Failed(_)), "{completed:?}");
        }
        // A machine without root certificates says so at load, and does not panic.
        Err(error) => assert!(error.to_string().contains("root certificates"), "{error}"),
    }
}
