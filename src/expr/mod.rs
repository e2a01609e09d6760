//! The expression and template language of the configuration.
//!
//! In: the text of an expression or template, and the [`Scope`] of names its slot may use. Out: a compiled [`Expr`] or
//! [`Template`] that reads JSON documents through an [`Env`], or every mistake as an [`ExprError`] with its place.
//! It knows no configuration file, no SCIM and no HTTP, and it does no input or output.
//!
//! The language is CEL, with two listed exceptions:
//!
//! 1. Reading a field, key or index that is not there gives null, and so does an operator's arithmetic or a function
//!    that meets a null (`default` apart). In CEL both are errors.
//! 2. Null counts as false in `&&`, `||`, `!`, `?:` and as a whole condition; the macros see the empty list in a null.
//!
//! `==` between values of different types is false, as in CEL; `<` and its like between them are false rather than an
//! error, because the type of a native document is only known at run time. Timestamps, durations, bytes, unsigned
//! literals, messages and optional syntax are refused at compile time: no JSON value needs them.
//!
//! ```text
//! scope { scim }, source  scim.userName.before('@').lower()
//! env   { scim: {"userName": "Ann@example.com"} }   gives   "ann"
//! ```
//!
//! Types are checked where the slot says what it takes ([`Scope::wanting`]): to compare values of known different types,
//! to call a function on a type it cannot take, or to give a condition a text are mistakes then.
//!
//! The stages, in reading order: `scan` bounds the text, `parse` makes CEL's tree, `infer` looks at its types, `check` resolves it to a
//! `node::Node`, `eval` runs that over borrowed JSON; `functions` is the catalogue; `library` and `texts` are
//! what it does.

mod build;
mod check;
mod eval;
mod functions;
mod infer;
mod library;
mod node;
mod operators;
mod parse;
mod password;
mod scan;
mod template;
#[cfg(test)]
mod tests;
mod texts;
mod types;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::document::Tree;
use crate::pattern::{Shared, note_compilation};

use node::Node;
pub use template::{Encode, TEMPLATE_MAX_BYTES, Template};
pub use types::{Record, Type, Wanted};

/// The longest source of one expression, in bytes.
pub const SOURCE_MAX_BYTES: usize = 4096;
/// How deep brackets may nest in an expression.
pub const DEPTH_MAX: usize = 24;
/// How many operators, selections, indexes and calls one expression may hold; it bounds the depth of the tree.
pub const LINKS_MAX: usize = 256;
/// How deep loops (`filter`, `map`, `exists`, ...) may nest.
pub const LOOPS_MAX: usize = 4;
/// The longest text an expression may build, in bytes.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;
/// The largest list or map an expression may build, in bytes of its content. Passing on what is already in a
/// document is not building. It is larger than [`TEXT_MAX_BYTES`] so that the members of a large group can be filtered.
pub const BUILT_MAX_BYTES: usize = 1024 * 1024;
/// The work one evaluation may do, counted in elements compared; a loop turn counts as eight of them. Spending all of
/// it takes about a tenth of a second.
pub const WORK_MAX: u32 = 10_000_000;

/// A compiled expression. Cheap to clone and free of references to its scope.
#[derive(Clone, Debug)]
pub struct Expr(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    source: Box<str>,
    root: Node,
    reads: Vec<node::Read>,
    generates: bool,
}

impl Expr {
    /// Parses, checks and resolves `source`; every name must be in `scope`.
    ///
    /// # Errors
    ///
    /// All mistakes found, in the order of the source. A text that is not CEL gives its first mistake only, because the
    /// ones behind it are seldom real.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<ExprError>> {
        note_compilation();
        let parsed = parse::parse(source).map_err(|error| vec![error])?;
        let root = check::check(&parsed, scope)?;
        if let Some(wanted) = scope.wanted {
            let (_, mistakes) = infer::infer(&parsed, scope, wanted);
            if !mistakes.is_empty() {
                return Err(mistakes);
            }
        }
        let reads = node::reads(&root);
        let generates = root.generates();
        let root = if reads.is_empty() && !generates { Node::Literal(constant(&root, source)?) } else { root };
        Ok(Self(Arc::new(Compiled { source: source.into(), root, reads, generates })))
    }

    /// The value over the documents in `env`, borrowed from them or from the expression where possible.
    ///
    /// # Errors
    ///
    /// A value of a type the operation cannot take, arithmetic that has no result, or a bound that was reached.
    pub fn eval<'e>(&'e self, env: &Env<'e>) -> Result<Cow<'e, Value>, EvalError> {
        eval::run(&self.0.root, env)
    }

    /// The value as a condition: null is false.
    ///
    /// # Errors
    ///
    /// As [`Expr::eval`], and [`EvalError::NotACondition`] for a value that is neither a boolean nor null.
    pub fn test(&self, env: &Env<'_>) -> Result<bool, EvalError> {
        operators::condition(&*self.eval(env)?)
    }

    /// Whether the expression reads `name` at all.
    pub fn uses(&self, name: Name) -> bool {
        self.0.reads.iter().any(|read| read.name == name)
    }

    /// Whether the expression reads a route variable or the variable of a step.
    pub fn uses_variables(&self) -> bool {
        self.0.reads.iter().any(|read| matches!(read.name, Name::Var(_) | Name::Local(_)))
    }

    /// The selections it reads from `name`, each once, in the order of the source: `scim.name.givenName` and
    /// `scim['name'].givenName` give `["name", "givenName"]`. A path ends at a computed or numeric index, at a function
    /// and at a loop, so it names everything below it; the empty path is the whole document.
    pub fn field_paths(&self, name: Name) -> Vec<Vec<String>> {
        self.0.reads.iter().filter(|read| read.name == name).map(|read| read.path.clone()).collect()
    }

    /// The same, without copies of them.
    pub fn selections(&self, name: Name) -> impl Iterator<Item = &[String]> {
        self.0.reads.iter().filter(move |read| read.name == name).map(|read| read.path.as_slice())
    }

    /// Whether there is a `password` in it.
    pub fn generates(&self) -> bool {
        self.0.generates
    }

    /// Whether it is a `password` and nothing else.
    pub fn is_password(&self) -> bool {
        matches!(self.0.root, Node::Password(_))
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The value, if the expression reads nothing.
    pub fn constant(&self) -> Option<&Value> {
        match &self.0.root {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }
}

/// What an expression without names always gives.
fn constant(root: &Node, source: &str) -> Result<Value, Vec<ExprError>> {
    let value = eval::run(root, &Env::default()).map(Cow::into_owned);
    value.map_err(|error| {
        vec![ExprError { span: 0..source.len(), message: format!("this always fails: {error}"), suggestion: None }]
    })
}

/// One name an expression may read. Route variables are numbered by the config compiler: `Var(i)` indexes
/// [`Env::vars`], as `Local(i)`, the `as` name of a step, indexes [`Env::locals`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Name {
    /// The native id.
    Id,
    /// The SCIM resource as the request wants it.
    Scim,
    /// The SCIM resource before the request.
    Old,
    /// The native document.
    Native,
    /// What the attribute table produced.
    Mapped,
    /// The part of it that changed.
    Changed,
    /// Facts about the request.
    Req,
    /// What earlier steps saved.
    Steps,
    /// The member of a member call.
    Member,
    /// The members of a batched member call.
    Batch,
    /// The value of a filter comparison.
    Value,
    /// The status code of a reply.
    Status,
    /// The headers of a reply.
    Headers,
    /// The body of a reply.
    Body,
    /// What the login call saved.
    Login,
    /// Keys by reference table and name.
    Table,
    /// The tenant.
    Tenant,
    /// An `as` name of a step.
    Local(u8),
    /// A route variable.
    Var(u16),
}

/// The names a slot may use.
#[derive(Clone, Default, Debug)]
pub struct Scope {
    names: BTreeMap<Box<str>, Name>,
    types: BTreeMap<Box<str>, Type>,
    /// What the slot takes; without it types are not looked at.
    wanted: Option<Wanted>,
    /// Where the patterns of its expressions are compiled.
    patterns: Shared,
}

impl Scope {
    /// A scope without names.
    pub fn new() -> Self {
        Self::default()
    }

    /// This scope with one more name.
    #[must_use]
    pub fn with(mut self, text: &str, name: Name) -> Self {
        self.insert(text, name);
        self
    }

    /// This scope, with patterns compiled once for all who share them.
    #[must_use]
    pub fn sharing(mut self, patterns: &Shared) -> Self {
        self.patterns = patterns.clone();
        self
    }

    /// This scope for a slot that takes `wanted`: what cannot have a value there is a mistake. CEL itself has no opinion
    /// on that, so that a scope without it means what CEL says.
    #[must_use]
    pub fn wanting(mut self, wanted: Wanted) -> Self {
        self.wanted = Some(wanted);
        self
    }

    /// Says what is known of the values of a name.
    pub fn set_type(&mut self, text: &str, found: Type) {
        self.types.insert(text.into(), found);
    }

    fn type_of(&self, text: &str) -> Type {
        self.types.get(text).cloned().unwrap_or_default()
    }

    /// The field through which `field` of a name is reached, if its own name is not enough.
    fn shortcut(&self, text: &str, field: &str) -> Option<Box<str>> {
        match self.types.get(text)? {
            Type::Record(record) if !record.fields.contains_key(field) => record.shortcuts.get(field).cloned(),
            _ => None,
        }
    }

    /// Adds a name; a later one of the same text wins.
    pub fn insert(&mut self, text: &str, name: Name) {
        self.names.insert(text.into(), name);
    }

    /// The texts of all names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(AsRef::as_ref)
    }

    fn resolve(&self, text: &str) -> Option<Name> {
        self.names.get(text).copied()
    }
}

/// The documents an evaluation reads. A name without one reads as null. It has no `Debug`: documents hold personal data.
#[derive(Clone, Copy, Default)]
pub struct Env<'a> {
    /// [`Name::Id`].
    pub id: Option<&'a Value>,
    /// [`Name::Scim`].
    pub scim: Option<&'a Value>,
    /// [`Name::Old`].
    pub old: Option<&'a Value>,
    /// [`Name::Native`].
    pub native: Option<&'a dyn Tree>,
    /// [`Name::Mapped`].
    pub mapped: Option<&'a Value>,
    /// [`Name::Changed`].
    pub changed: Option<&'a Value>,
    /// [`Name::Req`].
    pub req: Option<&'a RequestFacts>,
    /// [`Name::Steps`].
    pub steps: Option<&'a Value>,
    /// [`Name::Member`].
    pub member: Option<&'a Value>,
    /// [`Name::Batch`].
    pub batch: Option<&'a Value>,
    /// [`Name::Value`].
    pub value: Option<&'a Value>,
    /// [`Name::Status`].
    pub status: Option<&'a Value>,
    /// [`Name::Headers`].
    pub headers: Option<&'a Value>,
    /// [`Name::Body`].
    pub body: Option<&'a dyn Tree>,
    /// [`Name::Login`].
    pub login: Option<&'a Value>,
    /// Names of reference tables by table and the text of a key; no expression reads them.
    pub table_names: Option<&'a Value>,
    /// [`Name::Table`].
    pub table: Option<&'a Value>,
    /// [`Name::Tenant`].
    pub tenant: Option<&'a Value>,
    /// What `password` draws from; fresh for every request.
    pub seed: Option<&'a [u8; 32]>,
    /// [`Name::Local`], by index.
    pub locals: &'a [Value],
    /// [`Name::Var`], by index.
    pub vars: &'a [Option<Value>],
}

impl<'a> Env<'a> {
    fn read(&self, name: Name) -> Option<&'a Value> {
        match name {
            Name::Id => self.id,
            Name::Scim => self.scim,
            Name::Old => self.old,
            Name::Native => self.native.map(Tree::tree),
            Name::Mapped => self.mapped,
            Name::Changed => self.changed,
            Name::Req => self.req.map(RequestFacts::value),
            Name::Steps => self.steps,
            Name::Member => self.member,
            Name::Batch => self.batch,
            Name::Value => self.value,
            Name::Status => self.status,
            Name::Headers => self.headers,
            Name::Body => self.body.map(Tree::tree),
            Name::Login => self.login,
            Name::Table => self.table,
            Name::Tenant => self.tenant,
            Name::Local(index) => self.locals.get(usize::from(index)),
            Name::Var(index) => self.vars.get(usize::from(index)).and_then(Option::as_ref),
        }
    }
}

/// What expressions see of the request they are evaluated for: an object with its `id`. It is made for the first that
/// looks, because hardly any does.
#[derive(Clone, Debug)]
pub struct RequestFacts {
    id: String,
    value: OnceLock<Value>,
}

impl RequestFacts {
    /// Those of a request with this id.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), value: OnceLock::new() }
    }

    fn value(&self) -> &Value {
        self.value.get_or_init(|| json!({ "id": self.id }))
    }
}

/// One mistake in a source text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExprError {
    /// Where, in bytes of the source.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that can be guessed.
    pub suggestion: Option<String>,
}

/// Why an evaluation has no value. It never carries a value of the documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvalError {
    /// An operation met a value of a type it cannot take.
    #[error("`{operation}` cannot take a value of type {found}")]
    Type {
        /// The operator or function.
        operation: &'static str,
        /// The type it met.
        found: &'static str,
    },
    /// A condition is neither a boolean nor null.
    #[error("a condition cannot be a value of type {found}")]
    NotACondition {
        /// The type it met.
        found: &'static str,
    },
    /// A whole number does not fit into 64 bits.
    #[error("the number does not fit into 64 bits")]
    Overflow,
    /// A division or remainder by zero.
    #[error("division by zero")]
    DivideByZero,
    /// Floating-point arithmetic whose result JSON cannot hold.
    #[error("the result is not a finite number")]
    NotFinite,
    /// A text that a conversion cannot read.
    #[error("`{function}` cannot convert this text")]
    Conversion {
        /// The conversion.
        function: &'static str,
    },
    /// A position outside the text.
    #[error("`{function}` was given a position outside the text")]
    OutOfRange {
        /// The function.
        function: &'static str,
    },
    /// Two entries of a map have the same key.
    #[error("a map has the same key twice")]
    DuplicateKey,
    /// More than [`TEXT_MAX_BYTES`] or [`BUILT_MAX_BYTES`].
    #[error("the result is larger than {max} bytes")]
    TooLong {
        /// The bound in bytes.
        max: usize,
    },
    /// More than [`WORK_MAX`].
    #[error("the evaluation takes more than {max} steps")]
    TooMuchWork {
        /// The bound in steps.
        max: u32,
    },
    /// A list or map where a text is needed.
    #[error("a value of type {found} cannot stand in a text")]
    NotText {
        /// The type it met.
        found: &'static str,
    },
    /// `password` where nothing random is at hand.
    #[error("`password` has nothing random to draw from here")]
    NoRandomness,
    /// A path segment that would be empty, `.` or `..`.
    #[error("a path segment would be empty, `.` or `..`")]
    BadSegment,
}
