//! Replies are what they are however their bytes arrive; garbage is refused; no body exceeds its bound.

use std::fmt::Write as _;

use http::Method;
use proptest::prelude::*;

use super::Fault;
use super::pieces::{answered, arrives_alike};

/// A reply whose body is known, by each way of framing one.
fn framed(body: &str, framing: usize, chunk: usize) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nX-Odd : a\r\n";
    match framing {
        0 => format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes(),
        1 => {
            let mut text = format!("HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n{head}Transfer-Encoding: chunked\r\n\r\n");
            for piece in body.as_bytes().chunks(chunk) {
                let _ = write!(text, "{:x};a=b\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece));
            }
            (text + "0\r\nTrailer: x\r\n\r\n").into_bytes()
        }
        _ => format!("{head}\r\n{body}").into_bytes(),
    }
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..60, 1..8)
}

fn methods() -> impl Strategy<Value = Method> {
    prop_oneof![4 => Just(Method::GET), 1 => Just(Method::HEAD)]
}

proptest! {
    /// A JSON text of so many bytes passes if it is within the bound, and only then.
    #[test]
    fn a_body_never_exceeds_its_bound(
        length in 2_usize..200, max in 0_usize..200, framing in 0_usize..3, chunk in 1_usize..40, lengths in lengths(),
    ) {
        let body = format!("\"{}\"", "a".repeat(length - 2));
        let bytes = framed(&body, framing, chunk);
        arrives_alike(&bytes, &lengths, &Method::GET, max);
        match answered(&[&bytes], Method::GET, max) {
            Ok((reply, keep)) => {
                prop_assert!(length <= max);
                prop_assert_eq!(reply.body.to_string(), body);
                prop_assert_eq!(keep, framing < 2);
            }
            Err(fault) => prop_assert!(length > max && matches!(fault, Fault::TooLarge), "{fault:?}"),
        }
    }

    #[test]
    fn a_damaged_reply_is_one_or_none_however_it_arrives(
        length in 2_usize..60, framing in 0_usize..3, chunk in 1_usize..20, lengths in lengths(), method in methods(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        end in any::<prop::sample::Index>(), surplus in "[ -~\\r\\n]{0,20}",
    ) {
        let mut bytes = framed(&format!("\"{}\"", "a".repeat(length - 2)), framing, chunk);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        arrives_alike(&bytes[..end.index(bytes.len())], &lengths, &method, 80);
        bytes.extend_from_slice(surplus.as_bytes());
        arrives_alike(&bytes, &lengths, &method, 80);
        arrives_alike(&bytes, &[1], &method, 80);
    }

    #[test]
    fn garbage_is_no_reply(bytes in prop::collection::vec(any::<u8>(), 0..200), lengths in lengths(), method in methods()) {
        arrives_alike(&bytes, &lengths, &method, 50);
        arrives_alike(&[b"HTTP/1.1 200 OK\r\n", bytes.as_slice()].concat(), &lengths, &method, 50);
        let chunked = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", bytes.as_slice()].concat();
        arrives_alike(&chunked, &lengths, &method, 50);
    }
}
