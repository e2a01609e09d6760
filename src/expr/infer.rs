//! The static check of types.
//!
//! In: a parsed expression whose names and functions are known, and the types of its names. Out: the type of its value,
//! and every operation that cannot have a value whatever the documents hold. Where nothing is known nothing is said.

use std::ops::Range;

use cel::common::ast::{CallExpr, EntryExpr, Expr as Tree, IdedExpr, LiteralValue, SelectExpr, operators};

use super::check::closest;
use super::functions::{self, Function, Kind};
use super::parse::Parsed;
use super::types::{Record, Type, Wanted};
use super::{ExprError, Scope};

/// The type of the value, and what is wrong.
pub(super) fn infer(parsed: &Parsed<'_>, scope: &Scope, wanted: Wanted) -> (Type, Vec<ExprError>) {
    let mut checker = Checker { parsed, scope, loops: Vec::new(), errors: Vec::new() };
    let found = checker.wanted(&parsed.root, wanted);
    checker.errors.sort_by_key(|error| error.span.start);
    (found, checker.errors)
}

struct Checker<'c> {
    parsed: &'c Parsed<'c>,
    scope: &'c Scope,
    /// Variables of the enclosing loops, outermost first.
    loops: Vec<(String, Type)>,
    errors: Vec<ExprError>,
}

impl Checker<'_> {
    fn refuse(&mut self, span: Range<usize>, message: String, suggestion: Option<String>) {
        self.errors.push(ExprError { span, message, suggestion });
    }

    /// The type of a part that must fit its place.
    fn wanted(&mut self, tree: &IdedExpr, wanted: Wanted) -> Type {
        let found = self.of(tree);
        if !found.may_be(wanted) {
            self.refuse(self.parsed.extent(tree), wanted.refusal(&found), None);
        }
        found
    }

    fn of(&mut self, tree: &IdedExpr) -> Type {
        match &tree.expr {
            Tree::Literal(literal) => literal_type(literal),
            Tree::Ident(name) => self.name(name),
            Tree::Select(select) => self.select(tree, select),
            Tree::List(list) => {
                let elements: Vec<Type> = list.elements.iter().map(|element| self.of(element)).collect();
                Type::list(elements.into_iter().reduce(Type::or).unwrap_or(Type::Null))
            }
            Tree::Map(map) => {
                let mut values = Type::Null;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(pair) = &entry.expr {
                        self.wanted(&pair.key, Wanted::String);
                        values = values.or(self.of(&pair.value));
                    }
                }
                Type::map(values)
            }
            Tree::Call(call) => self.call(tree, call),
            _ => Type::Any,
        }
    }

    fn name(&self, name: &str) -> Type {
        let variable = self.loops.iter().rev().find(|(variable, _)| variable == name);
        variable.map_or_else(|| self.scope.type_of(name), |(_, found)| found.clone())
    }

    fn select(&mut self, tree: &IdedExpr, select: &SelectExpr) -> Type {
        let operand = self.of(&select.operand);
        self.field(tree, &select.operand, &operand, &select.field)
    }

    /// The type of `operand.field`.
    fn field(&mut self, tree: &IdedExpr, operand: &IdedExpr, found: &Type, field: &str) -> Type {
        let (message, help) = match found {
            Type::Any | Type::Null => return Type::Any,
            Type::Map(value) => return (**value).clone(),
            Type::Record(record) => match known_field(record, field) {
                Some(found) => return found,
                // Attributes of a resource are looked up in its schemas, which know what they are about.
                None if !record.closed && self.is_plain(operand) => return Type::Any,
                None => {
                    let names = record.fields.keys().map(AsRef::as_ref);
                    (format!("`{}` has no `{field}`", record.name), closest(field, names))
                }
            },
            Type::List(element) => {
                let help = match &**element {
                    Type::Record(_) => Some(format!("write `x.map(e, e.{field})`, or `x[0].{field}`")),
                    _ => None,
                };
                (format!("a list has no field `{field}`"), help)
            }
            other => (format!("{other} has no field `{field}`"), None),
        };
        self.refuse(self.parsed.extent(tree), message, help);
        Type::Any
    }

    /// Whether a tree is nothing but selections from a name of the scope.
    fn is_plain(&self, tree: &IdedExpr) -> bool {
        match &tree.expr {
            Tree::Ident(name) => !self.loops.iter().any(|(variable, _)| variable == name),
            Tree::Select(select) => self.is_plain(&select.operand),
            Tree::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
                [operand, index] => {
                    matches!(&index.expr, Tree::Literal(LiteralValue::String(_))) && self.is_plain(operand)
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn call(&mut self, tree: &IdedExpr, call: &CallExpr) -> Type {
        match (call.func_name.as_str(), call.args.as_slice(), &call.target) {
            (operators::LOGICAL_NOT, [operand], None) => {
                self.wanted(operand, Wanted::Condition);
                Type::Bool
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right], None) => {
                self.wanted(left, Wanted::Condition);
                self.wanted(right, Wanted::Condition);
                Type::Bool
            }
            (operators::CONDITIONAL, [condition, then, otherwise], None) => {
                self.wanted(condition, Wanted::Condition);
                self.of(then).or(self.of(otherwise))
            }
            (operators::NEGATE, [operand], None) => self.wanted(operand, Wanted::Number),
            (operators::INDEX, [operand, index], None) => self.index(tree, operand, index),
            (operators::EQUALS | operators::NOT_EQUALS, [left, right], None) => {
                let (a, b) = (self.of(left), self.of(right));
                if !a.meets(&b) {
                    self.refuse(self.parsed.extent(tree), format!("{a} is never equal to {b}"), None);
                }
                Type::Bool
            }
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [left, right],
                None,
            ) => {
                self.ordered(tree, left, right);
                Type::Bool
            }
            (operators::IN, [item, container], None) => {
                self.contained(item, container);
                Type::Bool
            }
            (operators::ADD, [left, right], None) => self.added(tree, left, right),
            (
                operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO,
                [left, right],
                None,
            ) => {
                let (a, b) = (self.wanted(left, Wanted::Number), self.wanted(right, Wanted::Number));
                number(&a, &b)
            }
            (name, args, target) => self.function(tree, name, target.as_deref(), args),
        }
    }

    fn index(&mut self, tree: &IdedExpr, operand: &IdedExpr, index: &IdedExpr) -> Type {
        let found = self.of(operand);
        if let Tree::Literal(LiteralValue::String(field)) = &index.expr {
            return self.field(tree, operand, &found, field.inner());
        }
        match &found {
            Type::List(element) => {
                self.wanted(index, Wanted::Number);
                (**element).clone()
            }
            Type::Map(value) => {
                self.wanted(index, Wanted::String);
                (**value).clone()
            }
            Type::Any | Type::Null | Type::Record(_) => {
                self.of(index);
                Type::Any
            }
            other => {
                let help = (*other == Type::String).then(|| "write `x.charAt(0)` or `x.substring(0, 1)`".to_owned());
                self.refuse(self.parsed.extent(tree), format!("{other} has no elements"), help);
                Type::Any
            }
        }
    }

    fn ordered(&mut self, tree: &IdedExpr, left: &IdedExpr, right: &IdedExpr) {
        let (a, b) = (self.of(left), self.of(right));
        let unordered = [&a, &b].into_iter().find(|found| !found.may_be(Wanted::Scalar));
        let message = match unordered {
            Some(found) => format!("{found} is neither less nor greater than anything"),
            None if !a.meets(&b) => format!("{a} cannot be compared with {b}"),
            None => return,
        };
        self.refuse(self.parsed.extent(tree), message, None);
    }

    fn contained(&mut self, item: &IdedExpr, container: &IdedExpr) {
        let (item_type, found) = (self.of(item), self.of(container));
        let (message, help) = match &found {
            Type::Any | Type::Null => return,
            Type::List(element) if item_type.meets(element) => return,
            Type::Map(_) | Type::Record(_) if item_type.may_be(Wanted::String) => return,
            Type::List(element) => (format!("{item_type} is never in a list whose elements are {element}"), None),
            Type::Map(_) | Type::Record(_) => (format!("a key is a text, and this is {item_type}"), None),
            Type::String => ("`in` takes a list or a map".to_owned(), Some("write `text.contains(part)`".to_owned())),
            other => (format!("`in` takes a list or a map, and this is {other}"), None),
        };
        self.refuse(self.parsed.extent(container), message, help);
    }

    fn added(&mut self, tree: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Type {
        let (a, b) = (self.of(left), self.of(right));
        let known = match (&a, &b) {
            (Type::Any | Type::Null, other) | (other, Type::Any | Type::Null) => match other {
                Type::List(_) => Type::list(Type::Any),
                Type::String | Type::Any | Type::Null => other.clone(),
                other if other.is_number() => Type::Number,
                other => {
                    let help = "`+` joins texts, joins lists and adds numbers".to_owned();
                    self.refuse(self.parsed.extent(tree), format!("`+` cannot take {other}"), Some(help));
                    Type::Any
                }
            },
            (Type::String, Type::String) => Type::String,
            (Type::List(a), Type::List(b)) => Type::list((**a).clone().or((**b).clone())),
            (a, b) if a.is_number() && b.is_number() => number(a, b),
            (a, b) => {
                let text = matches!((a, b), (Type::String, _) | (_, Type::String));
                let help = text.then(|| "write `string(x)` to make a text of a value".to_owned());
                self.refuse(self.parsed.extent(tree), format!("`+` cannot take {a} and {b}"), help);
                Type::Any
            }
        };
        if known == Type::Null { Type::Any } else { known }
    }

    fn function(&mut self, tree: &IdedExpr, name: &str, target: Option<&IdedExpr>, args: &[IdedExpr]) -> Type {
        let Some(entry) = functions::find(name) else { return Type::Any };
        let (receiver, args) = match (target, args) {
            (Some(target), args) => (target, args),
            (None, [first, rest @ ..]) => (first, rest),
            (None, []) => return Type::Any,
        };
        match entry.kind {
            Kind::Plain(function) => self.plain(tree, name, function, receiver, args),
            Kind::Default => {
                let found = self.of(receiver);
                args.first().map_or(Type::Any, |otherwise| found.or(self.of(otherwise)))
            }
            Kind::Password => Type::String,
            Kind::Has => {
                self.of(receiver);
                Type::Bool
            }
            Kind::Matches => {
                self.receiver(name, receiver, Wanted::String);
                Type::Bool
            }
            Kind::Strip => {
                self.receiver(name, receiver, Wanted::String);
                Type::String
            }
            Kind::ReplaceRe => {
                self.receiver(name, receiver, Wanted::String);
                if let Some(with) = args.get(1) {
                    self.wanted(with, Wanted::String);
                }
                Type::String
            }
            Kind::Exists | Kind::ExistsOne | Kind::All | Kind::Filter | Kind::Map => {
                self.each(entry.kind, receiver, args)
            }
        }
    }

    fn receiver(&mut self, name: &str, receiver: &IdedExpr, wanted: Wanted) -> Type {
        let found = self.of(receiver);
        if !found.may_be(wanted) {
            let help = match (&found, wanted) {
                (Type::List(_), Wanted::String) => Some(format!("write `x.map(e, e.{name}(..))` for each element")),
                (other, Wanted::String) if other.is_number() => Some(format!("write `string(x).{name}(..)`")),
                _ => None,
            };
            self.refuse(self.parsed.extent(receiver), format!("`{name}` cannot take {found}"), help);
        }
        found
    }

    fn plain(
        &mut self,
        tree: &IdedExpr,
        name: &str,
        function: Function,
        receiver: &IdedExpr,
        args: &[IdedExpr],
    ) -> Type {
        use Function as F;
        let position = matches!(function, F::CharAt | F::Substring);
        for (at, arg) in args.iter().enumerate() {
            let is_position = position || (at == 1 && !matches!(function, F::Replace)) || at == 2;
            self.wanted(arg, if is_position { Wanted::Number } else { Wanted::String });
        }
        let wanted = match function {
            F::First | F::Last | F::Distinct | F::Join => Wanted::List,
            F::Bool | F::Int | F::Double | F::String => Wanted::Scalar,
            F::Size => Wanted::Anything,
            _ => Wanted::String,
        };
        let found = self.receiver(name, receiver, wanted);
        let never = match function {
            F::Size => found.is_number() || found == Type::Bool,
            F::Bool => found.is_number(),
            F::Int | F::Double => found == Type::Bool,
            _ => false,
        };
        if never {
            self.refuse(self.parsed.extent(tree), format!("`{name}` cannot take {found}"), None);
        }
        let element = match &found {
            Type::List(element) => (**element).clone(),
            _ => Type::Any,
        };
        match function {
            F::Bool | F::Contains | F::EndsWith | F::StartsWith => Type::Bool,
            F::Int | F::Size | F::IndexOf | F::LastIndexOf => Type::Int,
            F::Double => Type::Double,
            F::Distinct => found,
            F::First | F::Last => element,
            F::Split => Type::list(Type::String),
            F::Join if !element.may_be(Wanted::String) => {
                let help = Some("write `x.map(e, string(e)).join(..)`".to_owned());
                self.refuse(self.parsed.extent(receiver), "`join` takes a list of texts".to_owned(), help);
                Type::String
            }
            _ => Type::String,
        }
    }

    fn each(&mut self, kind: Kind, range: &IdedExpr, args: &[IdedExpr]) -> Type {
        let found = self.of(range);
        let element = match &found {
            Type::List(element) => (**element).clone(),
            Type::Map(_) | Type::Record(_) => Type::String,
            Type::Any | Type::Null => Type::Any,
            other => {
                self.refuse(self.parsed.extent(range), format!("a loop takes a list, and this is {other}"), None);
                Type::Any
            }
        };
        let Some((Tree::Ident(variable), bodies)) = args.split_first().map(|(first, rest)| (&first.expr, rest)) else {
            return Type::Any;
        };
        self.loops.push((variable.clone(), element.clone()));
        let last = bodies.len().saturating_sub(1);
        let mut value = Type::Any;
        for (at, body) in bodies.iter().enumerate() {
            let is_value = kind == Kind::Map && at == last;
            let found = self.wanted(body, if is_value { Wanted::Anything } else { Wanted::Condition });
            if is_value {
                value = found;
            }
        }
        self.loops.pop();
        match kind {
            Kind::Map => Type::list(value),
            Kind::Filter => Type::list(element),
            _ => Type::Bool,
        }
    }
}

fn known_field(record: &Record, field: &str) -> Option<Type> {
    if let Some(found) = record.fields.get(field) {
        return Some(found.clone());
    }
    match record.fields.get(record.shortcuts.get(field)?) {
        Some(Type::Record(inner)) => inner.fields.get(field).cloned(),
        _ => None,
    }
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Null => Type::Null,
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::String(_) => Type::String,
        _ => Type::Any,
    }
}

fn number(a: &Type, b: &Type) -> Type {
    match (a, b) {
        (Type::Int, Type::Int) => Type::Int,
        (Type::Double, b) if b.is_number() => Type::Double,
        (a, Type::Double) if a.is_number() => Type::Double,
        _ => Type::Number,
    }
}
