//! The schemas of RFC 7643: User (4.1), Group (4.2), Enterprise User (4.3) and the common attributes (3.1).
//!
//! Where the text of the RFC and its schema listing (8.7) disagree, the text wins: a group must have a `displayName`,
//! references and binary values are case exact, addresses may be `primary`. Identifiers of other resources
//! (`members.value`, `groups.value`, `manager.value`) are case exact because `id` is: two ids that differ in case
//! are two resources. `displayName` of a group is announced as unique, because provisioning clients match by it.

use std::sync::{Arc, LazyLock};

use super::build::{boolean, complex, date_time, plural, reference, string};
use super::{Attribute, AttributeType, Mutability, ResourceType, Returned, Schema, Uniqueness};

/// URN of the core User schema.
pub const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core Group schema.
pub const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the Enterprise User extension.
pub const ENTERPRISE_SCHEMA: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The core schema of SCIM 1.1; some clients still prefix core attributes with it.
pub const CORE_1_SCHEMA: &str = "urn:scim:schemas:core:1.0";
/// The enterprise extension of SCIM 1.1.
pub const ENTERPRISE_1_SCHEMA: &str = "urn:scim:schemas:extension:enterprise:1.0";

/// The resource type User with the enterprise extension.
pub fn user_type() -> ResourceType {
    ResourceType {
        name: Arc::from("User"),
        endpoint: Arc::from("/Users"),
        description: "User account".to_owned(),
        schema: user_schema(),
        extensions: vec![enterprise_schema()],
        announced: Vec::new(),
    }
}

/// The resource type Group.
pub fn group_type() -> ResourceType {
    ResourceType {
        name: Arc::from("Group"),
        endpoint: Arc::from("/Groups"),
        description: "Group of users".to_owned(),
        schema: group_schema(),
        extensions: Vec::new(),
        announced: Vec::new(),
    }
}

/// The attributes that every resource has: `schemas`, `id`, `externalId`, `meta`.
pub fn common_attributes() -> &'static [Attribute] {
    static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
        vec![
            reference("schemas", &["uri"], "URNs of the schemas that the resource follows")
                .multi()
                .required()
                .returned(Returned::Always),
            string("id", "Identifier given by the service provider")
                .exact()
                .read_only()
                .returned(Returned::Always)
                .unique(Uniqueness::Server),
            string("externalId", "Identifier given by the provisioning client").exact(),
            complex("meta", "Facts about the resource itself", meta()).read_only(),
        ]
    });
    &COMMON
}

fn meta() -> Vec<Attribute> {
    vec![
        string("resourceType", "Name of the resource type").exact(),
        date_time("created", "When the resource was created"),
        date_time("lastModified", "When the resource last changed"),
        reference("location", &["uri"], "URI of the resource"),
        string("version", "Entity tag of the current state").exact(),
    ]
}

fn user_schema() -> Schema {
    let mut attributes = identity();
    attributes.extend(contact());
    attributes.extend(authority());
    Schema::new(USER_SCHEMA, "User", "User account", attributes)
}

/// RFC 7643 4.1.1: the single-valued attributes.
fn identity() -> Vec<Attribute> {
    vec![
        string("userName", "Name the user signs in with").required().unique(Uniqueness::Server),
        complex("name", "Parts of the user's real name", name_parts()),
        string("displayName", "Name to show for the user"),
        string("nickName", "Casual way to address the user"),
        reference("profileUrl", &["external"], "Address of the user's profile page"),
        string("title", "Job title"),
        string("userType", "Relation to the organization, such as Employee or Contractor"),
        string("preferredLanguage", "Preferred languages, in the form of the Accept-Language header"),
        string("locale", "Locale for currency, dates and numbers, such as en-US"),
        string("timezone", "Time zone in the form of the tz database, such as Europe/Oslo"),
        boolean("active", "Whether the account may be used"),
        string("password", "New password in clear text; accepted, never shown")
            .exact()
            .mutability(Mutability::WriteOnly)
            .returned(Returned::Never),
    ]
}

fn name_parts() -> Vec<Attribute> {
    vec![
        string("formatted", "Full name, ready to show"),
        string("familyName", "Family name"),
        string("givenName", "Given name"),
        string("middleName", "Middle names"),
        string("honorificPrefix", "Titles before the name"),
        string("honorificSuffix", "Additions after the name"),
    ]
}

/// RFC 7643 4.1.2: the multi-valued attributes that say how to reach the user.
fn contact() -> Vec<Attribute> {
    const PLACES: [&str; 3] = ["work", "home", "other"];
    vec![
        plural("emails", "E-mail addresses", string("value", "E-mail address"), &PLACES),
        plural(
            "phoneNumbers",
            "Telephone numbers",
            string("value", "Telephone number, preferably as a tel URI"),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        plural(
            "ims",
            "Instant messaging addresses",
            string("value", "Instant messaging address"),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        plural(
            "photos",
            "Pictures of the user",
            reference("value", &["external"], "Address of the picture"),
            &["photo", "thumbnail"],
        ),
        complex("addresses", "Postal addresses", address_parts(&PLACES)).multi(),
    ]
}

fn address_parts(places: &[&str]) -> Vec<Attribute> {
    vec![
        string("formatted", "Whole address, ready to print; may have several lines"),
        string("streetAddress", "Street, house number, post-office box; may have several lines"),
        string("locality", "City or place"),
        string("region", "State or region"),
        string("postalCode", "Postal code"),
        string("country", "Country as two letters of ISO 3166-1"),
        string("type", "What the address is used for").canonical(places),
        boolean("primary", "Whether this is the preferred address; true at most once"),
    ]
}

/// RFC 7643 4.1.2: the multi-valued attributes that say what the user may do and is.
fn authority() -> Vec<Attribute> {
    vec![
        complex("groups", "Groups the user belongs to; changed through the groups", group_parts()).multi().read_only(),
        plural("entitlements", "Things the user is entitled to", string("value", "Entitlement"), &[]),
        plural("roles", "Roles of the user", string("value", "Role"), &[]),
        plural(
            "x509Certificates",
            "Certificates of the user",
            Attribute::new("value", AttributeType::Binary, "DER certificate in Base64"),
            &[],
        ),
    ]
}

fn group_parts() -> Vec<Attribute> {
    vec![
        string("value", "Identifier of the group").exact(),
        reference("$ref", &["Group"], "URI of the group"),
        string("display", "Name of the group"),
        string("type", "Whether the membership is direct or inherited").canonical(&["direct", "indirect"]),
    ]
}

fn group_schema() -> Schema {
    let members = vec![
        string("value", "Identifier of the member").exact().immutable(),
        reference("$ref", &["User", "Group"], "URI of the member").immutable(),
        string("type", "Resource type of the member").canonical(&["User", "Group"]).immutable(),
        string("display", "Name of the member").read_only(),
    ];
    let attributes = vec![
        string("displayName", "Name of the group").required().unique(Uniqueness::Server),
        complex("members", "Members of the group", members).multi(),
    ];
    Schema::new(GROUP_SCHEMA, "Group", "Group of users", attributes)
}

/// The Enterprise User extension (RFC 7643 4.3).
pub fn enterprise_schema() -> Schema {
    let manager = vec![
        string("value", "Identifier of the manager").exact(),
        reference("$ref", &["User"], "URI of the manager"),
        string("displayName", "Name of the manager").read_only(),
    ];
    let attributes = vec![
        string("employeeNumber", "Number or code of the employee"),
        string("costCenter", "Cost centre"),
        string("organization", "Organization"),
        string("division", "Division"),
        string("department", "Department"),
        complex("manager", "The user's manager", manager),
    ];
    Schema::new(ENTERPRISE_SCHEMA, "EnterpriseUser", "Enterprise user", attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `path` characteristics, in the order type, multi, required, exact, mutability, returned, uniqueness.
    fn check(resource_type: &ResourceType, path: &str, expect: &str) {
        let resolved = resource_type.resolve_attribute(path).unwrap();
        let a = resolved.leaf();
        let flags = [(a.multi_valued, "multi"), (a.required, "required"), (a.case_exact, "exact")];
        let mut words = vec![a.kind.as_str()];
        words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word));
        words.extend([a.mutability.as_str(), a.returned.as_str(), a.uniqueness.as_str()]);
        assert_eq!(words.join(" "), expect, "{path}");
    }

    #[test]
    fn characteristics_that_clients_rely_on() {
        let user = user_type();
        for (path, expect) in [
            ("id", "string exact readOnly always server"),
            ("schemas", "reference multi required exact readWrite always none"),
            ("externalId", "string exact readWrite default none"),
            ("meta", "complex readOnly default none"),
            ("meta.created", "dateTime readOnly default none"),
            ("meta.version", "string exact readOnly default none"),
            ("userName", "string required readWrite default server"),
            ("password", "string exact writeOnly never none"),
            ("active", "boolean readWrite default none"),
            ("profileUrl", "reference exact readWrite default none"),
            ("emails", "complex multi readWrite default none"),
            ("emails.type", "string readWrite default none"),
            ("emails.primary", "boolean readWrite default none"),
            ("addresses.primary", "boolean readWrite default none"),
            ("groups.value", "string exact readOnly default none"),
            ("x509Certificates.value", "binary exact readWrite default none"),
            ("manager.value", "string exact readWrite default none"),
            ("manager.displayName", "string readOnly default none"),
        ] {
            check(&user, path, expect);
        }
        let group = group_type();
        check(&group, "displayName", "string required readWrite default server");
        check(&group, "members.value", "string exact immutable default none");
        check(&group, "members.$ref", "reference exact immutable default none");
    }

    #[test]
    fn the_schemas_have_all_attributes_of_the_rfc() {
        let names = |attributes: &[Attribute]| {
            attributes.iter().map(|attribute| attribute.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            names(&user_type().schema.attributes),
            "userName name displayName nickName profileUrl title userType preferredLanguage locale timezone active \
             password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates"
        );
        assert_eq!(
            names(&enterprise_schema().attributes),
            "employeeNumber costCenter organization division department manager"
        );
        assert_eq!(names(&group_type().schema.attributes), "displayName members");
        assert_eq!(names(common_attributes()), "schemas id externalId meta");
    }
}
