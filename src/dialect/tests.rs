//! Tests of the stage as a whole. The functions it is made of are too small to be worth tests of their own.

mod bounds;
mod corpus;
mod operations;
mod properties;
mod resources;

use serde_json::{Value, json};

use super::{NormalisedPatch, PatchLimits, Purpose, Repairs, patch, resource};
use crate::scim::patch::apply;
use crate::scim::schema::{group_type, user_type};
use crate::scim::{Attribute, AttributeType, Resource, ResourceType, Schema, ScimError};

const ENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

/// The User type with the extension that the wire cases use, plus an attribute for each type that no RFC schema has.
fn user() -> ResourceType {
    let parts =
        vec![Attribute::new("value", AttributeType::String, ""), Attribute::new("type", AttributeType::String, "")];
    let badges = Attribute { sub_attributes: parts, ..Attribute::new("badges", AttributeType::Complex, "").multi() };
    let attributes = vec![
        Attribute::new("tag", AttributeType::String, ""),
        badges,
        Attribute::new("size", AttributeType::Integer, ""),
        Attribute::new("ratio", AttributeType::Decimal, ""),
        Attribute::new("since", AttributeType::DateTime, ""),
        Attribute::new("words", AttributeType::String, "").multi(),
        Attribute::new("badgeNumber", AttributeType::String, "").immutable(),
    ];
    let mut user = user_type();
    user.extensions.push(Schema::new(ACME, "Acme", "", attributes));
    user
}

fn type_of(name: &str) -> ResourceType {
    if name == "Group" { group_type() } else { user() }
}

fn stored(rt: &ResourceType, value: Value) -> Resource {
    resource(rt, value, Purpose::Stored, &PatchLimits::default(), &mut Repairs::default())
        .expect("a valid resource")
        .resource
}

#[expect(clippy::needless_pass_by_value, reason = "literals read better without references")]
fn normalise(rt: &ResourceType, ops: Value) -> Result<NormalisedPatch, ScimError> {
    patch(rt, json!({"Operations": ops}), &PatchLimits::default(), Some("r-1"), &mut Repairs::default())
}

/// The resource after the operations.
fn patched(rt: &ResourceType, before: Value, ops: Value) -> Result<Value, ScimError> {
    let ops = normalise(rt, ops)?.ops;
    apply(rt, stored(rt, before), &ops).map(|resource| Value::Object(resource.0))
}

/// `scimType` of an error, or `ok`.
fn outcome<T>(result: &Result<T, ScimError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) if error.status == 413 => "413",
        Err(error) => error.scim_type.map_or("none", crate::scim::ScimType::as_str),
    }
}
