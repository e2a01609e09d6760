//! What a write means in rows: which rows a request touches, and whether it may.

use std::borrow::Cow;

use serde_json::Value;

use crate::mapping::row::{Access, Row, Source};
use crate::mapping::{Omit, PutOmitted, RowSet, to_native};
use crate::scim::{AttrPath, Bound, Resource, ScimError};

use super::run::Run;

/// A JSON body within the depth bound.
///
/// # Errors
/// 400 `invalidSyntax`.
pub(super) fn json_body(run: &Run<'_>, bytes: &[u8]) -> Result<Value, ScimError> {
    let max = run.snapshot.limits.json_max_depth;
    let too_deep = || {
        ScimError::invalid_syntax(format!("the body is nested deeper than {max} levels"))
            .with_bound(Bound::JsonMaxDepth)
    };
    // Text is looked through once, and not string by string. The parser has a bound of its own on the depth.
    let parsed = match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    let body: Value = parsed.map_err(|error| match bytes {
        bytes if depth(bytes) > max => too_deep(),
        bytes if bytes.iter().all(u8::is_ascii_whitespace) => ScimError::invalid_syntax("the request has no body"),
        _ => ScimError::invalid_syntax(format!("the body is not JSON: {error}")),
    })?;
    let mut seen = Seen::default();
    if !is_shallow_and_plain(bytes, max) {
        look(&body, 0, &mut seen);
    }
    if seen.depth > max {
        return Err(too_deep());
    }
    if seen.control_key {
        return Err(ScimError::invalid_syntax("the body has a key with a control character"));
    }
    Ok(body)
}

/// Whether the text alone shows that there is nothing to be refused: few brackets cannot be deep, and the parser lets
/// no control character pass but an escaped one, and DEL.
fn is_shallow_and_plain(bytes: &[u8], max: usize) -> bool {
    let (mut brackets, mut is_plain) = (0, true);
    // Sums of bytes, which a processor makes many at a time.
    for chunk in bytes.chunks(usize::from(u8::MAX)) {
        let found = chunk.iter().fold(0_u8, |sum, byte| sum + u8::from(matches!(byte, b'{' | b'[')));
        brackets += usize::from(found);
        is_plain &= !chunk.iter().fold(false, |found, byte| found | matches!(byte, b'\\' | b'\x7f'));
    }
    is_plain && brackets <= max
}

/// What is refused whatever the body is about.
#[derive(Default)]
struct Seen {
    depth: usize,
    /// Keys with such a character name no attribute, and a rendered call uses one to mark the place of a secret.
    control_key: bool,
}

/// Depth is within the bound of the parser.
fn look(value: &Value, above: usize, seen: &mut Seen) {
    match value {
        Value::Object(fields) => {
            seen.depth = seen.depth.max(above + 1);
            for (key, value) in fields {
                seen.control_key |= key.bytes().any(|byte| byte.is_ascii_control());
                look(value, above + 1, seen);
            }
        }
        Value::Array(items) => {
            seen.depth = seen.depth.max(above + 1);
            for item in items {
                look(item, above + 1, seen);
            }
        }
        _ => {}
    }
}

/// The deepest nesting of arrays and objects, read off a text that could not be parsed.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in bytes {
        match (in_string, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, false, b'"') => in_string = !in_string,
            (false, _, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, _, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether the mapping has a place for an attribute: a row, the members block, or a derived attribute.
pub(super) fn is_mapped(run: &Run<'_>, path: &AttrPath) -> bool {
    let built_in = path.extension.is_none() && matches!(&*path.attribute, "id" | "schemas" | "meta" | "groups");
    let members = path.extension.is_none() && &*path.attribute == "members" && run.mapping.members.is_some();
    built_in || members || rows_of(run, path).next().is_some()
}

/// Rows about one attribute, whatever their sub-attribute.
pub(super) fn rows_of<'a>(run: &Run<'a>, path: &AttrPath) -> impl Iterator<Item = (usize, &'a Row)> {
    let about = run.mapping.rows_in(run.mapping.index.of_attribute(path));
    about.filter(|(_, row)| row.target.path.same_attribute(path))
}

/// Known attributes of a resource that the mapping has no place for.
pub(super) fn unmapped(run: &Run<'_>, resource: &Resource) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in &resource.0 {
        let extension = run.mapping.resource_type.extensions.iter().find(|schema| *schema.id == **key);
        match (extension, value) {
            (Some(schema), Value::Object(fields)) => {
                let paths = fields.keys().map(|name| path(Some(&schema.id), name));
                names.extend(paths.filter(|path| !is_mapped(run, path)).map(|path| path.to_string()));
            }
            (None, _) if run.mapping.index.about(key) != 0 => {}
            _ => {
                let path = path(None, key);
                if !is_mapped(run, &path) {
                    names.push(path.to_string());
                }
            }
        }
    }
    names
}

fn path(extension: Option<&std::sync::Arc<str>>, attribute: &str) -> AttrPath {
    AttrPath { extension: extension.cloned(), attribute: attribute.into(), sub: None }
}

/// The rows that differ between two states, be they sent by the update or by a rule.
///
/// # Errors
/// 400 `mutability` for a row that is fixed after creation, 400 `invalidValue` for a mirror that disagrees.
pub(super) fn changed_rows(run: &Run<'_>, old: &Resource, new: &Resource) -> Result<RowSet, ScimError> {
    let mut changed = 0;
    let sendable = sendable_rows(run);
    let present = run.mapping.index.present(old) | run.mapping.index.present(new);
    for (index, row) in run.mapping.rows_in(present) {
        let (before, after) = (value(run, row, old), value(run, row, new));
        if before == after || same_natively(run, row, before.as_deref(), after.as_deref()) {
            continue;
        }
        match row.access {
            Access::Both | Access::Write if sendable & 1 << index == 0 => return Err(fixed(row)),
            Access::Both | Access::Write => changed |= 1 << index,
            Access::Create if equal(row, before.as_deref(), after.as_deref()) => {}
            Access::Create => return Err(fixed(row)),
            Access::Mirror => check_mirror(run, row, new, after.as_deref())?,
            Access::Read => {}
        }
    }
    Ok(changed)
}

/// Rows that some call of an update can send.
fn sendable_rows(run: &Run<'_>) -> RowSet {
    let rules = run.mapping.writes.iter().filter(|rule| rule.on_update);
    rules.fold(to_native::update_rows(run.mapping), |rows, rule| rows | rule.rows)
}

/// Whether two values of a row are one, to SCIM or to the application.
pub(super) fn alike(run: &Run<'_>, row: &Row, a: Option<&Value>, b: Option<&Value>) -> bool {
    equal(row, a, b) || same_natively(run, row, a, b)
}

/// Whether two values are one in the application: `Ann@x` and `ann@x`, where a codec folds case.
fn same_natively(run: &Run<'_>, row: &Row, before: Option<&Value>, after: Option<&Value>) -> bool {
    let (Source::Native { codec, .. }, Some(before), Some(after)) = (&row.source, before, after) else { return false };
    let encode = |value| to_native::encode(row, value, &run.env()).ok();
    !codec.is_empty() && encode(before).is_some_and(|native| Some(native) == encode(after))
}

/// Refuses a new resource in which a mirror disagrees with its primary row.
///
/// # Errors
/// 400 `invalidValue`.
pub(super) fn check_mirrors(run: &Run<'_>, resource: &Resource) -> Result<(), ScimError> {
    let mut mirrors = run.mapping.rows_in(run.mapping.sends.mirrors);
    mirrors.try_for_each(|(_, row)| check_mirror(run, row, resource, value(run, row, resource).as_deref()))
}

/// Says which elements of lists the application has no place for, and which one goes where it does not quite belong.
/// What a native document gave has its place, so all of these were sent.
pub(super) fn note_elements(run: &Run<'_>, resource: &Resource) {
    for places in run.mapping.index.places() {
        let Some(elements) = resource.get(&places.attribute).and_then(Value::as_array) else { continue };
        let rows = || places.rows.iter().filter_map(|index| run.mapping.rows.get(*index));
        let Some(row) = rows().next() else { continue };
        let sole = places.rows.len() == 1;
        for element in elements.iter().filter(|element| !rows().any(|row| row.target.selects(element))) {
            let chosen = sole && row.target.element(elements, true).is_some_and(|chosen| std::ptr::eq(chosen, element));
            if chosen && elements.len() == 1 && row.target.leaves_open(element) {
                continue;
            }
            let name = element_name(row, element);
            if chosen {
                run.note(format!("{name} is mapped onto {}, which is all that the application has", row.target));
            } else {
                run.record_ignored(vec![name], Vec::new());
            }
        }
        if sole && elements.len() > 1 {
            run.native.report(|report| report.collapsed_attributes += 1);
        }
    }
}

/// An element by what its list tells elements apart by.
fn element_name(row: &Row, element: &Value) -> String {
    let path = AttrPath { sub: None, ..row.target.path.clone() };
    let said = row.target.selector.iter().map(|(name, _)| match element.get(&**name) {
        Some(Value::String(text)) if text.chars().count() > TYPE_SHOWN => format!("{name} eq ..."),
        Some(value) => format!("{name} eq {value}"),
        None => format!("not ({name} pr)"),
    });
    format!("{path}[{}]", said.collect::<Vec<_>>().join(" and "))
}

/// The value of a row in a resource.
pub(super) fn value<'r>(run: &Run<'_>, row: &Row, resource: &'r Resource) -> Option<Cow<'r, Value>> {
    row.target.read(resource, run.mapping.sole_on_attribute(row))
}

/// SCIM equality of two values of a row.
pub(super) fn equal(row: &Row, a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) if !row.target.case_exact => {
            a == b || a.to_lowercase() == b.to_lowercase()
        }
        (a, b) => a == b,
    }
}

/// What cannot be changed once the object is there.
pub(super) fn fixed(row: &Row) -> ScimError {
    ScimError::mutability(format!(
        "{} cannot be changed after creation: the application does not support it",
        row.target
    ))
}

/// A mirror accepts what agrees with its primary row.
fn check_mirror(run: &Run<'_>, row: &Row, new: &Resource, after: Option<&Value>) -> Result<(), ScimError> {
    let primary = match &row.source {
        Source::Mirror { row } => run.mapping.rows.get(*row),
        _ => run
            .mapping
            .rows
            .iter()
            .find(|other| other.access != Access::Mirror && other.native_path() == row.native_path()),
    };
    let Some(primary) = primary else { return Ok(()) };
    let leading = value(run, primary, new);
    // A mirror that was left out follows its primary row.
    if after.is_none() || row.lossy.is_some() || equal(primary, leading.as_deref(), after) {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!(
        "{} and {} are one value in the application; send the same value for both",
        row.target, primary.target
    )))
}

/// Refuses a PATCH of attributes that can only be read. `equal` says whether the state would stay as it is.
pub(super) fn check_readable_only(
    run: &Run<'_>,
    touched: &[AttrPath],
    old: Option<(&Resource, &Resource)>,
) -> Result<(), ScimError> {
    for path in touched {
        let mut rows = rows_of(run, path).filter(|(_, row)| covers(row, path)).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let (read_only, other): (Vec<_>, Vec<_>) = rows.partition(|(_, row)| row.access == Access::Read);
        if !other.is_empty() {
            continue;
        }
        let unchanged = |row: &Row| {
            old.is_some_and(|(old, new)| equal(row, value(run, row, old).as_deref(), value(run, row, new).as_deref()))
        };
        if let Some((_, row)) = read_only.iter().find(|(_, row)| !unchanged(row)) {
            return Err(ScimError::mutability(format!(
                "{} is read-only here: the application has no way to change it",
                row.target
            )));
        }
    }
    Ok(())
}

/// Read-only attributes in POST and PUT are ignored (RFC 7643 2.2), but a client that switches somebody off must not
/// believe that it worked. Without an old state (POST) only `active: false` is such a wish.
pub(super) fn check_active(run: &Run<'_>, sent: &Resource, old: Option<&Resource>) -> Result<(), ScimError> {
    let Some((_, row)) = run.mapping.rows_in(run.mapping.sends.active_read_only).next() else { return Ok(()) };
    let (asked, is) = (value(run, row, sent), old.and_then(|old| value(run, row, old)));
    match asked {
        None => Ok(()),
        Some(asked) if is.is_some_and(|is| is == asked) || (old.is_none() && *asked != Value::Bool(false)) => Ok(()),
        Some(_) => Err(ScimError::mutability(
            "active is read-only here: the application has no way to switch a user on or off; delete the user instead",
        )),
    }
}

/// Whether a row is about the path: the same sub-attribute, or one of the two names the whole attribute.
fn covers(row: &Row, path: &AttrPath) -> bool {
    row.target.path.sub.is_none() || path.sub.is_none() || row.target.path.sub == path.sub
}

/// The state a PUT asks for: what was sent, and the old state where leaving out does not clear.
pub(super) fn replacement(run: &Run<'_>, old: &Resource, sent: Resource) -> Resource {
    let mut new = sent;
    for row in &run.mapping.rows {
        let given = value(run, row, &new).is_some();
        let keep = match row.access {
            Access::Read => true,
            Access::Create => !given,
            Access::Mirror | Access::Write => false,
            Access::Both => !given && keeps_when_omitted(run, row),
        };
        if keep && let Some(value) = value(run, row, old) {
            row.target.write(&mut new, value.into_owned());
        }
    }
    new
}

/// Rows to send so that an object is as if it had just been made: with a value or a default that differs, or with
/// something left of what it was before.
pub(super) fn differing_from_new(run: &Run<'_>, old: &Resource, new: &Resource) -> RowSet {
    let differs = |row: &Row| {
        let (is, wanted) = (value(run, row, old), value(run, row, new));
        let fills = row.default.as_ref().is_some_and(|default| !default.generates());
        match &wanted {
            Some(_) => !equal(row, is.as_deref(), wanted.as_deref()),
            None => fills || (is.is_some() && !stays_when_omitted(run, row)),
        }
    };
    let rows = run.mapping.rows_in(to_native::update_rows(run.mapping)).filter(|(_, row)| differs(row));
    rows.fold(0, |set, (index, _)| set | 1 << index)
}

fn keeps_when_omitted(run: &Run<'_>, row: &Row) -> bool {
    run.mapping.put_omitted == PutOmitted::Keep || stays_when_omitted(run, row)
}

/// Whether there is no other way for a row than to stay as it is.
fn stays_when_omitted(run: &Run<'_>, row: &Row) -> bool {
    // Leaving `active` out is never a wish to switch somebody on or off.
    let is_active = &*row.target.path.attribute == "active";
    // An update that carries changed fields only cannot say that one is absent.
    let no_form = row.omit == Omit::Absent
        && run.mapping.ops.update.is_some()
        && row.default.is_none()
        && row.native_path().is_some_and(|path| path.whole_field().is_none());
    row.omit == Omit::Keep || is_active || no_form
}

/// Characters of a type that a report shows.
const TYPE_SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::{depth, is_shallow_and_plain};

    #[test]
    fn depth_counts_structure_and_not_text() {
        assert_eq!(depth(b"1"), 0);
        assert_eq!(depth(br#"{"a":[{"b":1}]}"#), 3);
        assert_eq!(depth(br#"{"a":"[[[\"{{"}"#), 1);
        assert_eq!(depth(b"]]]["), 1);
    }

    #[test]
    fn a_text_that_is_let_through_is_neither_deep_nor_has_it_control_characters() {
        for (text, expect) in
            [(r#"{"a":[1]}"#, true), (r#"{"a":[[1]]}"#, false), (r#"{"\u0000":1}"#, false), ("{\"\u{7f}\":1}", false)]
        {
            assert_eq!(is_shallow_and_plain(text.as_bytes(), 2), expect, "{text}");
        }
    }
}
