//! Discovery (RFC 7644 section 4): what this route can do, read off its compiled mapping.

use crate::auth::AuthKind;
use crate::config::{Route, Snapshot};
use crate::mapping::{Mapping, Members};
use crate::route::Endpoint;
use crate::scim::discovery::{
    self, AuthenticationKind, AuthenticationScheme, BulkCapability, Capabilities, FilterCapability,
    PaginationCapability, PaginationMethod,
};
use crate::scim::{ResourceType, ScimError};

use super::call::ScimResponse;
use super::{Context, ScimRequest, answer, cursor};

pub(super) fn answer(context: &Context, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let lost = || ScimError::internal("the route and the configuration do not belong together");
    let route = context.snapshot.routes.get(context.route).ok_or_else(lost)?;
    if asks_to_filter(&request.query) {
        return Err(discovery::filter_forbidden());
    }
    let types: Vec<&ResourceType> = route.mappings.iter().map(|mapping| &mapping.resource_type).collect();
    let base = &context.base_url;
    let body = match &request.endpoint {
        Endpoint::ServiceProviderConfig => {
            discovery::service_provider_config(&capabilities(&context.snapshot, route), base)
        }
        Endpoint::Schemas(None) => discovery::schemas(&types, base),
        Endpoint::Schemas(Some(urn)) => discovery::schema(&types, urn, base)?,
        Endpoint::ResourceTypes(None) => discovery::resource_types(&types, base),
        Endpoint::ResourceTypes(Some(name)) => discovery::resource_type(&types, name, base)?,
        _ => return Err(lost()),
    };
    Ok(answer::document(body))
}

fn asks_to_filter(query: &str) -> bool {
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        name.eq_ignore_ascii_case("filter") && !value.is_empty()
    })
}

/// What a base URL can do, derived from what its plans really do, so that it cannot promise more.
pub fn capabilities(snapshot: &Snapshot, route: &Route) -> Capabilities {
    let limits = &snapshot.limits;
    let any = |test: fn(&Mapping) -> bool| route.mappings.iter().any(|mapping| test(mapping));
    let lists = any(|mapping| mapping.ops.list.is_some());
    Capabilities {
        documentation_uri: None,
        patch: any(can_change),
        bulk: Some(BulkCapability {
            max_operations: limits.bulk_max_operations as u64,
            max_payload_bytes: limits.body_max_bytes as u64,
        }),
        filter: any(|mapping| !mapping.filters.is_empty() || mapping.scan.is_some())
            .then_some(FilterCapability { max_results: limits.page_max as u64 }),
        change_password: any(has_password),
        sort: lists,
        etag: true,
        pagination: PaginationCapability {
            cursor: lists,
            index: lists,
            default_method: Some(PaginationMethod::Index),
            default_page_size: Some(limits.page_max as u64),
            max_page_size: Some(limits.page_max as u64),
            cursor_timeout_seconds: Some(cursor::LIFETIME_SECONDS),
        },
        authentication_schemes: schemes(snapshot, route),
    }
}

/// Whether an object can be changed once it is there, which is what PATCH and PUT are for.
pub fn can_change(mapping: &Mapping) -> bool {
    let changes_members =
        |members: &Members| members.add.is_some() || members.remove.is_some() || members.set.is_some();
    mapping.ops.update.is_some()
        || mapping.ops.replace.is_some()
        || !mapping.writes.is_empty()
        || mapping.members.as_ref().is_some_and(changes_members)
}

fn has_password(mapping: &Mapping) -> bool {
    mapping.rows.iter().any(|row| &*row.target.path.attribute == "password" && row.updatable() && row.on_update)
}

fn schemes(snapshot: &Snapshot, route: &Route) -> Vec<AuthenticationScheme> {
    let authenticator = route.auth.and_then(|index| snapshot.authenticators.get(index));
    match authenticator.map(|authenticator| &authenticator.kind) {
        Some(AuthKind::Bearer { .. }) => vec![AuthenticationScheme {
            kind: AuthenticationKind::OAuthBearerToken,
            name: "Bearer token".to_owned(),
            description: "A token that the operator of this service hands out, sent as 'Authorization: Bearer'."
                .to_owned(),
        }],
        _ => Vec::new(),
    }
}
