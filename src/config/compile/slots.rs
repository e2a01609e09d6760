//! Expressions and templates in their slots: which names each slot may use, and what those names have below them.

use std::ops::Range;

use crate::config::tree::{Data, Node, Place};
use crate::expr::{Expr, ExprError, Name, Scope, Template};
use crate::scim::ResourceType;

use super::context::Context;
use super::target::split_error;

/// What a slot may read.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotScope<'t> {
    pub(super) names: &'static [(&'static str, Name)],
    /// Without them the slot runs before, or apart from, any route.
    pub(super) route_variables: bool,
    /// Gives `scim` and `old` their attributes.
    pub(super) resource_type: Option<&'t ResourceType>,
}

pub(super) const REPLY: SlotScope<'static> = SlotScope {
    names: &[("status", Name::Status), ("headers", Name::Headers), ("body", Name::Body)],
    route_variables: false,
    resource_type: None,
};

pub(super) const READ: &[(&str, Name)] = &[("native", Name::Native), ("id", Name::Id)];
pub(super) const WRITE: &[(&str, Name)] = &[("scim", Name::Scim), ("native", Name::Native)];
pub(super) const SCIM: &[(&str, Name)] = &[("scim", Name::Scim)];
pub(super) const REQUEST: &[(&str, Name)] = &[("req", Name::Req)];
pub(super) const BY_ID: &[(&str, Name)] = &[("id", Name::Id), ("req", Name::Req)];
pub(super) const CREATE: &[(&str, Name)] = &[("scim", Name::Scim), ("mapped", Name::Mapped), ("req", Name::Req)];
pub(super) const CREATE_BY_ID: &[(&str, Name)] =
    &[("id", Name::Id), ("scim", Name::Scim), ("mapped", Name::Mapped), ("req", Name::Req)];
pub(super) const WRITE_CALL: &[(&str, Name)] = &[
    ("id", Name::Id),
    ("scim", Name::Scim),
    ("old", Name::Old),
    ("native", Name::Native),
    ("mapped", Name::Mapped),
    ("changed", Name::Changed),
    ("req", Name::Req),
];
pub(super) const REMOVAL: &[(&str, Name)] =
    &[("id", Name::Id), ("old", Name::Old), ("native", Name::Native), ("req", Name::Req)];
pub(super) const MEMBER: &[(&str, Name)] = &[("id", Name::Id), ("member", Name::Member), ("req", Name::Req)];
pub(super) const MEMBER_ONLY: &[(&str, Name)] = &[("member", Name::Member)];
pub(super) const BATCH: &[(&str, Name)] = &[("id", Name::Id), ("batch", Name::Batch), ("req", Name::Req)];
pub(super) const VALUE: &[(&str, Name)] = &[("value", Name::Value)];
pub(super) const NO_NAMES: &[(&str, Name)] = &[];

impl<'t> SlotScope<'t> {
    pub(super) fn of(names: &'static [(&'static str, Name)], resource_type: &'t ResourceType) -> Self {
        Self { names, route_variables: true, resource_type: Some(resource_type) }
    }

    fn compile(&self, cx: &Context) -> Scope {
        let mut scope = Scope::new().sharing(&cx.regexes);
        let variables = if self.route_variables { cx.variables.as_slice() } else { &[] };
        for (index, name) in variables.iter().enumerate() {
            scope.insert(name, Name::Var(u16::try_from(index).unwrap_or(u16::MAX)));
        }
        // Inserted last: a route variable cannot take the place of a name of the language.
        for (text, name) in self.names {
            scope.insert(text, *name);
        }
        scope
    }
}

/// What [`Expr`] and [`Template`] have in common.
trait Compiled: Sized {
    fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<ExprError>>;
    fn reads(&self, name: Name) -> bool;
    fn paths(&self, name: Name) -> Vec<Vec<String>>;
}

impl Compiled for Expr {
    fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<ExprError>> {
        Self::compile(source, scope)
    }

    fn reads(&self, name: Name) -> bool {
        self.uses(name)
    }

    fn paths(&self, name: Name) -> Vec<Vec<String>> {
        self.field_paths(name)
    }
}

impl Compiled for Template {
    fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<ExprError>> {
        Self::compile(source, scope)
    }

    fn reads(&self, name: Name) -> bool {
        self.uses(name)
    }

    fn paths(&self, name: Name) -> Vec<Vec<String>> {
        self.field_paths(name)
    }
}

impl Context {
    /// A bare expression.
    pub(super) fn expr(&mut self, node: &Node, scope: &SlotScope<'_>) -> Option<Expr> {
        let text = self.report.word(node)?;
        self.compiled(node, 0..text.len(), scope)
    }

    /// Text with placeholders. A number or a boolean is its text.
    pub(super) fn template(&mut self, node: &Node, scope: &SlotScope<'_>) -> Option<Template> {
        match &node.data {
            Data::Int(number) => Template::compile(&number.to_string(), &Scope::new()).ok(),
            Data::Float(number) => Template::compile(&number.to_string(), &Scope::new()).ok(),
            Data::Bool(value) => Template::compile(&value.to_string(), &Scope::new()).ok(),
            _ => {
                let text = self.report.text(node)?;
                self.compiled(node, 0..text.len(), scope)
            }
        }
    }

    /// A part of a string as a template.
    pub(super) fn template_part(&mut self, node: &Node, part: Range<usize>, scope: &SlotScope<'_>) -> Option<Template> {
        self.compiled(node, part, scope)
    }

    /// A part of a URL as a template: literal characters that a URL may not hold are percent-encoded.
    pub(super) fn url_part(&mut self, node: &Node, part: Range<usize>, scope: &SlotScope<'_>) -> Option<Template> {
        // Compiled as written first, so that mistakes have their places.
        let template: Template = self.compiled(node, part, scope)?;
        let encoded = encode_literals(template.source());
        if encoded == template.source() {
            return Some(template);
        }
        Template::compile(&encoded, &scope.compile(self)).ok()
    }

    fn compiled<C: Compiled>(&mut self, node: &Node, part: Range<usize>, scope: &SlotScope<'_>) -> Option<C> {
        let text = node.as_text()?.get(part.clone())?;
        let names = scope.compile(self);
        match C::compile(text, &names) {
            Ok(compiled) => {
                self.note_variables(&compiled, node, scope);
                let fine = self.check_fields(&compiled, node, &part, scope);
                fine.then_some(compiled)
            }
            Err(errors) => {
                for error in errors {
                    let place = self.report.part(node, part.start + error.span.start..part.start + error.span.end);
                    let help = error.suggestion.map(|suggestion| suggestion_text(&suggestion));
                    self.report.error_help("E022", &place, error.message, help);
                }
                None
            }
        }
    }

    fn note_variables<C: Compiled>(&mut self, compiled: &C, node: &Node, scope: &SlotScope<'_>) {
        if scope.route_variables {
            for index in 0..self.variables.len() {
                if compiled.reads(Name::Var(u16::try_from(index).unwrap_or(u16::MAX))) {
                    self.used_variables.push((index, node.place.clone()));
                    self.ever_used.insert(index);
                }
            }
        }
    }

    /// Checks what stands behind `scim.`, `old.` and `member.`.
    fn check_fields<C: Compiled>(
        &mut self,
        compiled: &C,
        node: &Node,
        part: &Range<usize>,
        scope: &SlotScope<'_>,
    ) -> bool {
        let mut fine = true;
        if let Some(resource_type) = scope.resource_type {
            for name in [Name::Scim, Name::Old] {
                for path in compiled.paths(name) {
                    fine &= self.check_scim_path(&path, node, part, resource_type);
                }
            }
        }
        for path in compiled.paths(Name::Member) {
            if let Some(field) = path.first().filter(|field| !MEMBER_FIELDS.contains(&field.as_str())) {
                let place = self.find_in(node, part, field);
                let message = format!("`member` has no `{field}`");
                self.report.unknown("E024", &place, message, field, MEMBER_FIELDS);
                fine = false;
            }
        }
        fine
    }

    fn check_scim_path(&mut self, path: &[String], node: &Node, part: &Range<usize>, of: &ResourceType) -> bool {
        let Some((attribute, sub)) = scim_path(path, of) else { return true };
        let Err(error) = of.resolve_attribute(&sub.map_or(attribute.clone(), |sub| format!("{attribute}.{sub}")))
        else {
            return true;
        };
        let named = path.iter().find(|name| error.to_string().contains(&format!("'{name}'")));
        let place = self.find_in(node, part, named.or(path.first()).map_or("", String::as_str));
        let (message, help) = split_error(&error);
        self.report.error_help("E024", &place, message, help);
        false
    }

    /// The place of a word in a part of a string; the string itself if it is not there as such.
    fn find_in(&self, node: &Node, part: &Range<usize>, word: &str) -> Place {
        let text = node.as_text().and_then(|text| text.get(part.clone())).unwrap_or("");
        match text.find(word) {
            Some(at) => self.report.part(node, part.start + at..part.start + at + word.len()),
            None => node.place.clone(),
        }
    }
}

/// The attribute path that a selection from `scim` means. Sub-attributes of lists are not selections.
pub(super) fn scim_path(path: &[String], of: &ResourceType) -> Option<(String, Option<String>)> {
    let (first, rest) = path.split_first()?;
    let is_schema = first.contains(':') && of.extension(first).is_some();
    match rest {
        [] if is_schema => None,
        [name, rest @ ..] if is_schema => Some((format!("{first}:{name}"), rest.first().cloned())),
        _ => Some((first.clone(), rest.first().cloned())),
    }
}

fn suggestion_text(suggestion: &str) -> String {
    if suggestion.contains(' ') { suggestion.to_owned() } else { format!("did you mean `{suggestion}`?") }
}

/// Percent-encodes what stands outside placeholders and may not stand in a URL.
fn encode_literals(text: &str) -> String {
    use std::fmt::Write as _;
    let inside = placeholder_mask(text);
    let mut encoded = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let literal = !inside.get(at).copied().unwrap_or(false);
        let illegal = c.is_control() || !c.is_ascii() || matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '|');
        if literal && illegal {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(c);
        }
    }
    encoded
}

/// For every byte whether it belongs to a `{placeholder}`, quotes and nested braces included. Doubled braces are
/// literal text.
pub(super) fn placeholder_mask(text: &str) -> Vec<bool> {
    let mut mask = Vec::with_capacity(text.len());
    let mut depth = 0_usize;
    let mut quote: Option<u8> = None;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let doubled = depth == 0 && matches!(byte, b'{' | b'}') && bytes.get(at + 1) == Some(&byte);
        if doubled {
            mask.extend([false, false]);
            at += 2;
            continue;
        }
        match (quote, byte) {
            (Some(_), b'\\') if depth > 0 => {
                mask.push(true);
                at += 1;
            }
            (Some(open), _) if open == byte => quote = None,
            (None, b'\'' | b'"') if depth > 0 => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => {
                depth -= 1;
                mask.push(true);
                at += 1;
                continue;
            }
            _ => {}
        }
        mask.push(depth > 0);
        at += 1;
    }
    mask.resize(text.len(), depth > 0);
    mask
}

const MEMBER_FIELDS: [&str; 4] = ["id", "value", "display", "native"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_encoded_and_placeholders_are_not() {
        assert_eq!(encode_literals("a b{x + ' '}é"), "a%20b{x + ' '}%C3%A9");
        assert_eq!(encode_literals("{a['}']} c"), "{a['}']}%20c");
        assert_eq!(encode_literals("{{ {x}"), "{{%20{x}");
    }

    #[test]
    fn the_mask_has_one_entry_per_byte() {
        for text in ["", "{", "a{b", "{'\\", "{{}}", "}{", "é{é}é", "{'a\\'}'}x"] {
            assert_eq!(placeholder_mask(text).len(), text.len(), "{text}");
        }
    }
}
