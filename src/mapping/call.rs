//! Native calls as the mapping describes them: templates, not yet requests.

use std::fmt;
use std::sync::Arc;

use crate::expr::{Expr, Template};

use super::{Codec, Lacks, NativePath, Origin};

/// One native call.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `POST`, ... in upper case.
    pub method: Arc<str>,
    /// Path segments, each a template whose placeholders are percent-encoded as a path segment.
    pub segments: Vec<Template>,
    /// The path ends in a slash.
    pub trailing_slash: bool,
    /// Query parameters in order. A parameter whose template is null is left out.
    pub query: Vec<(Arc<str>, Template)>,
    /// Headers in order. A header whose template is null is left out.
    pub headers: Vec<(Arc<str>, Template)>,
    /// What is sent.
    pub body: Body,
    /// What success is.
    pub success: Arc<Success>,
    /// Shape of the reply.
    pub envelope: Envelope,
    /// Values taken from the reply, by name.
    pub save: Vec<(Arc<str>, Extract)>,
    /// May be repeated after an unknown outcome.
    pub idempotent: bool,
    /// Which call slot this is written in.
    pub slot: Slot,
    /// Its place in the configuration.
    pub origin: Origin,
    /// Where its parts came from, where the backend gave some.
    pub parts: Option<Arc<[Part]>>,
    /// Names that it looks up in reference tables: table and name. Without them it cannot be made.
    pub names: Vec<(String, String)>,
}

/// A part of a call to which the backend contributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `call`, `query`, `headers` or `body`.
    pub name: &'static str,
    /// The places, the widest first.
    pub origins: Vec<Origin>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (index, origin) in self.origins.iter().enumerate() {
            write!(f, "{}{origin}", if index == 0 { " " } else { " + " })?;
        }
        Ok(())
    }
}

/// Body of a call.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing is sent.
    None,
    /// What the attribute table makes: the mapped rows on create and replace, the changed ones on update; wrapped as
    /// the envelope says. Reads and deletes send nothing.
    Rows,
    /// As written.
    Built(BodyNode),
}

/// A body as written: structure, never text.
#[derive(Clone, Debug)]
pub enum BodyNode {
    /// A template; null leaves the key out, the literal `"{null}"` sends null.
    Leaf(Template),
    /// A TOML number, boolean, or a string without placeholders.
    Literal(serde_json::Value),
    /// A table; `spread` puts the rows beside the explicit keys, which win.
    Object {
        /// Explicit keys.
        fields: Vec<(Arc<str>, BodyNode)>,
        /// `"..."`.
        spread: Option<Spread>,
    },
    /// An array.
    Array(Vec<BodyNode>),
    /// A secret, filled in by the shell just before sending. The number indexes the snapshot's secrets.
    Secret(usize),
}

/// `"..." = "mapped" | "changed"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Every mapped row.
    Mapped,
    /// Changed rows only.
    Changed,
}

/// What success is.
#[derive(Clone, Debug, Default)]
pub struct Success {
    /// `ok`; `None` is any 2xx.
    pub ok: Option<Expr>,
    /// Replies that count as success although `ok` says otherwise.
    pub also_ok: Vec<AlsoOk>,
}

impl PartialEq for Success {
    fn eq(&self, other: &Self) -> bool {
        let condition = |also: &AlsoOk| match also {
            AlsoOk::Status(status) => status.to_string(),
            AlsoOk::When(expr) => expr.source().to_owned(),
        };
        self.ok.as_ref().map(Expr::source) == other.ok.as_ref().map(Expr::source)
            && self.also_ok.iter().map(condition).eq(other.also_ok.iter().map(condition))
    }
}

/// `also_ok`: a status, or a condition over `status`, `headers`, `body`.
#[derive(Clone, Debug)]
pub enum AlsoOk {
    /// This status.
    Status(u16),
    /// This condition.
    When(Expr),
}

/// Shape of replies and of bodies the adapter makes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where the list is.
    pub items: NativePath,
    /// Where one object is.
    pub item: NativePath,
    /// Key around bodies the adapter makes.
    pub wrap: Option<NativePath>,
    /// How the total is known.
    pub total: Total,
    /// A filter plan whose reply is one object or nothing.
    pub single: bool,
}

/// Where the number of all objects comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Total {
    /// A path in the reply.
    Path(NativePath),
    /// Counted by walking to the end, bounded by the scan limit.
    Walk,
    /// Not known: as many as were seen, and one more while there is more.
    Open,
}

/// A value read from a reply.
#[derive(Clone, Debug)]
pub struct Extract {
    /// Where.
    pub native: NativePath,
    /// Codecs in read direction.
    pub codec: Vec<Codec>,
}

/// What follows a call (`then`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rows not sent yet go out through `update` and write rules.
    Update,
    /// Members are applied.
    Members,
    /// The object is read.
    Get,
}

/// How a list is paged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The style with its parameter names.
    pub style: PagingStyle,
    /// Parameter that carries the page size, if the API takes one.
    pub size: Option<Arc<str>>,
    /// The largest size the application serves.
    pub max: u32,
    /// A page that is shorter than asked for is the last one; otherwise only an empty one is, where nobody says how
    /// many items there are.
    pub short_ends: bool,
}

/// Paging styles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PagingStyle {
    /// The whole list at once.
    None,
    /// Page numbers.
    Page {
        /// Parameter name.
        page: Arc<str>,
        /// Number of the first page.
        first: u32,
    },
    /// Number of objects to skip.
    Offset {
        /// Parameter name.
        offset: Arc<str>,
        /// Number of the first object.
        first: u32,
    },
    /// A marker from the last reply.
    Cursor {
        /// Parameter name.
        cursor: Arc<str>,
        /// Where the next marker is.
        next: NativePath,
    },
    /// A URL from the last reply; host and base path stay the backend's.
    Link {
        /// Where the next URL is; the `Link` header by default.
        next: NativePath,
    },
}

/// Call slots: error rules and metrics name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// `ops.list` and filter plans.
    List,
    /// `ops.get`.
    Get,
    /// `ops.create`.
    Create,
    /// `ops.replace`.
    Replace,
    /// `ops.update` and write rules.
    Update,
    /// `ops.delete`.
    Delete,
    /// `members.list`.
    MembersList,
    /// `members.add`.
    MembersAdd,
    /// `members.remove`.
    MembersRemove,
    /// `members.set`.
    MembersSet,
    /// `members.inverse`.
    Inverse,
    /// `get` and `list` of a part.
    Part,
    /// `login` of a backend's credential; no error rule is about it.
    Login,
    /// A reference table of a backend.
    Table,
}

impl Slot {
    /// The name used in the configuration and as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::MembersList => "members.list",
            Self::MembersAdd => "members.add",
            Self::MembersRemove => "members.remove",
            Self::MembersSet => "members.set",
            Self::Inverse => "members.inverse",
            Self::Part => "part",
            Self::Login => "login",
            Self::Table => "table",
        }
    }

    /// Every slot that an error rule may name.
    pub const ALL: [Self; 12] = [
        Self::List,
        Self::Get,
        Self::Create,
        Self::Replace,
        Self::Update,
        Self::Delete,
        Self::MembersList,
        Self::MembersAdd,
        Self::MembersRemove,
        Self::MembersSet,
        Self::Inverse,
        Self::Part,
    ];

    /// The slot of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.as_str() == text)
    }

    /// Whether a call in this slot only reads, whatever its method.
    pub fn reads(self) -> bool {
        matches!(self, Self::List | Self::Get | Self::MembersList | Self::Inverse | Self::Part | Self::Table)
    }
}

/// Which list a call pages through, with its paging.
#[derive(Clone, Debug)]
pub struct ListCall {
    /// The call.
    pub call: Call,
    /// How it pages.
    pub paging: Paging,
    /// What its items leave out.
    pub lacks: Option<Arc<Lacks>>,
}
