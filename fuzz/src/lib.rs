//! What the fuzz targets share: from the fuzzer's bytes to the arguments of a parser.
//!
//! In: bytes as libFuzzer mutates them. Out: text within the bound that is enforced before anything is parsed, and a
//! resource to try the result on. It asserts nothing: every target states its own property.

pub mod downstream;
pub mod native;

use std::sync::LazyLock;

use scim::Resource;
use scim::schema::{ResourceType, user_type};
// What is taken from the shell knows these by where they are there.
use scimshim::{document, plan, scim};
use serde_json::{Value, json};

/// The longest text a target looks at, in bytes. What a longer one could show, this length shows as well.
pub const TEXT_MAX_BYTES: usize = 4096;

/// The resource type that names are resolved against.
pub static USER_TYPE: LazyLock<ResourceType> = LazyLock::new(user_type);

/// A user with strings, a boolean, a complex and a multi-valued attribute.
pub static USER: LazyLock<Resource> = LazyLock::new(|| match user() {
    Value::Object(members) => Resource(members),
    _ => Resource::default(),
});

/// The same user as a plain document.
pub fn user() -> Value {
    json!({
        "id": "42",
        "externalId": "E-42",
        "userName": "bjensen@example.com",
        "active": true,
        "name": { "givenName": "Barbara", "familyName": "Jensen" },
        "emails": [
            { "value": "bjensen@example.com", "type": "work", "primary": true },
            { "value": "babs@example.org", "type": "home" }
        ],
        "meta": { "resourceType": "User", "created": "2024-01-01T00:00:00Z" }
    })
}

/// The input as text. What is not UTF-8 is refused before any parser sees it.
pub fn text(data: &[u8]) -> Option<&str> {
    if data.len() > TEXT_MAX_BYTES {
        return None;
    }
    std::str::from_utf8(data).ok()
}
