//! The discovery documents of RFC 7644 section 4: service provider configuration (RFC 7643 section 5, RFC 9865
//! section 4), schemas, resource types.
//!
//! In: what the adapter can do, the resource types with what their mapping announces, and the SCIM base URL (without a
//! slash at its end). Out: the documents. Whether a capability is really there is the business of who fills
//! [`Capabilities`].

use serde_json::{Map, Value, json};

use super::attr_path::shorten;
use super::error::ScimError;
use super::list::ListResponse;
use super::schema::{ResourceType, Schema};

/// URN of the service provider configuration.
pub const SERVICE_PROVIDER_CONFIG_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// What the service provider can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the document is a list of independent yes-or-no answers")]
pub struct Capabilities {
    /// Address of documentation for people.
    pub documentation_uri: Option<String>,
    /// PATCH.
    pub patch: bool,
    /// Bulk requests; `None` if there are none.
    pub bulk: Option<BulkCapability>,
    /// Filters; `None` if there are none.
    pub filter: Option<FilterCapability>,
    /// Changing passwords.
    pub change_password: bool,
    /// Sorting.
    pub sort: bool,
    /// Entity tags.
    pub etag: bool,
    /// Paging.
    pub pagination: PaginationCapability,
    /// Ways to authenticate, the preferred one first.
    pub authentication_schemes: Vec<AuthenticationScheme>,
}

/// Bounds on bulk requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkCapability {
    /// Most operations in a request.
    pub max_operations: u64,
    /// Largest request body, in bytes.
    pub max_payload_bytes: u64,
}

/// Bounds on filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterCapability {
    /// Most resources in an answer.
    pub max_results: u64,
}

/// Ways to page (RFC 9865 section 4). What is `None` is not announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaginationCapability {
    /// By cursor.
    pub cursor: bool,
    /// By index.
    pub index: bool,
    /// What a query gets that names neither.
    pub default_method: Option<PaginationMethod>,
    /// Size of a page if the client does not say.
    pub default_page_size: Option<u64>,
    /// Largest page.
    pub max_page_size: Option<u64>,
    /// How long a cursor is good for between two pages, in seconds.
    pub cursor_timeout_seconds: Option<u64>,
}

impl Default for PaginationCapability {
    /// By index, as RFC 7644 has it, and nothing said about sizes.
    fn default() -> Self {
        Self {
            cursor: false,
            index: true,
            default_method: None,
            default_page_size: None,
            max_page_size: None,
            cursor_timeout_seconds: None,
        }
    }
}

/// `defaultPaginationMethod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaginationMethod {
    /// RFC 9865.
    Cursor,
    /// RFC 7644 3.4.2.4.
    Index,
}

/// One way to authenticate (RFC 7643 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationScheme {
    /// Which one.
    pub kind: AuthenticationKind,
    /// Name for people.
    pub name: String,
    /// What the administrator of the identity provider has to know.
    pub description: String,
}

/// `type` of an authentication scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationKind {
    /// A bearer token (RFC 6750).
    OAuthBearerToken,
    /// Name and password (RFC 7617).
    HttpBasic,
}

/// The service provider configuration.
pub fn service_provider_config(capabilities: &Capabilities, base: &str) -> Value {
    let supported = |yes: bool| json!({"supported": yes});
    let bulk = capabilities.bulk;
    let schemes = capabilities.authentication_schemes.iter().enumerate();
    let mut document = json!({
        "schemas": [SERVICE_PROVIDER_CONFIG_SCHEMA],
        "patch": supported(capabilities.patch),
        "bulk": {
            "supported": bulk.is_some(),
            "maxOperations": bulk.map_or(0, |bulk| bulk.max_operations),
            "maxPayloadSize": bulk.map_or(0, |bulk| bulk.max_payload_bytes),
        },
        "filter": {
            "supported": capabilities.filter.is_some(),
            "maxResults": capabilities.filter.map_or(0, |filter| filter.max_results),
        },
        "changePassword": supported(capabilities.change_password),
        "sort": supported(capabilities.sort),
        "etag": supported(capabilities.etag),
        "pagination": pagination(capabilities.pagination),
        "authenticationSchemes": schemes.map(|(index, scheme)| authentication_scheme(scheme, index == 0)).collect::<Vec<_>>(),
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    });
    if let (Some(uri), Some(object)) = (&capabilities.documentation_uri, document.as_object_mut()) {
        object.insert("documentationUri".to_owned(), json!(uri));
    }
    document
}

/// The list of schemas: those that the resource types announce, each once.
pub fn schemas(resource_types: &[&ResourceType], base: &str) -> Value {
    let mut seen: Vec<&str> = Vec::new();
    let mut documents = Vec::new();
    for schema in all_schemas(resource_types) {
        if !seen.contains(&&*schema.id) {
            seen.push(&schema.id);
            documents.push(schema.to_json(base));
        }
    }
    ListResponse::whole(documents).into_json()
}

/// One schema by its URN, compared without case.
///
/// # Errors
/// 404 if no resource type announces it.
pub fn schema(resource_types: &[&ResourceType], urn: &str, base: &str) -> Result<Value, ScimError> {
    let schema = all_schemas(resource_types).find(|schema| schema.id.eq_ignore_ascii_case(urn));
    schema.map(|schema| schema.to_json(base)).ok_or_else(|| ScimError::not_found("Schema", &shorten(urn)))
}

/// The list of resource types.
pub fn resource_types(resource_types: &[&ResourceType], base: &str) -> Value {
    ListResponse::whole(resource_types.iter().map(|one| one.to_json(base)).collect()).into_json()
}

/// One resource type by its name, compared without case.
///
/// # Errors
/// 404 if there is none of that name.
pub fn resource_type(resource_types: &[&ResourceType], name: &str, base: &str) -> Result<Value, ScimError> {
    let found = resource_types.iter().find(|one| one.name.eq_ignore_ascii_case(name));
    found.map(|one| one.to_json(base)).ok_or_else(|| ScimError::not_found("ResourceType", &shorten(name)))
}

/// The answer to a filter on a discovery endpoint: 403, so that a client does not take the whole list for the filtered
/// one (RFC 7644 section 4).
pub fn filter_forbidden() -> ScimError {
    ScimError::new(403, "discovery endpoints cannot be filtered")
}

fn all_schemas<'a>(resource_types: &'a [&'a ResourceType]) -> impl Iterator<Item = &'a Schema> {
    resource_types.iter().flat_map(|one| one.effective_schemas())
}

fn pagination(capability: PaginationCapability) -> Value {
    let method = capability.default_method.map(|method| match method {
        PaginationMethod::Cursor => "cursor",
        PaginationMethod::Index => "index",
    });
    let members = [
        ("cursor", Some(json!(capability.cursor))),
        ("index", Some(json!(capability.index))),
        ("defaultPaginationMethod", method.map(Value::from)),
        ("defaultPageSize", capability.default_page_size.map(Value::from)),
        ("maxPageSize", capability.max_page_size.map(Value::from)),
        ("cursorTimeout", capability.cursor_timeout_seconds.map(Value::from)),
    ];
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn authentication_scheme(scheme: &AuthenticationScheme, primary: bool) -> Value {
    let (kind, specification) = match scheme.kind {
        AuthenticationKind::OAuthBearerToken => ("oauthbearertoken", "https://www.rfc-editor.org/info/rfc6750"),
        AuthenticationKind::HttpBasic => ("httpbasic", "https://www.rfc-editor.org/info/rfc7617"),
    };
    json!({
        "type": kind,
        "name": scheme.name,
        "description": scheme.description,
        "specUri": specification,
        "primary": primary,
    })
}

#[cfg(test)]
mod tests {
    use super::super::list::LIST_SCHEMA;
    use super::super::schema::{
        ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA, enterprise_schema, group_type, user_type,
    };
    use super::*;

    const BASE: &str = "https://scim.example/v2";

    #[test]
    fn the_configuration_says_what_is_there() {
        let capabilities = Capabilities {
            documentation_uri: Some("https://docs.example".to_owned()),
            patch: true,
            bulk: Some(BulkCapability { max_operations: 100, max_payload_bytes: 1024 }),
            filter: Some(FilterCapability { max_results: 200 }),
            sort: true,
            pagination: PaginationCapability {
                cursor: true,
                default_method: Some(PaginationMethod::Index),
                default_page_size: Some(100),
                max_page_size: Some(200),
                cursor_timeout_seconds: Some(600),
                ..PaginationCapability::default()
            },
            authentication_schemes: vec![
                AuthenticationScheme {
                    kind: AuthenticationKind::OAuthBearerToken,
                    name: "Bearer token".to_owned(),
                    description: "Token of the tenant".to_owned(),
                },
                AuthenticationScheme {
                    kind: AuthenticationKind::HttpBasic,
                    name: "Basic".to_owned(),
                    description: String::new(),
                },
            ],
            ..Capabilities::default()
        };
        let document = service_provider_config(&capabilities, BASE);
        assert_eq!(
            document,
            json!({
                "schemas": [SERVICE_PROVIDER_CONFIG_SCHEMA],
                "documentationUri": "https://docs.example",
                "patch": {"supported": true},
                "bulk": {"supported": true, "maxOperations": 100, "maxPayloadSize": 1024},
                "filter": {"supported": true, "maxResults": 200},
                "changePassword": {"supported": false},
                "sort": {"supported": true},
                "etag": {"supported": false},
                "pagination": {
                    "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
                    "maxPageSize": 200, "cursorTimeout": 600,
                },
                "authenticationSchemes": [
                    {
                        "type": "oauthbearertoken", "name": "Bearer token", "description": "Token of the tenant",
                        "specUri": "https://www.rfc-editor.org/info/rfc6750", "primary": true,
                    },
                    {
                        "type": "httpbasic", "name": "Basic", "description": "",
                        "specUri": "https://www.rfc-editor.org/info/rfc7617", "primary": false,
                    },
                ],
                "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{BASE}/ServiceProviderConfig")},
            })
        );
    }

    #[test]
    fn what_is_missing_is_announced_as_missing() {
        let document = service_provider_config(&Capabilities::default(), BASE);
        assert_eq!(document["bulk"], json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0}));
        assert_eq!(document["filter"], json!({"supported": false, "maxResults": 0}));
        assert_eq!(document["pagination"], json!({"cursor": false, "index": true}));
        assert_eq!(document["authenticationSchemes"], json!([]));
        assert_eq!(document.get("documentationUri"), None);
    }

    #[test]
    fn schemas_are_listed_once_and_as_announced() {
        let ids = |list: &Value| -> Vec<String> {
            list["Resources"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
        };
        let (mut user, mut group) = (user_type(), group_type());
        group.extensions.push(enterprise_schema());
        let list = schemas(&[&user, &group], BASE);
        assert_eq!(list["schemas"], json!([LIST_SCHEMA]));
        assert_eq!(list["totalResults"], 3);
        assert_eq!(ids(&list), [USER_SCHEMA, ENTERPRISE_SCHEMA, GROUP_SCHEMA]);
        let mut announced = user.schema.clone();
        announced.attributes.truncate(1);
        user.announced = vec![announced];
        let list = schemas(&[&user, &group_type()], BASE);
        assert_eq!(ids(&list), [USER_SCHEMA, GROUP_SCHEMA]);
        assert_eq!(list["Resources"][0]["attributes"].as_array().map(Vec::len), Some(1));
        assert_eq!(schema(&[&user], ENTERPRISE_SCHEMA, BASE).unwrap_err().status, 404);
    }

    #[test]
    fn single_documents_are_found_without_case() {
        let (user, group) = (user_type(), group_type());
        let types = [&user, &group];
        assert_eq!(schema(&types, &ENTERPRISE_SCHEMA.to_uppercase(), BASE).unwrap()["id"], ENTERPRISE_SCHEMA);
        assert_eq!(resource_type(&types, "group", BASE).unwrap()["schema"], GROUP_SCHEMA);
        assert_eq!(resource_types(&types, BASE)["totalResults"], 2);
        let missing = resource_type(&types, "Device", BASE).unwrap_err();
        assert_eq!((missing.status, missing.detail.as_str()), (404, "ResourceType Device not found"));
        assert_eq!(filter_forbidden().status, 403);
    }
}
