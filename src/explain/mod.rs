//! What a SCIM request would become, as text: the route, the native calls with their place in the configuration, the
//! answer.
//!
//! In: a snapshot, a request, and canned replies of the application. Out: a transcript that is the same every time.
//! The plan is the one that serves traffic; only its driver differs. Nothing is sent, no credential is looked at, and
//! no secret appears: plans hold none, and a password of the request itself is shown as `***`.

#[cfg(feature = "server")]
pub mod cli;
mod mask;
mod page;
mod replies;
mod text;
mod transcript;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{Backend, Snapshot};
use crate::mapping::Origin;
use crate::plan::{Context, Demand, NativeCall, NativeOutcome, Plan, ScimRequest, Step, demand};
use crate::route::{Matched, Outcome, RouteTable};

use page::Page;

pub use replies::{Replies, RepliesError, ReplyEntry};
pub use text::Layout;
pub use transcript::{Call, End, Entry, Transcript};

/// A SCIM request as a person writes it down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// HTTP method in upper case.
    pub method: String,
    /// Path and query: `/scim/v2/Users/7?attributes=userName`.
    pub target: String,
    /// Body as sent.
    pub body: Vec<u8>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
}

impl Request {
    /// A request line: `PATCH /scim/v2/Users/7`. `None` if it is not a method and a path.
    ///
    /// A blank in the query, as in `?filter=userName eq "ann"`, may be written as it is.
    pub fn parse(line: &str) -> Option<Self> {
        let (method, target) = line.trim().split_once(' ')?;
        let target = target.trim();
        let fits = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
        (fits && target.starts_with('/')).then(|| Self {
            method: method.to_ascii_uppercase(),
            target: target.replace(' ', "%20"),
            ..Self::default()
        })
    }

    fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

/// Drives the plan of a request with canned replies.
pub fn explain(snapshot: &Arc<Snapshot>, request: &Request, mut replies: Replies) -> Transcript {
    let mut page = Page::new(request);
    let matched = match route(snapshot, request.path_and_query().0) {
        Ok(matched) => matched,
        Err((line, end)) => return page.without_plan(line, end),
    };
    let context = context(snapshot, &matched);
    page.route(&context);
    let backend = snapshot.routes.get(matched.route).and_then(|route| snapshot.backends.get(route.backend));
    let mut plan = Plan::begin_traced(context, scim_request(request, &matched));
    let mut outcomes = Vec::new();
    loop {
        match plan.next(outcomes) {
            Step::Calls { calls, parallel } => {
                page.report(&plan.report());
                page.trace(plan.trace());
                match step(&mut page, backend, &calls, parallel, &mut replies) {
                    Some(found) => outcomes = found,
                    None => return page.finish(End::ReplyMissing),
                }
            }
            // Nobody else is there.
            Step::Turn(_) => outcomes = Vec::new(),
            Step::Reply(response) => {
                page.report(&response.report);
                page.trace(plan.trace());
                page.answer(&response, &matched.endpoint);
                page.unused(&replies);
                return page.finish(End::Answered(response.status));
            }
        }
    }
}

/// Shows the calls of one step with their replies; `None` if one has none.
fn step(
    page: &mut Page,
    backend: Option<&Backend>,
    calls: &[NativeCall],
    parallel: usize,
    replies: &mut Replies,
) -> Option<Vec<NativeOutcome>> {
    page.together(calls.len(), parallel);
    let found: Vec<Option<NativeOutcome>> = calls
        .iter()
        .map(|call| {
            let came_back = reply(backend, call, replies);
            page.call(call, &came_back);
            came_back.outcome
        })
        .collect();
    let missing: Vec<&NativeCall> =
        calls.iter().zip(&found).filter(|(_, outcome)| outcome.is_none()).map(|(call, _)| call).collect();
    page.missing(&missing);
    found.into_iter().collect()
}

/// What came back for a call.
struct Replied {
    /// Where it says that the first reply refused the credential, if one did and it was renewed.
    expired: Option<Origin>,
    /// The reply; `None` if there is none.
    outcome: Option<NativeOutcome>,
}

/// The next reply to a call. A refused credential that is fetched is fetched again, once, and the call takes the reply
/// after that.
fn reply(backend: Option<&Backend>, call: &NativeCall, replies: &mut Replies) -> Replied {
    let outcome = replies.take(call);
    let refused = match (&outcome, backend.filter(|backend| backend.auth.is_renewed())) {
        (Some(NativeOutcome::Reply(reply)), Some(backend)) => {
            (demand(backend, call, reply) == Demand::Credential).then_some(&backend.expired_origin)
        }
        _ => None,
    };
    match refused {
        Some(origin) => Replied { expired: Some(origin.clone()), outcome: replies.take(call) },
        None => Replied { expired: None, outcome },
    }
}

/// What a plan of the request begins with; `None` if its path is no SCIM.
#[cfg(feature = "server")]
pub(crate) fn prepared(snapshot: &Arc<Snapshot>, request: &Request) -> Option<(Context, ScimRequest)> {
    let matched = route(snapshot, request.path_and_query().0).ok()?;
    Some((context(snapshot, &matched), scim_request(request, &matched)))
}

fn route(snapshot: &Snapshot, path: &str) -> Result<Matched, (String, End)> {
    let endpoints = snapshot.routes.iter().map(|route| {
        let names = route.mappings.iter().map(|mapping| mapping.resource_type.endpoint.clone());
        (&route.template, names.collect::<Vec<_>>())
    });
    match RouteTable::new(&snapshot.variables, endpoints).resolve(path) {
        Outcome::Scim(matched) => Ok(matched),
        Outcome::NotFound(reason) => Err((format!("none: {reason}"), End::Answered(404))),
        Outcome::Refused(refusal) => Err((format!("refused: {refusal}"), End::Answered(refusal.status()))),
        Outcome::PassThrough => Err(("none: the path belongs to the application".to_owned(), End::PassedThrough)),
    }
}

fn context(snapshot: &Arc<Snapshot>, matched: &Matched) -> Context {
    let mut variables = vec![None; snapshot.variables.len()];
    let set = snapshot.routes.get(matched.route).map(|route| route.set.as_slice()).unwrap_or_default();
    for (index, value) in set.iter().chain(&matched.values) {
        if let Some(slot) = variables.get_mut(*index) {
            *slot = Some(Value::from(value.as_str()));
        }
    }
    Context {
        snapshot: Arc::clone(snapshot),
        route: matched.route,
        variables,
        base_url: format!("{ORIGIN}{}", matched.base),
        request: json!({ "id": REQUEST_ID }),
        now: NOW,
        cursor_key: CURSOR_KEY,
        marks: Arc::default(),
        seed: Some(SEED),
    }
}

fn scim_request(request: &Request, matched: &Matched) -> ScimRequest {
    ScimRequest {
        method: request.method.clone(),
        endpoint: matched.endpoint.clone(),
        query: request.path_and_query().1.to_owned(),
        body: request.body.clone(),
        if_match: request.if_match.clone(),
        if_none_match: request.if_none_match.clone(),
    }
}

// What a running server takes from its surroundings is fixed here, so that a transcript is the same every time.
const ORIGIN: &str = "https://scim.example";
const REQUEST_ID: &str = "explain";
const NOW: u64 = 1_700_000_000;
const CURSOR_KEY: [u8; 32] = [0; 32];
const SEED: [u8; 32] = [0; 32];
