//! Native calls against a scripted server on loopback.

mod bounds;
mod injection;
mod kept;
mod requests;
mod retries;
mod steps;
mod stub;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{CallContext, Completed, Forwarded, NativeClient, NativeClientError};
use crate::config::secret::Secret;
use crate::config::{
    Backend, BackendTls, BaseUrl, Format, Limits, OutboundAuth, ResolvedSecrets, Retry, SendAs, TokenPlace,
};
use crate::mapping::{Origin, Slot};
use crate::plan::{NativeCall, NativeFailure, NativeOutcome, NativeReply};
use crate::telemetry::Metrics;

fn origin() -> Origin {
    Origin { source: Arc::from("test.toml"), line: 1 }
}

pub(super) fn backend(address: SocketAddr) -> Backend {
    Backend {
        name: Arc::from("app"),
        url: BaseUrl { tls: false, host: address.ip().to_string(), port: address.port(), path: "/api".to_owned() },
        auth: OutboundAuth::None,
        headers: Vec::new(),
        timeout: Duration::from_secs(20),
        concurrency: 8,
        queue: 100,
        spacing: None,
        retry: Retry { attempts: 3, delay: Duration::from_millis(100) },
        idempotency: None,
        breaker: None,
        tls: BackendTls::default(),
        format: Format::Json,
        expires: None,
        expired: None,
        expired_origin: origin(),
        tables: Vec::new(),
        errors: Vec::new(),
        origin: origin(),
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        header_max_bytes: 65_536,
        header_timeout: Duration::from_secs(10),
        body_max_bytes: 1 << 20,
        body_timeout: Duration::from_secs(10),
        keepalive_timeout: Duration::from_secs(60),
        json_max_depth: 32,
        filter_max_depth: 8,
        filter_max_terms: 32,
        patch_max_operations: 100,
        members_max: 1000,
        page_max: 100,
        calls_max: 100,
        request_timeout: Duration::from_secs(30),
        reply_max_bytes: 1000,
        bulk_max_operations: 100,
        upstream_connect_timeout: Duration::from_secs(2),
        upstream_read_timeout: Duration::from_secs(30),
    }
}

/// Secret 0 is a credential, secret 1 may stand in bodies.
pub(super) fn secrets() -> ResolvedSecrets {
    [(0, Secret::new("t0ken")), (1, Secret::new("b0dy"))].into()
}

pub(super) fn client(backend: &Backend) -> NativeClient {
    try_client(backend).unwrap()
}

pub(super) fn try_client(backend: &Backend) -> Result<NativeClient, NativeClientError> {
    let metrics = Metrics::new().unwrap();
    NativeClient::for_backends(std::slice::from_ref(backend), &secrets(), &limits(), &[0], metrics)
}

pub(super) fn call(method: &str, slot: Slot) -> NativeCall {
    NativeCall {
        keep: None,
        method: Arc::from(method),
        target: "/users?page=1".to_owned(),
        headers: Vec::new(),
        body: None,
        slot,
        resource: Arc::from("User"),
        origin: origin(),
        parts: None,
        idempotent: false,
        success: None,
    }
}

pub(super) fn get() -> NativeCall {
    call("GET", Slot::Get)
}

pub(super) fn post(body: Value) -> NativeCall {
    NativeCall { body: Some(body), ..call("POST", Slot::Create) }
}

/// Sends one call with time enough.
pub(super) async fn send(client: &NativeClient, call: &NativeCall) -> Completed {
    send_within(client, call, Duration::from_secs(20)).await
}

pub(super) async fn send_within(client: &NativeClient, call: &NativeCall, time: Duration) -> Completed {
    let forwarded = Forwarded::default();
    let context = CallContext {
        backend: 0,
        deadline: Instant::now() + time,
        forwarded: &forwarded,
        variables: &[],
        keeping: None,
    };
    client.call(call, &context).await
}

pub(super) fn failed(failure: NativeFailure) -> NativeOutcome {
    NativeOutcome::Failed(failure)
}

/// Status and body of a reply that could be read.
pub(super) fn reply(completed: &Completed) -> (u16, &Value) {
    match &completed.outcome {
        NativeOutcome::Reply(NativeReply { status, body, unreadable: false, .. }) => (*status, body.tree()),
        other => panic!("{other:?}"),
    }
}

pub(super) fn user() -> Value {
    json!({"name": "anna"})
}
