//! Answers: status, headers, locations, versions and what is left of a resource after projection.

use serde_json::{Map, Value};

use crate::dialect::PatchLimits;
use crate::scim::filter::FilterLimits;
use crate::scim::projection::set_schemas;
use crate::scim::query::QueryLimits;
use crate::scim::{self, Resource, ScimError};

use super::ScimRequest;
use super::call::{Content, Report, ScimResponse};
use super::read::Object;
use super::render::encode_query;
use super::run::Run;
use super::show::Shown;

/// Bounds of query parameters, from the configuration.
pub(super) fn query_limits(run: &Run<'_>) -> QueryLimits {
    QueryLimits { filter: filter_limits(run), ..QueryLimits::default() }
}

/// Bounds of filters, from the configuration.
pub(super) fn filter_limits(run: &Run<'_>) -> FilterLimits {
    let limits = &run.snapshot.limits;
    FilterLimits { max_depth: limits.filter_max_depth, max_terms: limits.filter_max_terms, ..FilterLimits::default() }
}

/// Bounds of the body of a write, from the configuration.
pub(super) fn body_limits(run: &Run<'_>) -> PatchLimits {
    let limits = &run.snapshot.limits;
    PatchLimits {
        max_operations: limits.patch_max_operations,
        max_values: limits.members_max,
        filter: filter_limits(run),
    }
}

/// Adds `meta` and `schemas`. A version is announced only for a resource that was read whole: one computed without
/// the members would not change with them.
pub(super) fn finish(run: &Run<'_>, resource: &mut Resource, object: &Object, complete: bool) {
    set_schemas(resource, &run.mapping.resource_type);
    let version = match &object.version {
        Some(native) => Some(entity_tag(native)),
        None => complete.then(|| computed_version(resource)),
    };
    let mut meta = match resource.0.remove("meta") {
        Some(Value::Object(meta)) => meta,
        _ => Map::new(),
    };
    meta.insert("resourceType".to_owned(), Value::from(run.type_name()));
    meta.insert("location".to_owned(), Value::from(run.location(&object.id)));
    if let Some(version) = version {
        meta.insert("version".to_owned(), Value::from(version));
    }
    resource.0.insert("meta".to_owned(), Value::Object(meta));
}

/// The application's version as a weak entity tag. An entity tag keeps its value; in anything else, what a tag may not
/// hold (RFC 9110 8.8.3) is percent-encoded.
pub(super) fn entity_tag(native: &str) -> String {
    let opaque = native.trim().trim_start_matches("W/");
    let opaque = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(opaque);
    // A comma is allowed as well, but would end the tag in the eyes of who splits a list of them.
    let allowed = |c: char| matches!(c, '!' | '#'..='+' | '-'..='~');
    if opaque.chars().all(allowed) { format!("W/\"{opaque}\"") } else { format!("W/\"{}\"", encode_query(opaque)) }
}

/// A weak entity tag over the content (RFC 7644 3.14).
fn computed_version(resource: &Resource) -> String {
    format!("W/\"{:032x}\"", scim::digest::digest(&resource.0))
}

/// The version a resource announces.
pub(super) fn version(resource: &Resource) -> Option<&str> {
    resource.0.get("meta")?.get("version")?.as_str()
}

/// 200 with a resource that was read; 304 when the client has it already.
pub(super) fn found(shown: Shown, request: &ScimRequest) -> ScimResponse {
    let unchanged = match (&request.if_none_match, &shown.version) {
        (Some(known), Some(current)) => names_version(known, current),
        _ => false,
    };
    if unchanged {
        let headers = shown.version.map(|tag| ("ETag", tag)).into_iter().collect();
        return ScimResponse { status: 304, headers, ..ScimResponse::default() };
    }
    with_resource(200, shown)
}

/// A resource as the body, with its location and version.
pub(super) fn with_resource(status: u16, shown: Shown) -> ScimResponse {
    let mut headers = Vec::with_capacity(2);
    headers.push((if status == 201 { "Location" } else { "Content-Location" }, shown.location));
    headers.extend(shown.version.map(|tag| ("ETag", tag)));
    ScimResponse { status, headers, body: Some(shown.body), report: Report::default() }
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> ScimResponse {
    ScimResponse { status, ..ScimResponse::default() }
}

/// 200 with a document that is not a resource.
pub(super) fn document(body: Value) -> ScimResponse {
    ScimResponse { status: 200, body: Some(Content::Tree(body)), ..ScimResponse::default() }
}

/// The same, as text.
pub(super) fn text(body: Vec<u8>) -> ScimResponse {
    ScimResponse { status: 200, body: Some(Content::Text(body)), ..ScimResponse::default() }
}

/// An error as an answer.
pub(super) fn error(error: &ScimError) -> ScimResponse {
    let mut headers = Vec::new();
    if let Some(seconds) = error.retry_after {
        headers.push(("Retry-After", seconds.to_string()));
    }
    ScimResponse {
        status: error.status,
        headers,
        body: Some(Content::Tree(error.to_json())),
        report: Report { error: Some(error.clone()), ..Report::default() },
    }
}

/// 412 unless the resource still has a version that `If-Match` names.
pub(super) fn check_if_match(request: &ScimRequest, resource: &Resource) -> Result<(), ScimError> {
    match (&request.if_match, version(resource)) {
        (Some(expected), Some(current)) if !names_version(expected, current) => {
            Err(ScimError::new(412, format!("the resource has changed: its version is {current}")))
        }
        _ => Ok(()),
    }
}

/// Weak comparison of a list of entity tags (RFC 9110 8.8.3.2).
fn names_version(list: &str, current: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    list.trim() == "*" || list.split(',').any(|tag| bare(tag) == bare(current))
}

#[cfg(test)]
mod tests {
    use super::{entity_tag, names_version};

    #[test]
    fn a_native_version_becomes_a_tag() {
        assert_eq!(entity_tag("7"), "W/\"7\"");
        assert_eq!(entity_tag("\"v1\""), "W/\"v1\"");
        assert_eq!(entity_tag("W/\"v1\""), "W/\"v1\"");
        assert_eq!(entity_tag("2024-01-02 03:04\""), "W/\"2024-01-02%2003%3A04%22\"");
    }

    #[test]
    fn entity_tags_compare_weakly() {
        assert!(names_version("W/\"a\"", "W/\"a\""));
        assert!(names_version("\"b\", \"a\"", "W/\"a\""));
        assert!(names_version("*", "W/\"a\""));
        assert!(!names_version("\"b\"", "W/\"a\""));
    }
}
