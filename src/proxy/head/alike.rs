//! What holds for every head, whoever makes the bytes up: for properties and for the fuzzer.

use super::{FIELDS_MAX, Framing, Refusal, inspect, search};

/// A head as it is handed on, how it frames its body, and what was received behind it.
type Taken = (Vec<u8>, Framing, Vec<u8>);

/// One request taken off a connection that receives these pieces one after another.
pub(super) fn taken(pieces: &[&[u8]], max_bytes: usize) -> Result<Option<Taken>, Refusal> {
    let (mut inbox, mut seen) = (Vec::new(), 0);
    for piece in pieces {
        inbox.extend_from_slice(piece);
        let found = search(&inbox, seen, max_bytes)?;
        inbox.drain(..found.skip);
        if let Some(length) = found.length {
            assert!(length <= max_bytes);
            let head = inspect(&inbox[..length])?;
            return Ok(Some((head.bytes.into_owned(), head.layout.framing, inbox[length..].to_vec())));
        }
        assert!(inbox.len() <= max_bytes);
        seen = inbox.len();
    }
    Ok(None)
}

/// The bytes in pieces of these lengths, over and over.
fn pieces<'b>(mut bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut found = Vec::new();
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*length).clamp(1, bytes.len()));
        found.push(piece);
        bytes = rest;
    }
    found
}

/// However the bytes arrive, the same head comes out of them, or they are refused.
pub(super) fn arrives_alike(bytes: &[u8], lengths: &[usize], max_bytes: usize) {
    let whole = taken(&[bytes], max_bytes);
    let parts = pieces(bytes, lengths);
    let split = taken(&parts, max_bytes);
    match (&whole, &split) {
        (Ok(Some((head, framing, rest))), Ok(Some((other, other_framing, other_rest)))) => {
            assert_eq!((head, framing), (other, other_framing));
            assert!(rest.starts_with(other_rest), "{rest:?} {other_rest:?}");
        }
        // What is wrong about it may be seen sooner or later; which of two things is said then differs.
        (whole, split) => assert_eq!(whole.is_err(), split.is_err(), "{whole:?} {split:?}"),
    }
}

/// What passed is stable, and means the same to a parser of somebody else.
pub(super) fn is_understood(head: &[u8], framing: Framing) {
    let again = inspect(head).unwrap();
    assert_eq!((&*again.bytes, again.layout.framing), (head, framing));
    let mut space = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut space);
    assert_eq!(request.parse(head).unwrap(), httparse::Status::Complete(head.len()), "{head:?}");
    assert_eq!(request.method.map(str::len), Some(again.layout.method));
    let target = &head[again.layout.path.start..again.layout.target_end];
    assert_eq!(request.path.map(str::as_bytes), Some(target));
    assert_eq!(request.version, Some(u8::from(again.layout.http_11)));
    assert_eq!(request.headers.len(), again.layout.fields.len());
    for (theirs, ours) in request.headers.iter().zip(&again.layout.fields) {
        assert_eq!((theirs.name.as_bytes(), theirs.value), (&head[ours.name.clone()], &head[ours.value.clone()]));
    }
}
