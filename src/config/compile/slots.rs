//! Expressions and templates in their slots: which names each slot may use, and what those names have below them.

use std::ops::Range;

use crate::config::tree::{Data, Node, Place};
use crate::expr::{Expr, ExprError, Name, Scope, Template, Type, Wanted};
use crate::scim::ResourceType;
use crate::scim::attr_path::Resolved;

use super::context::Context;
use super::scopes;
use super::target::split_error;
use super::types;

/// What a slot may read.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotScope<'t> {
    pub(super) names: &'t [(&'t str, Name)],
    /// Without them the slot runs before, or apart from, any route.
    pub(super) route_variables: bool,
    /// Gives `scim` and `old` their attributes.
    pub(super) resource_type: Option<&'t ResourceType>,
}

pub(super) const REPLY: SlotScope<'static> =
    SlotScope { names: scopes::REPLY, route_variables: false, resource_type: None };

/// What the client reads about a reply. Route variables have been checked against their patterns, so they may be shown.
pub(super) const REPLY_DETAIL: SlotScope<'static> = SlotScope { route_variables: true, ..REPLY };

impl<'t> SlotScope<'t> {
    pub(super) fn of(names: &'t [(&'t str, Name)], resource_type: &'t ResourceType) -> Self {
        Self { names, route_variables: true, resource_type: Some(resource_type) }
    }

    fn compile(&self, cx: &mut Context, wanted: Wanted) -> Scope {
        let mut scope = Scope::new().sharing(&cx.regexes).wanting(wanted);
        let variables = if self.route_variables { cx.variables.as_slice() } else { &[] };
        for (index, name) in variables.iter().enumerate() {
            scope.insert(name, Name::Var(u16::try_from(index).unwrap_or(u16::MAX)));
            scope.set_type(name, Type::String);
        }
        // Calls that are about a resource may look names up; what judges a reply, or makes a key, may not.
        let looks_up = self.resource_type.is_some() && self.names.iter().any(|(_, name)| *name == Name::Req);
        if looks_up && !cx.tables.is_empty() {
            scope.insert("table", Name::Table);
        }
        // Inserted last: a route variable cannot take the place of a name of the language.
        for (text, name) in self.names {
            scope.insert(text, *name);
            scope.set_type(text, self.type_of(cx, *name));
        }
        scope
    }

    /// What is known of the values of a name. Native documents have no known shape.
    fn type_of(&self, cx: &mut Context, name: Name) -> Type {
        match (name, self.resource_type) {
            (Name::Scim | Name::Old, Some(of)) => {
                cx.scim_types.entry(of.name.to_string()).or_insert_with(|| types::resource(of)).clone()
            }
            (Name::Id, Some(of)) => cx.key_types.id(&of.name),
            (Name::Value, Some(of)) if cx.key_types.value_is_key => cx.key_types.id(&of.name),
            (Name::Member, Some(of)) => cx.key_types.member(&of.name),
            (Name::Status, _) => Type::Int,
            (Name::Headers, _) => Type::map(Type::String),
            (Name::Batch, _) => Type::list(Type::Any),
            _ => Type::Any,
        }
    }
}

/// What [`Expr`] and [`Template`] have in common.
trait Compiled: Sized {
    fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<ExprError>>;
    fn reads(&self, name: Name) -> bool;
    fn paths(&self, name: Name) -> Vec<Vec<String>>;
    /// Whether it generates a secret; `Some(true)` if it does nothing else.
    fn secret(&self) -> Option<bool>;
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

    fn secret(&self) -> Option<bool> {
        self.generates().then(|| self.is_password())
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

    fn secret(&self) -> Option<bool> {
        self.generates().then(|| self.is_password())
    }
}

impl Context {
    /// A bare expression of any value.
    pub(super) fn expr(&mut self, node: &Node, scope: &SlotScope<'_>) -> Option<Expr> {
        self.expr_for(node, scope, Wanted::Anything)
    }

    /// A bare expression that is true or false.
    pub(super) fn condition(&mut self, node: &Node, scope: &SlotScope<'_>) -> Option<Expr> {
        self.expr_for(node, scope, Wanted::Condition)
    }

    /// A bare expression of a certain type.
    pub(super) fn expr_for(&mut self, node: &Node, scope: &SlotScope<'_>, wanted: Wanted) -> Option<Expr> {
        let text = self.report.word(node)?;
        self.compiled(node, 0..text.len(), scope, wanted)
    }

    /// Text with placeholders. A number or a boolean is its text.
    pub(super) fn template(&mut self, node: &Node, scope: &SlotScope<'_>) -> Option<Template> {
        self.template_for(node, scope, Wanted::Anything)
    }

    /// A template whose value is used as text: a list or a map has no place there.
    pub(super) fn text_template(&mut self, node: &Node, scope: &SlotScope<'_>) -> Option<Template> {
        self.template_for(node, scope, Wanted::Scalar)
    }

    /// A template of a certain type.
    pub(super) fn template_for(&mut self, node: &Node, scope: &SlotScope<'_>, wanted: Wanted) -> Option<Template> {
        match &node.data {
            Data::Int(number) => Template::compile(&number.to_string(), &Scope::new()).ok(),
            Data::Float(number) => Template::compile(&number.to_string(), &Scope::new()).ok(),
            Data::Bool(value) => Template::compile(&value.to_string(), &Scope::new()).ok(),
            _ => {
                let text = self.report.text(node)?;
                self.compiled(node, 0..text.len(), scope, wanted)
            }
        }
    }

    /// A part of a string as a template.
    pub(super) fn template_part(&mut self, node: &Node, part: Range<usize>, scope: &SlotScope<'_>) -> Option<Template> {
        self.compiled(node, part, scope, Wanted::Scalar)
    }

    /// A part of a URL as a template: literal characters that a URL may not hold are percent-encoded.
    pub(super) fn url_part(&mut self, node: &Node, part: Range<usize>, scope: &SlotScope<'_>) -> Option<Template> {
        // Compiled as written first, so that mistakes have their places.
        let template: Template = self.compiled(node, part, scope, Wanted::Scalar)?;
        let encoded = encode_literals(template.source());
        if encoded == template.source() {
            return Some(template);
        }
        Template::compile(&encoded, &scope.compile(self, Wanted::Scalar)).ok()
    }

    fn compiled<C: Compiled>(
        &mut self,
        node: &Node,
        part: Range<usize>,
        scope: &SlotScope<'_>,
        wanted: Wanted,
    ) -> Option<C> {
        let text = node.as_text()?.get(part.clone())?;
        let names = scope.compile(self, wanted);
        match C::compile(text, &names) {
            Ok(compiled) => {
                self.note_variables(&compiled, node, scope);
                let fine = self.check_fields(&compiled, node, &part, scope) && self.check_secret(&compiled, node);
                fine.then_some(compiled)
            }
            Err(errors) => {
                for error in errors {
                    let place = self.report.part(node, part.start + error.span.start..part.start + error.span.end);
                    let help = error.suggestion.map(|suggestion| suggestion_text(&suggestion));
                    let help = help.or_else(|| self.part_of_key(text.get(error.span.clone())?, scope));
                    self.report.error_help("E022", &place, error.message, help);
                }
                None
            }
        }
    }

    /// A key of several parts where one value is wanted.
    fn part_of_key(&self, written: &str, scope: &SlotScope<'_>) -> Option<String> {
        let of = scope.resource_type?;
        let written = written.trim_matches(['{', '}']).trim();
        let key = match (written, self.key_types.member(&of.name)) {
            ("id" | "value", _) => self.key_types.id(&of.name),
            ("member.id", Type::Record(member)) => member.fields.get("id").cloned()?,
            _ => return None,
        };
        let Type::Record(key) = key else { return None };
        let parts: Vec<String> = key.fields.keys().map(|part| format!("`{{{written}.{part}}}`")).collect();
        Some(format!("several fields make this key; name a part: {}", parts.join(", ")))
    }

    /// A generated password goes into a new object, as it is, and nowhere else.
    fn check_secret<C: Compiled>(&mut self, compiled: &C, node: &Node) -> bool {
        let message = match compiled.secret() {
            None => return true,
            Some(true) if self.may_generate => return true,
            Some(false) if self.may_generate => "a password stands alone: `\"{password(24)}\"`",
            Some(_) => "a generated password has no place here",
        };
        let help = "it may be the `default` of a row with `access = \"write\"`, or a field in the body of `create`";
        self.report.error_help("E053", &node.place, message, help.to_owned());
        false
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
        for path in compiled.paths(Name::Table) {
            fine &= self.check_table(&path, node, part);
        }
        for path in compiled.paths(Name::Steps) {
            fine &= self.check_step(&path, node, part);
        }
        fine
    }

    /// Checks what stands behind `table.`: one of the backend's, and a name in it.
    fn check_table(&mut self, path: &[String], node: &Node, part: &Range<usize>) -> bool {
        let Some(name) = path.first() else {
            self.report.error("E047", &node.place, "name one of the tables, and a name in it: `table.site['Oslo']`");
            return false;
        };
        let place = self.find_in(node, part, name);
        self.table(name, &place).is_some()
    }

    /// Checks what stands behind `steps.`: an earlier step, and something that it saves.
    fn check_step(&mut self, path: &[String], node: &Node, part: &Range<usize>) -> bool {
        let Some(id) = path.first() else {
            self.report.error("E101", &node.place, "name one of the steps: `steps.<id>.<saved name>`");
            return false;
        };
        let known = self.known_steps.iter().find(|step| step.id == *id);
        let Some(step) = known else {
            let place = self.find_in(node, part, id);
            if self.later_steps.contains(id) {
                let message = format!("the step `{id}` has not run yet: a step sees the steps before it");
                self.report.error("E102", &place, message);
                return false;
            }
            let names: Vec<String> = self.known_steps.iter().map(|step| step.id.clone()).collect();
            let message = format!("no step before this one is called `{id}`");
            self.report.unknown("E101", &place, message, id, names.iter().map(String::as_str));
            return false;
        };
        let (saved, looped) = (step.saved.clone(), step.looped);
        let Some(name) = path.get(1).filter(|name| looped || !saved.contains(name)) else { return true };
        let place = self.find_in(node, part, name);
        let message = if looped {
            format!("the step `{id}` runs for every element of a list: `steps.{id}` is a list, and has no `{name}`")
        } else {
            format!("the step `{id}` saves no `{name}`")
        };
        let candidates = saved.iter().map(String::as_str).filter(|_| !looped);
        self.report.unknown("E103", &place, message, name, candidates);
        false
    }

    fn check_scim_path(&mut self, path: &[String], node: &Node, part: &Range<usize>, of: &ResourceType) -> bool {
        let Some((attribute, sub)) = scim_path(path, of) else { return true };
        let found = of.resolve_attribute(&sub.as_ref().map_or(attribute.clone(), |sub| format!("{attribute}.{sub}")));
        let error = match found {
            Ok(resolved) => return self.check_spelling(path, node, part, &resolved),
            Err(error) => error,
        };
        let named = path.iter().find(|name| error.to_string().contains(&format!("'{name}'")));
        let place = self.find_in(node, part, named.or(path.first()).map_or("", String::as_str));
        let (message, help) = split_error(&error);
        self.report.error_help("E024", &place, message, help);
        false
    }

    /// Documents are read by exact names, so another spelling would silently be nothing.
    fn check_spelling(&mut self, path: &[String], node: &Node, part: &Range<usize>, found: &Resolved<'_>) -> bool {
        let resolved = &found.path;
        let names = resolved.extension.iter().map(|urn| &**urn);
        let names = names.chain([&*resolved.attribute]).chain(resolved.sub.as_deref());
        let other = |written: &String| {
            names.clone().find(|name| name.eq_ignore_ascii_case(written)).filter(|name| *name != written.as_str())
        };
        let Some((written, right)) = path.iter().find_map(|written| Some((written, other(written)?))) else {
            return true;
        };
        let place = self.find_in(node, part, written);
        let message = format!("documents hold `{right}`, and `{written}` would be nothing");
        self.report.error_help("E024", &place, message, format!("write `{right}`"));
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

const MEMBER_FIELDS: [&str; 6] = ["id", "value", "display", "native", "scim", "object"];

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
