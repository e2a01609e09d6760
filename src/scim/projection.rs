//! `attributes` and `excludedAttributes` (RFC 7644 3.9), and the `returned` characteristic (RFC 7643 section 7).
//!
//! In: the two parameters, a resource with everything that is known. Out: the resource as the client sees it, with the
//! `schemas` that it then follows. A plan can ask beforehand what is [wanted](Projection::wants) and skip calls.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::attr_path::{AttrPath, Target};
use super::resource::Resource;
use super::schema::{Attribute, ResourceType, Returned, common_attributes, find};

/// Which attributes the client wants to see.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Projection {
    /// What is returned by default.
    #[default]
    All,
    /// These and what is always returned.
    Only(Vec<Selector>),
    /// What is returned by default without these.
    Except(Vec<Selector>),
}

/// One name in `attributes` or `excludedAttributes`.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// Every attribute of the core schema, by its URN. The common attributes are not part of it.
    Core,
    /// A whole extension, by its URN.
    Extension(Arc<str>),
    /// An attribute or sub-attribute.
    Path(AttrPath),
}

impl Projection {
    /// From the names in `attributes` and in `excludedAttributes`; names of nothing are dropped, as RFC 7644 has no
    /// error for them. The two parameters exclude each other; if a client sends both, `attributes` decides alone,
    /// because it says more exactly what is wanted.
    pub fn new<'t>(
        attributes: impl IntoIterator<Item = &'t str>,
        excluded: impl IntoIterator<Item = &'t str>,
        resource_type: &ResourceType,
    ) -> Self {
        let mut only = attributes.into_iter().filter(|name| !name.trim().is_empty()).peekable();
        if only.peek().is_some() {
            return Self::Only(selectors(only, resource_type));
        }
        let except = selectors(excluded, resource_type);
        if except.is_empty() { Self::All } else { Self::Except(except) }
    }

    /// Whether any part of an attribute that is returned by default will be shown. The common attributes `id` and
    /// `schemas` always are.
    pub fn wants(&self, path: &AttrPath) -> bool {
        let always = path.extension.is_none() && matches!(&*path.attribute, "id" | "schemas");
        self.wants_returned(path, if always { Returned::Always } else { Returned::Default })
    }

    /// Like [`Self::wants`], for an attribute with the given characteristic.
    pub fn wants_returned(&self, path: &AttrPath, returned: Returned) -> bool {
        match (returned, self) {
            (Returned::Always, _) | (Returned::Default, Self::All) => true,
            (Returned::Default | Returned::Request, Self::Only(selectors)) => {
                selectors.iter().any(|selector| selector.covers(path) || selector.is_within(path))
            }
            (Returned::Default, Self::Except(selectors)) => !selectors.iter().any(|selector| selector.covers(path)),
            (Returned::Never, _) | (Returned::Request, Self::All | Self::Except(_)) => false,
        }
    }

    /// The resource as the client sees it, with `schemas` set. Characteristics come from the announced definition of an
    /// attribute, where there is one; attributes that no schema knows count as returned by default.
    pub fn apply(&self, resource_type: &ResourceType, mut resource: Resource) -> Resource {
        if *self == Self::All && resource.0.iter().all(|(key, value)| shown_whole(resource_type, key, value)) {
            set_schemas(&mut resource, resource_type);
            return resource;
        }
        let mut shown = Map::new();
        for (key, value) in resource.0 {
            let extension = resource_type.extension(&key).map(|schema| &schema.id);
            let value = match (extension, value) {
                (Some(urn), Value::Object(object)) => self.extension(resource_type, urn, object),
                (_, value) => self.attribute(definition(resource_type, None, &key), &path(None, &key), value),
            };
            if let Some(value) = value {
                shown.insert(key, value);
            }
        }
        let mut shown = Resource(shown);
        set_schemas(&mut shown, resource_type);
        shown
    }

    fn extension(&self, resource_type: &ResourceType, urn: &Arc<str>, object: Map<String, Value>) -> Option<Value> {
        let members = object.into_iter().filter_map(|(key, value)| {
            let definition = definition(resource_type, Some(urn), &key);
            let value = self.attribute(definition, &path(Some(urn), &key), value)?;
            Some((key, value))
        });
        let shown: Map<String, Value> = members.collect();
        (!shown.is_empty()).then_some(Value::Object(shown))
    }

    /// What is shown of one attribute.
    fn attribute(&self, definition: Option<&Attribute>, path: &AttrPath, value: Value) -> Option<Value> {
        let returned = definition.map_or(Returned::Default, |attribute| attribute.returned);
        if !self.wants_returned(path, returned) {
            return None;
        }
        // An attribute that is always returned is so as a whole, even if one of its sub-attributes is named.
        let whole = returned == Returned::Always;
        let subs = definition.map_or(&[] as &[Attribute], |attribute| &attribute.sub_attributes);
        match value {
            Value::Object(object) => self.complex(subs, path, whole, object),
            Value::Array(elements) => {
                let shown: Vec<Value> = elements
                    .into_iter()
                    .filter_map(|element| match element {
                        Value::Object(object) => self.complex(subs, path, whole, object),
                        simple => Some(simple),
                    })
                    .collect();
                (!shown.is_empty()).then_some(Value::Array(shown))
            }
            simple => Some(simple),
        }
    }

    /// What is shown of a complex value; nothing if no sub-attribute is left.
    fn complex(
        &self,
        subs: &[Attribute],
        path: &AttrPath,
        whole: bool,
        mut object: Map<String, Value>,
    ) -> Option<Value> {
        object.retain(|key, _| {
            let returned = find(subs, key).map_or(Returned::Default, |sub| sub.returned);
            if whole {
                return !matches!(returned, Returned::Never | Returned::Request);
            }
            let sub_path = path.child(&Arc::from(key.as_str()));
            // Naming the attribute asks for what it shows by default, not for its sub-attributes one by one.
            match returned {
                Returned::Request => self.names(&sub_path),
                returned => self.wants_returned(&sub_path, returned),
            }
        });
        (!object.is_empty()).then_some(Value::Object(object))
    }

    /// Whether `attributes` has exactly this path.
    fn names(&self, path: &AttrPath) -> bool {
        matches!(self, Self::Only(selectors) if selectors.iter().any(|one| matches!(one, Selector::Path(p) if p == path)))
    }
}

impl Selector {
    /// What a text names, if anything.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Option<Self> {
        match resource_type.resolve(text.trim()).ok()? {
            Target::Core => Some(Self::Core),
            Target::Extension(schema) => Some(Self::Extension(Arc::clone(&schema.id))),
            Target::Attribute(resolved) => Some(Self::Path(resolved.path)),
        }
    }

    /// Whether everything at the path is selected.
    fn covers(&self, path: &AttrPath) -> bool {
        match self {
            Self::Core => path.extension.is_none() && find(common_attributes(), &path.attribute).is_none(),
            Self::Extension(urn) => path.extension.as_ref() == Some(urn),
            Self::Path(selected) => {
                selected.same_attribute(path) && (selected.sub.is_none() || selected.sub == path.sub)
            }
        }
    }

    /// Whether a part of what is at the path is selected.
    fn is_within(&self, path: &AttrPath) -> bool {
        matches!(self, Self::Path(selected) if path.sub.is_none() && selected.same_attribute(path))
    }
}

/// Whether everything about the attribute of a path is shown to who asks for nothing in particular.
pub fn shown_by_default(resource_type: &ResourceType, path: &AttrPath) -> bool {
    let plain = |attribute: &Attribute| matches!(attribute.returned, Returned::Always | Returned::Default);
    definition(resource_type, path.extension.as_ref(), &path.attribute)
        .is_none_or(|attribute| plain(attribute) && attribute.sub_attributes.iter().all(plain))
}

/// Whether an attribute, or every attribute of an extension, is shown as it is by default.
fn shown_whole(resource_type: &ResourceType, key: &str, value: &Value) -> bool {
    let by_default = |definition: Option<&Attribute>, value: &Value| {
        let returned = |found: Option<&Attribute>| found.map_or(Returned::Default, |attribute| attribute.returned);
        let plain = |found| matches!(returned(found), Returned::Always | Returned::Default);
        let subs = definition.map_or(&[] as &[Attribute], |attribute| &attribute.sub_attributes);
        let complex =
            |object: &Map<String, Value>| !object.is_empty() && object.keys().all(|sub| plain(find(subs, sub)));
        plain(definition)
            && match value {
                Value::Object(object) => complex(object),
                Value::Array(elements) => {
                    !elements.is_empty() && elements.iter().all(|element| element.as_object().is_none_or(complex))
                }
                _ => true,
            }
    };
    match (resource_type.extension(key), value) {
        (Some(schema), Value::Object(object)) => {
            let of = |name: &str| definition(resource_type, Some(&schema.id), name);
            !object.is_empty() && object.iter().all(|(name, value)| by_default(of(name), value))
        }
        _ => by_default(definition(resource_type, None, key), value),
    }
}

/// Sets `schemas` to the core URN and the extensions that the resource has values of (RFC 7643 section 3).
pub fn set_schemas(resource: &mut Resource, resource_type: &ResourceType) {
    let present = resource_type.extensions.iter().filter(|schema| {
        let value = resource.0.get(&*schema.id);
        value.and_then(Value::as_object).is_some_and(|object| !object.is_empty())
    });
    let urns = std::iter::once(&resource_type.schema).chain(present).map(|schema| &*schema.id);
    let set = resource.0.get("schemas").and_then(Value::as_array);
    if set.is_some_and(|set| set.iter().map(Value::as_str).eq(urns.clone().map(Some))) {
        return;
    }
    let urns = urns.map(Value::from).collect();
    resource.0.insert("schemas".to_owned(), urns);
}

fn selectors<'t>(names: impl IntoIterator<Item = &'t str>, resource_type: &ResourceType) -> Vec<Selector> {
    names.into_iter().filter_map(|name| Selector::parse(name, resource_type)).collect()
}

fn path(urn: Option<&Arc<str>>, name: &str) -> AttrPath {
    AttrPath { extension: urn.cloned(), attribute: Arc::from(name), sub: None }
}

/// The definition that decides about an attribute: the announced one, else the full one, else the common one.
fn definition<'a>(resource_type: &'a ResourceType, urn: Option<&Arc<str>>, name: &str) -> Option<&'a Attribute> {
    let urn = urn.unwrap_or(&resource_type.schema.id);
    let announced = resource_type.announced.iter().filter(|schema| schema.id == *urn);
    let full = std::iter::once(&resource_type.schema).chain(&resource_type.extensions).filter(|s| s.id == *urn);
    let found = announced.chain(full).find_map(|schema| schema.attribute(name));
    found.or_else(|| if *urn == resource_type.schema.id { find(common_attributes(), name) } else { None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::{ENTERPRISE_SCHEMA, USER_SCHEMA, user_type};
    use super::*;

    fn opa() -> Resource {
        let Value::Object(object) = json!({
            "schemas": ["anything"], "id": "u-1", "externalId": "x", "userName": "opa", "active": true, "password": "p",
            "name": {"givenName": "O", "familyName": "P"},
            "emails": [
                {"type": "work", "value": "opa@work.example", "primary": true},
                {"type": "home"},
            ],
            "meta": {"resourceType": "User", "version": "W/\"1\""},
            ENTERPRISE_SCHEMA: {"department": "Yard", "manager": {"value": "u-2", "displayName": "Boss"}},
        }) else {
            unreachable!()
        };
        Resource(object)
    }

    /// What is shown of Opa, with `id`, `schemas` and their values checked and left out.
    fn check(attributes: &str, excluded: &str, expect: &Value) {
        let user = user_type();
        let projection = Projection::new(attributes.split(','), excluded.split(','), &user);
        let mut shown = projection.apply(&user, opa()).0;
        assert_eq!(shown.remove("id"), Some(json!("u-1")));
        let mut schemas = vec![USER_SCHEMA];
        schemas.extend(shown.contains_key(ENTERPRISE_SCHEMA).then_some(ENTERPRISE_SCHEMA));
        assert_eq!(shown.remove("schemas"), Some(json!(schemas)));
        assert_eq!(&Value::Object(shown), expect, "attributes={attributes} excludedAttributes={excluded}");
    }

    #[test]
    fn attributes_selects_and_keeps_what_is_always_returned() {
        let department = json!({ENTERPRISE_SCHEMA: {"department": "Yard"}});
        let extension =
            json!({ENTERPRISE_SCHEMA: {"department": "Yard", "manager": {"value": "u-2", "displayName": "Boss"}}});
        for (attributes, expect) in [
            ("userName,active", json!({"userName": "opa", "active": true})),
            ("USERNAME, Name.givenname", json!({"userName": "opa", "name": {"givenName": "O"}})),
            ("emails.value", json!({"emails": [{"value": "opa@work.example"}]})),
            (
                "emails.value,emails.type",
                json!({"emails": [{"value": "opa@work.example", "type": "work"}, {"type": "home"}]}),
            ),
            ("department", department.clone()),
            (&format!("{ENTERPRISE_SCHEMA}:department"), department),
            (ENTERPRISE_SCHEMA, extension),
            ("manager.value", json!({ENTERPRISE_SCHEMA: {"manager": {"value": "u-2"}}})),
            ("meta.version", json!({"meta": {"version": "W/\"1\""}})),
            ("id", json!({})),
            ("nonsense,..x", json!({})),
            ("password", json!({})),
            (
                USER_SCHEMA,
                json!({
                    "userName": "opa", "active": true, "name": {"givenName": "O", "familyName": "P"},
                    "emails": [{"type": "work", "value": "opa@work.example", "primary": true}, {"type": "home"}],
                }),
            ),
        ] {
            check(attributes, "", &expect);
        }
        check("userName", "userName", &json!({"userName": "opa"}));
    }

    #[test]
    fn excluded_attributes_drops_but_not_what_is_always_returned() {
        let meta = json!({"resourceType": "User", "version": "W/\"1\""});
        let enterprise = opa().0[ENTERPRISE_SCHEMA].clone();
        check("", USER_SCHEMA, &json!({"externalId": "x", "meta": meta, ENTERPRISE_SCHEMA: enterprise}));
        check(
            "",
            &format!("id,externalId,emails.value,emails.primary,name,meta,{ENTERPRISE_SCHEMA}"),
            &json!({"userName": "opa", "active": true, "emails": [{"type": "work"}, {"type": "home"}]}),
        );
        check(
            "",
            "userName,active,externalId,meta,emails,name,manager",
            &json!({ENTERPRISE_SCHEMA: {"department": "Yard"}}),
        );
    }

    #[test]
    fn without_parameters_all_but_the_password_is_shown() {
        let mut expect = opa();
        for hidden in ["password", "id", "schemas"] {
            expect.0.remove(hidden);
        }
        let expect = Value::Object(expect.0);
        check("", "", &expect);
        check("", "nonsense", &expect);
    }

    #[test]
    fn announced_characteristics_go_first() {
        let mut user = user_type();
        let mut announced = user.schema.clone();
        for attribute in &mut announced.attributes {
            attribute.returned = match &*attribute.name {
                "userName" => Returned::Always,
                "active" => Returned::Request,
                _ => attribute.returned,
            };
            for sub in &mut attribute.sub_attributes {
                sub.returned = match (&*attribute.name, &*sub.name) {
                    ("emails", "type") => Returned::Always,
                    ("emails", "primary") => Returned::Request,
                    _ => sub.returned,
                };
            }
        }
        user.announced = vec![announced];
        let shown = |attributes: &str, excluded: &str| {
            let mut shown = Projection::new(attributes.split(','), excluded.split(','), &user).apply(&user, opa()).0;
            shown.retain(|name, _| !matches!(name.as_str(), "id" | "schemas"));
            Value::Object(shown)
        };
        assert_eq!(shown("", "").get("active"), None);
        assert_eq!(shown("active", ""), json!({"active": true, "userName": "opa"}));
        assert_eq!(shown("", "userName")["userName"], "opa");
        assert_eq!(shown("", "emails.type")["emails"][0], json!({"type": "work", "value": "opa@work.example"}));
        assert_eq!(
            shown("emails.value", "")["emails"],
            json!([{"type": "work", "value": "opa@work.example"}, {"type": "home"}])
        );
        assert_eq!(shown("emails.primary", "")["emails"][0], json!({"type": "work", "primary": true}));
    }

    #[test]
    fn a_plan_learns_what_it_may_skip() {
        let user = user_type();
        let wants = |attributes: &str, excluded: &str, text: &str| {
            let projection = Projection::new(attributes.split(','), excluded.split(','), &user);
            projection.wants(&user.resolve_attribute(text).unwrap().path)
        };
        assert!(wants("", "", "groups"));
        assert!(!wants("", "groups", "groups"));
        assert!(!wants("", "groups", "groups.value"));
        assert!(wants("", "groups.display", "groups"));
        assert!(!wants("userName", "", "groups"));
        assert!(wants("groups.value", "", "groups"));
        assert!(wants("groups.value", "", "groups.value"));
        assert!(!wants("groups.value", "", "groups.display"));
        assert!(wants("userName", "", "id"));
        assert!(wants("", "id", "id"));
        assert!(wants("", "", "manager"));
        assert!(!wants("", ENTERPRISE_SCHEMA, "manager"));
        assert!(!wants("department", "", "manager"));
    }
}
