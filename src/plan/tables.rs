//! Reference tables of a request: read when it begins, from replies that may have been kept, and once more when they
//! lack something.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};

use crate::expr::Env;
use crate::mapping::row::Source;
use crate::mapping::tables::{Entries, Table};
use crate::mapping::{Codec, Origin, Row, from_native, tables, to_native};
use crate::scim::{PatchOp, Resource, ScimError};

use super::call::{Content, ScimResponse};
use super::coroutine::boxed;
use super::read::Object;
use super::run::Run;
use super::{change, judge, pages};

/// What this request knows of tables: as first read, and as read again.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What was said beforehand: these tables are not read.
    given: OnceLock<Entries>,
    first: OnceLock<Entries>,
    again: OnceLock<Entries>,
}

impl Known {
    pub(super) fn give(&self, entries: Entries) {
        let _ = self.given.set(entries);
    }

    fn is_given(&self, table: &Table) -> bool {
        self.given.get().is_some_and(|entries| entries.has(&table.name))
    }

    pub(super) fn entries(&self) -> Option<&Entries> {
        self.again.get().or_else(|| self.first.get())
    }
}

/// Nobody writes tables through the adapter, so no write ends the time of what was read.
pub(super) static RESOURCE: LazyLock<std::sync::Arc<str>> = LazyLock::new(|| std::sync::Arc::from("backend"));

/// What was read for a miss serves the next one for so long.
const AGAIN: Duration = Duration::from_secs(5);

/// Sees to it that the tables of this route are read, if it has any.
pub(super) async fn ready(run: &Run<'_>) -> Result<(), ScimError> {
    if run.route.mappings.iter().all(|mapping| mapping.tables.is_empty()) {
        return Ok(());
    }
    boxed(|| load(run)).await
}

/// Reads every table that a type of this route uses, once in a request. A name that calls need and that is not there
/// has them read again.
async fn load(run: &Run<'_>) -> Result<(), ScimError> {
    let known = run.native.tables();
    if known.first.get().is_some() {
        return Ok(());
    }
    // Boxed, or every request would be as large as one that reads tables.
    let entries = Box::pin(read(run, None)).await?;
    let names = run.route.mappings.iter().flat_map(|mapping| &mapping.table_names);
    let has = |(table, name): &(String, String)| entries.keys.get(table).is_some_and(|keys| keys.get(name).is_some());
    let complete = names.clone().all(has);
    let _ = known.first.set(entries);
    if complete { Ok(()) } else { Box::pin(again(run)).await }
}

/// Reads the tables and answers with a list of the names that the configuration itself needs and that are not there:
/// names in calls, and defaults.
///
/// # Errors
/// A table that cannot be read.
pub(super) async fn lacking(run: &Run<'_>) -> Result<ScimResponse, ScimError> {
    ready(run).await?;
    let mut lacking = Vec::new();
    let known = |table: &str| run.env().table.and_then(|tables| tables.get(table)).and_then(Value::as_object).cloned();
    let told = |table: &str, name: &Value, origin: &Origin| {
        let known: Vec<String> = known(table).into_iter().flatten().map(|(name, _)| name).collect();
        json!({ "table": table, "name": name, "source": *origin.source, "line": origin.line, "known": known })
    };
    for mapping in &run.route.mappings {
        for (table, name) in &mapping.table_names {
            let name = Value::from(name.as_str());
            let of = run.backend.tables.iter().find(|of| *of.name == **table);
            if let Some(of) = of.filter(|_| tables::key_of(run.env().table, table, &name).is_err()) {
                lacking.push(told(table, &name, &of.origin));
            }
        }
        for row in by_table(&Run { mapping, ..*run }) {
            // Without a request there is nothing that a default could be made of but its own text.
            let default = row.default.as_ref().and_then(|default| default.eval(&Env::default()).ok());
            let Some(default @ Value::String(_)) = default else { continue };
            if to_native::encode(row, &default, &run.env()).is_err() {
                lacking.push(told(&table_names(row).collect::<String>(), &default, &row.origin));
            }
        }
    }
    lacking.dedup();
    Ok(ScimResponse { status: 200, body: Some(Content::Tree(lacking.into())), ..ScimResponse::default() })
}

async fn again(run: &Run<'_>) -> Result<(), ScimError> {
    let known = run.native.tables();
    if known.again.get().is_none() && used(run).any(|table| !known.is_given(table)) {
        run.note("a table lacks something and is read again");
        let entries = read(run, Some(AGAIN)).await?;
        let _ = known.again.set(entries);
    }
    Ok(())
}

async fn read(run: &Run<'_>, keep: Option<Duration>) -> Result<Entries, ScimError> {
    let known = run.native.tables();
    let mut entries = known.given.get().cloned().unwrap_or_default();
    for table in used(run).filter(|table| !known.is_given(table)) {
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

/// The tables that types of this route use.
fn used<'a>(run: &Run<'a>) -> impl Iterator<Item = &'a Table> {
    let mappings = &run.route.mappings;
    let tables = run.backend.tables.iter().enumerate();
    let used = tables.filter(move |(index, _)| mappings.iter().any(|mapping| mapping.tables.contains(index)));
    used.map(|(_, table)| table)
}

/// Rows whose values pass a table.
fn by_table<'a>(run: &Run<'a>) -> impl Iterator<Item = &'a Row> {
    let uses = |row: &&Row| matches!(&row.source, Source::Native { codec, .. } if codec.iter().any(|codec| matches!(codec, Codec::Table(_))));
    let rows = if run.mapping.tables.is_empty() { &[][..] } else { run.mapping.rows.as_slice() };
    rows.iter().filter(uses)
}

/// Reads the tables again if one lacks a name that was sent.
pub(super) async fn know_names(run: &Run<'_>, sent: &Resource) -> Result<(), ScimError> {
    let value = |row: &Row| change::value(run, row, sent);
    let lacking = |row: &Row| value(row).is_some_and(|value| to_native::encode(row, &value, &run.env()).is_err());
    if by_table(run).any(lacking) {
        Box::pin(again(run)).await?;
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
        Box::pin(again(run)).await?;
    }
    by_table(run).for_each(|row| values(row).iter().for_each(|value| trace(run, row, value)));
    Ok(())
}

/// Where the entries of a row's tables come from, and how long they serve.
fn from(run: &Run<'_>, row: &Row) -> String {
    table_names(row).flat_map(|name| ["   (".to_owned(), origin(run, name), ")".to_owned()]).collect()
}

fn table_names(row: &Row) -> impl Iterator<Item = &str> {
    let codecs = if let Source::Native { codec, .. } = &row.source { codec.as_slice() } else { &[] };
    codecs.iter().filter_map(|codec| if let Codec::Table(name) = codec { Some(&**name) } else { None })
}

fn origin(run: &Run<'_>, name: &str) -> String {
    let table = run.backend.tables.iter().find(|table| &*table.name == name);
    match table {
        Some(table) if run.native.tables().is_given(table) => format!("{name}: as given"),
        Some(table) if table.cache.is_zero() => format!("{name}: {}", table.list.call.origin),
        Some(table) => format!("{name}: {}, kept for {:?}", table.list.call.origin, table.cache),
        None => name.to_owned(),
    }
}

/// Shows a name that a call looks up by itself.
pub(super) fn trace_name(run: &Run<'_>, table: &str, name: &str) {
    let key = run.env().table.and_then(|tables| tables.get(table)?.get(name)).unwrap_or(&Value::Null);
    run.native.trace(|trace| trace.table(format!("'{name}' -> {key}   ({})", origin(run, table))));
}

fn trace(run: &Run<'_>, row: &Row, value: &Value) {
    if !run.native.is_traced() {
        return;
    }
    if let Ok(key) = to_native::encode(row, value, &run.env()) {
        let from = from(run, row);
        run.native.trace(|trace| trace.table(format!("{}: {value} -> {key}{from}", row.target)));
    }
}

/// Reads the tables again if one lacks a key that the application shows.
pub(super) async fn know_keys(run: &Run<'_>, objects: &[Object]) -> Result<(), ScimError> {
    // The most common mapping by far has none.
    if run.mapping.tables.is_empty() {
        return Ok(());
    }
    let raw = |row: &Row| -> Vec<(Vec<Codec>, Value)> {
        let Source::Native { path, codec } = &row.source else { return Vec::new() };
        let held = objects.iter().filter_map(|object| path.find(&object.document)).filter(|value| !value.is_null());
        held.map(|value| (codec.clone(), value.to_value())).collect()
    };
    let name = |(codec, raw): &(Vec<Codec>, Value)| from_native::decode_in(codec, raw, &run.env());
    if by_table(run).any(|row| raw(row).iter().any(|raw| name(raw).is_err())) {
        Box::pin(again(run)).await?;
    }
    if run.native.is_traced() {
        for row in by_table(run) {
            for (raw, name) in raw(row).iter().filter_map(|raw| Some((&raw.1, name(raw).ok()?))) {
                let from = from(run, row);
                run.native.trace(|trace| trace.table(format!("{}: {raw} -> {name}{from}", row.target)));
            }
        }
    }
    Ok(())
}
