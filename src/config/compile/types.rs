//! Types of SCIM attributes, for the expressions that read them and the rows that hold them.

use std::sync::Arc;

use crate::expr::{Record, Type, Wanted};
use crate::mapping::Target;
use crate::scim::schema::common_attributes;
use crate::scim::{Attribute, AttributeType, ResourceType};

/// A resource as its schemas describe it: core, extensions by URN, and the enterprise attributes by their bare names
/// where the core has none of that name.
pub(super) fn resource(of: &ResourceType) -> Type {
    let mut record = record(&of.name, common_attributes().iter().chain(&of.schema.attributes));
    for schema in &of.extensions {
        let inner = self::record(&schema.name, &schema.attributes);
        for attribute in &schema.attributes {
            let bare = of.resolve_attribute(&attribute.name).ok().and_then(|resolved| resolved.path.extension);
            if bare.is_some_and(|urn| urn == schema.id) {
                record.shortcuts.insert((&*attribute.name).into(), (&*schema.id).into());
            }
        }
        record.fields.insert((&*schema.id).into(), Type::Record(Arc::new(inner)));
    }
    Type::Record(Arc::new(record))
}

fn record<'a>(name: &str, attributes: impl IntoIterator<Item = &'a Attribute>) -> Record {
    let fields = attributes.into_iter().map(|attribute| ((&*attribute.name).into(), attribute_type(attribute)));
    Record { name: name.into(), fields: fields.collect(), ..Record::default() }
}

fn attribute_type(attribute: &Attribute) -> Type {
    let one = match attribute.kind {
        AttributeType::Boolean => Type::Bool,
        AttributeType::Integer => Type::Int,
        AttributeType::Decimal => Type::Number,
        AttributeType::Complex => Type::Record(Arc::new(record(&attribute.name, &attribute.sub_attributes))),
        AttributeType::String | AttributeType::DateTime | AttributeType::Binary | AttributeType::Reference => {
            Type::String
        }
    };
    if attribute.multi_valued { Type::list(one) } else { one }
}

/// What an expression must give for a row.
pub(super) fn wanted(target: &Target) -> Wanted {
    match target.kind {
        _ if target.multi_valued => Wanted::List,
        AttributeType::Boolean => Wanted::Bool,
        AttributeType::Integer => Wanted::Int,
        AttributeType::Decimal => Wanted::Number,
        AttributeType::Complex => Wanted::Map,
        AttributeType::String | AttributeType::DateTime | AttributeType::Binary | AttributeType::Reference => {
            Wanted::String
        }
    }
}
