//! `scimshim check --online`: tries the reads of a configuration against the real application.
//!
//! In: a snapshot, its resolved secrets, values for the variables of its base URLs. Out: findings. Every try is a SCIM
//! request that only reads, carried out by the plan that would serve it; `judge` then compares what the application
//! answered with what the configuration says about it. Nothing is written, and no attribute's
//! value is printed, though the path of a call may hold an id.

mod finding;
mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::time::Instant;

use crate::config::{ResolvedSecrets, Route, Snapshot};
use crate::explain::{self, Request};
use crate::mapping::{FilterPlan, Mapping, Slot};
use crate::native::{
    CallContext, CallRecord, Forwarded, NativeClient, NativeClientError, Observer, Turned, Turns, execute,
};
use crate::plan::{Context, NativeCall, NativeOutcome, Plan, ScimResponse, TurnRequest};
use crate::scim::filter::CompareOp;
use crate::telemetry::Metrics;

pub use finding::{Finding, Report, Verdict};

/// What came of one try.
#[derive(Debug)]
pub struct Seen {
    /// Native calls with their outcomes, in order.
    pub calls: Vec<(NativeCall, NativeOutcome)>,
    /// The answer to the SCIM request.
    pub response: Box<ScimResponse>,
    /// Its body.
    pub body: Value,
}

/// Tries everything that can be tried by reading.
///
/// `variables` gives values to the variables of base URLs, by name.
///
/// # Errors
/// A credential that is missing or cannot stand in a request.
pub async fn check(
    snapshot: Arc<Snapshot>,
    secrets: &ResolvedSecrets,
    variables: &BTreeMap<String, String>,
) -> Result<Report, NativeClientError> {
    // Nobody scrapes these; a registry that cannot be made would have failed every start.
    let Ok(metrics) = Metrics::new() else { return Ok(Report::default()) };
    let client = NativeClient::new(&snapshot, secrets, metrics)?;
    let prober = Prober { snapshot: &snapshot, client: &client };
    let mut report = Report::default();
    for route in &snapshot.routes {
        report.begin(route, &snapshot);
        match base_path(route, variables) {
            Ok(base) => prober.route(&base, route, &mut report).await,
            Err(missing) => report.add("", vec![Finding::unknown_variable(route, &missing)]),
        }
    }
    Ok(report)
}

/// The base URL with its variables filled in, or the first variable that nobody gave a value.
fn base_path(route: &Route, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut path = String::new();
    for segment in route.label.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => path.push_str(variables.get(name).ok_or_else(|| name.to_owned())?),
            None => path.push_str(segment),
        }
    }
    Ok(path)
}

struct Prober<'a> {
    snapshot: &'a Arc<Snapshot>,
    client: &'a NativeClient,
}

impl Prober<'_> {
    async fn route(&self, base: &str, route: &Route, report: &mut Report) {
        if let Some(findings) = self.tables(base, route, report).await {
            report.add("reference tables", findings);
        }
        for mapping in &route.mappings {
            let findings = self.resource_type(base, mapping, report).await;
            report.add(&mapping.resource_type.name, findings);
        }
    }

    /// Whether every table can be read, and holds the names that the configuration itself needs.
    async fn tables(&self, base: &str, route: &Route, report: &mut Report) -> Option<Vec<Finding>> {
        let mapping = route.mappings.iter().find(|mapping| !mapping.tables.is_empty())?;
        let target = format!("{base}{}", mapping.resource_type.endpoint);
        let (context, _) = explain::prepared(self.snapshot, &get(target))?;
        let tables = &self.snapshot.backends.get(route.backend)?.tables;
        let seen = self.carry_out(Plan::tables, context, report).await?;
        Some(judge::tables(tables, &seen))
    }

    async fn resource_type(&self, base: &str, mapping: &Mapping, report: &mut Report) -> Vec<Finding> {
        let mut findings = Vec::new();
        let url = format!("{base}{}", mapping.resource_type.endpoint);
        if mapping.ops.list.is_none() {
            findings.push(Finding::nothing_to_start_from(mapping));
            return findings;
        }
        let Some(list) = self.ask(format!("{url}?count=2"), report).await else { return findings };
        findings.extend(judge::list(mapping, &list));
        let resources = judge::resources(&list);
        if resources.len() > 1
            && let Some(second) = self.ask(format!("{url}?startIndex=2&count=1"), report).await
        {
            findings.extend(judge::second_page(mapping, &list, &second));
        }
        let Some(first) = resources.first() else { return findings };
        if let Some(id) = first.get("id").and_then(Value::as_str)
            && let Some(get) = self.ask(format!("{url}/{}", encode(id)), report).await
        {
            findings.extend(judge::get(mapping, &list, &get));
        }
        let nobody = encode(judge::nobody(mapping));
        if let Some(absent) = self.ask(format!("{url}/{nobody}"), report).await {
            findings.extend(judge::absent(mapping, &absent));
        }
        for plan in mapping.filters.iter().filter(|plan| plan.ops.contains(&CompareOp::Eq)) {
            findings.extend(self.filter(&url, mapping, plan, first, report).await);
        }
        findings
    }

    /// A look-up by a value that somebody has, and by one that nobody has.
    async fn filter(
        &self,
        url: &str,
        mapping: &Mapping,
        plan: &FilterPlan,
        first: &Value,
        report: &mut Report,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Some(value) = judge::value_of(first, &plan.path) else { return findings };
        let query = |value: &str| {
            let filter = format!("{} eq {}", plan.path, Value::from(value));
            format!("{url}?filter={}", encode(&filter))
        };
        if let Some(hit) = self.ask(query(value), report).await {
            findings.extend(judge::hit(plan, first, &hit));
        }
        if let Some(miss) = self.ask(query(judge::NOBODY), report).await {
            findings.extend(judge::miss(mapping, plan, &miss));
        }
        findings
    }

    /// One SCIM read. `None` if the path is no SCIM, which a route's own path always is.
    async fn ask(&self, target: String, report: &mut Report) -> Option<Seen> {
        let (context, scim) = explain::prepared(self.snapshot, &get(target))?;
        self.carry_out(|context| Plan::begin(context, scim), context, report).await
    }

    async fn carry_out(
        &self,
        plan: impl FnOnce(Context) -> Plan,
        context: Context,
        report: &mut Report,
    ) -> Option<Seen> {
        let backend = self.snapshot.routes.get(context.route)?.backend;
        let variables = Arc::clone(&context.variables);
        let call = CallContext {
            backend,
            deadline: Instant::now() + self.snapshot.limits.request_timeout,
            forwarded: &Forwarded::default(),
            variables: &variables,
            keeping: None,
        };
        let mut calls = Calls(Vec::new());
        let mut response = execute(plan(context), self.client, &call, &mut calls, &mut Alone).await;
        if let Some(error) = &mut response.report.error {
            self.client.redact(backend, &mut error.detail);
        }
        report.reads += calls.0.len();
        let body = response.body.as_ref().map(|body| body.tree().into_owned()).unwrap_or_default();
        Some(Seen { calls: calls.0, response, body })
    }
}

fn get(target: String) -> Request {
    Request { method: "GET".to_owned(), target, ..Request::default() }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

struct Calls(Vec<(NativeCall, NativeOutcome)>);

impl Observer for Calls {
    fn native_call(&mut self, record: CallRecord<'_>) {
        self.0.push((record.call.clone(), record.outcome.clone()));
    }
}

/// Reads ask for no turn, and nobody else is there.
struct Alone;

impl Turns for Alone {
    async fn take(&mut self, _: TurnRequest) -> Turned {
        Turned::Granted
    }
}

/// Whether a call reads a list of the type itself.
fn lists(call: &NativeCall) -> bool {
    call.slot == Slot::List
}
