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
mod sent;
mod text;
mod transcript;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::config::{Backend, Snapshot};
use crate::mapping::Origin;
use crate::plan::{
    Context, Demand, NativeCall, NativeOutcome, Plan, RequestFacts, ScimRequest, Step, demand, repeating,
};
use crate::route::{Matched, Outcome, RouteTable};

use page::Page;

pub use replies::{Replies, RepliesError, ReplyEntry, Tables};
pub use text::Layout;
pub use transcript::{Call, End, Entry, Made, Transcript};

pub(crate) use replies::names;

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
    let mut plan = Plan::begin_traced(context, scim_request(request, &matched), replies.entries());
    let mut wait = snapshot.limits.request_timeout;
    let mut outcomes = Vec::new();
    loop {
        match plan.next(outcomes) {
            Step::Calls { calls, parallel } => {
                page.report(&plan.report());
                page.trace(plan.trace());
                let mut app = Application { backend, replies: &mut replies, wait: &mut wait };
                match step(&mut page, &mut app, &calls, parallel) {
                    Ok(found) => outcomes = found,
                    Err(missing) => {
                        page.unused(&replies, backend);
                        page.missing(&missing);
                        return page.finish(End::ReplyMissing);
                    }
                }
            }
            // Nobody else is there.
            Step::Turn(_) => outcomes = Vec::new(),
            Step::Reply(response) => {
                page.report(&response.report);
                page.trace(plan.trace());
                page.answer(&response, &matched.endpoint);
                page.unused(&replies, backend);
                return page.finish(End::Answered(response.status));
            }
        }
    }
}

/// Shows the calls of one step with their replies.
///
/// # Errors
/// The calls that have none.
fn step<'c>(
    page: &mut Page,
    app: &mut Application<'_>,
    calls: &'c [NativeCall],
    parallel: usize,
) -> Result<Vec<NativeOutcome>, Vec<&'c NativeCall>> {
    page.together(calls.len(), parallel);
    let found: Vec<Option<NativeOutcome>> = calls
        .iter()
        .map(|call| {
            let came_back = app.reply(call);
            page.call(app.backend, call, &came_back);
            came_back.outcome
        })
        .collect();
    let missing: Vec<&NativeCall> =
        calls.iter().zip(&found).filter(|(_, outcome)| outcome.is_none()).map(|(call, _)| call).collect();
    if missing.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(missing) }
}

/// What answers.
struct Application<'a> {
    backend: Option<&'a Backend>,
    replies: &'a mut Replies,
    /// How long there is still time to wait before a call is made again.
    wait: &'a mut Duration,
}

/// What came back for a call.
#[derive(Default)]
struct Replied {
    /// Replies after which the call was made again, and why.
    again: Vec<String>,
    /// The rules that said so.
    rules: Vec<Origin>,
    /// The reply that stands; `None` if there is none.
    outcome: Option<NativeOutcome>,
}

impl Application<'_> {
    /// The reply to a call. Where the client would make the call again, it takes the reply after that: once, where a
    /// credential that is fetched was refused; as often as an error rule says, where it asks for it.
    fn reply(&mut self, call: &NativeCall) -> Replied {
        let (mut replied, mut renewed, mut repeated) = (Replied::default(), false, 0);
        loop {
            replied.outcome = self.replies.take(call);
            let (Some(NativeOutcome::Reply(reply)), Some(backend)) = (&replied.outcome, self.backend) else {
                return replied;
            };
            match demand(backend, call, reply) {
                Demand::Credential if backend.auth.is_renewed() && !renewed => {
                    renewed = true;
                    replied.again.push(format!("expired ({}): renew, again once", backend.expired_origin));
                }
                Demand::Repeat(rule) if repeated < rule.max && rule.after < *self.wait => {
                    let Some(decided) = repeating(backend, call, reply) else { return replied };
                    repeated += 1;
                    *self.wait -= rule.after;
                    let (status, origin) = (reply.status, &decided.origin);
                    replied.again.push(format!("{status}   error rule {origin}: again after {:?}", rule.after));
                    replied.rules.push(origin.clone());
                }
                _ => return replied,
            }
        }
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
        variables: Arc::new(variables),
        base_url: format!("{ORIGIN}{}", matched.base),
        request: RequestFacts::new(REQUEST_ID),
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
