//! Walking native lists.
//!
//! SCIM counts objects from 1; native APIs count pages, offsets or hand out markers, and clamp sizes silently. A
//! walk therefore trusts only what came back.

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::{Codec, Envelope, ListCall, NativePath, Paging, PagingStyle, Total};
use crate::scim::ScimError;

use super::call::{NativeCall, NativeReply};
use super::judge::{Verdict, header, judge};
use super::render::{Rows, set_query};
use super::run::Run;

/// A stretch of a native list.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The items.
    pub(super) items: Vec<Value>,
    /// How many there are in the whole list.
    pub(super) total: usize,
}

/// What one native page said.
struct Page {
    items: Vec<Value>,
    total: Option<usize>,
    marker: Option<String>,
}

/// Items `start` (from 0) to `start + count` of a list that can be entered anywhere, fetching no more pages than
/// needed; `None` for a list that is only ever read from its beginning, and for one that must be to be counted.
pub(super) async fn window(
    run: &Run<'_>,
    list: &ListCall,
    env: &Env<'_>,
    start: usize,
    count: usize,
) -> Result<Option<Window>, ScimError> {
    if !matches!(list.paging.style, PagingStyle::Page { .. } | PagingStyle::Offset { .. }) {
        return Ok(None);
    }
    let mut size = size_for(&list.paging, count);
    loop {
        match stretch(run, list, env, start, count, size).await? {
            Stretch::Read(window) => return Ok(Some(window)),
            // Pages are counted in the size that is served, so the count begins again.
            Stretch::SmallerPages(served) => size = served,
            Stretch::Uncounted => return Ok(None),
        }
    }
}

/// Every item, at most `max`.
///
/// # Errors
/// 400 `tooMany` when there are more.
pub(super) async fn all(run: &Run<'_>, list: &ListCall, env: &Env<'_>, max: usize) -> Result<Vec<Value>, ScimError> {
    many(run, list, vec![*env], Most::Objects(max), 1).await?.pop().unwrap_or_else(|| Ok(Vec::new()))
}

/// One walk per environment, in rounds: the pages of a round are fetched together, at most `parallel` at a time.
/// The outer error ends all walks; an inner one is about one of them.
pub(super) async fn many(
    run: &Run<'_>,
    list: &ListCall,
    envs: Vec<Env<'_>>,
    most: Most,
    parallel: usize,
) -> Result<Vec<Result<Vec<Value>, ScimError>>, ScimError> {
    let mut walks: Vec<Walk<'_>> = envs.into_iter().map(Walk::new).collect();
    loop {
        let mut requests = Vec::new();
        for walk in walks.iter().filter(|walk| !walk.done) {
            requests.push(walk.request(run, list)?);
        }
        if requests.is_empty() {
            break;
        }
        let outcomes = run.native.together(requests, parallel).await?;
        for (walk, outcome) in walks.iter_mut().filter(|walk| !walk.done).zip(outcomes) {
            let page = page(run, list, judge(run, &list.call, outcome, &walk.env));
            walk.take(run, &list.paging, page, most);
        }
    }
    Ok(walks.into_iter().map(|walk| walk.result).collect())
}

/// One list being read to its end.
struct Walk<'e> {
    env: Env<'e>,
    result: Result<Vec<Value>, ScimError>,
    marker: Option<String>,
    turn: usize,
    done: bool,
}

impl<'e> Walk<'e> {
    fn new(env: Env<'e>) -> Self {
        Self { env, result: Ok(Vec::new()), marker: None, turn: 0, done: false }
    }

    fn request(&self, run: &Run<'_>, list: &ListCall) -> Result<NativeCall, ScimError> {
        let mut request = run.render(&list.call, &self.env, Rows::default())?;
        let seen = self.result.as_ref().map_or(0, Vec::len);
        let size = list.paging.max.max(1) as usize;
        // A look-up of one object has no pages.
        if !list.call.envelope.single {
            prepare(run, &mut request, &list.paging, self.turn, seen, size, self.marker.as_deref())?;
        }
        Ok(request)
    }

    /// Takes one page in; the walk is done when it fails or when there is no further page.
    fn take(&mut self, run: &Run<'_>, paging: &Paging, page: Result<Page, ScimError>, most: Most) {
        let more = page.and_then(|page| self.extend(run, paging, page, most));
        self.turn += 1;
        match more {
            Ok(more) => self.done = !more,
            Err(error) => {
                self.result = Err(error);
                self.done = true;
            }
        }
    }

    fn extend(&mut self, run: &Run<'_>, paging: &Paging, page: Page, most: Most) -> Result<bool, ScimError> {
        let Ok(items) = &mut self.result else { return Ok(false) };
        let got = page.items.len();
        items.extend(page.items);
        if items.len() > most.items() {
            return Err(most.exceeded(run));
        }
        match &paging.style {
            PagingStyle::None => Ok(false),
            PagingStyle::Page { .. } | PagingStyle::Offset { .. } => Ok(match page.total {
                Some(total) => got > 0 && items.len() < total,
                None => got >= paging.max.max(1) as usize,
            }),
            PagingStyle::Cursor { .. } | PagingStyle::Link { .. } => {
                if page.marker.is_some() && page.marker == self.marker {
                    return Err(ScimError::new(502, format!("{} repeats its page marker", run.backend.name)));
                }
                self.marker = page.marker;
                Ok(self.marker.is_some())
            }
        }
    }
}

/// How much one walk may read, and of what: the advice differs.
#[derive(Clone, Copy)]
pub(super) enum Most {
    Objects(usize),
    Members(usize),
}

impl Most {
    fn items(self) -> usize {
        match self {
            Self::Objects(max) | Self::Members(max) => max,
        }
    }

    pub(super) fn exceeded(self, run: &Run<'_>) -> ScimError {
        let name = run.type_name();
        ScimError::too_many(match self {
            Self::Objects(max) => format!(
                "answering this needs more than {max} {name} objects to be read; narrow the filter, or raise filter '*' scan.max in the mapping"
            ),
            Self::Members(max) => format!(
                "answering this needs more than {max} members of one {name} to be read; exclude members, or raise limits.members_max or members.max"
            ),
        })
    }
}

/// What an attempt to read a stretch came to.
enum Stretch {
    Read(Window),
    /// The application serves pages of this size although it was asked for larger ones.
    SmallerPages(usize),
    /// Nobody says how many items there are, and the end was not reached.
    Uncounted,
}

async fn stretch(
    run: &Run<'_>,
    list: &ListCall,
    env: &Env<'_>,
    start: usize,
    count: usize,
    size: usize,
) -> Result<Stretch, ScimError> {
    let paged = matches!(list.paging.style, PagingStyle::Page { .. });
    // The position of the first item that is read: with pages, a border at or before `start`.
    let first = if paged { start - start % size } else { start };
    let wanted = start - first + count.max(1);
    let mut collected: Vec<Value> = Vec::new();
    let mut total = None;
    loop {
        let position = first.saturating_add(collected.len());
        let mut request = run.render(&list.call, env, Rows::default())?;
        match &list.paging.style {
            PagingStyle::Page { page, first } => {
                set_query(&mut request.target, page, &(position / size).saturating_add(*first as usize).to_string());
            }
            PagingStyle::Offset { offset, first } => {
                set_query(&mut request.target, offset, &position.saturating_add(*first as usize).to_string());
            }
            PagingStyle::None | PagingStyle::Cursor { .. } | PagingStyle::Link { .. } => {}
        }
        set_size(&mut request, &list.paging, size);
        let page = fetch(run, list, env, request).await?;
        let got = page.items.len();
        total = page.total.or(total);
        collected.extend(page.items);
        let end = first.saturating_add(collected.len());
        let more = got > 0 && total.map_or(got >= size, |total| end < total);
        // A short page that is not the last one, or that ends behind the last item, is not the page it was taken for.
        let misplaced = got > 0 && total.is_some_and(|total| end > total);
        if paged && got < size && (more || misplaced) {
            return Ok(Stretch::SmallerPages(got));
        }
        if !more && (first == 0 || !collected.is_empty()) {
            total = total.or(Some(end));
        }
        if !more || collected.len() >= wanted {
            break;
        }
    }
    let items = collected.into_iter().skip(start - first).take(count).collect();
    Ok(total.map_or(Stretch::Uncounted, |total| Stretch::Read(Window { items, total })))
}

/// The page size for a request of `count`: never 0 (some applications read it as "all") and never over the maximum.
fn size_for(paging: &Paging, count: usize) -> usize {
    if paging.size.is_none() { paging.max.max(1) as usize } else { count.clamp(1, paging.max.max(1) as usize) }
}

fn set_size(request: &mut NativeCall, paging: &Paging, size: usize) {
    if let Some(name) = &paging.size {
        set_query(&mut request.target, name, &size.to_string());
    }
}

fn prepare(
    run: &Run<'_>,
    request: &mut NativeCall,
    paging: &Paging,
    turn: usize,
    seen: usize,
    size: usize,
    marker: Option<&str>,
) -> Result<(), ScimError> {
    match (&paging.style, marker) {
        (PagingStyle::None, _) => return Ok(()),
        (PagingStyle::Page { page, first }, _) => {
            set_query(&mut request.target, page, &(*first as usize + turn).to_string());
        }
        (PagingStyle::Offset { offset, first }, _) => {
            set_query(&mut request.target, offset, &(*first as usize + seen).to_string());
        }
        (PagingStyle::Cursor { cursor, .. }, Some(marker)) => set_query(&mut request.target, cursor, marker),
        (PagingStyle::Link { .. }, Some(link)) => {
            request.target = link_target(run, &request.target, link)?;
            return Ok(());
        }
        (PagingStyle::Cursor { .. } | PagingStyle::Link { .. }, None) => {}
    }
    set_size(request, paging, size);
    Ok(())
}

async fn fetch(run: &Run<'_>, list: &ListCall, env: &Env<'_>, request: NativeCall) -> Result<Page, ScimError> {
    page(run, list, run.send(&list.call, request, env).await?)
}

/// What a judged reply says as a page of a list.
fn page(run: &Run<'_>, list: &ListCall, verdict: Verdict) -> Result<Page, ScimError> {
    let reply = match verdict.into_result() {
        // A look-up that answers one object says "nothing" with 404.
        Err(error) if list.call.envelope.single && super::judge::says_absent(&error) => return Ok(empty()),
        other => other?,
    };
    let envelope = &list.call.envelope;
    if envelope.single {
        let object = envelope.item.take(reply.body).filter(Value::is_object);
        return Ok(Page { items: object.into_iter().collect(), ..empty() });
    }
    let total = total(envelope, &reply);
    let marker = marker(&list.paging, &reply);
    let items = match envelope.items.take(reply.body) {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None if may_be_left_out(envelope, total) => Vec::new(),
        _ => {
            return Err(ScimError::new(
                502,
                format!("{} answered without the list that was asked for", run.backend.name),
            ));
        }
    };
    Ok(Page { items, total, marker })
}

/// Some applications leave an empty list out. Where a total is part of every reply, it must say so too; otherwise an
/// error in the form of a success would look like an application without users.
fn may_be_left_out(envelope: &Envelope, total: Option<usize>) -> bool {
    let empty = match envelope.total {
        Total::Path(_) => total == Some(0),
        Total::Walk => true,
    };
    empty && !envelope.items.is_whole()
}

fn empty() -> Page {
    Page { items: Vec::new(), total: Some(0), marker: None }
}

fn total(envelope: &Envelope, reply: &NativeReply) -> Option<usize> {
    let Total::Path(path) = &envelope.total else { return None };
    let value = extract(path, &[], reply)?;
    match &value {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn marker(paging: &Paging, reply: &NativeReply) -> Option<String> {
    let (PagingStyle::Cursor { next, .. } | PagingStyle::Link { next }) = &paging.style else { return None };
    match extract(next, &[], reply)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A value from a reply: from the whole body, a header, or the next relation of `Link`.
pub(super) fn extract(path: &NativePath, codec: &[Codec], reply: &NativeReply) -> Option<Value> {
    let raw = if path.is_link() {
        header(reply, "link").and_then(next_link).map(Value::from)
    } else if let Some(name) = path.header() {
        header(reply, &name.to_ascii_lowercase()).map(Value::from)
    } else {
        path.get(&reply.body).cloned()
    }?;
    crate::mapping::from_native::decode(codec, &raw).ok().filter(|value| !value.is_null())
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(value: &str) -> Option<&str> {
    value.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim();
            parameter.eq_ignore_ascii_case("rel=next") || parameter.eq_ignore_ascii_case("rel=\"next\"")
        });
        next.then_some(target)
    })
}

/// The path and query of a next URL, below the backend's base path. Scheme and host are the backend's always.
fn link_target(run: &Run<'_>, current: &str, link: &str) -> Result<String, ScimError> {
    let refuse = || ScimError::new(502, format!("{} names a next page outside its API", run.backend.name));
    if let Some(query) = link.strip_prefix('?') {
        let path = current.split('?').next().unwrap_or(current);
        return Ok(format!("{path}?{query}"));
    }
    let rooted = match link.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).ok_or_else(refuse)?,
        None if link.starts_with('/') && !link.starts_with("//") => link,
        None => return Err(refuse()),
    };
    let below = rooted.strip_prefix(run.backend.url.path.as_str()).ok_or_else(refuse)?;
    if below.starts_with('/') && !below.contains("/../") { Ok(below.to_owned()) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[test]
    fn the_next_relation_is_found_among_others() {
        assert_eq!(next_link(r#"</a?p=1>; rel="prev", </a?p=3>; rel="next""#), Some("/a?p=3"));
        assert_eq!(next_link("</a?p=3>; rel=next"), Some("/a?p=3"));
        assert_eq!(next_link(r#"</a?p=1>; rel="last""#), None);
        assert_eq!(next_link("garbage"), None);
    }
}
