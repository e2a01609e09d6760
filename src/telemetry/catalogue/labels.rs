//! The labels of metrics, and the words that they take.

use super::{Label, Values};
use crate::auth::AuthFailure;
use crate::config::reload::Outcome;
use crate::dialect::Repair;
use crate::mapping::Slot;
use crate::plan::{FilterPath, NativeFailure};
use crate::proxy::head::Refusal;
use crate::route::{NotFoundReason, Reason};
use crate::scim::{Bound, ScimType};
use crate::telemetry::series::{Answered, DroppedReason, RetryReason};

const fn words(name: &'static str, words: fn() -> Vec<&'static str>) -> Label {
    Label { name, values: Values::Words(words) }
}

const fn said(name: &'static str, sentence: &'static str) -> Label {
    Label { name, values: Values::Said(sentence) }
}

pub(super) const ROUTE: Label = said("route", "the `path` of a route as it is written, or `none`");
pub(super) const TENANT: Label = said(
    "tenant",
    "the values of the route's variables, joined by `/`; empty for a route without variables; `other` for all beyond `metrics.tenants`",
);
pub(super) const TYPE: Label = said("resource_type", "a resource type of the configuration, or `none`");
pub(super) const CODE: Label = said("code", "an HTTP status");
pub(super) const NATIVE_CODE: Label = said("code", "an HTTP status, or `none` where there was no reply");
pub(super) const BACKEND: Label = said("backend", "the name of a backend");
pub(super) const TOKEN: Label =
    said("token", "the `name` of the token, or else the variable, file or place that it comes from; never the token");
pub(super) const HASH: Label = said("hash", "16 hexadecimal digits that change with the text of the configuration");
pub(super) const VERSION: Label = said("version", "the version of the program");

pub(super) const OPERATION: Label = words("operation", || OPERATIONS.to_vec());
pub(super) const METHOD: Label = words("method", || METHODS.to_vec());
pub(super) const OUTCOME: Label = words("outcome", || Answered::ALL.map(Answered::as_str).to_vec());
pub(super) const SCIM_TYPE: Label =
    words("scim_type", || ScimType::ALL.map(ScimType::as_str).into_iter().chain(["none"]).collect());
pub(super) const CALL: Label =
    words("call", || Slot::ALL.into_iter().chain([Slot::Login, Slot::Table]).map(Slot::as_str).collect());
pub(super) const NATIVE_OUTCOME: Label =
    words("outcome", || ["reply", "unreadable", "kept"].into_iter().chain(failures()).collect());
pub(super) const LOGIN_OUTCOME: Label = words("outcome", || ["ok"].into_iter().chain(failures()).collect());
pub(super) const RETRY: Label = words("reason", || RetryReason::ALL.map(RetryReason::as_str).to_vec());
pub(super) const REPAIR: Label = words("repair", || Repair::ALL.map(Repair::name).to_vec());
pub(super) const DROPPED: Label = words("reason", || DroppedReason::ALL.map(DroppedReason::as_str).to_vec());
pub(super) const FILTER: Label = words("plan", || FilterPath::ALL.map(FilterPath::as_str).to_vec());
pub(super) const AUTH_FAILURE: Label = words("reason", || AuthFailure::ALL.map(AuthFailure::as_str).to_vec());
pub(super) const ROUTE_REJECTION: Label =
    words("reason", || NotFoundReason::WORDS.into_iter().chain(Reason::ALL.map(Reason::as_str)).collect());
pub(super) const PROTOCOL: Label = words("reason", || Refusal::ALL.map(Refusal::as_str).to_vec());
pub(super) const BOUND: Label = words("bound", || Bound::ALL.map(Bound::as_str).to_vec());
pub(super) const RELOAD: Label = words("outcome", || Outcome::ALL.map(Outcome::as_str).to_vec());
pub(super) const SPANS: Label = words("outcome", || vec!["sent", "failed", "dropped"]);

/// Operations of SCIM requests.
const OPERATIONS: [&str; 9] = ["create", "list", "replace", "patch", "delete", "get", "bulk", "discovery", "none"];
/// Methods of SCIM requests.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "other"];

fn failures() -> impl Iterator<Item = &'static str> {
    NativeFailure::ALL.into_iter().map(NativeFailure::as_str)
}
