//! Tables: text -> canonical path, schema or error.

use proptest::prelude::*;

use super::super::schema::{AttributeType, group_type, user_type};
use super::*;

fn acme_user() -> ResourceType {
    let mut user = user_type();
    let attributes = vec![
        Attribute::new("tag", AttributeType::String, ""),
        Attribute::new("department", AttributeType::String, ""),
        Attribute::new("2fa-state_x", AttributeType::String, ""),
    ];
    user.extensions.push(Schema::new("urn:example:acme:2.0:User", "Acme", "", attributes));
    let attributes =
        vec![Attribute::new("tag", AttributeType::String, ""), Attribute::new("badge", AttributeType::String, "")];
    user.extensions.push(Schema::new("urn:example:acme:2.0:User:more", "More", "", attributes));
    user
}

/// `Ok(path)`, a schema in angle brackets, or the message.
fn check(resource_type: &ResourceType, text: &str, expect: &str) {
    let got = match resource_type.resolve(text) {
        Ok(Target::Core) => "<core>".to_owned(),
        Ok(Target::Extension(schema)) => format!("<{}>", schema.id),
        Ok(Target::Attribute(resolved)) => resolved.path.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expect, "{text}");
}

#[test]
fn names_are_found_without_case_and_spelt_canonically() {
    let user = acme_user();
    for (text, expect) in [
        ("userName", "userName"),
        ("USERNAME", "userName"),
        ("Name.givenname", "name.givenName"),
        ("ID", "id"),
        ("meta.lastmodified", "meta.lastModified"),
        ("groups.$REF", "groups.$ref"),
        ("2FA-state_x", "urn:example:acme:2.0:User:2fa-state_x"),
        ("badge", "urn:example:acme:2.0:User:more:badge"),
        ("manager", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"),
        ("Manager.Value", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"),
        // The enterprise extension goes before others that have the same name.
        ("department", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
    ] {
        check(&user, text, expect);
    }
}

#[test]
fn urns_are_taken_whole() {
    let user = acme_user();
    for (text, expect) in [
        ("urn:ietf:params:scim:schemas:core:2.0:User", "<core>"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:title", "title"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName", "name.givenName"),
        ("urn:ietf:params:scim:schemas:core:2.0:user:ID", "id"),
        ("urn:scim:schemas:core:1.0:userName", "userName"),
        (
            "urn:scim:schemas:extension:enterprise:1.0:department",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        ),
        (
            "URN:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:user:Department",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager.displayName",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName",
        ),
        ("urn:example:acme:2.0:User:tag", "urn:example:acme:2.0:User:tag"),
        ("urn:example:acme:2.0:User:more:tag", "urn:example:acme:2.0:User:more:tag"),
        ("urn:example:acme:2.0:User:more", "<urn:example:acme:2.0:User:more>"),
        ("URN:example:acme:2.0:USER", "<urn:example:acme:2.0:User>"),
    ] {
        check(&user, text, expect);
    }
}

#[test]
fn each_way_to_be_wrong_has_its_message() {
    let user = acme_user();
    for (text, expect) in [
        ("", "empty name in attribute path ''"),
        ("..title", "empty name in attribute path '..title'"),
        (".title", "empty name in attribute path '.title'"),
        ("title.", "empty name in attribute path 'title.'"),
        ("name..givenName", "empty name in attribute path 'name..givenName'"),
        ("na me", "character that no attribute name has in attribute path 'na me'"),
        ("näme", "character that no attribute name has in attribute path 'näme'"),
        ("a.b.c", "more than one sub-attribute in attribute path 'a.b.c'"),
        ("usrName", "User has no attribute 'usrName'; did you mean 'userName'?"),
        ("zzz", "User has no attribute 'zzz'"),
        ("tag", "attribute 'tag' is in several schemas; put the URN of one of them in front"),
        ("name.givenNam", "attribute 'name' has no sub-attribute 'givenNam'; did you mean 'givenName'?"),
        ("title.value", "attribute 'title' has no sub-attribute 'value'"),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:departmint",
            "EnterpriseUser has no attribute 'departmint'; did you mean 'department'?",
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:Usr:department",
            "no schema 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:Usr' for User; \
             did you mean 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'?",
        ),
        ("urn:nowhere:x", "no schema 'urn:nowhere' for User"),
        ("urn:example:acme:2.0:User:", "empty name in attribute path ''"),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:department",
            "User has no attribute 'department'; \
             did you mean 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department'?",
        ),
    ] {
        check(&user, text, expect);
    }
    let urn = "urn:ietf:params:scim:schemas:core:2.0:Group:displayName";
    assert!(matches!(user.resolve(urn), Err(PathError::UnknownSchema { .. })));
    let urn = "urn:ietf:params:scim:schemas:core:2.0:Group";
    assert!(matches!(group_type().resolve_attribute(urn), Err(PathError::NotAnAttribute { .. })));
}

#[test]
fn long_names_are_not_repeated_in_full() {
    let message = user_type().resolve(&"é".repeat(5000)).unwrap_err().to_string();
    assert!(message.len() < 300, "{message}");
    let message = user_type().resolve(&"x".repeat(5000)).unwrap_err().to_string();
    assert!(message.len() < 300, "{message}");
}

#[test]
fn a_canonical_path_leads_to_its_definition() {
    let user = user_type();
    for text in ["userName", "name.givenName", "manager.value", "meta.created"] {
        let resolved = user.resolve_attribute(text).unwrap();
        assert_eq!(user.definition(&resolved.path), Some((resolved.attribute, resolved.sub)));
    }
    assert_eq!(user.definition(&AttrPath::core("nope", None)), None);
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in ".*") {
        let _ = acme_user().resolve(&text);
    }

    #[test]
    fn printing_a_resolved_path_and_resolving_it_again_changes_nothing(
        text in prop::sample::select(vec!["username", "EMAILS.value", "manager.VALUE", "badge", "Meta.Version"]),
    ) {
        let user = acme_user();
        let first = user.resolve_attribute(text).unwrap();
        prop_assert_eq!(user.resolve_attribute(&first.path.to_string()).unwrap(), first);
    }
}
