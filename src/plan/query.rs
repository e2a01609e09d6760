//! Lists and searches (RFC 7644 3.4.2, 3.4.3).
//!
//! A native query is only ever a pre-filter: whatever it returns, the whole SCIM filter is evaluated here on every
//! candidate, so an application that ignores a parameter cannot widen an answer.

use std::collections::HashSet;

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::{Codec, FilterCall, FilterPlan, ListCall, Source, to_native};
use crate::scim::filter::{Comparison, Filter};
use crate::scim::list::ListResponse;
use crate::scim::query::{ListQuery, Page};
use crate::scim::{AttrPath, Resource, ScimError};

use super::call::ScimResponse;
use super::coroutine::Native;
use super::cursor::{self, Binding};
use super::pages::Window;
use super::read::{self, Object};
use super::run::Run;
use super::{Context, ScimRequest, answer, pages};

/// Objects a push-down may return before the adapter gives up, where the mapping sets no scan bound.
const PUSHDOWN_MAX: usize = 1000;

/// `GET /Type`.
pub(super) async fn list(run: &Run<'_>, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let query = ListQuery::parse(&request.query, &run.mapping.resource_type, &answer::query_limits(run))?;
    respond(run, &query).await
}

/// `POST /.search`, on one resource type or on all of them (RFC 7644 3.4.2.1).
pub(super) async fn search(
    context: &Context,
    native: &Native,
    type_index: Option<usize>,
    request: &ScimRequest,
) -> Result<ScimResponse, ScimError> {
    let first = Run::new(context, type_index.unwrap_or(0), native)?;
    let body = super::change::json_body(&first, &request.body)?;
    if type_index.is_none() && first.route.mappings.len() > 1 {
        return super::search::everywhere(&first, &body).await;
    }
    respond(
        &first,
        &ListQuery::from_search_request(&body, &first.mapping.resource_type, &answer::query_limits(&first))?,
    )
    .await
}

async fn respond(run: &Run<'_>, query: &ListQuery) -> Result<ScimResponse, ScimError> {
    if let Some(filter) = &query.filter {
        run.record_filter_repairs(&filter.repairs);
    }
    let asked = Asked::new(run, query, run.type_name())?;
    let found = find(run, query, asked.start, asked.count).await?;
    let (taken, total) = (found.taken, found.total);
    Ok(asked.answer(run, shown(run, query, found.resources), taken, total))
}

/// Which page is asked for, by index or by cursor.
pub(super) struct Asked {
    /// Of the first resource, from 0.
    pub(super) start: usize,
    pub(super) count: usize,
    by_cursor: bool,
    /// What a cursor is bound to.
    identity: String,
}

impl Asked {
    /// `of` names the list: a resource type, or all of them.
    ///
    /// # Errors
    /// 400 `invalidCursor` or `expiredCursor`.
    pub(super) fn new(run: &Run<'_>, query: &ListQuery, of: &str) -> Result<Self, ScimError> {
        let page_max = run.snapshot.limits.page_max;
        let wanted = query.count.map(|count| usize::try_from(count.get()).unwrap_or(usize::MAX));
        let identity = identity(run, query, of);
        let start = match &query.page {
            Page::Unspecified | Page::Cursor(None) => 0,
            Page::Index(index) => index.get() - 1,
            Page::Cursor(Some(text)) => cursor::open(&binding(run, &identity), text, run.context.now)?,
        };
        Ok(Self {
            start: usize::try_from(start).unwrap_or(usize::MAX),
            count: wanted.map_or(page_max, |count| count.min(page_max)),
            by_cursor: matches!(query.page, Page::Cursor(_)),
            identity,
        })
    }

    /// The page as a document. `taken` counts the resources that it used up of the list.
    pub(super) fn answer(&self, run: &Run<'_>, resources: Vec<Value>, taken: usize, total: usize) -> ScimResponse {
        let end = self.start.saturating_add(taken);
        let more = self.by_cursor && taken > 0 && end < total;
        let response = ListResponse {
            total_results: Some(total as u64),
            start_index: (!self.by_cursor).then(|| (self.start as u64).saturating_add(1)),
            resources,
            next_cursor: more.then(|| cursor::issue(&binding(run, &self.identity), end as u64, run.context.now)),
            previous_cursor: None,
        };
        answer::document(response.into_json())
    }
}

fn binding<'a>(run: &'a Run<'_>, identity: &'a str) -> Binding<'a> {
    Binding { key: &run.context.cursor_key, query: identity }
}

/// Resources as the client asked to see them.
pub(super) fn shown(run: &Run<'_>, query: &ListQuery, resources: Vec<Resource>) -> Vec<Value> {
    let show = |resource| Value::Object(query.projection.apply(&run.mapping.resource_type, resource).0);
    resources.into_iter().map(show).collect()
}

/// What decides which resources a list holds and in which order: a cursor is bound to it.
fn identity(run: &Run<'_>, query: &ListQuery, of: &str) -> String {
    let filter = query.filter.as_ref().map_or("", |filter| filter.text.as_str());
    format!("{}\n{of}\n{filter}\n{:?}", run.context.base_url, query.sort)
}

/// One page of a list.
#[derive(Default)]
pub(super) struct Found {
    pub(super) resources: Vec<Resource>,
    /// How many objects of the list this page used up.
    pub(super) taken: usize,
    /// How many there are on all pages.
    pub(super) total: usize,
}

/// `count` resources of a list from `start` (from 0).
pub(super) async fn find(run: &Run<'_>, query: &ListQuery, start: usize, count: usize) -> Result<Found, ScimError> {
    let wants = read::shown_by(run, &query.projection);
    match (&query.filter, &query.sort) {
        (None, None) => {
            let list = list_call(run)?;
            if let Some(Window { items, total }) = pages::window(run, list, &run.env(), start, count).await? {
                let taken = items.len();
                let resources = read::whole(run, objects(run, items), &wants).await?;
                return Ok(Found { resources, taken, total });
            }
            // Without a total nobody could tell the end of the list from the end of a page.
            let all = objects(run, pages::all(run, list, &run.env(), scan_max(run)).await?);
            let total = all.len();
            let page: Vec<Object> = all.into_iter().skip(start).take(count).collect();
            Ok(Found { taken: page.len(), resources: read::whole(run, page, &wants).await?, total })
        }
        (filter, sort) => {
            let candidates = match filter {
                Some(filter) => candidates(run, &filter.filter).await?,
                None => objects(run, pages::all(run, list_call(run)?, &run.env(), scan_max(run)).await?),
            };
            let needed = needed_paths(query);
            let matching = match filter {
                Some(filter) => matching(run, candidates, &filter.filter, &needed).await?,
                None => candidates,
            };
            let total = matching.len();
            if let Some(sort) = sort {
                let mut resources = read::whole(run, matching, |path| wants(path) || needed.contains(path)).await?;
                crate::scim::sort::sort(&mut resources, sort);
                let resources: Vec<Resource> = resources.into_iter().skip(start).take(count).collect();
                return Ok(Found { taken: resources.len(), resources, total });
            }
            let page: Vec<Object> = matching.into_iter().skip(start).take(count).collect();
            let taken = page.len();
            Ok(Found { resources: read::whole(run, page, &wants).await?, taken, total })
        }
    }
}

/// Attributes that must be there to decide, whatever the projection says.
fn needed_paths(query: &ListQuery) -> Vec<AttrPath> {
    let mut paths = query.filter.as_ref().map(|filter| filter.filter.mentions()).unwrap_or_default();
    paths.extend(query.sort.as_ref().map(|sort| sort.path.clone()));
    paths.into_iter().map(|path| AttrPath { sub: None, ..path }).collect()
}

/// The objects that satisfy the whole filter, in order.
async fn matching(
    run: &Run<'_>,
    objects: Vec<Object>,
    filter: &Filter,
    needed: &[AttrPath],
) -> Result<Vec<Object>, ScimError> {
    let resources = read::whole(run, objects.clone(), |path| needed.contains(path)).await?;
    let pairs = objects.into_iter().zip(resources);
    Ok(pairs.filter(|(_, resource)| filter.matches(resource)).map(|(object, _)| object).collect())
}

fn objects(run: &Run<'_>, items: Vec<Value>) -> Vec<Object> {
    items.into_iter().filter_map(|item| read::object(run, item)).collect()
}

fn list_call<'a>(run: &Run<'a>) -> Result<&'a ListCall, ScimError> {
    run.mapping
        .ops
        .list
        .as_ref()
        .ok_or_else(|| ScimError::new(501, format!("the application offers no list of {} objects", run.type_name())))
}

fn scan_max(run: &Run<'_>) -> usize {
    run.mapping.scan.map_or(PUSHDOWN_MAX, |scan| scan.max as usize)
}

/// A superset of the objects that satisfy the filter.
async fn candidates(run: &Run<'_>, filter: &Filter) -> Result<Vec<Object>, ScimError> {
    let Some(branches) = branches(run, filter) else {
        return scan(run, filter).await;
    };
    let mut found: Vec<Object> = Vec::new();
    let mut seen = HashSet::new();
    for (plan, comparison) in branches {
        for object in ask(run, plan, comparison).await? {
            if seen.insert(object.id.clone()) {
                found.push(object);
            }
        }
    }
    Ok(found)
}

async fn scan(run: &Run<'_>, filter: &Filter) -> Result<Vec<Object>, ScimError> {
    let scan = run.mapping.scan.ok_or_else(|| {
        ScimError::invalid_filter(format!(
            "this application cannot search {} by {filter}; supported: {}",
            run.type_name(),
            supported(run)
        ))
    })?;
    run.note("filter without a native query: every object is read");
    Ok(objects(run, pages::all(run, list_call(run)?, &run.env(), scan.max as usize).await?))
}

fn supported(run: &Run<'_>) -> String {
    let plans = run.mapping.filters.iter();
    let texts: Vec<String> =
        plans.flat_map(|plan| plan.ops.iter().map(move |op| format!("{} {}", plan.path, op.as_str()))).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

/// The push-downs that together cover a filter: one for a conjunction, one per branch of an `or`.
fn branches<'a>(run: &Run<'a>, filter: &'a Filter) -> Option<Vec<(&'a FilterPlan, Comparison)>> {
    match filter {
        Filter::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(branches(run, part)?);
            }
            Some(all)
        }
        other => {
            let implied = other.implied();
            let usable = implied.into_iter().filter_map(|comparison| Some((plan_for(run, &comparison)?, comparison)));
            // A look-up by key is cheaper than any list.
            let best = usable.min_by_key(|(plan, _)| matches!(plan.how, FilterCall::List(_)))?;
            Some(vec![best])
        }
    }
}

fn plan_for<'a>(run: &Run<'a>, comparison: &Comparison) -> Option<&'a FilterPlan> {
    run.mapping
        .filters
        .iter()
        .find(|plan| plan.ops.contains(&comparison.op) && same_attribute(&plan.path, &comparison.path))
}

/// `emails` and `emails.value` mean the same in a comparison.
fn same_attribute(plan: &AttrPath, asked: &AttrPath) -> bool {
    let sub = |path: &AttrPath| path.sub.clone().filter(|sub| &**sub != "value");
    plan.extension == asked.extension && plan.attribute == asked.attribute && sub(plan) == sub(asked)
}

async fn ask(run: &Run<'_>, plan: &FilterPlan, comparison: Comparison) -> Result<Vec<Object>, ScimError> {
    let Some(value) = native_value(run, plan, &comparison.value) else {
        // A value that the codec refuses cannot be stored either, so nothing can equal it.
        return Ok(Vec::new());
    };
    let env = Env { value: Some(&value), ..run.env() };
    run.native.trace(|trace| trace.rule(&plan.origin));
    match &plan.how {
        FilterCall::Get { key } => {
            let key = match key {
                Some(template) => template.eval(&env).ok().as_ref().and_then(super::run::id_text),
                None => super::run::id_text(&value),
            };
            let Some(key) = key.and_then(|key| run.native_id(&key)) else { return Ok(Vec::new()) };
            Ok(read::find_by_key(run, &key).await?.into_iter().collect())
        }
        FilterCall::List(list) => Ok(objects(run, pages::all(run, list, &env, scan_max(run)).await?)),
    }
}

/// The compared value in the row's native form.
fn native_value(run: &Run<'_>, plan: &FilterPlan, value: &Value) -> Option<Value> {
    let Some(row) = plan.row.and_then(|row| run.mapping.rows.get(row)) else { return Some(value.clone()) };
    let row = match &row.source {
        Source::Mirror { row } => run.mapping.rows.get(*row)?,
        _ => row,
    };
    match &row.source {
        Source::Native { codec, .. } if codec.iter().all(|codec| !matches!(codec, Codec::Join(_))) => {
            to_native::encode(row, value, &run.env()).ok()
        }
        _ => Some(value.clone()),
    }
}
