//! A server that has said all it will say, in pieces.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Connection, Fault, Outgoing};
use crate::plan::NativeReply;

/// One read brings one piece, or what there is room for; then the connection ends. What is sent is forgotten.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(space.remaining()));
            space.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What a request of this method comes to when these pieces are the answer, and whether another may follow. Nobody is
/// ever waited for, so no runtime is needed.
pub(super) fn answered(pieces: &[&[u8]], method: Method, max_bytes: usize) -> Result<(NativeReply, bool), Fault> {
    let pieces = pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| piece.to_vec()).collect();
    let mut connection = Connection::over(Pieces(pieces));
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static("http://app/x");
    let outgoing = Outgoing::of(&request).unwrap();
    let conversation = std::pin::pin!(connection.converse(&outgoing, max_bytes));
    match conversation.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(Fault::Late),
    }
}

/// The same bytes in pieces of these lengths, over and over.
pub(super) fn cut<'b>(mut bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
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

/// However the bytes arrive, they are the same reply or the same fault. Bytes that nobody asked for end the connection
/// where they are there in time.
pub(super) fn arrives_alike(bytes: &[u8], lengths: &[usize], method: &Method, max_bytes: usize) {
    let whole = answered(&[bytes], method.clone(), max_bytes);
    let split = answered(&cut(bytes, lengths), method.clone(), max_bytes);
    match (&whole, &split) {
        (Ok((reply, keep)), Ok((other, other_keep))) => {
            assert_eq!(reply, other);
            assert!(*other_keep || !keep, "kept only where the rest was seen: {bytes:?}");
        }
        (Err(fault), Err(other)) => {
            assert_eq!(std::mem::discriminant(fault), std::mem::discriminant(other), "{fault:?} {other:?}");
            assert!(!matches!(fault, Fault::Late), "{fault:?}");
        }
        (whole, split) => panic!("{whole:?} together, {split:?} in pieces: {bytes:?}"),
    }
}
