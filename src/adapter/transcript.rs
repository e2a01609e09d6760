//! One exchange as people want to see it: the SCIM request, the repairs, the native calls, the answer.

use serde_json::Value;

use crate::native::CallRecord;
use crate::plan::{NativeOutcome, ScimResponse};
use crate::proxy::edge::EdgeRequest;

/// Is shown every answered SCIM request. Called on the request path: it must not block.
pub trait ExchangeSink: Send + Sync {
    /// One exchange.
    fn exchange(&self, record: ExchangeRecord);
}

/// A SCIM request and what became of it. Holds no credential and no secret; bodies are as sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeRecord {
    /// `X-Request-Id`.
    pub request_id: String,
    /// HTTP method.
    pub method: String,
    /// Path and query as received.
    pub target: String,
    /// Status of the answer.
    pub status: u16,
    /// Names of the repairs made, with how often.
    pub repairs: Vec<(String, u64)>,
    /// Attributes that were ignored: known ones the mapping lacks, and unknown names.
    pub ignored: Vec<String>,
    /// Remarks of the plan.
    pub notes: Vec<String>,
    /// The native calls, in order.
    pub native: Vec<NativeRecord>,
}

/// One native call and its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeRecord {
    /// HTTP method.
    pub method: String,
    /// Path and query below the backend's URL.
    pub target: String,
    /// Body as the plan made it, before secrets are filled in.
    pub body: Option<Value>,
    /// Status of the reply, if there was one.
    pub status: Option<u16>,
    /// Why there was none.
    pub failure: Option<&'static str>,
}

pub(super) fn native(record: &CallRecord<'_>) -> NativeRecord {
    let (status, failure) = match record.outcome {
        NativeOutcome::Reply(reply) => (Some(reply.status), None),
        NativeOutcome::Failed(failure) => (None, Some(failure.as_str())),
    };
    NativeRecord {
        method: record.call.method.to_string(),
        target: record.call.target.clone(),
        body: record.call.body.clone(),
        status,
        failure,
    }
}

pub(super) fn record(request: &EdgeRequest, response: &ScimResponse, native: Vec<NativeRecord>) -> ExchangeRecord {
    let report = &response.report;
    let target = match &request.query {
        Some(query) => format!("{}?{query}", request.path),
        None => request.path.clone(),
    };
    let repairs = report.repairs.iter().map(|(repair, count)| (repair.name().to_owned(), count));
    let filter = report.filter_repairs.iter().map(|name| ((*name).to_owned(), 1));
    ExchangeRecord {
        request_id: request.request_id.clone(),
        method: request.method.to_string(),
        target,
        status: response.status,
        repairs: repairs.chain(filter).collect(),
        ignored: report.unmapped.iter().chain(&report.unknown).cloned().collect(),
        notes: report.notes.iter().map(ToString::to_string).collect(),
        native,
    }
}
