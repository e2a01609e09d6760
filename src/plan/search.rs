//! `POST /.search` on the base URL: a query over every resource type of the route (RFC 7644 3.4.2.1 and 3.4.3).
//!
//! In: the search request. Out: the lists of the types one after the other, in the order of `/ResourceTypes`, as one
//! list that paging counts through. An attribute that a type does not have is one without a value there. With `sortBy`
//! everything that matches is read, because the order runs across the types.

use serde_json::Value;

use crate::scim::filter::CompareOp;
use crate::scim::query::ListQuery;
use crate::scim::sort::sort_mixed;
use crate::scim::{AttrPath, Listing, ResourceType, ScimError};

use super::call::ScimResponse;
use super::query::{Asked, Found, find};
use super::run::Run;
use super::{answer, complete, read, show};

/// Answers a search over all types. `first` is the request seen from any of them.
pub(super) async fn everywhere(first: &Run<'_>, body: &Value) -> Result<ScimResponse, ScimError> {
    let parts = first.route.mappings.iter().map(|mapping| Part::new(Run { mapping, ..*first }, body));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let Some(query) = parts.first().map(|part| &part.query) else {
        return Err(ScimError::internal("a route without resource types"));
    };
    if let Some(filter) = &query.filter {
        first.record_filter_repairs(&filter.repairs);
    }
    let bounds = parts.iter().map(Part::page_max);
    let asked = Asked::new(first, query, "*")?.at_most(bounds.min().unwrap_or(usize::MAX));
    match query.sort.as_ref().map(|sort| sort.order) {
        None => in_turn(first, &parts, &asked).await,
        Some(order) => {
            let mut all = Vec::new();
            for part in &parts {
                let found = part.find(0, usize::MAX).await?;
                all.extend(
                    found
                        .resources
                        .into_iter()
                        .filter_map(|resource| Some((part, part.query.sort.as_ref()?, resource))),
                );
            }
            sort_mixed(&mut all, order, |(_, by, resource)| (resource, *by));
            let total = all.len();
            let page = all.into_iter().skip(asked.start).take(asked.count);
            let mut listing = Listing::default();
            for (part, _, resource) in page {
                listing.push(&show::projected(&part.run, &part.query.projection, resource));
            }
            let taken = listing.count();
            Ok(asked.answer(first, listing, taken, total))
        }
    }
}

/// One type after the other: each is asked for what the ones before it left of the page.
async fn in_turn(first: &Run<'_>, parts: &[Part<'_>], asked: &Asked) -> Result<ScimResponse, ScimError> {
    let (mut start, mut taken, mut total) = (asked.start, 0, 0);
    let mut page = Listing::default();
    for part in parts {
        let found = part.find(start, asked.count - taken).await?;
        start = start.saturating_sub(found.total);
        taken += found.taken;
        total += found.total;
        found.show(&part.run, &part.query, &mut page).await?;
    }
    Ok(asked.answer(first, page, taken, total))
}

/// One resource type, and the query as it reads there.
struct Part<'a> {
    run: Run<'a>,
    query: ListQuery,
}

impl<'a> Part<'a> {
    fn new(run: Run<'a>, body: &Value) -> Result<Self, ScimError> {
        let types = run.route.mappings.iter().map(|mapping| &mapping.resource_type);
        let widened = widened(&run.mapping.resource_type, types);
        let query = ListQuery::from_search_request(body, &widened, &answer::query_limits(&run))?;
        Ok(Self { run, query })
    }

    fn page_max(&self) -> usize {
        complete::page_max(&self.run, read::shown_by(&self.run, &self.query.projection))
    }

    async fn find(&self, start: usize, count: usize) -> Result<Found, ScimError> {
        // What has no value satisfies no comparison but `ne`, so nothing needs to be asked.
        let none = |path: &AttrPath| {
            path.extension.as_ref().is_some_and(|urn| self.run.mapping.resource_type.extension(urn).is_none())
        };
        let implied = self.query.filter.iter().flat_map(|filter| filter.filter.implied());
        if implied.into_iter().any(|comparison| comparison.op != CompareOp::Ne && none(&comparison.path)) {
            return Ok(Found::default());
        }
        find(&self.run, &self.query, start, count).await
    }
}

/// A type that also knows the names of the others: their schemas count as extensions that no resource of it has.
fn widened<'t>(of: &ResourceType, all: impl Iterator<Item = &'t ResourceType>) -> ResourceType {
    let mut widened = of.clone();
    for schema in all.flat_map(|other| std::iter::once(&other.schema).chain(&other.extensions)) {
        if schema.id != widened.schema.id && widened.extension(&schema.id).is_none() {
            widened.extensions.push(schema.clone());
        }
    }
    widened
}
