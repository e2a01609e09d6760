//! Drives plans against an application that is a function. For property tests; transcripts are in `tests/plans`.

use std::sync::Arc;

use serde_json::Value;

use crate::config::{Snapshot, Source, compile, render};
use crate::document::Document;
use crate::route::{Matched, Outcome, RouteTable};

use super::call::{NativeCall, NativeOutcome, NativeReply, ScimResponse, Step};
use super::headers::ReplyHeaders;
use super::marks::Marks;
use super::{Context, Plan, RequestFacts, ScimRequest};

/// A configuration: `text` behind a backend `app` with one route, `/scim`.
pub(super) fn snapshot(text: &str) -> Arc<Snapshot> {
    let head = "version = 1\nroute = [{ path = \"/scim\", auth = \"idp\", backend = \"app\" }]\n\
                auth = { idp = { kind = \"none\" } }\nlimits = { calls_max = 2000 }\n";
    let source = Source { name: Arc::from("test.toml"), text: format!("{head}{text}") };
    Arc::new(compile(source).unwrap_or_else(|findings| panic!("{}\n{head}{text}", render(&findings))))
}

/// A plan that has not been asked anything.
pub(super) fn begin(snapshot: &Arc<Snapshot>, request: (&str, &str, &Value)) -> Plan {
    begin_knowing(snapshot, &Marks::default(), request)
}

fn begin_knowing(snapshot: &Arc<Snapshot>, marks: &Marks, (method, target, body): (&str, &str, &Value)) -> Plan {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let matched = matched(snapshot, path);
    let context = Context {
        snapshot: Arc::clone(snapshot),
        route: matched.route,
        variables: Arc::new(vec![None; snapshot.variables.len()]),
        base_url: "https://scim.example/scim".to_owned(),
        request: RequestFacts::new("r"),
        now: 1000,
        cursor_key: [0; 32],
        marks: Arc::new(marks.clone()),
        seed: Some([1; 32]),
    };
    let request = ScimRequest {
        method: method.to_owned(),
        endpoint: matched.endpoint,
        query: query.to_owned(),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        if_match: None,
        if_none_match: None,
    };
    Plan::begin(context, request)
}

/// Carries out one request; answers with what the client reads and how many calls it took.
pub(super) fn drive(
    snapshot: &Arc<Snapshot>,
    marks: &mut Marks,
    request: (&str, &str, &Value),
    app: &mut dyn FnMut(&NativeCall) -> NativeOutcome,
) -> (Box<ScimResponse>, usize) {
    let mut plan = begin_knowing(snapshot, marks, request);
    let (mut outcomes, mut made) = (Vec::new(), 0);
    loop {
        match plan.next(outcomes) {
            Step::Calls { calls, .. } => {
                made += calls.len();
                outcomes = calls.iter().map(&mut *app).collect();
            }
            Step::Turn(_) => outcomes = Vec::new(),
            Step::Reply(response) => {
                marks.learn(response.report.marks.clone(), 1000);
                return (response, made);
            }
        }
    }
}

fn matched(snapshot: &Snapshot, path: &str) -> Matched {
    let endpoints = snapshot.routes.iter().map(|route| {
        let names = route.mappings.iter().map(|mapping| mapping.resource_type.endpoint.clone());
        (&route.template, names.collect::<Vec<_>>())
    });
    match RouteTable::new(&snapshot.variables, endpoints).resolve(path) {
        Outcome::Scim(matched) => matched,
        _ => panic!("{path} is no SCIM path"),
    }
}

/// 200 with a body, read as the native client reads it.
#[expect(clippy::needless_pass_by_value, reason = "a body is written where it is used")]
pub(super) fn ok(body: Value) -> NativeOutcome {
    let body = Document::parse(&body.to_string()).unwrap();
    NativeOutcome::Reply(NativeReply { status: 200, headers: ReplyHeaders::default(), body, unreadable: false })
}

/// A parameter of the query of a call, decoded.
pub(super) fn parameter(call: &NativeCall, name: &str) -> Option<String> {
    let (_, query) = call.target.split_once('?')?;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_encoding::percent_decode_str(found).decode_utf8_lossy().into_owned())
}
