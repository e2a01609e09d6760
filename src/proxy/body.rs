//! Reading the body of a SCIM request, within bounds.
//!
//! In: a session whose head was read. Out: the whole body, or a [`BodyFault`]. Nothing is parsed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use pingora::ErrorType;
use pingora::protocols::http::ServerSession;
use tokio::time::timeout;

use crate::scim::ScimError;

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
            }
            BodyFault::Timeout { allowed } => {
                ScimError::new(408, format!("the request body was not complete within {allowed:?}"))
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
    check_type(session)?;
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

fn check_type(session: &ServerSession) -> Result<(), BodyFault> {
    let encoding = session.get_header_bytes(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity") {
        return Err(BodyFault::ContentEncoding);
    }
    let media_type = session.get_header_bytes(header::CONTENT_TYPE);
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let accepted: [&[u8]; 3] = [b"", b"application/scim+json", b"application/json"];
    let known = accepted.iter().any(|known| essence.eq_ignore_ascii_case(known));
    known.then_some(()).ok_or(BodyFault::MediaType)
}

async fn read_to_end(
    session: &mut ServerSession,
    announced: usize,
    max_bytes: usize,
    allowed: Duration,
) -> Result<Bytes, BodyFault> {
    if session.get_header_bytes(header::EXPECT).eq_ignore_ascii_case(b"100-continue") {
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
