//! What holds for every plan, whatever the application answers: it ends, within its bound on calls, without a panic,
//! and the same way twice.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{cases, snapshot};
use crate::config::Snapshot;
use crate::explain::{End, Layout, Replies, ReplyEntry, Request, explain};

/// Every request of the case files with its configuration, and the bodies that its application really sends.
struct Corpus {
    requests: Vec<(Arc<Snapshot>, Request)>,
    bodies: Vec<Value>,
}

static CORPUS: LazyLock<Corpus> = LazyLock::new(|| {
    let (mut requests, mut bodies) = (Vec::new(), Vec::new());
    for (_, file) in cases::files() {
        let snapshot = snapshot(&file.config);
        for case in &file.cases {
            requests.push((Arc::clone(&snapshot), case.request()));
            bodies.extend(case.reply_bodies().filter_map(|body| serde_json::from_str(body).ok()));
        }
    }
    Corpus { requests, bodies }
});

/// Any small document.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[ -~]{0,12}|\u{0}|[α-ω]{1,3}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "data", "meta", "total", "id", "email", "status", "user_id", "rows", "next", "name", "users", "contacts",
        "kind", "items", "key", "x",
    ]);
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((name.clone(), inner), 0..5).prop_map(|fields| fields
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

/// Any reply: a document that belongs to some case, with or without one of its fields, or anything at all.
fn reply() -> impl Strategy<Value = ReplyEntry> {
    let known = (any::<prop::sample::Index>(), any::<Option<prop::sample::Index>>(), document()).prop_map(
        |(which, broken, other)| {
            let mut body = which.get(&CORPUS.bodies).clone();
            if let (Some(field), Value::Object(fields)) = (broken, &mut body)
                && !fields.is_empty()
            {
                let name = fields.keys().nth(field.index(fields.len())).cloned().unwrap_or_default();
                fields.insert(name, other);
            }
            body.to_string()
        },
    );
    let body = prop_oneof![4 => known, 3 => document().prop_map(|body| body.to_string()), 1 => ".{0,20}"];
    let status = prop_oneof![4 => 200_u16..205, 2 => 400_u16..430, 1 => 100_u16..600];
    let failed = prop::option::weighted(0.05, prop::sample::select(vec!["timeout", "connect_error", "too_large"]));
    let link = prop::option::weighted(0.2, "<[/?a-z:.0-9]{0,20}>; rel=\"next\"");
    (status, body, failed, link).prop_map(|(status, body, failed, link)| ReplyEntry {
        call: None,
        status,
        headers: link.into_iter().map(|link| ("Link".to_owned(), link)).collect(),
        body,
        failed: failed.map(str::to_owned),
        times: 1,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_ends_within_its_bound_and_is_deterministic(
        which in any::<prop::sample::Index>(),
        mut replies in prop::collection::vec(reply(), 1..12),
    ) {
        let (snapshot, request) = which.get(&CORPUS.requests);
        // The last reply is repeated for as long as the plan goes on asking.
        if let Some(last) = replies.last_mut() {
            last.times = snapshot.limits.calls_max + 1;
        }
        let run = || explain(snapshot, request, Replies::new(replies.clone()).unwrap());
        let first = run();
        prop_assert_ne!(first.end, End::ReplyMissing, "{}", first.text(Layout::Compact));
        let calls = first.calls().count();
        prop_assert!(calls <= snapshot.limits.calls_max, "{} calls", calls);
        prop_assert_eq!(first, run());
    }

    #[test]
    fn an_answer_is_an_answer(
        which in any::<prop::sample::Index>(),
        replies in prop::collection::vec(reply(), 1..12),
    ) {
        let (snapshot, request) = which.get(&CORPUS.requests);
        let told = explain(snapshot, request, Replies::new(replies).unwrap());
        if let End::Answered(status) = told.end {
            prop_assert!((200..600).contains(&status), "{}", told.text(Layout::Compact));
            // The application's refusal of the adapter is never passed on as a refusal of the client.
            prop_assert_ne!(status, 401, "{}", told.text(Layout::Compact));
        }
    }
}
