//! A request whose length its head tells, read and answered straight on its connection.
//!
//! In: an inspected head. Out: what a [`Conversation`] needs to be carried on. Chunked
//! bodies, and whatever else frames itself, are left to the proxy library.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::body::{self, BodyFault};
use super::downstream::{Downstream, OUTBOX_BYTES};
use super::edge::{EdgeResponse, HeaderList, RequestHead};
use super::exchange::Conversation;
use super::forward::{self, REQUEST_ID};
use super::head::Layout;
use crate::native::http1::{holds_word, put_date, put_header, put_number};
use crate::telemetry::trace::{TRACE_PARENT, TRACE_STATE};

/// A request and its connection.
#[derive(Debug)]
pub(super) struct Direct<'c> {
    connection: &'c mut Downstream,
    head: Bytes,
    layout: Layout,
    method: Method,
    headers: HeaderList,
    /// Of the body, as long as that is not read.
    unread: u64,
    /// Whether the connection may be used again after the answer.
    keep: bool,
}

impl<'c> Direct<'c> {
    /// Takes the request that is readable on a connection, if it is one of ours.
    pub(super) fn take(connection: &'c mut Downstream) -> Option<Self> {
        let (head, layout, unread) = connection.take_head()?;
        // The inspection has passed only tokens.
        let method = Method::from_bytes(head.get(..layout.method)?).ok()?;
        let headers = headers(&head, &layout);
        let keep = if layout.http_11 {
            !holds_word(&headers, &header::CONNECTION, "close")
        } else {
            holds_word(&headers, &header::CONNECTION, "keep-alive")
        };
        Some(Self { connection, head, layout, method, headers, unread, keep })
    }

    fn text(&self, range: Range<usize>) -> &str {
        self.head.get(range).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
    }
}

impl Conversation for Direct<'_> {
    fn head(&self) -> RequestHead<'_> {
        let path = self.text(self.layout.path.clone());
        let query = self.text(self.layout.path.end..self.layout.target_end).strip_prefix('?');
        RequestHead { method: &self.method, path, query, headers: &self.headers }
    }

    fn take_headers(&mut self) -> HeaderList {
        std::mem::take(&mut self.headers)
    }

    async fn body(&mut self, max_bytes: usize, allowed: Duration) -> Result<Bytes, BodyFault> {
        let body = body::read_direct(self.connection, &self.headers, self.unread, max_bytes, allowed).await?;
        self.unread = 0;
        Ok(body)
    }

    fn close(&mut self) {
        self.keep = false;
    }

    async fn answer(&mut self, response: &EdgeResponse, request_id: &str) -> bool {
        // Where an unread body ends, only its sender knows.
        self.keep &= self.unread == 0;
        let bodiless = self.method == Method::HEAD || matches!(response.status, 204 | 304);
        let body = if bodiless { &[][..] } else { &response.body };
        let head = response_head(response, request_id, self.keep, body.len());
        let sent = self.connection.answer(head, body).await;
        sent.is_ok() && self.keep
    }
}

/// The head of an answer, in a buffer with room for a small body.
fn response_head(response: &EdgeResponse, request_id: &str, keep: bool, body: usize) -> BytesMut {
    let room = if body + HEAD_BYTES <= OUTBOX_BYTES { body } else { 0 };
    let mut out = BytesMut::with_capacity(HEAD_BYTES + room);
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for part in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or_default(), "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in &response.headers {
        put_header(&mut out, name, value.as_bytes());
    }
    put_header(&mut out, &REQUEST_ID, request_id.as_bytes());
    if !matches!(response.status, 204 | 304) {
        out.extend_from_slice(b"Content-Length: ");
        put_number(&mut out, response.body.len());
        out.extend_from_slice(b"\r\n");
    }
    if !response.body.is_empty() {
        out.extend_from_slice(b"Content-Type: application/scim+json\r\n");
    }
    out.extend_from_slice(b"Date: ");
    put_date(&mut out);
    let connection: &[u8] = if keep { b"\r\nConnection: keep-alive\r\n\r\n" } else { b"\r\nConnection: close\r\n\r\n" };
    out.extend_from_slice(connection);
    out
}

/// Those headers of a request that anybody asks for.
fn headers(head: &Bytes, layout: &Layout) -> HeaderList {
    let mut headers = HeaderList::with_capacity(USUAL_HEADERS);
    for field in &layout.fields {
        let name = head.get(field.name.clone()).unwrap_or_default();
        let known = |known: &&HeaderName| known.as_str().as_bytes().eq_ignore_ascii_case(name);
        if let Some(name) = ASKED_FOR.iter().find(known)
            && let Ok(value) = HeaderValue::from_maybe_shared(head.slice(field.value.clone()))
        {
            headers.push(name.clone(), value);
        }
    }
    headers
}

/// What the edge, the adapter and native calls look at.
static ASKED_FOR: [HeaderName; 14] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    REQUEST_ID,
    forward::FORWARDED_HOST,
    forward::FORWARDED_PREFIX,
    forward::FORWARDED_PROTO,
    TRACE_PARENT,
    TRACE_STATE,
];

/// Room for headers, taken at once.
const USUAL_HEADERS: usize = 8;

/// Room for the head of an answer; more is taken as needed.
const HEAD_BYTES: usize = 512;
