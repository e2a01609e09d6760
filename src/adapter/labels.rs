//! What requests and native calls are counted under, found once for a configuration.
//!
//! In: an endpoint and a method, or the slot of a call. Out: labels with their series.

use crate::config::Route;
use crate::mapping::Slot;
use crate::proxy::edge::RequestLabels;
use crate::route::Endpoint;
use crate::telemetry::series::CallSeries;

/// The labels of one route.
pub(super) struct RouteLabels {
    /// By resource type, and last for what is about none; each by [`OPERATIONS`].
    types: Vec<[RequestLabels; OPERATIONS.len()]>,
}

impl RouteLabels {
    pub(super) fn new(route: &Route) -> Self {
        let none = RequestLabels::default().resource_type;
        let names = route.mappings.iter().map(|mapping| &mapping.resource_type.name).chain([&none]);
        let labels = |name: &std::sync::Arc<str>| {
            OPERATIONS.map(|operation| RequestLabels::new(route.label.clone(), name.clone(), operation))
        };
        Self { types: names.map(labels).collect() }
    }

    pub(super) fn of(&self, endpoint: &Endpoint, method: &str) -> RequestLabels {
        let type_index = match endpoint {
            Endpoint::Collection { type_index } | Endpoint::Resource { type_index, .. } => Some(*type_index),
            Endpoint::Search { type_index } => *type_index,
            _ => None,
        };
        let of_type = type_index.and_then(|index| self.types.get(index)).or(self.types.last());
        let labels = of_type.and_then(|labels| labels.get(operation(endpoint, method)));
        labels.cloned().unwrap_or_default()
    }
}

/// Which of [`OPERATIONS`] it is.
fn operation(endpoint: &Endpoint, method: &str) -> usize {
    match (endpoint, method) {
        (Endpoint::Collection { .. }, "POST") => 0,
        (Endpoint::Collection { .. } | Endpoint::Search { .. }, _) => 1,
        (Endpoint::Resource { .. } | Endpoint::Me, "PUT") => 2,
        (Endpoint::Resource { .. } | Endpoint::Me, "PATCH") => 3,
        (Endpoint::Resource { .. } | Endpoint::Me, "DELETE") => 4,
        (Endpoint::Resource { .. } | Endpoint::Me, _) => 5,
        (Endpoint::Bulk, _) => 6,
        (Endpoint::ServiceProviderConfig | Endpoint::ResourceTypes(_) | Endpoint::Schemas(_), _) => 7,
    }
}

/// Operations as metric labels.
const OPERATIONS: [&str; 8] = ["create", "list", "replace", "patch", "delete", "get", "bulk", "discovery"];

/// The series of one backend, by slot.
#[derive(Default)]
pub(super) struct BackendCalls([CallSeries; SLOTS]);

impl BackendCalls {
    pub(super) fn of(&self, slot: Slot) -> &CallSeries {
        let Self([first, ..]) = self;
        self.0.get(slot as usize).unwrap_or(first)
    }
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
            assert_eq!(OPERATIONS[operation(endpoint, method)], name, "{endpoint:?} {method}");
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
