//! What of a native document a transcript may show: values that no row is about are hidden, for nobody knows what they
//! are, and so is a value that the application must otherwise keep to itself.
//!
//! In: what the rows made, whole lists and whole objects included. Out: the same structure with `***` in it.

use serde_json::{Map, Value};

use crate::mapping::row::{Access, Row, Source};
use crate::mapping::{Mapping, NativePath};

use super::run::Run;

/// What the rows made, as it may be shown.
#[derive(Debug)]
pub(super) struct Veiled {
    pub(super) mapped: Value,
    pub(super) changed: Value,
}

/// Only for a transcript; serving does not pay for it. `named` are paths that the configuration itself gives values.
pub(super) fn veiled(run: &Run<'_>, mapped: &Value, changed: &Value, named: &[&NativePath]) -> Option<Veiled> {
    let shown = |document| shown(run.mapping, document, named);
    run.native.is_traced().then(|| Veiled { mapped: shown(mapped), changed: shown(changed) })
}

fn shown(mapping: &Mapping, document: &Value, named: &[&NativePath]) -> Value {
    let mut shown = hidden(document, 0);
    let rows = mapping.rows.iter().filter_map(Row::native_path).filter(|path| !is_kept(mapping, path));
    let key = mapping.id.join.iter().map(|part| &part.native).chain([&mapping.id.native]);
    for path in rows.chain(key).chain(named.iter().copied()).filter(|path| !path.is_whole()) {
        path.unveil(document, &mut shown);
    }
    shown
}

/// Whether a value is computed from the one that was there before, and no row returns it as it is: a password hash with
/// a mark of ours in it, say.
fn is_kept(mapping: &Mapping, path: &NativePath) -> bool {
    let here = || mapping.rows.iter().filter(|row| row.native_path() == Some(path));
    let returned = |row: &Row| {
        let unchanged = matches!(&row.source, Source::Native { codec, .. } if codec.is_empty());
        unchanged && matches!(row.access, Access::Both | Access::Read)
    };
    here().any(Row::writes_from_native) && !here().any(returned)
}

/// The same structure with every value hidden; depth is that of a reply that was read, and bounded.
pub(super) fn hidden(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(fields) if depth < DEPTH_MAX => {
            fields.iter().map(|(name, field)| (name.clone(), hidden(field, depth + 1))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) if depth < DEPTH_MAX => items.iter().map(|item| hidden(item, depth + 1)).collect(),
        Value::Null => Value::Null,
        _ => Value::from("***"),
    }
}

const DEPTH_MAX: usize = 64;
