//! When the credentials of a configuration expire.
//!
//! In: a snapshot and its secrets. Out: gauges, set when the snapshot is put in force. What the configuration says goes
//! before what a token says of itself; tokens that are fetched and renewed have no end that anybody has to know.

use std::sync::Arc;

use prometheus::IntGaugeVec;

use crate::auth::{AuthKind, jwt_expiry};
use crate::config::{Backend, OutboundAuth, ResolvedSecrets, Route, Snapshot};
use crate::telemetry::Metrics;

/// Points in time, in seconds since 1970.
pub(super) struct Expiries {
    /// By route and name of the token.
    inbound: Vec<(Arc<str>, Arc<str>, i64)>,
    /// By backend.
    native: Vec<(Arc<str>, i64)>,
}

impl Expiries {
    pub(super) fn of(snapshot: &Snapshot, secrets: &ResolvedSecrets) -> Self {
        let says = |index: &usize| secrets.get(index).and_then(|secret| jwt_expiry(secret.expose()));
        let of_route = |route: &Route| {
            let authenticator = route.auth.and_then(|index| snapshot.authenticators.get(index));
            let tokens = authenticator.map_or(&[][..], |authenticator| match &authenticator.kind {
                AuthKind::Bearer { tokens } => tokens.as_slice(),
                AuthKind::None => &[],
            });
            let facts = authenticator.map_or(&[][..], |authenticator| &authenticator.tokens);
            let expiring = tokens.iter().zip(facts).filter_map(|(index, facts)| {
                Some((Arc::clone(&route.label), Arc::clone(&facts.name), facts.expires.or_else(|| says(index))?))
            });
            expiring.collect::<Vec<_>>()
        };
        let of_backend = |backend: &Backend| {
            let own = match &backend.auth {
                OutboundAuth::Token { token, .. } => says(token),
                _ => None,
            };
            Some((Arc::clone(&backend.name), backend.expires.or(own)?))
        };
        Self {
            inbound: snapshot.routes.iter().flat_map(of_route).collect(),
            native: snapshot.backends.iter().filter_map(of_backend).collect(),
        }
    }

    /// Shows these and no others.
    pub(super) fn show(&self, metrics: &Metrics) {
        let set = |gauge: &IntGaugeVec, labels: &[&str], at: i64| gauge.with_label_values(labels).set(at);
        metrics.token_expiry.reset();
        for (route, token, at) in &self.inbound {
            set(&metrics.token_expiry, &[route, token], *at);
        }
        metrics.native.credential_expiry.reset();
        for (backend, at) in &self.native {
            set(&metrics.native.credential_expiry, &[backend], *at);
        }
    }
}
