//! Native lists.
//!
//! SCIM counts objects from 1; native APIs count pages, offsets or hand out markers, and clamp sizes silently. What is
//! read here trusts only what came back: `pager` goes from page to page, `walk` reads lists to their end, `window`
//! reads a stretch of one.

mod link;
mod pager;
#[cfg(test)]
mod tests;
mod walk;
mod window;

use serde_json::Value;

use crate::document::{Document, View};
use crate::mapping::{Codec, Envelope, ListCall, NativePath, Paging, PagingStyle, Total};
use crate::scim::ScimError;

use super::call::NativeReply;
use super::judge::{Verdict, header};
use super::run::Run;

pub(super) use walk::{Most, Reading, all, kept, many, whole};
pub(super) use window::{Span, Window, window};

/// What one native page said.
struct Page {
    items: Vec<Document>,
    total: Option<usize>,
    marker: Option<String>,
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
        let object = envelope.item.take_part(reply.body).filter(|object| object.view().is_object());
        return Ok(Page { items: object.into_iter().collect(), ..empty() });
    }
    let total = total(envelope, &reply);
    let marker = marker(run, &list.paging, &reply)?;
    let items = match envelope.items.take_part(reply.body).map(Document::into_items) {
        Some(Ok(items)) => items,
        None if may_be_left_out(envelope, total) => Vec::new(),
        Some(Err(other)) if other.view().is_null() && may_be_left_out(envelope, total) => Vec::new(),
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
        Total::Walk | Total::Open => true,
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

/// How to go on, if there is more.
///
/// # Errors
/// 502 for something that is no marker: to take it for the end would make the rest of the list look absent.
fn marker(run: &Run<'_>, paging: &Paging, reply: &NativeReply) -> Result<Option<String>, ScimError> {
    let (next, is_link) = match &paging.style {
        PagingStyle::Cursor { next, .. } => (next, false),
        PagingStyle::Link { next } => (next, true),
        PagingStyle::None | PagingStyle::Page { .. } | PagingStyle::Offset { .. } => return Ok(None),
    };
    let said = extract(next, &[], reply);
    // A link may be an object that holds more than its address.
    let address = said.as_ref().filter(|_| is_link).and_then(|said| said.get("href")).cloned();
    match address.or(said) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => {
            let name = &run.backend.name;
            let detail =
                format!("{name} says how its list goes on in a form that is no marker; check `next` of its `paging`");
            Err(ScimError::new(502, detail))
        }
    }
}

/// A value from a reply: from the whole body, a header, or the next relation of `Link`.
pub(super) fn extract(path: &NativePath, codec: &[Codec], reply: &NativeReply) -> Option<Value> {
    let raw = if path.is_link() {
        header(reply, "link").and_then(link::next).map(Value::from)
    } else if let Some(name) = path.header() {
        header(reply, &name.to_ascii_lowercase()).map(Value::from)
    } else {
        path.find(&reply.body).map(View::to_value)
    }?;
    crate::mapping::from_native::decode(codec, &raw).ok().filter(|value| !value.is_null())
}

/// Items as trees.
pub(super) fn trees(items: Vec<Document>) -> Vec<Value> {
    items.into_iter().map(Document::into_tree).collect()
}
