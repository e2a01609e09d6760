//! Schemas and resource types as the discovery documents of RFC 7643 sections 6 and 7.

use serde_json::{Map, Value, json};

use super::{Attribute, AttributeType, ResourceType, Schema};

/// URN of a schema document.
pub const SCHEMA_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// URN of a resource type document.
pub const RESOURCE_TYPE_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

impl Schema {
    /// The document of RFC 7643 section 7; `base` is the SCIM base URL without a slash at its end.
    pub fn to_json(&self, base: &str) -> Value {
        json!({
            "schemas": [SCHEMA_SCHEMA],
            "id": &*self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::to_json).collect::<Vec<_>>(),
            "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.id)},
        })
    }
}

impl ResourceType {
    /// The document of RFC 7643 section 6; `base` is the SCIM base URL without a slash at its end. Lists the
    /// announced extensions once a mapping is compiled, else all known ones.
    pub fn to_json(&self, base: &str) -> Value {
        let extensions: Vec<Value> = self
            .effective_schemas()
            .filter(|schema| schema.id != self.schema.id)
            .map(|schema| json!({"schema": &*schema.id, "required": false}))
            .collect();
        json!({
            "schemas": [RESOURCE_TYPE_SCHEMA],
            "id": &*self.name,
            "name": &*self.name,
            "endpoint": &*self.endpoint,
            "description": self.description,
            "schema": &*self.schema.id,
            "schemaExtensions": extensions,
            "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name)},
        })
    }
}

impl Attribute {
    /// The attribute definition of RFC 7643 section 7. `caseExact` is given where it has a meaning.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("name", json!(&*self.name));
        put("type", json!(self.kind.as_str()));
        put("multiValued", json!(self.multi_valued));
        put("description", json!(self.description));
        put("required", json!(self.required));
        put("mutability", json!(self.mutability.as_str()));
        put("returned", json!(self.returned.as_str()));
        put("uniqueness", json!(self.uniqueness.as_str()));
        if matches!(self.kind, AttributeType::String | AttributeType::Reference | AttributeType::Binary) {
            put("caseExact", json!(self.case_exact));
        }
        if !self.canonical_values.is_empty() {
            put("canonicalValues", json!(self.canonical_values));
        }
        if !self.reference_types.is_empty() {
            put("referenceTypes", json!(self.reference_types));
        }
        if self.kind == AttributeType::Complex {
            put("subAttributes", self.sub_attributes.iter().map(Self::to_json).collect());
        }
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ENTERPRISE_SCHEMA, USER_SCHEMA, group_type, user_type};
    use super::*;

    const BASE: &str = "https://scim.example/v2";

    #[test]
    fn a_schema_document_has_every_characteristic() {
        let document = group_type().schema.to_json(BASE);
        assert_eq!(document["schemas"], json!([SCHEMA_SCHEMA]));
        assert_eq!(document["meta"]["location"], format!("{BASE}/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group"));
        assert_eq!(
            document["attributes"][0],
            json!({
                "name": "displayName", "type": "string", "multiValued": false, "description": "Name of the group",
                "required": true, "caseExact": false, "mutability": "readWrite", "returned": "default",
                "uniqueness": "server",
            })
        );
        let kind = &document["attributes"][1]["subAttributes"][2];
        assert_eq!(kind["canonicalValues"], json!(["User", "Group"]));
        assert_eq!(document["attributes"][1]["subAttributes"][1]["referenceTypes"], json!(["User", "Group"]));
        assert_eq!(document["attributes"][1].get("caseExact"), None);
    }

    #[test]
    fn a_resource_type_lists_announced_extensions_once_there_are_any() {
        let mut user = user_type();
        let document = user.to_json(BASE);
        assert_eq!(document["endpoint"], "/Users");
        assert_eq!(document["schema"], USER_SCHEMA);
        assert_eq!(document["schemaExtensions"], json!([{"schema": ENTERPRISE_SCHEMA, "required": false}]));
        user.announced = vec![user.schema.clone()];
        assert_eq!(user.to_json(BASE)["schemaExtensions"], json!([]));
    }
}
