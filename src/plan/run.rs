//! What every flow of one request needs: the mapping, the backend, and a way to make calls.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Backend, Route, Snapshot};
use crate::dialect::{Repair, Repairs};
use crate::expr::Env;
use crate::mapping::{Call, Mapping};
use crate::scim::{FilterRepair, ScimError};

use super::call::{FilterPath, NativeCall, NativeReply};
use super::coroutine::Native;
use super::judge::{Verdict, judge};
use super::{Context, guard, render};

/// One request about one resource type.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) context: &'a Context,
    pub(super) snapshot: &'a Snapshot,
    pub(super) route: &'a Route,
    pub(super) backend: &'a Backend,
    pub(super) mapping: &'a Mapping,
    pub(super) native: &'a Native,
    /// Replies that were kept do not serve: what is decided here must be true at this moment.
    pub(super) fresh: bool,
    /// Objects that are gone are found as well.
    pub(super) with_gone: bool,
    /// Guards are not asked: what they hide is there all the same.
    pub(super) sees_hidden: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(context: &'a Context, type_index: usize, native: &'a Native) -> Result<Self, ScimError> {
        let snapshot = &*context.snapshot;
        let lost = || ScimError::internal("the route and the configuration do not belong together");
        let route = snapshot.routes.get(context.route).ok_or_else(lost)?;
        let backend = snapshot.backends.get(route.backend).ok_or_else(lost)?;
        let mapping = route.mappings.get(type_index).ok_or_else(lost)?;
        Ok(Self {
            context,
            snapshot,
            route,
            backend,
            mapping,
            native,
            fresh: false,
            with_gone: false,
            sees_hidden: false,
        })
    }

    /// The same request seen from another resource type of the route.
    pub(super) fn of_type(&self, name: &str) -> Option<Self> {
        let mapping = self.route.mappings.iter().find(|mapping| &*mapping.resource_type.name == name)?;
        Some(Self { mapping, ..*self })
    }

    pub(super) fn type_name(&self) -> &'a str {
        &self.mapping.resource_type.name
    }

    /// An environment with the route variables, the facts about the request, and nothing else.
    pub(super) fn env(&self) -> Env<'a> {
        let tables = self.native.tables().entries();
        Env {
            table: tables.map(|entries| &entries.keys),
            table_names: tables.map(|entries| &entries.names),
            vars: &self.context.variables,
            req: Some(&self.context.request),
            seed: self.context.seed.as_ref(),
            ..Env::default()
        }
    }

    /// Carries out one call and judges its reply.
    pub(super) async fn call(
        &self,
        call: &Call,
        env: &Env<'_>,
        rows: render::Rows<'_>,
    ) -> Result<NativeReply, ScimError> {
        self.verdict(call, env, rows).await?.into_result()
    }

    /// Like [`Run::call`], telling success by `ok` from success by `also_ok`.
    pub(super) async fn verdict(
        &self,
        call: &Call,
        env: &Env<'_>,
        rows: render::Rows<'_>,
    ) -> Result<Verdict, ScimError> {
        let request = self.render(call, env, rows)?;
        self.send(call, request, env).await
    }

    pub(super) fn render(&self, call: &Call, env: &Env<'_>, rows: render::Rows<'_>) -> Result<NativeCall, ScimError> {
        render::call(self, call, env, rows)
    }

    /// Carries out a rendered call and judges its reply.
    pub(super) async fn send(&self, call: &Call, request: NativeCall, env: &Env<'_>) -> Result<Verdict, ScimError> {
        let outcome = self.native.one(request).await?;
        Ok(judge(self, call, outcome, env))
    }

    /// The native key a SCIM id stands for; `None` for one that cannot be a key here or is known to be hidden, which is
    /// a 404 without a call.
    pub(super) fn native_id(&self, id: &str) -> Option<Value> {
        self.mapping.id.decode(id).filter(|key| !guard::hides(self, key, None))
    }

    /// The SCIM id of a native key of this type.
    pub(super) fn id_of(&self, key: &Value) -> Option<String> {
        self.mapping.id.text(key)
    }

    pub(super) fn not_found(&self, id: &str) -> ScimError {
        ScimError::not_found(self.type_name(), id)
    }

    pub(super) fn note(&self, note: impl Into<Cow<'static, str>>) {
        self.native.report(|report| report.notes.push(note.into()));
    }

    pub(super) fn record_repairs(&self, repairs: &Repairs) {
        if !repairs.is_empty() {
            self.native.report(|report| report.repairs.merge(repairs));
        }
    }

    /// How a filter is answered; of several the most costly.
    pub(super) fn record_filter(&self, path: FilterPath) {
        self.native.report(|report| report.filter = report.filter.max(Some(path)));
    }

    pub(super) fn record_filter_repairs(&self, repairs: &[FilterRepair]) {
        if repairs.is_empty() {
            return;
        }
        self.native
            .report(|report| report.filter_repairs.extend(repairs.iter().map(|repair| Repair::from(*repair).name())));
    }

    /// Counts what the client sent and the mapping has no place for.
    pub(super) fn record_ignored(&self, unmapped: Vec<String>, unknown: Vec<String>) {
        if unmapped.is_empty() && unknown.is_empty() {
            return;
        }
        self.native.report(|report| {
            report.unmapped.extend(unmapped);
            report.unknown.extend(unknown);
        });
    }

    pub(super) fn record_id(&self, id: &str) {
        self.native.report(|report| report.resource_id = Some(id.to_owned()));
    }

    /// The location of a resource of this type.
    pub(super) fn location(&self, id: &str) -> String {
        location(&self.context.base_url, &self.mapping.resource_type.endpoint, id)
    }
}

/// `{base}{endpoint}/{id}` with the id as one percent-encoded segment.
pub(super) fn location(base: &str, endpoint: &str, id: &str) -> String {
    let mut location = String::with_capacity(base.len() + endpoint.len() + id.len() + 16);
    location.push_str(base);
    location.push_str(endpoint);
    location.push('/');
    location.extend(render::segment(id));
    location
}

/// The SCIM id that a native value names: of the given type, where the route serves it.
pub(super) fn named_id(of: Option<&Run<'_>>, value: &Value) -> Option<String> {
    of.map_or_else(|| id_text(value), |of| of.mapping.id.text_of(value))
}

/// The text of a single value, whatever its native type.
pub(super) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Response headers as the JSON object that expressions see.
pub(super) fn headers_value(reply: &NativeReply) -> Value {
    let map: BTreeMap<&str, &str> = reply.headers.iter().collect();
    map.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<serde_json::Map<_, _>>().into()
}
