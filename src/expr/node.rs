//! The resolved expression: names are enum values, functions are known, patterns are compiled.
//!
//! `check` builds it, `eval` runs it. Its shape is that of the source; nothing in it is looked up by text again but the
//! fields of JSON documents.

use regex::Regex;
use serde_json::Value;

use crate::pattern;

use super::Name;
use super::functions::Function;
use super::password::Recipe;

/// A resolved expression.
#[derive(Debug)]
pub(super) enum Node {
    Literal(Value),
    Name(Name),
    /// The variable of an enclosing loop, by its depth.
    LoopVariable(usize),
    /// `operand.field`, and `operand['field']` with a literal key.
    Select(Box<Node>, Box<str>),
    /// `has(operand.field)`.
    Has(Box<Node>, Box<str>),
    /// `operand[index]`.
    Index(Box<[Node; 2]>),
    List(Vec<Node>),
    Map(Vec<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    /// `condition ? then : otherwise`.
    Conditional(Box<[Node; 3]>),
    /// `default(x, y)`, which needs `y` only if `x` is null.
    Default(Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    /// A function; the receiver of a method is the first argument.
    Call(Function, Vec<Node>),
    /// Random characters.
    Password(Recipe),
    /// A method with a literal pattern.
    Pattern(Box<Pattern>),
    Loop(Box<Loop>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A method whose first argument is a pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) receiver: Node,
    pub(super) action: PatternAction,
}

#[derive(Debug)]
pub(super) enum PatternAction {
    /// `matches(pattern)`.
    Matches(pattern::Pattern),
    /// `strip(pattern)`.
    Strip(Regex),
    /// `replaceRe(pattern, replacement)`.
    Replace(Regex, Node),
}

/// A macro over the elements of a list, or the keys of a map.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) range: Node,
    /// Where the element is put; see [`Node::LoopVariable`].
    pub(super) variable: usize,
    pub(super) action: LoopAction,
}

#[derive(Debug)]
pub(super) enum LoopAction {
    Exists(Node),
    ExistsOne(Node),
    All(Node),
    Filter(Node),
    /// The condition of the form with three arguments, and the element of the result.
    Map(Option<Node>, Node),
}

impl Node {
    /// Calls `visit` with each direct part, in the order of the source.
    pub(super) fn parts<'n>(&'n self, visit: &mut dyn FnMut(&'n Node)) {
        match self {
            Node::Literal(_) | Node::Name(_) | Node::LoopVariable(_) | Node::Password(_) => {}
            Node::Select(part, _) | Node::Has(part, _) | Node::Not(part) | Node::Negate(part) => {
                visit(part);
            }
            Node::Index(parts)
            | Node::And(parts)
            | Node::Or(parts)
            | Node::Default(parts)
            | Node::Compare(_, parts)
            | Node::In(parts)
            | Node::Arithmetic(_, parts) => parts.iter().for_each(visit),
            Node::Conditional(parts) => parts.iter().for_each(visit),
            Node::List(parts) | Node::Call(_, parts) => parts.iter().for_each(visit),
            Node::Map(entries) => entries.iter().flatten().for_each(visit),
            Node::Pattern(pattern) => {
                visit(&pattern.receiver);
                if let PatternAction::Replace(_, replacement) = &pattern.action {
                    visit(replacement);
                }
            }
            Node::Loop(each) => {
                visit(&each.range);
                match &each.action {
                    LoopAction::Map(condition, element) => {
                        condition.iter().chain([element]).for_each(visit);
                    }
                    LoopAction::Exists(body)
                    | LoopAction::ExistsOne(body)
                    | LoopAction::All(body)
                    | LoopAction::Filter(body) => visit(body),
                }
            }
        }
    }

    /// Whether the node is, or has within it, random characters.
    pub(super) fn generates(&self) -> bool {
        let mut found = matches!(self, Node::Password(_));
        self.parts(&mut |part| found |= part.generates());
        found
    }

    /// Whether every direct part is a literal, so that the node always gives the same.
    pub(super) fn is_constant(&self) -> bool {
        let mut constant = !matches!(self, Node::Name(_) | Node::LoopVariable(_) | Node::Loop(_) | Node::Password(_));
        self.parts(&mut |part| constant &= matches!(part, Node::Literal(_)));
        constant
    }
}

/// One selection from a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Read {
    pub(super) name: Name,
    pub(super) path: Vec<String>,
}

/// Every selection the expression makes, each once.
pub(super) fn reads(root: &Node) -> Vec<Read> {
    let mut found = Vec::new();
    collect(root, &mut found);
    found
}

fn collect(node: &Node, found: &mut Vec<Read>) {
    if let Some((read, _)) = selection(node, found)
        && !found.contains(&read)
    {
        found.push(read);
    }
}

/// The selection that `node` is, with whether a further field extends it. What is read beside it (the index, or every
/// part of another kind of node) goes to `found`.
fn selection(node: &Node, found: &mut Vec<Read>) -> Option<(Read, bool)> {
    match node {
        Node::Name(name) => Some((Read { name: *name, path: Vec::new() }, true)),
        Node::Select(operand, field) | Node::Has(operand, field) => {
            let (mut read, open) = selection(operand, found)?;
            if open {
                read.path.push(field.to_string());
            }
            Some((read, open))
        }
        Node::Index(parts) => {
            let [operand, index] = &**parts;
            let read = selection(operand, found);
            collect(index, found);
            read.map(|(read, _)| (read, false))
        }
        _ => {
            node.parts(&mut |part| collect(part, found));
            None
        }
    }
}
