//! Syntax tree to resolved node: the static check.
//!
//! In: a parsed expression and its scope. Out: a [`Node`] with every name resolved, every function known, every pattern
//! compiled and every constant part computed, or all mistakes. Types are `infer`'s business.

use std::ops::Range;

use cel::common::ast::{CallExpr, EntryExpr, Expr as Tree, IdedExpr, LiteralValue, MapExpr, SelectExpr, operators};
use serde_json::{Number, Value};

use crate::pattern;

use super::functions::{self, Entry, Form, Kind};
use super::node::{Arithmetic, Comparison, Loop, LoopAction, Node, Pattern, PatternAction};
use super::parse::Parsed;
use super::password::{self, Recipe};
use super::{Env, ExprError, LOOPS_MAX, Scope, eval};

/// Resolves `parsed` with the names of `scope`.
pub(super) fn check(parsed: &Parsed<'_>, scope: &Scope) -> Result<Node, Vec<ExprError>> {
    let mut checker = Checker { parsed, scope, loops: Vec::new(), errors: Vec::new() };
    let root = checker.node(&parsed.root);
    if checker.errors.is_empty() {
        return Ok(root);
    }
    checker.errors.sort_by_key(|error| error.span.start);
    Err(checker.errors)
}

struct Checker<'c> {
    parsed: &'c Parsed<'c>,
    scope: &'c Scope,
    /// The variables of the enclosing loops, outermost first.
    loops: Vec<String>,
    errors: Vec<ExprError>,
}

impl Checker<'_> {
    /// The node for `tree`. After a mistake it stands for anything: the result is thrown away.
    fn node(&mut self, tree: &IdedExpr) -> Node {
        match &tree.expr {
            Tree::Literal(literal) => self.literal(tree.id, literal),
            Tree::Ident(name) => self.name(tree.id, name),
            Tree::Select(select) => self.select(select),
            Tree::List(list) => folded(Node::List(list.elements.iter().map(|element| self.node(element)).collect())),
            Tree::Map(map) => self.map(map),
            Tree::Call(call) => folded(self.call(tree.id, call)),
            Tree::Struct(_) => self.refuse(self.parsed.token(tree.id), "messages are not supported".into(), None),
            Tree::Unspecified | Tree::Comprehension(_) => {
                self.refuse(self.parsed.token(tree.id), "this is not an expression".into(), None)
            }
        }
    }

    fn refuse(&mut self, span: Range<usize>, message: String, suggestion: Option<String>) -> Node {
        self.errors.push(ExprError { span, message, suggestion });
        Node::Literal(Value::Null)
    }

    fn literal(&mut self, id: u64, literal: &LiteralValue) -> Node {
        let refused = match literal {
            LiteralValue::Null => return Node::Literal(Value::Null),
            LiteralValue::Boolean(value) => return Node::Literal(Value::Bool(*value.inner())),
            LiteralValue::Int(value) => return Node::Literal(Value::from(*value.inner())),
            LiteralValue::String(value) => return Node::Literal(Value::from(value.inner())),
            LiteralValue::Double(value) => match Number::from_f64(*value.inner()) {
                Some(number) => return Node::Literal(Value::Number(number)),
                None => ("this number is out of range", None),
            },
            LiteralValue::UInt(_) => ("unsigned literals are not supported", Some("leave out the `u`".into())),
            LiteralValue::Bytes(_) => ("bytes literals are not supported", Some("leave out the `b`".into())),
        };
        self.refuse(self.parsed.token(id), refused.0.into(), refused.1)
    }

    fn name(&mut self, id: u64, name: &str) -> Node {
        if let Some(depth) = self.loops.iter().rposition(|variable| variable == name) {
            return Node::LoopVariable(depth);
        }
        if let Some(name) = self.scope.resolve(name) {
            return Node::Name(name);
        }
        let known: Vec<&str> = self.scope.names().chain(self.loops.iter().map(String::as_str)).collect();
        let suggestion = closest(name, known.iter().copied());
        let message = if known.is_empty() {
            format!("unknown name `{name}`; no names can be used here")
        } else {
            format!("unknown name `{name}`; here there are {}", known.join(", "))
        };
        self.refuse(self.parsed.token(id), message, suggestion)
    }

    fn select(&mut self, select: &SelectExpr) -> Node {
        let operand = self.operand(&select.operand, &select.field);
        folded(Node::Select(Box::new(operand), select.field.as_str().into()))
    }

    /// What a field is selected from: `scim.department` means the field of the extension that has it.
    fn operand(&mut self, operand: &IdedExpr, field: &str) -> Node {
        let node = self.node(operand);
        let between = match (&operand.expr, &node) {
            (Tree::Ident(name), Node::Name(_)) => self.scope.shortcut(name, field),
            _ => None,
        };
        match between {
            Some(between) => Node::Select(Box::new(node), between),
            None => node,
        }
    }

    fn map(&mut self, map: &MapExpr) -> Node {
        let mut entries: Vec<[Node; 2]> = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(pair) = &entry.expr else {
                continue;
            };
            let key = self.node(&pair.key);
            let repeated =
                |[other, _]: &[Node; 2]| matches!((other, &key), (Node::Literal(a), Node::Literal(b)) if a == b);
            let problem = match &key {
                Node::Literal(Value::String(_)) if entries.iter().any(repeated) => Some("this key occurs twice"),
                Node::Literal(value) if !value.is_string() => Some("a key must be a text"),
                _ => None,
            };
            // A mistake inside the key has already been reported, and left a literal behind.
            if let Some(problem) = problem.filter(|_| self.errors.is_empty()) {
                self.refuse(self.parsed.extent(&pair.key), problem.into(), None);
            }
            let value = self.node(&pair.value);
            entries.push([key, value]);
        }
        folded(Node::Map(entries))
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Node {
        match (call.func_name.as_str(), call.args.as_slice(), &call.target) {
            (operators::LOGICAL_NOT, [operand], None) => Node::Not(Box::new(self.node(operand))),
            (operators::NEGATE, [operand], None) => Node::Negate(Box::new(self.node(operand))),
            (operators::INDEX, [operand, index], None) => self.index(operand, index),
            (operators::CONDITIONAL, [condition, then, otherwise], None) => {
                Node::Conditional(Box::new([self.node(condition), self.node(then), self.node(otherwise)]))
            }
            (name, [left, right], None) if let Some(operator) = binary(name) => {
                let parts = Box::new([self.node(left), self.node(right)]);
                match operator {
                    Binary::And => Node::And(parts),
                    Binary::Or => Node::Or(parts),
                    Binary::In => Node::In(parts),
                    Binary::Compare(comparison) => Node::Compare(comparison, parts),
                    Binary::Arithmetic(arithmetic) => Node::Arithmetic(arithmetic, parts),
                }
            }
            (name, args, target) => self.function(id, name, target.as_deref(), args),
        }
    }

    fn index(&mut self, operand: &IdedExpr, index: &IdedExpr) -> Node {
        match self.node(index) {
            Node::Literal(Value::String(key)) => Node::Select(Box::new(self.operand(operand, &key)), key.into()),
            index => Node::Index(Box::new([self.node(operand), index])),
        }
    }

    fn function(&mut self, id: u64, name: &str, target: Option<&IdedExpr>, args: &[IdedExpr]) -> Node {
        let Some(entry) = functions::find(name) else {
            return self.unknown_function(id, name, target, args);
        };
        let called = self.parsed.called_name(id);
        let (receiver, args) = match (entry.form, target, args) {
            (Form::Method | Form::Both, Some(receiver), args) | (Form::Both, None, [receiver, args @ ..]) => {
                (Some(receiver), args)
            }
            (Form::Global, None, args) => (None, args),
            (Form::Method, None, _) => {
                return self.refuse(called, format!("`{name}` is a method"), Some(format!("write `x.{name}(...)`")));
            }
            (Form::Global, Some(_), _) => {
                return self.refuse(called, format!("`{name}` is not a method"), Some(format!("write `{name}(x)`")));
            }
            (Form::Both, None, []) => {
                return self.refuse(called, format!("`{name}` needs a value"), Some(format!("write `x.{name}(...)`")));
            }
        };
        if !(entry.arity.0..=entry.arity.1).contains(&args.len()) {
            return self.wrong_arity(entry, called, args.len());
        }
        match receiver {
            Some(receiver) => self.method(entry, called, receiver, args),
            None => self.global(entry, called, args),
        }
    }

    fn wrong_arity(&mut self, entry: &Entry, called: Range<usize>, count: usize) -> Node {
        let message = format!("`{}` takes {}, not {count}", entry.name, entry.arity_text());
        self.refuse(called, message, None)
    }

    fn unknown_function(&mut self, id: u64, name: &str, target: Option<&IdedExpr>, args: &[IdedExpr]) -> Node {
        let suggestion = match functions::known_elsewhere_as(name) {
            Some(known) => Some(format!("did you mean `{known}`?")),
            None => closest(name, functions::names()),
        };
        // The parts are checked too, so that all mistakes come at once. Those of what may be a macro are not, because
        // its variable would be reported as an unknown name.
        if let Some(target) = target {
            self.node(target);
        }
        if args.len() < 2 {
            for arg in args {
                self.node(arg);
            }
        }
        let called = self.parsed.called_name(id);
        self.refuse(called, format!("unknown function `{name}`"), suggestion)
    }

    fn global(&mut self, entry: &Entry, called: Range<usize>, args: &[IdedExpr]) -> Node {
        match (entry.kind, args) {
            (Kind::Has, [field]) => self.has(field),
            (Kind::Default, [value, otherwise]) => Node::Default(Box::new([self.node(value), self.node(otherwise)])),
            (Kind::Password, args) => self.password(called, args),
            (Kind::Plain(function), args) => Node::Call(function, args.iter().map(|arg| self.node(arg)).collect()),
            _ => self.wrong_arity(entry, called, args.len()),
        }
    }

    fn password(&mut self, called: Range<usize>, args: &[IdedExpr]) -> Node {
        let mut literals = args.iter().map(|arg| match &arg.expr {
            Tree::Literal(literal) => Some(literal),
            _ => None,
        });
        let length = match literals.next() {
            Some(Some(LiteralValue::Int(length))) => usize::try_from(*length.inner()).ok(),
            _ => None,
        };
        let classes = match literals.next() {
            None => Some(password::CLASSES),
            Some(Some(LiteralValue::String(classes))) => Some(classes.inner()),
            Some(_) => None,
        };
        match length.zip(classes).and_then(|(length, classes)| Recipe::new(length, classes)) {
            Some(recipe) => Node::Password(recipe),
            None => {
                let message = "`password` takes a length from 8 to 128, and perhaps some of the classes";
                self.refuse(called, message.into(), Some(format!("write `password(24, '{}')`", password::CLASSES)))
            }
        }
    }

    fn has(&mut self, field: &IdedExpr) -> Node {
        match &field.expr {
            Tree::Select(select) => {
                let operand = self.operand(&select.operand, &select.field);
                Node::Has(Box::new(operand), select.field.as_str().into())
            }
            _ => self.refuse(
                self.parsed.extent(field),
                "`has` takes a field".into(),
                Some("write `has(x.field)`, or `'key' in x`".into()),
            ),
        }
    }

    fn method(&mut self, entry: &Entry, called: Range<usize>, receiver: &IdedExpr, args: &[IdedExpr]) -> Node {
        let receiver = self.node(receiver);
        match (entry.kind, args) {
            (Kind::Plain(function), args) => {
                let args = args.iter().map(|arg| self.node(arg));
                Node::Call(function, [receiver].into_iter().chain(args).collect())
            }
            (Kind::Matches, [pattern]) => {
                let found = self.pattern(pattern, pattern::Shared::search_pattern);
                applied(receiver, found.map(PatternAction::Matches))
            }
            (Kind::Strip, [pattern]) => {
                let found = self.pattern(pattern, pattern::Shared::search);
                applied(receiver, found.map(PatternAction::Strip))
            }
            (Kind::ReplaceRe, [pattern, replacement]) => {
                let found = self.pattern(pattern, pattern::Shared::search);
                let replacement = self.node(replacement);
                applied(receiver, found.map(|regex| PatternAction::Replace(regex, replacement)))
            }
            (_, [variable, args @ ..]) => self.each(entry, called, receiver, variable, args),
            _ => self.wrong_arity(entry, called, args.len()),
        }
    }

    /// A pattern is a literal, so that it is compiled here and not while serving.
    fn pattern<P>(
        &mut self,
        pattern: &IdedExpr,
        compile: impl FnOnce(&pattern::Shared, &str) -> Result<P, String>,
    ) -> Option<P> {
        let span = self.parsed.extent(pattern);
        let Tree::Literal(LiteralValue::String(text)) = &pattern.expr else {
            self.refuse(span, "the pattern must be a literal text".into(), None);
            return None;
        };
        match compile(&self.scope.patterns, text.inner()) {
            Ok(compiled) => Some(compiled),
            Err(message) => {
                self.refuse(span, format!("the pattern is not valid: {message}"), None);
                None
            }
        }
    }

    fn each(
        &mut self,
        entry: &Entry,
        called: Range<usize>,
        range: Node,
        variable: &IdedExpr,
        args: &[IdedExpr],
    ) -> Node {
        let Tree::Ident(name) = &variable.expr else {
            let span = self.parsed.extent(variable);
            return self.refuse(span, "the first argument must be a plain name for the element".into(), None);
        };
        let variable = self.loops.len();
        if variable == LOOPS_MAX {
            return self.refuse(called, format!("loops nest deeper than {LOOPS_MAX}"), None);
        }
        self.loops.push(name.clone());
        let mut bodies = args.iter().map(|arg| self.node(arg)).collect::<Vec<_>>().into_iter();
        self.loops.pop();
        let action = match (entry.kind, bodies.next(), bodies.next()) {
            (Kind::Exists, Some(body), None) => LoopAction::Exists(body),
            (Kind::ExistsOne, Some(body), None) => LoopAction::ExistsOne(body),
            (Kind::All, Some(body), None) => LoopAction::All(body),
            (Kind::Filter, Some(body), None) => LoopAction::Filter(body),
            (Kind::Map, Some(element), None) => LoopAction::Map(None, element),
            (Kind::Map, Some(condition), Some(element)) => LoopAction::Map(Some(condition), element),
            _ => return self.wrong_arity(entry, called, args.len() + 1),
        };
        Node::Loop(Box::new(Loop { range, variable, action }))
    }
}

/// A faulty pattern was reported, and leaves a literal behind.
fn applied(receiver: Node, action: Option<PatternAction>) -> Node {
    match action {
        Some(action) => Node::Pattern(Box::new(Pattern { receiver, action })),
        None => Node::Literal(Value::Null),
    }
}

/// Computes a node whose parts are all literals. One that fails is kept: it may stand where it is never needed.
fn folded(node: Node) -> Node {
    if !node.is_constant() {
        return node;
    }
    let value = eval::run(&node, &Env::default()).ok().map(std::borrow::Cow::into_owned);
    value.map_or(node, Node::Literal)
}

enum Binary {
    And,
    Or,
    In,
    Compare(Comparison),
    Arithmetic(Arithmetic),
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        operators::LOGICAL_AND => Binary::And,
        operators::LOGICAL_OR => Binary::Or,
        operators::IN => Binary::In,
        operators::EQUALS => Binary::Compare(Comparison::Equal),
        operators::NOT_EQUALS => Binary::Compare(Comparison::NotEqual),
        operators::LESS => Binary::Compare(Comparison::Less),
        operators::LESS_EQUALS => Binary::Compare(Comparison::LessOrEqual),
        operators::GREATER => Binary::Compare(Comparison::Greater),
        operators::GREATER_EQUALS => Binary::Compare(Comparison::GreaterOrEqual),
        operators::ADD => Binary::Arithmetic(Arithmetic::Add),
        operators::SUBSTRACT => Binary::Arithmetic(Arithmetic::Subtract),
        operators::MULTIPLY => Binary::Arithmetic(Arithmetic::Multiply),
        operators::DIVIDE => Binary::Arithmetic(Arithmetic::Divide),
        operators::MODULO => Binary::Arithmetic(Arithmetic::Remainder),
        _ => return None,
    })
}

/// "did you mean", for a known name at most a third of whose letters differ.
pub(super) fn closest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let lower = name.to_lowercase();
    known
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| distance * 3 <= known.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| format!("did you mean `{known}`?"))
}
