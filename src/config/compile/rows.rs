//! `[resource.T.attrs]`: the attribute table.

use std::sync::Arc;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Data, Entry, Node, Place};
use crate::expr::{Name, Template};
use crate::mapping::codec::{Form, ValueMap};
use crate::mapping::{Access, Codec, NativePath, Omit, Row, Source, Target};
use crate::scim::schema::Mutability;
use crate::scim::{AttrPath, AttributeType, ResourceType};

use super::codecs;
use super::context::Context;
use super::scopes::{READ, SCIM, WRITE};
use super::slots::SlotScope;
use super::store;
use super::target::{KeyedTarget, target};
use super::types;

/// A row and what the checks and discovery want to know besides.
#[derive(Clone, Debug)]
pub(super) struct RowDraft {
    pub(super) row: Row,
    /// The row key.
    pub(super) place: Place,
    /// `codec` or `map`, where there is one.
    pub(super) codec_place: Place,
    pub(super) unique: bool,
    /// Whether `access` is written out.
    pub(super) access_given: bool,
    /// Name of the row that `mirror` names, until it is resolved.
    mirror: Option<(String, Place)>,
    /// Whether `omit` is written out; the default depends on the operations.
    omit_given: bool,
}

impl RowDraft {
    /// How "unassigned" looks natively, where the row does not say so.
    pub(super) fn omit_otherwise(&mut self, otherwise: Omit) {
        if !self.omit_given {
            self.row.omit = default_omit(&self.row, otherwise);
        }
    }
}

/// All rows; faulty ones are left out and reported.
pub(super) fn rows(cx: &mut Context, node: Option<&Node>, of: &ResourceType, omit: Omit) -> Vec<RowDraft> {
    let table = node.and_then(|node| cx.report.table(node));
    let entries = table.map_or(&[][..], |table| &table.entries);
    let mut drafts = Vec::with_capacity(entries.len());
    cx.faulty_rows.clear();
    for entry in entries {
        match row(cx, entry, of) {
            Some(draft) => drafts.push(draft),
            None => cx.faulty_rows.push(entry.name.clone()),
        }
    }
    if drafts.len() > crate::mapping::MAX_ROWS
        && let Some(place) = drafts.get(crate::mapping::MAX_ROWS).map(|draft| draft.place.clone())
    {
        cx.report.error("E019", &place, format!("a resource type has at most {} rows", crate::mapping::MAX_ROWS));
        drafts.truncate(crate::mapping::MAX_ROWS);
    }
    for draft in &mut drafts {
        draft.omit_otherwise(omit);
    }
    resolve_mirrors(cx, &mut drafts, of);
    drafts
}

fn row(cx: &mut Context, entry: &Entry, of: &ResourceType) -> Option<RowDraft> {
    let keyed = target(cx, entry, of);
    let path_only = matches!(entry.value.data, Data::Text(_));
    let fields = if path_only { None } else { Some(Fields::of(&mut cx.report, &entry.value, &catalogue::ROW)?) };
    // The key is checked first, but a wrong key does not hide mistakes in the value.
    let Some(keyed) = keyed else {
        if path_only {
            cx.native_path(&entry.value);
        }
        return None;
    };
    let mut draft = RowDraft {
        row: Row {
            access: default_access(&keyed),
            target: keyed.target.clone(),
            source: Source::Native { path: NativePath::whole(), codec: Vec::new() },
            on_create: true,
            on_update: true,
            default: None,
            omit: Omit::Null,
            required: keyed.required,
            lossy: None,
            origin: cx.origin(&entry.key),
        },
        place: entry.key.clone(),
        codec_place: entry.key.clone(),
        unique: keyed.unique,
        access_given: false,
        mirror: None,
        omit_given: false,
    };
    let Some(fields) = fields else {
        draft.row.source = Source::Native { path: cx.native_path(&entry.value)?, codec: Vec::new() };
        check_path(cx, &draft);
        return Some(draft);
    };
    characteristics(cx, &fields, &keyed, &mut draft, of);
    if store::row(cx, &fields, &entry.name) {
        return None;
    }
    draft.row.source = source(cx, entry, &fields, &mut draft, of)?;
    check_path(cx, &draft);
    Some(draft)
}

/// A row reads documents, and writes only where something can be put.
fn check_path(cx: &mut Context, draft: &RowDraft) {
    let Some(path) = draft.row.native_path() else { return };
    let message = if path.header().is_some() || path.is_link() {
        format!("`{path}` is not in the document that rows read")
    } else if path.is_read_only() && draft.row.access != Access::Read {
        format!("`{path}` can be read but not written")
    } else {
        return;
    };
    cx.report.error("E045", &draft.place, message);
}

/// Everything but where the value comes from.
fn characteristics(
    cx: &mut Context,
    fields: &Fields<'_>,
    keyed: &KeyedTarget,
    draft: &mut RowDraft,
    of: &ResourceType,
) {
    let row = &mut draft.row;
    if let Some(node) = fields.get("access") {
        let access = cx.report.choice(node, &ACCESS);
        draft.access_given = true;
        row.access = access.map_or(row.access, |access| fitting_access(cx, node, access, keyed));
    }
    if let Some(node) = fields.get("on") {
        (row.on_create, row.on_update) = super::writes::occasions(cx, node);
    }
    let flag = |cx: &mut Context, key: &str| fields.get(key).and_then(|node| cx.report.boolean(node));
    row.required = flag(cx, "required").unwrap_or(row.required);
    draft.unique = flag(cx, "unique").unwrap_or(draft.unique);
    if let Some(node) = fields.get("case") {
        let exact = cx.report.choice(node, &[("exact", true), ("ignore", false)]);
        row.target.case_exact = exact.unwrap_or(row.target.case_exact);
    }
    if let Some(node) = fields.get("omit") {
        draft.omit_given = true;
        row.omit = cx.report.choice(node, &OMIT).unwrap_or(row.omit);
        if row.access == Access::Read {
            cx.report.error("E004", &node.place, "`omit` is about writing, and this row is only read");
        }
    }
    row.lossy = fields.get("lossy").and_then(|node| cx.report.word(node)).map(str::to_owned);
    cx.may_generate = row.access == Access::Write;
    row.default = fields.get("default").and_then(|node| default(cx, node, &row.target, of));
    cx.may_generate = false;
    if let (Some(node), true, false) = (fields.get("default"), draft_generates(row), row.on_create) {
        let message = "a password is generated for new objects, and this row is not sent when one is made";
        cx.report.error_help("E054", &node.place, message, "say `on = [\"create\"]`".to_owned());
    }
}

fn draft_generates(row: &Row) -> bool {
    row.default.as_ref().is_some_and(Template::generates)
}

/// A value for what the client leaves out; text is typed by its attribute.
fn default(cx: &mut Context, node: &Node, target: &Target, of: &ResourceType) -> Option<Template> {
    let template = cx.template_for(node, &SlotScope::of(SCIM, of), types::wanted(target))?;
    let own =
        template.field_paths(Name::Scim).iter().any(|path| path.first() == Some(&target.path.attribute.to_string()));
    if own && target.path.extension.is_none() && target.selector.is_empty() && target.path.sub.is_none() {
        cx.report.error("E004", &node.place, "a default cannot follow from its own attribute");
    }
    let constant = template.constant();
    let fits = match target.kind {
        AttributeType::Boolean => constant.is_none_or(|text| text.parse::<bool>().is_ok()),
        AttributeType::Integer => constant.is_none_or(|text| text.parse::<i64>().is_ok()),
        AttributeType::Decimal => constant.is_none_or(|text| text.parse::<f64>().is_ok()),
        _ => true,
    };
    if !fits {
        let message = format!("`{}` is of type {}", target.path, target.kind.as_str());
        cx.report.error("E004", &node.place, message);
    }
    Some(template)
}

fn source(
    cx: &mut Context,
    entry: &Entry,
    fields: &Fields<'_>,
    draft: &mut RowDraft,
    of: &ResourceType,
) -> Option<Source> {
    if let Some(node) = fields.get("mirror") {
        let name = cx.report.word(node)?;
        draft.mirror = Some((name.to_owned(), node.place.clone()));
        draft.row.access = Access::Mirror;
        for key in ["native", "codec", "map", "pattern", "read", "write"] {
            if let Some(other) = fields.entry(key) {
                cx.report.error("E004", &other.key, format!("`{key}` follows from the row that `mirror` names"));
            }
        }
        return Some(Source::Mirror { row: usize::MAX });
    }
    let codec = codec(cx, fields, draft, of);
    let form = form(cx, fields, &draft.row);
    if fields.get("read").is_some() || fields.get("write").is_some() {
        if let Some(entry) = fields.entry("pattern") {
            cx.report.error(
                "E004",
                &entry.key,
                "`pattern` is for a value that `native` holds; an expression checks its own",
            );
        }
        return computed(cx, fields, &draft.row.target, of);
    }
    let Some(native) = fields.get("native") else {
        cx.report.error("E006", &entry.key, "`native` is missing: where the value lives in a native document");
        return None;
    };
    let codec = form.into_iter().chain(codec?).collect();
    Some(Source::Native { path: cx.native_path(native)?, codec })
}

/// The check of `pattern`, which comes before every conversion.
fn form(cx: &mut Context, fields: &Fields<'_>, row: &Row) -> Option<Codec> {
    let entry = fields.entry("pattern")?;
    let is_text = matches!(row.target.kind, AttributeType::String | AttributeType::Reference | AttributeType::Binary);
    if !is_text || row.access == Access::Read {
        let why = if is_text { "this row is only read" } else { "this attribute is no text" };
        cx.report.error("E004", &entry.key, format!("`pattern` is about texts that are written, and {why}"));
        return None;
    }
    let pattern = cx.pattern(&entry.value)?;
    let regex = cx.regexes.search(&format!("^(?:{pattern})$")).ok()?;
    Some(Codec::Form(Arc::new(Form::new(&pattern, regex))))
}

fn codec(cx: &mut Context, fields: &Fields<'_>, draft: &mut RowDraft, of: &ResourceType) -> Option<Vec<Codec>> {
    let target = &draft.row.target;
    let (list, map) = (fields.entry("codec"), fields.entry("map"));
    if let (Some(_), Some(map)) = (list, map) {
        cx.report.error("E004", &map.key, "`map` and `codec` are two ways to say one thing: choose one");
    }
    if let (None, Some(otherwise)) = (map, fields.entry("else")) {
        cx.report.error("E004", &otherwise.key, "`else` belongs to `map`");
    }
    if let Some(map) = map {
        draft.codec_place = map.key.clone();
        let table: ValueMap = codecs::value_map(cx, &map.value, fields.get("else"), target.kind, target.case_exact)?;
        return Some(vec![Codec::Map(table)]);
    }
    let Some(list) = list else { return Some(Vec::new()) };
    draft.codec_place = list.value.place.clone();
    let chain = codecs::codecs(cx, &list.value, Some(target.kind))?;
    let unwrapped = chain.iter().find_map(|codec| match codec {
        Codec::Unwrap(key) => Some(key),
        _ => None,
    });
    let attribute = of.definition(&target.path).map(|(attribute, sub)| sub.unwrap_or(attribute));
    if let (Some(key), Some(attribute)) = (unwrapped, attribute)
        && attribute.sub_attribute(key).is_none()
    {
        let message = format!("`{}` has no sub-attribute `{key}`", attribute.name);
        let known = attribute.sub_attributes.iter().map(|sub| &*sub.name);
        cx.report.unknown("E010", &draft.codec_place, message, key, known);
    }
    Some(chain)
}

fn computed(cx: &mut Context, fields: &Fields<'_>, target: &Target, of: &ResourceType) -> Option<Source> {
    for key in ["codec", "map"] {
        if let Some(entry) = fields.entry(key) {
            cx.report.error("E004", &entry.key, format!("`{key}` does not go with `read` and `write`"));
        }
    }
    let read_scope = SlotScope { names: READ, route_variables: true, resource_type: None };
    // A part that was given and is faulty makes the row unusable, but all three are looked at first.
    let path = fields.get("native").map(|node| cx.native_path(node).ok_or(Faulty)).transpose();
    let read =
        fields.get("read").map(|node| cx.expr_for(node, &read_scope, types::wanted(target)).ok_or(Faulty)).transpose();
    let write_scope = SlotScope::of(WRITE, of);
    let write = fields.get("write").map(|node| cx.expr(node, &write_scope).ok_or(Faulty)).transpose();
    if let (Some(entry), None) = (fields.entry("write"), fields.get("native")) {
        cx.report.error("E006", &entry.key, "`write` needs `native`: where its value goes");
        return None;
    }
    Some(Source::Computed { path: path.ok()?, read: read.ok()?, write: write.ok()? })
}

/// Was reported.
struct Faulty;

fn default_access(keyed: &KeyedTarget) -> Access {
    match keyed.mutability {
        Mutability::ReadOnly => Access::Read,
        Mutability::WriteOnly => Access::Write,
        Mutability::Immutable => Access::Create,
        Mutability::ReadWrite => Access::Both,
    }
}

fn fitting_access(cx: &mut Context, node: &Node, access: Access, keyed: &KeyedTarget) -> Access {
    let refused = match keyed.mutability {
        Mutability::ReadOnly => access != Access::Read,
        Mutability::WriteOnly => access != Access::Write,
        Mutability::Immutable | Mutability::ReadWrite => false,
    };
    if refused {
        let message = format!("`{}` is {} in SCIM", keyed.target.path, keyed.mutability.as_str());
        cx.report.error("E015", &node.place, message);
        return default_access(keyed);
    }
    access
}

/// `keep` where the column has no unassigned state; else what the resource says.
fn default_omit(row: &Row, otherwise: Omit) -> Omit {
    let stateless = match &row.source {
        Source::Native { codec, .. } => codec.iter().any(|codec| match codec {
            Codec::Bool { .. } => true,
            Codec::Map(map) => map.is_total(),
            _ => false,
        }),
        _ => false,
    };
    // Nobody knows what an account would be that is neither active nor not.
    let is_active = row.target.path == AttrPath::core("active", None);
    if row.default.is_some() || row.required || stateless || is_active { Omit::Keep } else { otherwise }
}

/// Turns names into row numbers. `access = "mirror"` without `mirror` means the row with the same native path.
fn resolve_mirrors(cx: &mut Context, drafts: &mut [RowDraft], of: &ResourceType) {
    for index in 0..drafts.len() {
        let Some(draft) = drafts.get(index).cloned() else { continue };
        let primary = match (&draft.mirror, &draft.row.source) {
            (Some((name, place)), _) => named_row(cx, drafts, name, place, of),
            (None, Source::Native { path, codec }) if draft.row.access == Access::Mirror => {
                let primary = same_column(drafts, index, path, codec);
                if primary.is_none() {
                    let message = format!("nothing to mirror: no other row writes the native field `{path}`");
                    cx.report.error("E056", &draft.place, message);
                }
                primary
            }
            _ => continue,
        };
        if let Some(draft) = drafts.get_mut(index) {
            // A mirror of nothing was reported; as a mirror of itself it reads as unassigned.
            draft.row.source = Source::Mirror { row: primary.unwrap_or(index) };
        }
    }
}

fn named_row(cx: &mut Context, drafts: &[RowDraft], name: &str, place: &Place, of: &ResourceType) -> Option<usize> {
    let path = of.resolve_attribute(name).ok().map(|resolved| resolved.path);
    let found = drafts.iter().position(|draft| {
        let written = draft.row.target.to_string();
        written == name || (draft.row.target.selector.is_empty() && Some(&draft.row.target.path) == path.as_ref())
    });
    match found {
        Some(index) if drafts.get(index).is_some_and(|draft| draft.row.access != Access::Mirror) => Some(index),
        Some(_) => {
            cx.report.error("E056", place, format!("`{name}` is itself a mirror"));
            None
        }
        None => {
            let names: Vec<String> = drafts.iter().map(|draft| draft.row.target.to_string()).collect();
            cx.report.unknown(
                "E056",
                place,
                format!("no row is called `{name}`"),
                name,
                names.iter().map(String::as_str),
            );
            None
        }
    }
}

fn same_column(drafts: &[RowDraft], index: usize, path: &NativePath, codec: &[Codec]) -> Option<usize> {
    drafts.iter().enumerate().position(|(other, draft)| {
        let same = match &draft.row.source {
            Source::Native { path: primary, codec: chain } => {
                primary == path && (codec.is_empty() || codec == chain.as_slice())
            }
            Source::Computed { path: Some(primary), .. } => primary == path && codec.is_empty(),
            _ => false,
        };
        other != index && same && draft.row.access != Access::Mirror
    })
}

/// How "unassigned" looks natively.
pub(super) const OMIT: [(&str, Omit); 4] =
    [("null", Omit::Null), ("absent", Omit::Absent), ("empty", Omit::Empty), ("keep", Omit::Keep)];

const ACCESS: [(&str, Access); 5] = [
    ("both", Access::Both),
    ("read", Access::Read),
    ("write", Access::Write),
    ("create", Access::Create),
    ("mirror", Access::Mirror),
];
