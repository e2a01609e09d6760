//! Membership as the mapping describes it.

use crate::expr::{Expr, Template};

use super::call::{Call, ListCall};
use super::flow::Flow;
use super::{Extract, NativePath, Origin};

/// How a group's members are read and written.
#[derive(Clone, Debug)]
pub struct Members {
    /// Resource type of the members, such as `User`.
    pub of: String,
    /// How the current members are read.
    pub source: MemberSource,
    /// Where a member's id is in an item of the source.
    pub value: Extract,
    /// Where a member's display name is, if anywhere.
    pub display: Option<Extract>,
    /// Adds one member, or a batch.
    pub add: Option<MemberCall>,
    /// Removes one member, or a batch.
    pub remove: Option<MemberCall>,
    /// Replaces the whole set.
    pub set: Option<Flow>,
    /// How an unknown member shows, and what then.
    pub missing: Missing,
    /// Whether `remove members` without saying which may empty a group.
    pub allow_clear: bool,
    /// Read the current set before every change.
    pub always_diff: bool,
    /// Calls under way together.
    pub parallel: usize,
    /// Members of one group that are read or written at the most, where the mapping says so.
    pub max: Option<usize>,
    /// What joining does to somebody who is in another group, where nobody can be in two.
    pub exclusive: Option<Exclusive>,
    /// `[resource.T.members]`.
    pub origin: Origin,
}

/// Where the current members are.
#[derive(Clone, Debug)]
pub enum MemberSource {
    /// In the group's own document.
    Native(NativePath),
    /// Behind a call of their own.
    List(Box<ListCall>),
}

/// Membership of one group ends that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusive {
    /// Allowed, and said.
    Move,
    /// 400 that names the other group.
    Refuse,
}

/// One call per member, or per batch of members.
#[derive(Clone, Debug)]
pub struct MemberCall {
    /// The calls; they see `member`, or `batch`.
    pub flow: Flow,
    /// Members per call; `None` is one call per member.
    pub batch: Option<usize>,
    /// What it needs to know about the member.
    pub reads: MemberReads,
    /// Reads the members' own objects, several at once.
    pub lookup: Option<Box<MemberLookup>>,
}

/// `in`: reads the objects of several members at once.
#[derive(Clone, Debug)]
pub struct MemberLookup {
    /// The call; it sees `batch`.
    pub list: ListCall,
    /// Members in one call.
    pub batch: usize,
}

impl MemberCall {
    /// The call, where it is one and no more: such calls can be under way together.
    pub fn single(&self) -> Option<&Call> {
        self.flow.single()
    }
}

/// What has to be read before a member call can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberReads {
    /// `member.native`: what showed the member in the group.
    pub row: bool,
    /// `member.scim`: the member as a SCIM resource.
    pub scim: bool,
    /// `member.object`: the member's own native document.
    pub object: bool,
}

/// How an unknown member shows in the reply to `add` or `set`.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Condition over `status`, `headers`, `body`; tested before `ok`.
    pub when: Option<Expr>,
    /// What then.
    pub policy: MissingPolicy,
}

/// What to do about a member the application does not know.
#[derive(Clone, Debug)]
pub enum MissingPolicy {
    /// 400 `invalidValue` that names it; the others are still applied.
    Reject,
    /// Counted, success.
    Ignore,
    /// Create it through the member type's `create`, then repeat the add once.
    Create(Vec<(crate::scim::AttrPath, Template)>),
}

/// The relation read from the member's side.
#[derive(Clone, Debug)]
pub struct Inverse {
    /// Resource type of the groups.
    pub group: String,
    /// In the member's own document, or behind a call.
    pub source: InverseSource,
    /// Where a group's id is.
    pub value: Extract,
    /// Where a group's display name is, if anywhere.
    pub display: Option<Extract>,
    /// Only when asked for by name.
    pub on_request: bool,
    /// Calls under way together.
    pub parallel: usize,
    /// Its place.
    pub origin: Origin,
}

/// Where the groups of a member are.
#[derive(Clone, Debug)]
pub enum InverseSource {
    /// In the member's own document.
    Native(NativePath),
    /// Behind a call.
    Call(Box<ListCall>),
}
