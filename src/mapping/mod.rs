//! The compiled mapping of one resource type onto one native API: immutable data, every name resolved.
//!
//! In: what `config::compile` made of the file. Out: `from_native` turns native documents into SCIM resources,
//! `to_native` turns SCIM state into native documents. Nothing here knows HTTP or decides which calls to make.

pub mod call;
pub mod codec;
pub mod flow;
pub mod from_native;
pub mod guard;
mod id;
pub mod index;
mod lacks;
pub mod layout;
pub mod members;
pub mod native_path;
pub mod part;
pub mod row;
pub mod sends;
pub mod tables;
pub mod to_native;
pub mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::expr::{Expr, Template};
use crate::scim::ResourceType;

pub use call::{
    AlsoOk, Body, BodyNode, Call, Envelope, Extract, ListCall, Paging, PagingStyle, Part, Phase, Slot, Spread, Success,
    Total,
};
pub use codec::Codec;
pub use flow::{Each, Flow, Step};
pub use guard::Guard;
pub use id::{IdKind, IdPart, IdRule};
pub use lacks::{Lacks, Readers, fields_meet};
pub use members::{Exclusive, Inverse, MemberCall, MemberLookup, MemberReads, Members, Missing, MissingPolicy};
pub use native_path::NativePath;
pub use row::{Access, Omit, Row, Source, Target};

/// Where in the configuration something stands; shown by `explain`, logs and mapping errors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// File name, or a preset such as `preset:rest@1`.
    pub source: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.line)
    }
}

/// One resource type as one backend holds it.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Schemas: known and announced.
    pub resource_type: ResourceType,
    /// `[resource.T]`.
    pub origin: Origin,
    /// How SCIM ids and native keys relate.
    pub id: IdRule,
    /// The attribute table; at most 128 rows, so that a set of rows is one `u128`.
    pub rows: Vec<Row>,
    /// Native calls by operation.
    pub ops: Operations,
    /// Write rules in file order.
    pub writes: Vec<WriteRule>,
    /// Filter push-downs.
    pub filters: Vec<FilterPlan>,
    /// How far a filter without a push-down may read.
    pub scan: Option<Scan>,
    /// Membership, for types that have members.
    pub members: Option<Members>,
    /// The read-only `groups` attribute, seen from the member's side.
    pub inverse: Option<Inverse>,
    /// What makes a new object the same as one that is there.
    pub exists: Option<Exists>,
    /// What a PUT that leaves an attribute out does.
    pub put_omitted: PutOmitted,
    /// A native object for which this holds is treated as absent.
    pub gone: Option<Expr>,
    /// Reference tables of the backend that rows and calls use, by number.
    pub tables: Vec<usize>,
    /// Names that calls look up there: table and name.
    pub table_names: Vec<(String, String)>,
    /// What must not be touched, or not be seen, in file order.
    pub guards: Vec<Guard>,
    /// Where the native version (for `ETag`) is, if the API has one.
    pub version: Option<Extract>,
    /// Native paths removed from a document before it is sent whole.
    pub strip: Vec<NativePath>,
    /// Documents of their own beside the object's.
    pub parts: Vec<part::Part>,
    /// What writes must have to themselves that depend on what was read: shared with the types of the same name.
    pub lock: Option<Arc<str>>,
    /// Which rows a document is about.
    pub index: index::Index,
    /// Which rows writes send.
    pub sends: sends::Sends,
    /// What writes depend on.
    pub writing: writing::Writing,
    /// In which order an answer is written, where it can be written as it is read.
    pub layout: Option<layout::Layout>,
}

/// When the object of a create is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exists {
    /// The row whose value says that two objects are the same.
    pub row: usize,
    /// Use it, and bring it to the state that is asked for; otherwise 409.
    pub adopt: bool,
}

/// A set of rows by index.
pub type RowSet = u128;

/// The most rows a mapping may have.
pub const MAX_ROWS: usize = 128;

/// When a derived key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    /// The application answers with a conflict.
    Native,
    /// Look first; 409 `uniqueness` naming the holder.
    Reject,
    /// Look first; an equal holder is the answer, another one is 409.
    Reuse,
}

/// What renaming does to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdMutability {
    /// Nothing: the key stays.
    Keep,
    /// The attributes it derives from are immutable: 400 `mutability`.
    Reject,
}

/// Native calls by operation; what is absent is derived or not supported.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// All objects.
    pub list: Option<ListCall>,
    /// One object.
    pub get: Option<Call>,
    /// A new object.
    pub create: Option<Flow>,
    /// Some fields of an object.
    pub update: Option<Flow>,
    /// A whole object.
    pub replace: Option<Flow>,
    /// Removal.
    pub delete: Option<Flow>,
    /// What a deletion writes, where nothing is removed.
    pub deletion: Option<Deletion>,
    /// Brings an object back that is gone.
    pub revival: Option<Revival>,
}

/// How an object that is gone is brought back.
#[derive(Clone, Debug)]
pub enum Revival {
    /// By a call.
    Call(Flow),
    /// By writing native fields.
    Set(Vec<(NativePath, serde_json::Value)>),
}

impl Operations {
    /// Every flow of calls that writes.
    pub fn flows(&self) -> impl Iterator<Item = &Flow> {
        let revival = match &self.revival {
            Some(Revival::Call(flow)) => Some(flow),
            Some(Revival::Set(_)) | None => None,
        };
        [&self.create, &self.update, &self.replace, &self.delete].into_iter().flatten().chain(revival)
    }
}

/// A deletion that is a change.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// Writes false to the row of `active`.
    Off {
        /// Its index.
        row: usize,
    },
    /// Writes native fields.
    Set(Vec<(NativePath, serde_json::Value)>),
}

/// A call of its own for some attributes.
#[derive(Clone, Debug)]
pub struct WriteRule {
    /// Rows it is about.
    pub rows: RowSet,
    /// Holds on update, on create, or both.
    pub on_create: bool,
    /// See `on_create`.
    pub on_update: bool,
    /// Only when this holds.
    pub when: Option<Expr>,
    /// What to send.
    pub flow: Flow,
    /// Whether the rows it matched are taken out of the ordinary update.
    pub claims: bool,
    /// When it is sent.
    pub order: Order,
    /// The rule's place.
    pub origin: Origin,
}

/// When a write rule is sent, relative to the ordinary update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First.
    Before,
    /// Last.
    After,
}

/// A push-down for comparisons of one attribute.
#[derive(Clone, Debug)]
pub struct FilterPlan {
    /// The attribute; sub-attribute `value` for multi-valued complex ones.
    pub path: crate::scim::AttrPath,
    /// Operators it serves.
    pub ops: Vec<crate::scim::filter::CompareOp>,
    /// The row whose codec encodes the value, if one reads this attribute.
    pub row: Option<usize>,
    /// What to call.
    pub how: FilterCall,
    /// The plan's place.
    pub origin: Origin,
}

/// How a push-down asks.
#[derive(Clone, Debug)]
pub enum FilterCall {
    /// `get` with a key computed from the value (`"get"`, `"get {value}"`).
    Get {
        /// The key; `None` means the value itself.
        key: Option<Template>,
    },
    /// A list call: the resource's own with changes merged in, or another.
    List(Box<ListCall>),
}

/// Bounds of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Objects read at the most; more is 400 `tooMany`.
    pub max: u32,
    /// How long a list that was read whole may serve again.
    pub cache: Option<Duration>,
}

/// Override 5 of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOmitted {
    /// Unassigned, as RFC 7644 3.5.1 has it.
    Clear,
    /// Left as it is.
    Keep,
}

impl Mapping {
    /// Row indices in a set, ascending.
    pub fn rows_in(&self, set: RowSet) -> impl Iterator<Item = (usize, &Row)> {
        index::each(set).filter_map(|index| Some((index, self.rows.get(index)?)))
    }

    /// The rows of a set that have a value in a resource.
    pub fn with_value(&self, set: RowSet, resource: &crate::scim::Resource) -> RowSet {
        if set == 0 {
            return 0;
        }
        let present = self.rows_in(set & self.index.present(resource));
        let with_value = present.filter(|(_, row)| row.target.read(resource, self.sole_on_attribute(row)).is_some());
        with_value.fold(0, |set, (index, _)| set | 1 << index)
    }

    /// Whether a row about one element of a multi-valued attribute is the only row about that attribute. False for
    /// rows that are about no element: there the answer makes no difference.
    pub fn sole_on_attribute(&self, row: &Row) -> bool {
        if row.target.selector.is_empty() {
            return false;
        }
        let attribute = (&row.target.path.extension, &row.target.path.attribute);
        self.rows
            .iter()
            .filter(|other| (&other.target.path.extension, &other.target.path.attribute) == attribute)
            .count()
            == 1
    }
}
