//! Lists and searches (RFC 7644 3.4.2, 3.4.3).
//!
//! A native query is only ever a pre-filter: whatever it returns, the whole SCIM filter is evaluated here on every
//! candidate, so an application that ignores a parameter cannot widen an answer.

use std::time::Duration;

use crate::document::Document;
use crate::mapping::{ListCall, Total};
use crate::scim::filter::Filter;
use crate::scim::list::{ListResponse, Listing};
use crate::scim::query::{ListQuery, Page};
use crate::scim::{AttrPath, Resource, ScimError};

use super::call::{FilterPath, ScimResponse};
use super::coroutine::Native;
use super::cursor::{self, Binding};
use super::pages::{Span, Window};
use super::read::{self, Object};
use super::run::Run;
use super::{Context, ScimRequest, answer, complete, guard, lookup, pages, show};

/// Objects a push-down may return before the adapter gives up, where the mapping sets no scan bound.
const PUSHDOWN_MAX: usize = 1000;

/// `GET /Type`.
#[inline]
pub(super) async fn list(run: &Run<'_>, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let query = ListQuery::parse(&request.query, &run.mapping.resource_type, &answer::query_limits(run))?;
    respond(run, &query).await
}

/// `POST /.search`, on one resource type or on all of them (RFC 7644 3.4.2.1).
#[inline]
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
    let most = complete::page_max(run, read::shown_by(run, &query.projection));
    let asked = Asked::new(run, query, run.type_name())?.at_most(most);
    let found = find(run, query, asked.start, asked.count).await?;
    let (taken, total) = (found.taken, found.total);
    let mut page = Listing::default();
    found.show(run, query, &mut page).await?;
    Ok(asked.answer(run, page, taken, total))
}

/// Which page is asked for, by index or by cursor.
pub(super) struct Asked {
    /// Of the first resource, from 0.
    pub(super) start: usize,
    pub(super) count: usize,
    /// What cursors are bound to, where they are asked for.
    identity: Option<String>,
}

impl Asked {
    /// `of` names the list: a resource type, or all of them.
    ///
    /// # Errors
    /// 400 `invalidCursor` or `expiredCursor`.
    pub(super) fn new(run: &Run<'_>, query: &ListQuery, of: &str) -> Result<Self, ScimError> {
        let page_max = run.snapshot.limits.page_max;
        let wanted = query.count.map(|count| usize::try_from(count.get()).unwrap_or(usize::MAX));
        let by_cursor = matches!(query.page, Page::Cursor(_));
        let identity = by_cursor.then(|| identity(run, query, of));
        let start = match (&query.page, &identity) {
            (Page::Index(index), _) => index.get() - 1,
            (Page::Cursor(Some(text)), Some(identity)) => cursor::open(&binding(run, identity), text, run.context.now)?,
            _ => 0,
        };
        Ok(Self {
            start: usize::try_from(start).unwrap_or(usize::MAX),
            count: wanted.map_or(page_max, |count| count.min(page_max)),
            identity,
        })
    }

    /// The same page, but no larger than that.
    pub(super) fn at_most(self, max: usize) -> Self {
        Self { count: self.count.min(max), ..self }
    }

    /// The page as a document. `taken` counts the resources that it used up of the list.
    pub(super) fn answer(&self, run: &Run<'_>, page: Listing, taken: usize, total: usize) -> ScimResponse {
        let issue = |at: usize| {
            let identity = self.identity.as_ref()?;
            Some(cursor::issue(&binding(run, identity), at as u64, run.context.now))
        };
        let end = self.start.saturating_add(taken);
        let more = taken > 0 && end < total;
        let before = (self.start > 0).then(|| self.start.saturating_sub(self.count.max(1)));
        let response = ListResponse {
            total_results: Some(total as u64),
            start_index: self.identity.is_none().then(|| (self.start as u64).saturating_add(1)),
            resources: Vec::new(),
            next_cursor: if more { issue(end) } else { None },
            previous_cursor: before.and_then(issue),
        };
        answer::text(response.into_text(page))
    }
}

fn binding<'a>(run: &'a Run<'_>, identity: &'a str) -> Binding<'a> {
    Binding { key: &run.context.cursor_key, query: identity }
}

/// What decides which resources a list holds and in which order: a cursor is bound to it.
fn identity(run: &Run<'_>, query: &ListQuery, of: &str) -> String {
    let filter = query.filter.as_ref().map_or("", |filter| filter.text.as_str());
    format!("{}\n{of}\n{filter}\n{:?}", run.context.base_url, query.sort)
}

/// One page of a list.
#[derive(Default)]
pub(super) struct Found {
    /// The resources, where the order made it necessary to build them.
    pub(super) resources: Vec<Resource>,
    /// Otherwise the objects.
    objects: Vec<Object>,
    /// How many objects of the list this page used up.
    pub(super) taken: usize,
    /// How many there are on all pages.
    pub(super) total: usize,
}

impl Found {
    /// Adds the resources to a page, as the client asked to see them.
    pub(super) async fn show(self, run: &Run<'_>, query: &ListQuery, page: &mut Listing) -> Result<(), ScimError> {
        for resource in self.resources {
            page.push(&show::projected(run, &query.projection, resource));
        }
        show::all(run, self.objects, &query.projection, page).await
    }
}

/// `count` resources of a list from `start` (from 0).
pub(super) async fn find(run: &Run<'_>, query: &ListQuery, start: usize, count: usize) -> Result<Found, ScimError> {
    // What is asked for less often is boxed, so that it does not add to the size of a look-up.
    let candidates = match &query.filter {
        Some(filter) => candidates(run, &filter.filter).await?,
        None => {
            run.record_filter(FilterPath::None);
            if query.sort.is_none() && shows_places(run)? {
                return Box::pin(stretch(run, Span { start, count })).await;
            }
            Box::pin(everything(run)).await?
        }
    };
    let needed = needed_paths(query);
    let needs = |path: &AttrPath| needed.iter().any(|needed| needed.same_attribute(path));
    let candidates = complete::settled(run, candidates, || complete::wanted(run, needs)).await?;
    let matching = match &query.filter {
        Some(filter) => matching(run, candidates, &filter.filter, &needed).await?,
        None => candidates,
    };
    let total = matching.len();
    let Some(sort) = &query.sort else {
        let objects = stretch_of(matching, start, count);
        return Ok(Found { taken: objects.len(), objects, total, ..Found::default() });
    };
    let wants = read::shown_by(run, &query.projection);
    let mut resources = Box::pin(read::whole(run, matching, |path| wants(path) || needs(path))).await?;
    crate::scim::sort::sort(&mut resources, sort);
    let resources = stretch_of(resources, start, count);
    Ok(Found { taken: resources.len(), resources, total, ..Found::default() })
}

/// Whether places in the native list are places in the answer.
fn shows_places(run: &Run<'_>) -> Result<bool, ScimError> {
    Ok(!guard::hides_some(run) && !(hides_objects(run) && is_counted(list_call(run)?)))
}

/// A stretch of the native list as it is.
async fn stretch(run: &Run<'_>, span: Span) -> Result<Found, ScimError> {
    let list = list_call(run)?;
    let Window { items, total } = pages::window(run, list, &run.env(), span, scan_max(run), scan_cache(run)).await?;
    let taken = items.len();
    Ok(Found { objects: objects(run, list, items), taken, total, ..Found::default() })
}

fn stretch_of<T>(mut all: Vec<T>, start: usize, count: usize) -> Vec<T> {
    all.truncate(start.saturating_add(count));
    if start > 0 {
        all.drain(..start.min(all.len()));
    }
    all
}

/// Attributes that must be there to decide, whatever the projection says.
fn needed_paths(query: &ListQuery) -> Vec<AttrPath> {
    let mut paths = query.filter.as_ref().map(|filter| filter.filter.mentions()).unwrap_or_default();
    paths.extend(query.sort.as_ref().map(|sort| sort.path.clone()));
    paths
}

/// The objects that satisfy the whole filter, in order. Only what the filter mentions is read of each.
async fn matching(
    run: &Run<'_>,
    mut objects: Vec<Object>,
    filter: &Filter,
    mentioned: &[AttrPath],
) -> Result<Vec<Object>, ScimError> {
    let needs = |path: &AttrPath| mentioned.iter().any(|mentioned| mentioned.same_attribute(path));
    if mentioned.iter().any(is_made_last) {
        let resources = Box::pin(read::assembled(run, objects.clone(), needs)).await?;
        let pairs = objects.into_iter().zip(resources);
        return Ok(pairs.filter(|(_, resource)| filter.matches(resource)).map(|(object, _)| object).collect());
    }
    let related = read::related(run, &objects, needs).await?;
    let rows = mentioned.iter().fold(0, |rows, path| rows | run.mapping.index.of_attribute(path));
    let mut related = related.of_each();
    objects.retain(|object| {
        let related = related.next().unwrap_or_default();
        filter.matches(&read::extract(run, object, rows, related))
    });
    Ok(objects)
}

/// Whether an attribute depends on the whole of a resource.
fn is_made_last(path: &AttrPath) -> bool {
    path.extension.is_none() && matches!(&*path.attribute, "meta" | "schemas")
}

/// The objects that a list shows.
pub(super) fn objects(run: &Run<'_>, list: &ListCall, items: Vec<Document>) -> Vec<Object> {
    items.into_iter().filter_map(|item| read::object(run, item, list.lacks.as_ref())).collect()
}

fn list_call<'a>(run: &Run<'a>) -> Result<&'a ListCall, ScimError> {
    run.mapping
        .ops
        .list
        .as_ref()
        .ok_or_else(|| ScimError::new(501, format!("the application offers no list of {} objects", run.type_name())))
}

/// Objects that one list may have to be read for an answer.
pub(super) fn scan_max(run: &Run<'_>) -> usize {
    run.mapping.scan.map_or(PUSHDOWN_MAX, |scan| scan.max as usize)
}

/// Whether some objects of a list are not shown, so that places in the list are not places in the answer.
fn hides_objects(run: &Run<'_>) -> bool {
    run.mapping.gone.is_some()
}

/// Whether the list is read to its end anyway.
fn is_counted(list: &ListCall) -> bool {
    list.call.envelope.total == Total::Walk
}

fn scan_cache(run: &Run<'_>) -> Option<Duration> {
    run.mapping.scan.and_then(|scan| scan.cache)
}

/// A superset of the objects that satisfy the filter.
async fn candidates(run: &Run<'_>, filter: &Filter) -> Result<Vec<Object>, ScimError> {
    match lookup::candidates(run, filter, |path| run.record_filter(path)).await? {
        Some(found) => Ok(found),
        None => Box::pin(scan(run, filter)).await,
    }
}

async fn scan(run: &Run<'_>, filter: &Filter) -> Result<Vec<Object>, ScimError> {
    run.record_filter(if run.mapping.scan.is_some() { FilterPath::Scanned } else { FilterPath::Refused });
    run.mapping.scan.ok_or_else(|| {
        ScimError::invalid_filter(format!(
            "this application cannot search {} by {filter}; supported: {}",
            run.type_name(),
            lookup::supported(run)
        ))
    })?;
    run.note("filter without a native query: every object is read");
    everything(run).await
}

/// A superset of the objects that satisfy the filter as they are at this moment: never from a list that was kept.
pub(super) async fn fresh(run: &Run<'_>, filter: &Filter) -> Result<Vec<Object>, ScimError> {
    match lookup::candidates(run, filter, |_| {}).await? {
        Some(found) => Ok(found),
        None => {
            let list = list_call(run)?;
            Ok(objects(run, list, pages::kept(run, list, &run.env(), scan_max(run), None).await?))
        }
    }
}

/// Every object, from a list that may have been kept for the time that the mapping allows.
async fn everything(run: &Run<'_>) -> Result<Vec<Object>, ScimError> {
    let list = list_call(run)?;
    let items = pages::kept(run, list, &run.env(), scan_max(run), scan_cache(run)).await?;
    run.native.report(|report| report.scanned += items.len() as u64);
    Ok(objects(run, list, items))
}
