//! Filter text -> typed tree (RFC 7644 3.4.2.2), by recursive descent with a bound on length, depth and comparisons.
//!
//! Names are resolved and literals typed on the way. Writing habits that cannot be misread (missing quotes, strings
//! for booleans) are repaired and reported, so that the caller can count them.

use std::sync::Arc;

use super::super::attr_path::{AttrPath, Resolved, find_sub};
use super::super::schema::{Attribute, AttributeType, ResourceType, Returned};
use super::error::FilterError;
use super::lex::{Cursor, Quote, RawLiteral};
use super::literal::typed;
use super::{CompareOp, Comparison, Filter, FilterLimits, FilterRepair, Parsed, element_path};

impl Filter {
    /// Parses a filter over resources of a type.
    ///
    /// # Errors
    /// See [`FilterError`]; each is `invalidFilter` to the client.
    pub fn parse(text: &str, resource_type: &ResourceType, limits: &FilterLimits) -> Result<Parsed, FilterError> {
        parse(text, Scope::Resource(resource_type), limits)
    }

    /// Parses what stands between the brackets of a value path: a filter over the elements of an attribute.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub fn parse_in_attribute(text: &str, attribute: &Attribute, limits: &FilterLimits) -> Result<Parsed, FilterError> {
        parse(text, Scope::Element(attribute), limits)
    }
}

fn parse(text: &str, scope: Scope<'_>, limits: &FilterLimits) -> Result<Parsed, FilterError> {
    if text.len() > limits.max_length {
        return Err(FilterError::TooLong { max: limits.max_length });
    }
    let mut parser = Parser { cursor: Cursor::new(text), limits, depth: 0, terms: 0, repairs: Vec::new() };
    parser.cursor.skip_space();
    if parser.cursor.at_end() {
        return Err(FilterError::Empty);
    }
    let filter = parser.any_of(scope)?;
    if !parser.cursor.at_end() {
        return Err(parser.cursor.expected("'and', 'or' or the end"));
    }
    Ok(Parsed { filter, repairs: parser.repairs })
}

/// What names in a filter refer to.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Resource(&'a ResourceType),
    /// Inside the brackets of a value path.
    Element(&'a Attribute),
}

struct Parser<'t, 'l> {
    cursor: Cursor<'t>,
    limits: &'l FilterLimits,
    depth: usize,
    terms: usize,
    repairs: Vec<FilterRepair>,
}

impl Parser<'_, '_> {
    fn any_of(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        let first = self.all_of(scope)?;
        if !self.cursor.eat_keyword("or") {
            return Ok(first);
        }
        let mut parts = vec![first, self.all_of(scope)?];
        while self.cursor.eat_keyword("or") {
            parts.push(self.all_of(scope)?);
        }
        Ok(Filter::any(parts))
    }

    fn all_of(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        let first = self.term(scope)?;
        if !self.cursor.eat_keyword("and") {
            return Ok(first);
        }
        let mut parts = vec![first, self.term(scope)?];
        while self.cursor.eat_keyword("and") {
            parts.push(self.term(scope)?);
        }
        Ok(Filter::all(parts))
    }

    /// One operand of `and` and `or`, with the space around it.
    fn term(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        self.cursor.skip_space();
        let filter = if self.cursor.eat('(') {
            self.group(scope, ')')?
        } else if self.cursor.eat_keyword("not") {
            self.cursor.skip_space();
            if !self.cursor.eat('(') {
                return Err(self.cursor.expected("'(' after 'not'"));
            }
            Filter::Not(Box::new(self.group(scope, ')')?))
        } else {
            self.expression(scope)?
        };
        self.cursor.skip_space();
        Ok(filter)
    }

    /// What follows an opening parenthesis or bracket, up to and with the closing one.
    fn group(&mut self, scope: Scope<'_>, close: char) -> Result<Filter, FilterError> {
        if self.depth == self.limits.max_depth {
            return Err(FilterError::TooDeep { max: self.limits.max_depth });
        }
        self.depth += 1;
        let filter = self.any_of(scope)?;
        self.depth -= 1;
        if !self.cursor.eat(close) {
            let expected = if close == ')' { "'and', 'or' or ')'" } else { "'and', 'or' or ']'" };
            return Err(self.cursor.expected(expected));
        }
        Ok(filter)
    }

    /// An attribute and what is asked of it.
    fn expression(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        if self.terms == self.limits.max_terms {
            return Err(FilterError::TooManyTerms { max: self.limits.max_terms });
        }
        self.terms += 1;
        let word = self.cursor.peek_word();
        if word.is_empty() {
            return Err(self.cursor.expected("an attribute"));
        }
        let operand = Operand::resolve(word, scope)?;
        self.cursor.take(word);
        self.cursor.skip_space();
        match operand {
            Operand::Attribute(resolved) if self.cursor.eat('[') => self.value_path(&resolved),
            Operand::Attribute(resolved) => {
                let leaf = resolved.leaf();
                self.question(resolved.path, leaf)
            }
            Operand::Element(path, attribute) => self.question(path, attribute),
        }
    }

    /// `pr`, or an operator and a value.
    fn question(&mut self, path: AttrPath, attribute: &Attribute) -> Result<Filter, FilterError> {
        if attribute.returned == Returned::Never {
            return Err(FilterError::NotFilterable { path: path.to_string() });
        }
        if self.cursor.eat_keyword("pr") {
            return Ok(Filter::Present(path));
        }
        let op = self.operator()?;
        if attribute.kind != AttributeType::Complex {
            return self.comparison(path, attribute, op);
        }
        // A complex attribute stands for its `value`: `members eq "2"`, `manager eq "7"`.
        let value = attribute.sub_attribute("value").ok_or_else(|| not_comparable(&path, op, attribute.kind))?;
        self.comparison(path.child(&value.name), value, op)
    }

    fn operator(&mut self) -> Result<CompareOp, FilterError> {
        let word = self.cursor.peek_word();
        let op = CompareOp::parse(word).ok_or_else(|| self.cursor.expected("a comparison operator"))?;
        self.cursor.take(word);
        self.cursor.skip_space();
        Ok(op)
    }

    fn comparison(&mut self, path: AttrPath, attribute: &Attribute, op: CompareOp) -> Result<Filter, FilterError> {
        let kind = attribute.kind;
        let literal = self.cursor.literal()?;
        if is_null(&literal) {
            return match op {
                CompareOp::Eq => Ok(Filter::Not(Box::new(Filter::Present(path)))),
                CompareOp::Ne => Ok(Filter::Present(path)),
                _ => Err(FilterError::WrongType { path: path.to_string(), kind: kind.as_str(), found: literal.text }),
            };
        }
        if !op.applies_to(kind) {
            return Err(not_comparable(&path, op, kind));
        }
        let (value, repair) = typed(literal, kind, op, &path)?;
        self.repairs.extend(repair);
        Ok(Filter::Compare(Comparison { path, op, value, kind, case_exact: attribute.case_exact }))
    }

    /// `attribute[filter]`, and what may follow it: `.sub op value`, `.sub pr`, `op value`, `pr`. What follows is asked
    /// of the same element, so it joins the filter inside.
    fn value_path(&mut self, resolved: &Resolved<'_>) -> Result<Filter, FilterError> {
        let attribute = resolved.attribute;
        let path = resolved.path.clone();
        let has_elements = attribute.kind == AttributeType::Complex || attribute.multi_valued;
        if resolved.sub.is_some() || !has_elements {
            return Err(FilterError::NoElements { path: path.to_string() });
        }
        let mut inner = vec![self.group(Scope::Element(attribute), ']')?];
        if self.cursor.eat('.') {
            let word = self.cursor.peek_word();
            let (sub_path, sub) = element(attribute, word)?;
            self.cursor.take(word);
            self.cursor.skip_space();
            inner.push(self.question(sub_path, sub)?);
            return Ok(Filter::ValuePath(path, Box::new(Filter::all(inner))));
        }
        self.cursor.skip_space();
        let present = self.cursor.eat_keyword("pr");
        if !present && CompareOp::parse(self.cursor.peek_word()).is_some() {
            let (sub_path, sub) = element(attribute, "value")?;
            inner.push(self.question(sub_path, sub)?);
        }
        Ok(Filter::ValuePath(path, Box::new(Filter::all(inner))))
    }
}

/// What a name in a filter stands for.
enum Operand<'a> {
    Attribute(Resolved<'a>),
    Element(AttrPath, &'a Attribute),
}

impl<'a> Operand<'a> {
    fn resolve(word: &str, scope: Scope<'a>) -> Result<Self, FilterError> {
        match scope {
            Scope::Resource(resource_type) => {
                let resolved = resource_type.resolve_attribute(word)?;
                if resolved.attribute.returned == Returned::Never {
                    return Err(FilterError::NotFilterable { path: resolved.path.to_string() });
                }
                Ok(Self::Attribute(resolved))
            }
            Scope::Element(attribute) => element(attribute, word).map(|(path, sub)| Self::Element(path, sub)),
        }
    }
}

/// A sub-attribute as seen from inside the brackets. The elements of a list of simple values are their own `value`.
fn element<'a>(attribute: &'a Attribute, name: &str) -> Result<(AttrPath, &'a Attribute), FilterError> {
    if attribute.kind != AttributeType::Complex && name.eq_ignore_ascii_case("value") {
        return Ok((element_path(&Arc::from("value")), attribute));
    }
    let sub = find_sub(attribute, name)?;
    Ok((element_path(&sub.name), sub))
}

/// `null` compares with "no value" (RFC 7643 2.5), which is what `pr` asks.
fn is_null(literal: &RawLiteral) -> bool {
    literal.quote == Quote::Bare && literal.text.eq_ignore_ascii_case("null")
}

fn not_comparable(path: &AttrPath, op: CompareOp, kind: AttributeType) -> FilterError {
    FilterError::NotComparable { path: path.to_string(), op: op.as_str(), kind: kind.as_str() }
}
