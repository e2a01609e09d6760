//! A stretch of a native list, with as few calls as its style of paging allows.
//!
//! Pages and offsets are entered where the stretch begins. Markers are followed from the nearest place that is still
//! known, or from the beginning. Where nobody says how many items there are, the list is counted to its end, or with
//! `total = "open"` said to have one more than was seen.

use std::time::Duration;

use crate::document::Document;
use crate::expr::Env;
use crate::mapping::{ListCall, PagingStyle, Total};
use crate::plan::marks;
use crate::scim::{ScimError, ScimType};

use super::pager::{Pager, largest};
use super::walk::Most;
use super::{Page, Run, page};

/// Which items are wanted.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Span {
    /// Of the first item, from 0.
    pub(in crate::plan) start: usize,
    /// How many.
    pub(in crate::plan) count: usize,
}

/// A stretch of a native list.
#[derive(Debug, Default)]
pub(in crate::plan) struct Window {
    /// The items.
    pub(in crate::plan) items: Vec<Document>,
    /// How many there are in the whole list.
    pub(in crate::plan) total: usize,
}

/// A list whose stretch is read.
#[derive(Clone, Copy)]
struct Reading<'a> {
    run: &'a Run<'a>,
    list: &'a ListCall,
    env: &'a Env<'a>,
    span: Span,
    /// Items read at the most where a list is counted.
    max: usize,
    keep: Option<Duration>,
}

/// Items of a list. `max` bounds what is read to count it; `keep` is for lists that are read from the beginning.
///
/// # Errors
/// 400 `tooMany` when counting takes more than `max` items.
pub(in crate::plan) async fn window(
    run: &Run<'_>,
    list: &ListCall,
    env: &Env<'_>,
    span: Span,
    max: usize,
    keep: Option<Duration>,
) -> Result<Window, ScimError> {
    let reading = Reading { run, list, env, span, max, keep };
    match &list.paging.style {
        PagingStyle::None => reading.read_from_the_beginning().await,
        PagingStyle::Page { .. } => reading.by_page().await,
        PagingStyle::Offset { .. } => reading.by_offset().await,
        PagingStyle::Cursor { .. } | PagingStyle::Link { .. } => reading.by_marker().await,
    }
}

/// What reading on came to.
enum Stretch {
    Read(Window),
    /// Pages do not have the size that their place in the list was computed with.
    Misplaced,
    /// The list ends before the place where it was entered, so nobody knows how long it is.
    Behind,
}

impl Reading<'_> {
    fn has_total(&self) -> bool {
        matches!(self.list.call.envelope.total, Total::Path(_))
    }

    fn is_open(&self) -> bool {
        matches!(self.list.call.envelope.total, Total::Open)
    }

    /// Page size: what is wanted, or the largest one where the whole list is read anyway.
    fn size(&self) -> usize {
        let largest = largest(self.list);
        if self.list.paging.size.is_none() || (!self.has_total() && !self.is_open()) {
            largest
        } else {
            self.span.count.clamp(1, largest)
        }
    }

    async fn read_from_the_beginning(&self) -> Result<Window, ScimError> {
        let pager = Pager::new(self.list, self.size(), self.keep);
        match self.forward(pager, false).await? {
            Stretch::Read(window) => Ok(window),
            Stretch::Misplaced | Stretch::Behind => Err(ScimError::internal("a list without a beginning")),
        }
    }

    async fn by_offset(&self) -> Result<Window, ScimError> {
        let pager = Pager::new(self.list, self.size(), None).at_item(self.span.start);
        match self.forward(pager, false).await? {
            Stretch::Read(window) => Ok(window),
            Stretch::Misplaced | Stretch::Behind => self.behind().await,
        }
    }

    /// Pages are only where they are computed to be if they all have one size. An application may clamp the size asked
    /// for, or ignore it, so its first page is looked at, unless that was done lately.
    async fn by_page(&self) -> Result<Window, ScimError> {
        let asked = self.size();
        if self.span.start < asked {
            return self.read_from_the_beginning().await;
        }
        let key = self.key(&Pager::new(self.list, asked, None))?;
        let known = self.run.context.marks.page_size(&key, self.run.context.now);
        let size = match known.or(self.list.paging.short_ends.then_some(asked)) {
            Some(size) => size,
            None => {
                let first = self.first_page(asked).await?;
                if let Some(total) = first.total.filter(|total| *total <= self.span.start) {
                    return Ok(Window { items: Vec::new(), total });
                }
                first.items.len()
            }
        };
        if size == 0 {
            return Ok(Window::default());
        }
        let pager = Pager::new(self.list, size, None);
        if pager.size != size || self.span.start < size {
            return self.read_from_the_beginning().await;
        }
        let pager = pager.at_page(self.span.start / size);
        match self.forward(pager, true).await? {
            Stretch::Read(window) => {
                if known.is_none() && !window.items.is_empty() {
                    self.learn(marks::Learned::PageSize { list: key, size });
                }
                Ok(window)
            }
            Stretch::Behind => self.behind().await,
            Stretch::Misplaced => self.read_from_the_beginning().await,
        }
    }

    async fn first_page(&self, size: usize) -> Result<Page, ScimError> {
        self.run.note("the size of pages is learned from the first one");
        self.fetch(&Pager::new(self.list, size, None)).await
    }

    fn key(&self, first: &Pager) -> Result<marks::Key, ScimError> {
        Ok(marks::key(self.run, &first.request(self.run, self.list, self.env)?, &self.list.paging))
    }

    fn learn(&self, learned: marks::Learned) {
        self.run.native.report(|report| report.marks.push(learned));
    }

    async fn by_marker(&self) -> Result<Window, ScimError> {
        let size = if self.span.start > 0 { largest(self.list) } else { self.size() };
        let beginning = Pager::new(self.list, size, self.keep);
        let key = self.key(&beginning)?;
        let known = self.run.context.marks.nearest(&key, self.span.start, self.run.context.now);
        if let Some((position, marker)) = known {
            let pager = beginning.clone().at_mark(position, marker.to_owned());
            match self.forward_learning(pager, &key).await {
                Ok(Stretch::Read(window)) => return Ok(window),
                // The application may have forgotten the marker meanwhile; a list that is not found is 502.
                Ok(_) => {}
                Err(error) if error.status == 502 => {}
                Err(error) if error.status < 429 && error.scim_type != Some(ScimType::TooMany) => {}
                Err(error) => return Err(error),
            }
        }
        match self.forward_learning(beginning, &key).await? {
            Stretch::Read(window) => Ok(window),
            Stretch::Misplaced | Stretch::Behind => Err(ScimError::internal("a list without a beginning")),
        }
    }

    /// The wanted stretch begins behind the end.
    async fn behind(&self) -> Result<Window, ScimError> {
        if self.is_open() {
            return Ok(Window { items: Vec::new(), total: self.span.start });
        }
        self.read_from_the_beginning().await
    }

    async fn forward(&self, pager: Pager, exact: bool) -> Result<Stretch, ScimError> {
        self.read_on(pager, exact, |_| {}).await
    }

    async fn forward_learning(&self, pager: Pager, key: &marks::Key) -> Result<Stretch, ScimError> {
        let learn = |pager: &Pager| {
            if let Some(marker) = pager.marker() {
                self.learn(marks::Learned::Marker { list: *key, position: pager.position, marker: marker.to_owned() });
            }
        };
        self.read_on(pager, false, learn).await
    }

    /// Reads pages until the stretch is complete, and to the end of the list where it must be counted. `exact` says
    /// that pages are only right if they have the size asked for.
    async fn read_on(&self, mut pager: Pager, exact: bool, learn: impl Fn(&Pager)) -> Result<Stretch, ScimError> {
        let Span { start, count } = self.span;
        let end = start.saturating_add(count.max(1));
        let entered = pager.position;
        let mut items = Vec::new();
        let mut said = None;
        loop {
            let page = self.fetch(&pager).await?;
            let (before, got) = (pager.position, page.items.len());
            said = page.total.or(said);
            if exact && !fits(&pager, got, said) {
                return Ok(Stretch::Misplaced);
            }
            let page = pager.take(self.run, self.list, page)?;
            learn(&pager);
            let wanted = (before..).zip(page).filter(|(at, _)| (start..start.saturating_add(count)).contains(at));
            items.extend(wanted.map(|(_, item)| item));
            if pager.ended || (pager.position >= end && (said.is_some() || self.is_open())) {
                break;
            }
            Most::Objects(self.max)
                .check(self.run, if said.is_some() || self.is_open() { 0 } else { pager.position })?;
        }
        let total = match said {
            Some(total) => total,
            None if pager.ended && pager.position == entered && entered > 0 => return Ok(Stretch::Behind),
            None if pager.ended => pager.position,
            None => pager.position.saturating_add(1),
        };
        if said.is_none() && !self.is_open() {
            Most::Objects(self.max).check(self.run, total)?;
        }
        Ok(Stretch::Read(Window { items, total }))
    }

    async fn fetch(&self, pager: &Pager) -> Result<Page, ScimError> {
        let request = pager.request(self.run, self.list, self.env)?;
        page(self.run, self.list, self.run.send(&self.list.call, request, self.env).await?)
    }
}

/// Whether a page can be the one it is taken for: full, or the last one.
fn fits(pager: &Pager, got: usize, total: Option<usize>) -> bool {
    match total {
        Some(total) if got == 0 => pager.position >= total,
        Some(total) if got < pager.size => pager.position.saturating_add(got) == total,
        _ => got <= pager.size,
    }
}
