//! From one native page to the next.
//!
//! In: the pages in order. Out: the call for the next one, and how many items lie before it. A page that comes again
//! ends the list with an error rather than with items that are there twice or never.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::document::Document;
use crate::expr::Env;
use crate::mapping::{ListCall, PagingStyle};
use crate::plan::call::NativeCall;
use crate::plan::render::{Rows, set_query};
use crate::scim::ScimError;

use super::{Page, Run, link};

/// A place in a native list, between two pages.
#[derive(Clone, Debug)]
pub(super) struct Pager {
    /// Items before the next page.
    pub(super) position: usize,
    /// Whether the page that was read last is the last one.
    pub(super) ended: bool,
    /// Page size to ask for; never 0, which some applications read as "all".
    pub(super) size: usize,
    /// A short page is the last one: page sizes are known to be kept.
    short_ends: bool,
    /// How long replies may be kept.
    keep: Option<Duration>,
    /// Number of the next page, from 0.
    page: usize,
    /// Pages read.
    turn: usize,
    marker: Option<String>,
    passed: BTreeSet<String>,
    /// The first item of the page before.
    first_item: Option<Document>,
}

impl Pager {
    /// Before the first page.
    pub(super) fn new(list: &ListCall, size: usize, keep: Option<Duration>) -> Self {
        Self {
            position: 0,
            ended: false,
            size: size.clamp(1, largest(list)),
            short_ends: list.paging.short_ends,
            keep,
            page: 0,
            turn: 0,
            marker: None,
            passed: BTreeSet::new(),
            first_item: None,
        }
    }

    /// Before a page by its number, for pages that all have the size asked for.
    pub(super) fn at_page(self, page: usize) -> Self {
        Self { position: page.saturating_mul(self.size), page, short_ends: true, ..self }
    }

    /// Before an item, where items can be skipped natively.
    pub(super) fn at_item(self, position: usize) -> Self {
        Self { position, ..self }
    }

    /// Behind `position` items, where the application says how to go on.
    pub(super) fn at_mark(self, position: usize, marker: String) -> Self {
        Self { position, marker: Some(marker), keep: None, ..self }
    }

    /// How to go on from here, as the application says.
    pub(super) fn marker(&self) -> Option<&str> {
        self.marker.as_deref()
    }

    /// The call for the next page.
    pub(super) fn request(&self, run: &Run<'_>, list: &ListCall, env: &Env<'_>) -> Result<NativeCall, ScimError> {
        let mut request = run.render(&list.call, env, Rows::default())?;
        request.keep = self.keep.filter(|_| !run.fresh);
        let number = |from: usize, first: u32| from.saturating_add(first as usize).to_string();
        // A look-up of one object has no pages.
        if list.call.envelope.single {
            return Ok(request);
        }
        match (&list.paging.style, &self.marker) {
            (PagingStyle::None, _) => return Ok(request),
            (PagingStyle::Page { page, first }, _) => {
                set_query(&mut request.target, page, &number(self.page, *first));
            }
            (PagingStyle::Offset { offset, first }, _) => {
                set_query(&mut request.target, offset, &number(self.position, *first));
            }
            (PagingStyle::Cursor { cursor, .. }, Some(marker)) => set_query(&mut request.target, cursor, marker),
            (PagingStyle::Link { .. }, Some(url)) => {
                request.target = link::target(run, &request.target, url)?;
                return Ok(request);
            }
            (PagingStyle::Cursor { .. } | PagingStyle::Link { .. }, None) => {}
        }
        if let Some(name) = &list.paging.size {
            set_query(&mut request.target, name, &self.size.to_string());
        }
        Ok(request)
    }

    /// Takes note of a page and hands its items on.
    ///
    /// # Errors
    /// 502 when the application does not get on: the same page again, a marker that was there before, or a list that
    /// is shorter than the application says while nothing tells how to go on.
    pub(super) fn take(&mut self, run: &Run<'_>, list: &ListCall, page: Page) -> Result<Vec<Document>, ScimError> {
        let Page { items, total, marker } = page;
        let before = self.position;
        self.position += items.len();
        self.page += 1;
        self.turn += 1;
        if list.call.envelope.single {
            self.ended = true;
            return Ok(items);
        }
        match &list.paging.style {
            PagingStyle::None => {
                self.ended = true;
                all_there(run, self.position, total, "give it `paging`")?;
            }
            PagingStyle::Page { .. } | PagingStyle::Offset { .. } => {
                if self.is_repeated(&items) {
                    self.ended = true;
                    self.position = before;
                    return if items.len() < self.size && total.is_none_or(|total| total <= before) {
                        run.note("the application does not know the paging of this list: its first page is all of it");
                        Ok(Vec::new())
                    } else {
                        Err(repeats(run, "page"))
                    };
                }
                self.ended = match total {
                    Some(total) => items.is_empty() || self.position >= total,
                    None => items.is_empty() || (self.short_ends && items.len() < self.size),
                };
                self.first_item = if self.ended { None } else { items.first().cloned() };
            }
            PagingStyle::Cursor { .. } | PagingStyle::Link { .. } => {
                if self.turn == 1 && before == 0 && marker.is_none() {
                    all_there(run, self.position, total, "check `next` of its `paging`")?;
                }
                self.follow(run, marker)?;
            }
        }
        Ok(items)
    }

    fn follow(&mut self, run: &Run<'_>, marker: Option<String>) -> Result<(), ScimError> {
        let before = std::mem::replace(&mut self.marker, marker);
        self.passed.extend(before);
        self.ended = self.marker.is_none();
        match &self.marker {
            Some(marker) if self.passed.contains(marker) => Err(repeats(run, "page marker")),
            _ => Ok(()),
        }
    }

    fn is_repeated(&self, items: &[Document]) -> bool {
        self.turn > 1 && self.first_item.is_some() && items.first() == self.first_item.as_ref()
    }
}

/// The largest page that may be asked for.
pub(super) fn largest(list: &ListCall) -> usize {
    list.paging.max.max(1) as usize
}

fn repeats(run: &Run<'_>, what: &str) -> ScimError {
    let detail = format!("{} repeats its {what}; check `paging` of the {} list", run.backend.name, run.type_name());
    ScimError::new(502, detail)
}

/// A list that cannot be read on must be complete: a part of it would look like the whole.
fn all_there(run: &Run<'_>, got: usize, total: Option<usize>, help: &str) -> Result<(), ScimError> {
    let Some(total) = total.filter(|total| *total > got) else { return Ok(()) };
    let (backend, of) = (&run.backend.name, run.type_name());
    let detail = format!("{backend} sent {got} of {total} {of} items and says nothing about the rest; {help}");
    Err(ScimError::new(502, detail))
}
