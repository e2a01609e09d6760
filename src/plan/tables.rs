//! Reference tables of a request: read when it begins, from replies that may have been kept, and once more when they
//! lack something.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use serde_json::Value;

use crate::mapping::row::Source;
use crate::mapping::tables::Entries;
use crate::mapping::{Codec, Row, from_native, to_native};
use crate::scim::{PatchOp, Resource, ScimError};

use super::read::Object;
use super::run::Run;
use super::{change, judge, pages};

/// What this request knows of tables: as first read, and as read again.
#[derive(Debug, Default)]
pub(super) struct Known {
    first: OnceLock<Entries>,
    again: OnceLock<Entries>,
}

impl Known {
    pub(super) fn entries(&self) -> Option<&Entries> {
        self.again.get().or_else(|| self.first.get())
    }
}

/// Nobody writes tables through the adapter, so no write ends the time of what was read.
pub(super) static RESOURCE: LazyLock<std::sync::Arc<str>> = LazyLock::new(|| std::sync::Arc::from("backend"));

/// What was read for a miss serves the next one for so long.
const AGAIN: Duration = Duration::from_secs(5);

/// Reads every table that a type of this route uses, once in a request. A name that calls need and that is not there
/// has them read again.
pub(super) async fn load(run: &Run<'_>) -> Result<(), ScimError> {
    let known = run.native.tables();
    if known.first.get().is_some() || run.route.mappings.iter().all(|mapping| mapping.tables.is_empty()) {
        return Ok(());
    }
    let entries = read(run, None).await?;
    let names = run.route.mappings.iter().flat_map(|mapping| &mapping.table_names);
    let has = |(table, name): &(String, String)| entries.keys.get(table).is_some_and(|keys| keys.get(name).is_some());
    let complete = names.clone().all(has);
    let _ = known.first.set(entries);
    if complete { Ok(()) } else { again(run).await }
}

async fn again(run: &Run<'_>) -> Result<(), ScimError> {
    let known = run.native.tables();
    if known.again.get().is_none() {
        run.note("a table lacks something and is read again");
        let entries = read(run, Some(AGAIN)).await?;
        let _ = known.again.set(entries);
    }
    Ok(())
}

async fn read(run: &Run<'_>, keep: Option<Duration>) -> Result<Entries, ScimError> {
    let mut entries = Entries::default();
    for (index, table) in run.backend.tables.iter().enumerate() {
        if !run.route.mappings.iter().any(|mapping| mapping.tables.contains(&index)) {
            continue;
        }
        let keep = keep.map_or(table.cache, |keep| keep.min(table.cache));
        let items = pages::kept(run, &table.list, &run.env(), table.max, Some(keep)).await.map_err(|mut error| {
            // Nothing about it is the client's fault.
            if judge::says_absent(&error) {
                error.detail = format!("{} has nothing at its path", run.backend.name);
            }
            error.status = if error.status < 500 { 502 } else { error.status };
            error.scim_type = None;
            error.detail = format!("the table `{}` cannot be read: {}", table.name, error.detail);
            error
        })?;
        entries.add(table, &items);
    }
    Ok(entries)
}

/// Rows whose values pass a table.
fn by_table<'a>(run: &Run<'a>) -> impl Iterator<Item = &'a Row> {
    let uses = |row: &&Row| matches!(&row.source, Source::Native { codec, .. } if codec.iter().any(|codec| matches!(codec, Codec::Table(_))));
    // The most common mapping by far has none.
    let rows = if run.mapping.tables.is_empty() { &[][..] } else { run.mapping.rows.as_slice() };
    rows.iter().filter(uses)
}

/// Reads the tables again if one lacks a name that was sent.
pub(super) async fn know_names(run: &Run<'_>, sent: &Resource) -> Result<(), ScimError> {
    let value = |row: &Row| change::value(run, row, sent);
    let lacking = |row: &Row| value(row).is_some_and(|value| to_native::encode(row, &value, &run.env()).is_err());
    if by_table(run).any(lacking) {
        again(run).await?;
    }
    by_table(run).filter_map(|row| Some((row, value(row)?))).for_each(|(row, value)| trace(run, row, &value));
    Ok(())
}

/// The same for the values of operations.
pub(super) async fn know_sent(run: &Run<'_>, ops: &[PatchOp]) -> Result<(), ScimError> {
    let values = |row: &Row| -> Vec<&Value> {
        let of_row = ops.iter().filter_map(|op| {
            let (PatchOp::Add { path, value } | PatchOp::Replace { path, value }) = op else { return None };
            let target = &row.target.path;
            let same = path.attr.attribute == target.attribute && path.attr.extension == target.extension;
            same.then(|| target.sub.as_deref().and_then(|sub| value.get(sub)).unwrap_or(value))
        });
        of_row.collect()
    };
    let lacking = |row: &Row| values(row).iter().any(|value| to_native::encode(row, value, &run.env()).is_err());
    if by_table(run).any(lacking) {
        again(run).await?;
    }
    by_table(run).for_each(|row| values(row).iter().for_each(|value| trace(run, row, value)));
    Ok(())
}

fn trace(run: &Run<'_>, row: &Row, value: &Value) {
    if let Ok(key) = to_native::encode(row, value, &run.env()) {
        run.native.trace(|trace| trace.table(format!("{}: {value} -> {key}", row.target)));
    }
}

/// Reads the tables again if one lacks a key that the application shows.
pub(super) async fn know_keys(run: &Run<'_>, objects: &[Object]) -> Result<(), ScimError> {
    let raw = |row: &Row| -> Vec<(Vec<Codec>, Value)> {
        let Source::Native { path, codec } = &row.source else { return Vec::new() };
        let held = objects.iter().filter_map(|object| path.get(&object.document)).filter(|value| !value.is_null());
        held.map(|value| (codec.clone(), value.clone())).collect()
    };
    let name = |(codec, raw): &(Vec<Codec>, Value)| from_native::decode_in(codec, raw, &run.env());
    if by_table(run).any(|row| raw(row).iter().any(|raw| name(raw).is_err())) {
        again(run).await?;
    }
    if run.native.is_traced() {
        for row in by_table(run) {
            for (raw, name) in raw(row).iter().filter_map(|raw| Some((&raw.1, name(raw).ok()?))) {
                run.native.trace(|trace| trace.table(format!("{}: {raw} -> {name}", row.target)));
            }
        }
    }
    Ok(())
}
