//! Bulk requests against an application that says anything: the first line of the input is the body of its replies,
//! the rest is the request. No pair panics, every plan ends with an answer, and the same way twice.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use scimshim::config::{Snapshot, Source, compile};
use scimshim::explain::{End, Layout, Replies, ReplyEntry, Request, explain};
use scimshim_fuzz::text;

/// Tenants, derived keys, look-ups before a create, members who are created on the way.
static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let text = include_str!("../../tests/plans/config/authz.toml").to_owned();
    match compile(Source { name: Arc::from("authz.toml"), text }) {
        Ok(snapshot) => Arc::new(snapshot),
        Err(findings) => panic!("{findings:?}"),
    }
});

fuzz_target!(|data: &[u8]| {
    let Some((reply, body)) = text(data).and_then(|text| text.split_once('\n')) else {
        return;
    };
    let entry = |status: u16, times: usize| ReplyEntry {
        call: None,
        status,
        headers: Default::default(),
        body: reply.to_owned(),
        failed: None,
        times,
    };
    let entries = vec![entry(404, 1), entry(201, 2), entry(404, 1), entry(200, SNAPSHOT.limits.calls_max)];
    let request = Request {
        body: body.as_bytes().to_vec(),
        ..Request::parse("POST /scim/v2/acme/prod/v2/t1/Bulk").expect("a request line")
    };
    let run = || explain(&SNAPSHOT, &request, Replies::new(entries.clone()).expect("replies"));
    let first = run();
    assert!(
        matches!(first.end, End::Answered(status) if (200..600).contains(&status)),
        "{}",
        first.text(Layout::Compact)
    );
    assert_eq!(first, run());
});
