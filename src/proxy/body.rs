//! Reading the body of a SCIM request, within bounds.
//!
//! In: a session whose head was read, or a connection whose head was taken. Out: the whole body, or a [`BodyFault`]. Nothing is parsed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header};
use pingora::ErrorType;
use pingora::protocols::http::ServerSession;
use tokio::time::timeout;

use super::downstream::Downstream;
use super::edge::Headers;
use crate::scim::{Bound, ScimError};

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    /// More bytes than allowed.
    TooLarge {
        /// The bound.
        max_bytes: usize,
    },
    /// Not complete in time.
    Timeout {
        /// The bound.
        allowed: Duration,
    },
    /// The connection ended, or the chunks are malformed.
    Broken,
    /// Neither of the JSON types.
    MediaType,
    /// Compressed.
    ContentEncoding,
}

impl From<BodyFault> for ScimError {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge { max_bytes } => {
                ScimError::new(413, format!("the request body is larger than the {max_bytes} bytes allowed here"))
                    .with_bound(Bound::BodyMaxBytes)
            }
            BodyFault::Timeout { allowed } => {
                ScimError::new(408, format!("the request body was not complete within {allowed:?}"))
                    .with_bound(Bound::BodyTimeout)
            }
            BodyFault::Broken => ScimError::invalid_syntax("the request body ended early or is framed wrongly"),
            BodyFault::MediaType => {
                ScimError::new(415, "the Content-Type must be application/scim+json or application/json")
            }
            BodyFault::ContentEncoding => ScimError::new(415, "compressed request bodies are not accepted"),
        }
    }
}

/// Reads the body. A fault found before or while reading leaves the rest unread, which closes the connection after
/// the answer.
pub(super) async fn read(session: &mut ServerSession, max_bytes: usize, allowed: Duration) -> Result<Bytes, BodyFault> {
    if session.is_body_empty() {
        return Ok(Bytes::new());
    }
    check_type(&session.req_header().headers)?;
    let announced = session.get_header_bytes(header::CONTENT_LENGTH);
    let announced = std::str::from_utf8(announced).ok().and_then(|text| text.trim().parse::<usize>().ok());
    if announced.is_some_and(|length| length > max_bytes) {
        return Err(BodyFault::TooLarge { max_bytes });
    }
    session.set_read_timeout(Some(allowed));
    match timeout(allowed, read_to_end(session, announced.unwrap_or(0), max_bytes, allowed)).await {
        Ok(result) => result,
        Err(_) => Err(BodyFault::Timeout { allowed }),
    }
}

/// Reads a body whose length is known, straight from its connection.
pub(super) async fn read_direct(
    connection: &mut Downstream,
    headers: &impl Headers,
    length: u64,
    max_bytes: usize,
    allowed: Duration,
) -> Result<Bytes, BodyFault> {
    if length == 0 {
        return Ok(Bytes::new());
    }
    check_type(headers)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= max_bytes);
    let length = length.ok_or(BodyFault::TooLarge { max_bytes })?;
    let read = async {
        if expects_continue(headers) {
            connection.answer(BytesMut::from(CONTINUE), &[]).await?;
        }
        connection.body(length).await
    };
    match timeout(allowed, read).await {
        Ok(body) => body.map_err(|_| BodyFault::Broken),
        Err(_) => Err(BodyFault::Timeout { allowed }),
    }
}

fn check_type(headers: &impl Headers) -> Result<(), BodyFault> {
    let bytes = |name: HeaderName| headers.first(&name).map_or(&b""[..], HeaderValue::as_bytes);
    let encoding = bytes(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity") {
        return Err(BodyFault::ContentEncoding);
    }
    let essence = bytes(header::CONTENT_TYPE).split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let accepted: [&[u8]; 3] = [b"", b"application/scim+json", b"application/json"];
    let known = accepted.iter().any(|known| essence.eq_ignore_ascii_case(known));
    known.then_some(()).ok_or(BodyFault::MediaType)
}

fn expects_continue(headers: &impl Headers) -> bool {
    headers.first(&header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn read_to_end(
    session: &mut ServerSession,
    announced: usize,
    max_bytes: usize,
    allowed: Duration,
) -> Result<Bytes, BodyFault> {
    if expects_continue(&session.req_header().headers) {
        // Unless told otherwise the library takes this interim answer for the final one, sent before the body was
        // read, and gives the connection up.
        session.set_close_on_response_before_downstream_finish(false);
        let sent = session.write_continue_response().await;
        session.set_close_on_response_before_downstream_finish(true);
        sent.map_err(|_| BodyFault::Broken)?;
    }
    let mut body = BytesMut::with_capacity(announced.min(64 * 1024));
    loop {
        match session.read_request_body().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > max_bytes => return Err(BodyFault::TooLarge { max_bytes }),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) if matches!(error.etype(), ErrorType::ReadTimedout) => {
                return Err(BodyFault::Timeout { allowed });
            }
            Err(_) => return Err(BodyFault::Broken),
        }
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
