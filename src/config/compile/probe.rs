//! Runs the two-way rows on a corpus, one by one and then together: what is written must be read back, and writing back
//! what was read must change nothing.
//!
//! In: a compiled mapping. Out: a finding with the values for each row that breaks a law. Values that a row refuses are
//! no finding: a refusal is an answer, a silent change is not.

mod corpus;

use serde_json::{Value, json};

use crate::expr::{Env, Expr, Name};
use crate::mapping::from_native::{self, assigned};
use crate::mapping::to_native::{self, Purpose};
use crate::mapping::{Access, Codec, Mapping, NativePath, Row, RowSet, Source, Target};
use crate::scim::{AttributeType, Resource};

use super::context::Context;
use super::rows::RowDraft;

/// `said` are rows about which something is reported already.
pub(super) fn check(cx: &mut Context, mapping: &Mapping, drafts: &[RowDraft], said: RowSet) {
    let mut probed: RowSet = 0;
    for (index, draft) in drafts.iter().enumerate() {
        let row = &draft.row;
        if !matches!(row.access, Access::Both | Access::Create) || row.lossy.is_some() || said & (1 << index) != 0 {
            continue;
        }
        match Lens::of(row).and_then(|lens| broken(&lens)) {
            Some(found) => report(cx, draft, &found),
            None => probed |= 1 << index,
        }
    }
    together(cx, mapping, drafts, probed);
}

fn report(cx: &mut Context, draft: &RowDraft, found: &Broken) {
    let message = match found.law {
        "PutGet" => format!("`{}` does not survive a round trip", draft.row.target),
        "GetPut" => format!("writing back what `{}` reads changes the field", draft.row.target),
        _ => format!("writing `{}` twice is not writing it once", draft.row.target),
    };
    let help = format!("{}\nFix it, make the row one-way, or state `lossy = \"reason\"`", found.example);
    cx.report.error_help("E018", &draft.place, message, help);
}

/// A law that does not hold, and for which values.
struct Broken {
    law: &'static str,
    example: String,
}

/// One row as a pair of functions.
struct Lens<'r> {
    row: &'r Row,
    path: &'r NativePath,
    how: How<'r>,
}

enum How<'r> {
    Codecs(&'r [Codec]),
    Expressions { read: &'r Expr, write: &'r Expr },
}

impl<'r> Lens<'r> {
    /// `None` for a row that cannot be probed by itself, because it reads or writes other things as well.
    fn of(row: &'r Row) -> Option<Self> {
        match &row.source {
            Source::Native { path, codec } => Some(Self { row, path, how: How::Codecs(codec) }),
            Source::Computed { path: Some(path), read: Some(read), write: Some(write) } => {
                let native = read.field_paths(Name::Native).into_iter().chain(write.field_paths(Name::Native));
                let text = path.to_string();
                let mut others = native.filter(|field| field.join(".") != text);
                let mut attributes = write.field_paths(Name::Scim).into_iter();
                let own = |path: Vec<String>| {
                    let named = path.iter().any(|name| name.eq_ignore_ascii_case(&row.target.path.attribute));
                    named || path.is_empty()
                };
                let alone = others.next().is_none() && attributes.all(own);
                (alone && !read.uses(Name::Id)).then_some(Self { row, path, how: How::Expressions { read, write } })
            }
            _ => None,
        }
    }

    fn sees_native(&self) -> bool {
        matches!(&self.how, How::Expressions { write, .. } if write.uses(Name::Native))
    }

    /// `None` where the row refuses the value.
    fn put(&self, scim: &Value, before: Option<&Value>) -> Option<Value> {
        match &self.how {
            How::Codecs(codecs) => codecs.iter().try_fold(scim.clone(), |value, codec| codec.encode(&value)).ok(),
            How::Expressions { write, .. } => {
                let mut resource = Resource::default();
                self.row.target.write(&mut resource, scim.clone());
                let (resource, document) = (Value::Object(resource.0), before.map(|before| self.document(before)));
                let env = Env {
                    scim: Some(&resource),
                    native: document.as_ref().map(|document| document as _),
                    ..Env::default()
                };
                write.eval(&env).ok().map(std::borrow::Cow::into_owned)
            }
        }
    }

    /// Null where the row cannot read the value.
    fn get(&self, native: &Value) -> Value {
        let read = match &self.how {
            How::Codecs(codecs) if native.is_null() && !codecs.iter().any(Codec::reads_absent) => None,
            How::Codecs(codecs) => from_native::decode(codecs, native).ok(),
            How::Expressions { read, .. } => {
                let document = self.document(native);
                let env = Env { native: Some(&document), ..Env::default() };
                read.eval(&env).ok().map(std::borrow::Cow::into_owned)
            }
        };
        read.and_then(assigned).unwrap_or(Value::Null)
    }

    fn document(&self, native: &Value) -> Value {
        let mut document = json!({});
        self.path.put(&mut document, Some(native.clone()));
        document
    }
}

/// The first law that a row breaks.
fn broken(lens: &Lens<'_>) -> Option<Broken> {
    let corpus = corpus::scim(lens.row);
    let mut natives: Vec<Option<Value>> = vec![None];
    if lens.sees_native() {
        let written: Vec<Value> = corpus.iter().filter_map(|scim| lens.put(scim, None)).collect();
        natives = written.into_iter().chain(corpus::native()).map(Some).collect();
        // Without a create there is always something to see.
        natives.retain(|native| lens.row.on_create || native.as_ref().is_some_and(|native| !native.is_null()));
    }
    let mut fine: Option<String> = None;
    for before in &natives {
        for (at, scim) in corpus.iter().enumerate() {
            let Some(native) = lens.put(scim, before.as_ref()) else { continue };
            let read = lens.get(&native);
            let example = shown_trip(before.as_ref(), scim, &native, &read);
            if !same(&lens.row.target, scim, &read) {
                let fine = fine.map_or_else(String::new, |fine| format!("{fine}   fine\n"));
                return Some(Broken { law: "PutGet", example: format!("{fine}{example}   differs") });
            }
            let again = lens.put(&read, Some(&native)).filter(|again| unequal(again, &native));
            if let (Some(again), false) = (again, read.is_null()) {
                let example = format!("{example} -> write {}", shown(&again));
                return Some(Broken { law: "GetPut", example });
            }
            if let (Some(before), Some(next)) = (before, corpus.get((at + 1) % corpus.len().max(1)))
                && let (Some(twice), Some(once)) = (lens.put(next, Some(&native)), lens.put(next, Some(before)))
                && twice != once
            {
                let example = format!(
                    "over {}: write {} then {} -> native {}; write {2} alone -> native {}",
                    shown(before),
                    shown(scim),
                    shown(next),
                    shown(&twice),
                    shown(&once)
                );
                return Some(Broken { law: "PutPut", example });
            }
            fine = fine.or(Some(example));
        }
    }
    None
}

fn shown_trip(before: Option<&Value>, scim: &Value, native: &Value, read: &Value) -> String {
    let over = before.map_or_else(String::new, |before| format!("over {}: ", shown(before)));
    format!("{over}write {} -> native {} -> read {}", shown(scim), shown(native), shown(read))
}

/// Two native values that differ, where null, absent and empty are one.
fn unequal(a: &Value, b: &Value) -> bool {
    a != b && assigned(a.clone()) != assigned(b.clone())
}

/// The rows in one document: one may read what another writes.
fn together(cx: &mut Context, mapping: &Mapping, drafts: &[RowDraft], probed: RowSet) {
    let writable = to_native::create_rows(mapping);
    let mut reported: RowSet = 0;
    for turn in 0..TURNS {
        let (state, rows) = filled(mapping, drafts, writable, turn);
        let env = Env::default();
        let Ok(document) = to_native::document(mapping, rows, &state, None, Purpose::Create, &env) else { continue };
        let read = from_native::resource(mapping, &document.clone().into(), &env, &mut Vec::new());
        for (index, row) in mapping.rows_in(rows & probed & !reported) {
            if !is_whole(row) {
                continue;
            }
            let sole = mapping.sole_on_attribute(row);
            let (Some(wrote), back) = (row.target.read(&state, sole), row.target.read(&read, sole)) else { continue };
            let back = back.map_or(Value::Null, std::borrow::Cow::into_owned);
            let Some(draft) = drafts.get(index).filter(|_| !same(&row.target, &wrote, &back)) else { continue };
            reported |= 1 << index;
            let message = format!("`{}` does not survive a round trip together with the other rows", row.target);
            let help = format!(
                "write {} with the other rows -> native {} -> read {}   differs\nFix it, make the row one-way, or state `lossy = \"reason\"`",
                shown(&wrote),
                shown(&document),
                shown(&back)
            );
            cx.report.error_help("E018", &draft.place, message, help);
        }
    }
}

/// Whether a row can be written and read without knowing more than documents.
fn is_whole(row: &Row) -> bool {
    let both = match &row.source {
        Source::Computed { read: Some(read), write: Some(_), .. } => !read.uses(Name::Id),
        Source::Computed { .. } => false,
        Source::Native { .. } | Source::Mirror { .. } => true,
    };
    both && row.native_path().is_some_and(|path| !path.is_read_only())
}

/// A resource in which every writable row has a value that it takes, another one in each turn.
fn filled(mapping: &Mapping, drafts: &[RowDraft], writable: RowSet, turn: usize) -> (Resource, RowSet) {
    let (mut state, mut rows) = (Resource::default(), 0);
    for (index, draft) in drafts.iter().enumerate().filter(|(index, _)| writable & (1 << index) != 0) {
        let Some(row) = mapping.rows.get(index) else { continue };
        let corpus = corpus::scim(&draft.row);
        let from = turn + index;
        let mut candidates = corpus.iter().cycle().skip(from).take(corpus.len());
        let takes = |scim: &&Value| {
            let mut alone = Resource::default();
            row.target.write(&mut alone, (*scim).clone());
            assigned((*scim).clone()).is_some()
                && to_native::document(mapping, 1 << index, &alone, None, Purpose::Create, &Env::default()).is_ok()
        };
        if let Some(scim) = candidates.find(takes) {
            row.target.write(&mut state, scim.clone());
            rows |= 1 << index;
        }
    }
    (state, rows)
}

/// SCIM equality.
fn same(target: &Target, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if target.kind == AttributeType::DateTime => {
            // Dropping what is below a second is normalisation, and said elsewhere.
            let second = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
            second(a) == second(b)
        }
        (Value::String(a), Value::String(b)) if !target.case_exact => folded(a) == folded(b),
        (Value::Array(a), Value::Array(b)) => {
            let assigned = |values: &[Value]| -> Vec<Value> {
                values.iter().filter_map(|value| assigned(value.clone())).collect()
            };
            let (a, b) = (assigned(a), assigned(b));
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same(target, a, b))
        }
        (Value::Array(items), other) | (other, Value::Array(items)) if other.is_null() => {
            items.iter().all(|item| assigned(item.clone()).is_none())
        }
        _ => a == b || assigned(a.clone()) == assigned(b.clone()),
    }
}

/// As filters compare: by the lower-case form of the upper-case one, so that sharp s and final sigma meet themselves.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase().to_uppercase()
}

/// A value as JSON, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

const SHOWN_MAX_CHARS: usize = 120;

/// How many documents are tried for the rows together.
const TURNS: usize = 6;
