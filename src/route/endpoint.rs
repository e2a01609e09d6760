//! In: the segments below the base of a route. Out: the [`Endpoint`] of RFC 7644 3.2 that they name.
//!
//! Whether a method is allowed there, and whether the resource exists, is not decided here.

use super::canonical::Segment;

/// An endpoint of RFC 7644 3.2, table 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/Users`: all resources of one type. The index counts the route's endpoint names.
    Collection {
        /// Which of the route's resource types.
        type_index: usize,
    },
    /// `/Users/2819c223`: one resource.
    Resource {
        /// Which of the route's resource types.
        type_index: usize,
        /// The id as the client means it: percent-decoded once. It may hold a slash.
        id: String,
    },
    /// `/.search` or `/Users/.search` (RFC 7644 3.4.3).
    Search {
        /// Which of the route's resource types; `None` for all of them.
        type_index: Option<usize>,
    },
    /// `/Bulk`.
    Bulk,
    /// `/Me`.
    Me,
    /// `/ServiceProviderConfig`.
    ServiceProviderConfig,
    /// `/ResourceTypes`, or one of them by name.
    ResourceTypes(Option<String>),
    /// `/Schemas`, or one of them by URN.
    Schemas(Option<String>),
}

impl Endpoint {
    /// The word used as a metric label; it never holds a part of the path.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Collection { .. } => "collection",
            Self::Resource { .. } => "resource",
            Self::Search { .. } => "search",
            Self::Bulk => "bulk",
            Self::Me => "me",
            Self::ServiceProviderConfig => "service_provider_config",
            Self::ResourceTypes(_) => "resource_types",
            Self::Schemas(_) => "schemas",
        }
    }
}

/// Reads the segments below a base. Names are compared exactly and as received. `types` are the names of the resource
/// endpoints without a slash, in the order that `type_index` counts.
pub(super) fn read(rest: &[Segment<'_>], types: &[Box<str>]) -> Option<Endpoint> {
    let (first, second) = match rest {
        [first] => (first.raw, None),
        [first, second] => (first.raw, Some(second)),
        _ => return None,
    };
    let discovery_name = || second.map(|segment| segment.decoded.to_string());
    match (first, second) {
        (".search", None) => Some(Endpoint::Search { type_index: None }),
        ("Bulk", None) => Some(Endpoint::Bulk),
        ("Me", None) => Some(Endpoint::Me),
        ("ServiceProviderConfig", None) => Some(Endpoint::ServiceProviderConfig),
        ("ResourceTypes", _) => Some(Endpoint::ResourceTypes(discovery_name())),
        ("Schemas", _) => Some(Endpoint::Schemas(discovery_name())),
        _ => {
            let type_index = types.iter().position(|name| **name == *first)?;
            Some(match second {
                None => Endpoint::Collection { type_index },
                Some(segment) if segment.raw == ".search" => Endpoint::Search { type_index: Some(type_index) },
                Some(segment) => Endpoint::Resource { type_index, id: segment.decoded.to_string() },
            })
        }
    }
}

/// First segments that no resource type may use as its endpoint.
pub const RESERVED_NAMES: [&str; 6] = [".search", "Bulk", "Me", "ServiceProviderConfig", "ResourceTypes", "Schemas"];
