//! What discovery says about a resource type: the part of its schemas that the mapping can hold.

use crate::mapping::{Access, Codec, Mapping, Source};
use crate::scim::schema::{Mutability, Returned, Uniqueness};
use crate::scim::{Attribute, Schema};

use super::rows::RowDraft;

/// The core schema and the extensions that have mapped attributes.
pub(super) fn announced(mapping: &Mapping, drafts: &[RowDraft]) -> Vec<Schema> {
    let of = &mapping.resource_type;
    let core = Schema { attributes: core_attributes(mapping, drafts), ..of.schema.clone() };
    let extensions = of.extensions.iter().map(|schema| {
        let attributes = schema.attributes.iter().filter_map(|attribute| {
            let rows = rows_of(drafts, Some(&schema.id), &attribute.name);
            mapped(attribute, &rows)
        });
        Schema { attributes: attributes.collect(), ..schema.clone() }
    });
    std::iter::once(core).chain(extensions.filter(|schema| !schema.attributes.is_empty())).collect()
}

fn core_attributes(mapping: &Mapping, drafts: &[RowDraft]) -> Vec<Attribute> {
    let attributes = mapping.resource_type.schema.attributes.iter().filter_map(|attribute| match &*attribute.name {
        "members" => {
            let members = mapping.members.as_ref()?;
            let writable = members.add.is_some() || members.remove.is_some() || members.set.is_some();
            Some(if writable { attribute.clone() } else { attribute.clone().read_only() })
        }
        "groups" if mapping.inverse.is_some() => {
            let on_request = mapping.inverse.as_ref().is_some_and(|inverse| inverse.on_request);
            let returned = if on_request { Returned::Request } else { Returned::Default };
            Some(Attribute { returned, ..attribute.clone() })
        }
        name => mapped(attribute, &rows_of(drafts, None, name)),
    });
    attributes.collect()
}

fn rows_of<'d>(drafts: &'d [RowDraft], extension: Option<&str>, name: &str) -> Vec<&'d RowDraft> {
    let about = |draft: &&RowDraft| {
        let path = &draft.row.target.path;
        path.extension.as_deref() == extension && *path.attribute == *name
    };
    drafts.iter().filter(about).collect()
}

/// The attribute as far as rows hold it; `None` if none does.
fn mapped(attribute: &Attribute, rows: &[&RowDraft]) -> Option<Attribute> {
    if rows.is_empty() {
        return None;
    }
    let whole = rows.iter().any(|draft| draft.row.target.path.sub.is_none());
    let mut found = characterised(attribute, rows);
    if let Some(kept) = rows.iter().find_map(|draft| unwrapped(draft)) {
        found.sub_attributes.retain(|sub| *sub.name == *kept);
    } else if !whole && !attribute.sub_attributes.is_empty() {
        found.required = attribute.required;
        found.case_exact = attribute.case_exact;
        found.uniqueness = attribute.uniqueness;
        found.canonical_values.clone_from(&attribute.canonical_values);
        found.sub_attributes = attribute.sub_attributes.iter().filter_map(|sub| mapped_sub(sub, rows)).collect();
    }
    Some(found)
}

fn mapped_sub(sub: &Attribute, rows: &[&RowDraft]) -> Option<Attribute> {
    let own: Vec<&RowDraft> =
        rows.iter().copied().filter(|draft| draft.row.target.path.sub.as_deref() == Some(&*sub.name)).collect();
    if !own.is_empty() {
        return Some(characterised(sub, &own));
    }
    // A sub-attribute that only tells elements apart (`type`) shows the values that exist.
    let constants = rows.iter().flat_map(|draft| &draft.row.target.selector).filter(|(name, _)| *name == sub.name);
    let mut values: Vec<String> = Vec::new();
    let mut selects = false;
    for (_, value) in constants {
        selects = true;
        let text = value.as_str().map(str::to_owned);
        values.extend(text.filter(|text| !values.contains(text)));
    }
    selects.then(|| Attribute { canonical_values: values, ..sub.clone() })
}

fn characterised(attribute: &Attribute, rows: &[&RowDraft]) -> Attribute {
    let mut found = attribute.clone();
    let all = |access: Access| rows.iter().all(|draft| draft.row.access == access);
    found.mutability = if all(Access::Read) {
        Mutability::ReadOnly
    } else if all(Access::Create) {
        Mutability::Immutable
    } else if all(Access::Write) {
        Mutability::WriteOnly
    } else {
        attribute.mutability
    };
    if found.mutability == Mutability::ReadOnly {
        found = found.read_only();
    }
    if found.mutability == Mutability::WriteOnly {
        found.returned = Returned::Never;
    }
    found.required = rows.iter().any(|draft| draft.row.required);
    found.case_exact = rows.iter().all(|draft| draft.row.target.case_exact);
    if rows.iter().any(|draft| draft.unique) && found.uniqueness == Uniqueness::None {
        found.uniqueness = Uniqueness::Server;
    }
    if let Some(values) = rows.iter().find_map(|draft| table_values(draft)) {
        found.canonical_values = values;
    }
    found
}

/// The one sub-attribute that survives where elements are stored as plain values.
fn unwrapped(draft: &RowDraft) -> Option<&str> {
    let Source::Native { codec, .. } = &draft.row.source else { return None };
    codec.iter().find_map(|codec| match codec {
        Codec::Unwrap(key) => Some(&**key),
        _ => None,
    })
}

/// The texts of a value table. With `else` other values are accepted too; the table still shows the usual ones.
fn table_values(draft: &RowDraft) -> Option<Vec<String>> {
    let Source::Native { codec, .. } = &draft.row.source else { return None };
    let map = codec.iter().find_map(|codec| match codec {
        Codec::Map(map) => Some(map),
        _ => None,
    })?;
    let texts: Vec<String> = map.pairs.iter().filter_map(|(scim, _)| scim.as_str()).map(str::to_owned).collect();
    (!texts.is_empty()).then_some(texts)
}
