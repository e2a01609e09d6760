//! What requests and native calls are counted under, found once for a configuration.
//!
//! In: an endpoint and a method, or the slot of a call. Out: labels with their series.

use std::sync::Arc;

use http::Method;

use crate::config::{Backend, Route};
use crate::mapping::members::{InverseSource, MemberSource};
use crate::mapping::{Mapping, Slot};
use crate::plan::NativeFailure;
use crate::proxy::edge::RequestLabels;
use crate::route::Endpoint;
use crate::telemetry::catalogue::entries;
use crate::telemetry::events::Provisioning;
use crate::telemetry::series::CallSeries;
use crate::telemetry::{Known, Metrics};

/// The labels of one route.
pub(super) struct RouteLabels {
    /// By resource type, and last for what is about none; each by [`USES`].
    types: Vec<[RequestLabels; USES.len()]>,
}

impl RouteLabels {
    pub(super) fn new(route: &Route) -> Self {
        let labels = |name: &Arc<str>, has_members: bool| {
            USES.map(|Use { operation, method, .. }| {
                let labels = RequestLabels::new(Arc::clone(&route.label), Arc::clone(name), operation);
                labels.with(method, provisioning(operation, has_members))
            })
        };
        let of_type = |mapping: &Arc<Mapping>| labels(&mapping.resource_type.name, mapping.members.is_some());
        let about_none = labels(&RequestLabels::default().resource_type, false);
        Self { types: route.mappings.iter().map(of_type).chain([about_none]).collect() }
    }

    /// Makes the series of what is usually answered.
    pub(super) fn known(&self, metrics: &Metrics) {
        let Some((about_none, types)) = self.types.split_last() else { return };
        for labels in types {
            for (labels, of) in labels.iter().zip(&USES).filter(|(_, of)| of.about_a_type) {
                labels.known(metrics, of.answers);
            }
            let [first, ..] = labels;
            let name = [("resource_type", &*first.resource_type)];
            metrics.filters.known(&entries::FILTERS, &name);
            metrics.dropped_attributes.known(&entries::DROPPED_ATTRIBUTES, &name);
            metrics.scanned_items.known(&entries::SCANNED_ITEMS, &name);
        }
        for (labels, of) in about_none.iter().zip(&USES).filter(|(_, of)| !of.about_a_type) {
            labels.known(metrics, of.answers);
        }
    }

    pub(super) fn of(&self, endpoint: &Endpoint, method: &Method) -> RequestLabels {
        let type_index = match endpoint {
            Endpoint::Collection { type_index } | Endpoint::Resource { type_index, .. } => Some(*type_index),
            Endpoint::Search { type_index } => *type_index,
            _ => None,
        };
        let of_type = type_index.and_then(|index| self.types.get(index)).or(self.types.last());
        let labels = of_type.and_then(|labels| labels.get(usual(endpoint, method.as_str())));
        let labels = labels.cloned().unwrap_or_default();
        let word = method_word(method);
        if labels.method == word {
            return labels;
        }
        // Nobody sends these, or hardly anybody: their series are found anew each time.
        let operation = labels.operation;
        RequestLabels::new(labels.route, labels.resource_type, operation).with(word, Provisioning::Other)
    }
}

/// Something that is done with an endpoint.
struct Use {
    operation: &'static str,
    method: &'static str,
    about_a_type: bool,
    /// How it is answered when all goes well.
    answers: &'static [u16],
}

const fn of_type(operation: &'static str, method: &'static str, answers: &'static [u16]) -> Use {
    Use { operation, method, about_a_type: true, answers }
}

const fn of_none(operation: &'static str, method: &'static str) -> Use {
    Use { operation, method, about_a_type: false, answers: &[200] }
}

/// What is usual.
const USES: [Use; 9] = [
    of_type("create", "POST", &[201]),
    of_type("list", "GET", &[200]),
    of_type("replace", "PUT", &[200]),
    of_type("patch", "PATCH", &[200, 204]),
    of_type("delete", "DELETE", &[204]),
    of_type("get", "GET", &[200]),
    of_none("list", "POST"),
    of_none("bulk", "POST"),
    of_none("discovery", "GET"),
];

/// Which of [`USES`] it is, or is nearest to.
fn usual(endpoint: &Endpoint, method: &str) -> usize {
    match (endpoint, method) {
        (Endpoint::Collection { .. }, "POST") => 0,
        (Endpoint::Collection { .. }, _) => 1,
        (Endpoint::Resource { .. } | Endpoint::Me, "PUT") => 2,
        (Endpoint::Resource { .. } | Endpoint::Me, "PATCH") => 3,
        (Endpoint::Resource { .. } | Endpoint::Me, "DELETE") => 4,
        (Endpoint::Resource { .. } | Endpoint::Me, _) => 5,
        (Endpoint::Search { .. }, _) => 6,
        (Endpoint::Bulk, _) => 7,
        (Endpoint::ServiceProviderConfig | Endpoint::ResourceTypes(_) | Endpoint::Schemas(_), _) => 8,
    }
}

fn provisioning(operation: &str, has_members: bool) -> Provisioning {
    match operation {
        "patch" if has_members => Provisioning::Reference,
        "create" | "replace" | "patch" | "bulk" => Provisioning::Write,
        "delete" => Provisioning::Deletion,
        "list" | "get" => Provisioning::Read,
        _ => Provisioning::Other,
    }
}

/// A method as a metric label.
pub(super) fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

/// The series of one backend, by slot.
#[derive(Default)]
pub(super) struct BackendCalls([CallSeries; SLOTS]);

impl BackendCalls {
    /// Makes the series of the calls that the mappings of a backend hold.
    pub(super) fn known<'m>(metrics: &Metrics, backend: &Backend, mappings: impl Iterator<Item = &'m Arc<Mapping>>) {
        let mut slots: Vec<Slot> = mappings.flat_map(|mapping| slots(mapping)).collect();
        if !backend.tables.is_empty() {
            slots.push(Slot::Table);
        }
        slots.sort_unstable_by_key(|slot| *slot as usize);
        slots.dedup();
        let native = &metrics.native;
        for slot in slots {
            let labels = [("backend", &*backend.name), ("call", slot.as_str())];
            let with = |code, outcome| [labels.as_slice(), &[("code", code), ("outcome", outcome)]].concat();
            native.requests.known(&entries::NATIVE_REQUESTS, &with("200", "reply"));
            for failure in NativeFailure::ALL {
                native.requests.known(&entries::NATIVE_REQUESTS, &with("none", failure.as_str()));
            }
            native.request_duration.known(&entries::NATIVE_DURATION, &labels);
        }
        let name = [("backend", &*backend.name)];
        native.breaker_opened.known(&entries::BREAKER_OPENED, &name);
        native.credential_refusals.known(&entries::CREDENTIAL_REFUSALS, &name);
        native.logins.known(&entries::LOGINS, &name);
    }

    pub(super) fn of(&self, slot: Slot) -> &CallSeries {
        let Self([first, ..]) = self;
        self.0.get(slot as usize).unwrap_or(first)
    }
}

/// The calls that a mapping can make.
fn slots(mapping: &Mapping) -> Vec<Slot> {
    let ops = &mapping.ops;
    let members = mapping.members.as_ref();
    let (native_list, native_inverse) = (
        members.map(|members| matches!(members.source, MemberSource::Native(_))),
        mapping.inverse.as_ref().map(|inverse| matches!(inverse.source, InverseSource::Native(_))),
    );
    [
        (Slot::List, ops.list.is_some()),
        (Slot::Get, ops.get.is_some()),
        (Slot::Create, ops.create.is_some()),
        (Slot::Replace, ops.replace.is_some()),
        (Slot::Update, ops.update.is_some()),
        (Slot::Delete, ops.delete.is_some()),
        (Slot::MembersList, native_list == Some(false)),
        (Slot::MembersAdd, members.is_some_and(|members| members.add.is_some())),
        (Slot::MembersRemove, members.is_some_and(|members| members.remove.is_some())),
        (Slot::MembersSet, members.is_some_and(|members| members.set.is_some())),
        (Slot::Inverse, native_inverse == Some(false)),
        (Slot::Part, !mapping.parts.is_empty()),
    ]
    .into_iter()
    .filter_map(|(slot, made)| made.then_some(slot))
    .collect()
}

/// `Table` is the last of them.
const SLOTS: usize = Slot::Table as usize + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_their_names() {
        let resource = Endpoint::Resource { type_index: 0, id: String::new() };
        let collection = Endpoint::Collection { type_index: 0 };
        let search = Endpoint::Search { type_index: None };
        for (endpoint, method, name) in [
            (&collection, "POST", "create"),
            (&collection, "GET", "list"),
            (&search, "POST", "list"),
            (&resource, "PUT", "replace"),
            (&resource, "PATCH", "patch"),
            (&resource, "DELETE", "delete"),
            (&resource, "HEAD", "get"),
            (&Endpoint::Me, "GET", "get"),
            (&Endpoint::Bulk, "POST", "bulk"),
            (&Endpoint::ServiceProviderConfig, "GET", "discovery"),
        ] {
            assert_eq!(USES[usual(endpoint, method)].operation, name, "{endpoint:?} {method}");
        }
    }

    #[test]
    fn methods_are_counted_as_they_are() {
        let labels =
            |of: Use| RequestLabels::new("/a".into(), "User".into(), of.operation).with(of.method, Provisioning::Other);
        let route = RouteLabels { types: vec![USES.map(labels), USES.map(labels)] };
        let collection = Endpoint::Collection { type_index: 0 };
        for (method, expected) in
            [("GET", "GET"), ("POST", "POST"), ("HEAD", "HEAD"), ("DELETE", "DELETE"), ("PURGE", "other")]
        {
            let found = route.of(&collection, &method.parse().unwrap());
            assert_eq!((found.method, found.route.as_ref()), (expected, "/a"), "{method}");
        }
    }

    #[test]
    fn every_slot_has_series_of_its_own() {
        let calls = BackendCalls::default();
        let slots = Slot::ALL.into_iter().chain([Slot::Login, Slot::Table]);
        let places: std::collections::BTreeSet<_> = slots.map(|slot| std::ptr::from_ref(calls.of(slot))).collect();
        assert_eq!(places.len(), SLOTS);
    }
}
