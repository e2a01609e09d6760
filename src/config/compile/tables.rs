//! `[backend.X.table.NAME]`: lists of the application that give names to keys.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node};
use crate::mapping::tables::Table;
use crate::mapping::{Body, Extract, ListCall, NativePath, Slot};

use super::backend::BackendParts;
use super::calls::{CallSpec, call_table, extract, paging, unpaged};
use super::context::Context;
use super::scopes::REQUEST;
use super::slots::SlotScope;

/// How long entries may serve.
const CACHE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
const CACHE_DEFAULT: Duration = Duration::from_secs(60);
const MAX_DEFAULT: u64 = 1000;

pub(super) fn tables(cx: &mut Context, node: &Node, backend: &BackendParts) -> Vec<Table> {
    let entries = cx.report.table(node).map_or(&[][..], |table| &table.entries);
    entries.iter().filter_map(|entry| table(cx, entry, backend)).collect()
}

fn table(cx: &mut Context, entry: &Entry, backend: &BackendParts) -> Option<Table> {
    let fields = Fields::of(&mut cx.report, &entry.value, &catalogue::TABLE)?;
    // One table serves every request of a tenant, so nothing of a single one is in its call.
    let scope = SlotScope { names: REQUEST, route_variables: true, resource_type: None };
    let spec = CallSpec {
        slot: Slot::Table,
        scope,
        path: None,
        envelope: &backend.envelope,
        ok: backend.ok.as_ref(),
        body: Body::None,
        defaults: &backend.defaults,
        paging: None,
    };
    let call = call_table(cx, &entry.value, &fields, &spec, None);
    let key = fields.require(&mut cx.report, "key", "what the application uses").and_then(|node| extract(cx, node));
    let label = match fields.get("name") {
        Some(node) => extract(cx, node),
        None => NativePath::parse("name").ok().map(|native| Extract { native, codec: Vec::new() }),
    };
    let cache = fields.get("cache").and_then(|node| cx.report.duration(node, CACHE)).unwrap_or(CACHE_DEFAULT);
    let max = fields.get("max").and_then(|node| cx.report.integer(node, 1..=100_000)).unwrap_or(MAX_DEFAULT);
    let own = fields.get("paging").and_then(|node| paging(cx, node));
    let mut call = call?;
    if let Some((_, Some(total))) = &own {
        call.envelope.total = total.clone();
    }
    let paging = own.map(|(paging, _)| paging).or_else(|| backend.paging.clone()).unwrap_or_else(unpaged);
    Some(Table {
        name: Arc::from(entry.name.as_str()),
        list: ListCall { call, paging, lacks: None },
        key: key?,
        label: label?,
        cache,
        max: usize::try_from(max).unwrap_or(usize::MAX),
        origin: cx.origin(&entry.key),
    })
}
