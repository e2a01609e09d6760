//! A plain connection to a backend.
//!
//! In: a connected socket. Out: one exchange after another: a request leaves in one piece, its reply is read whole and
//! within bounds. Who drops an exchange half way drops the connection with it.

use std::io;

use bytes::{Buf as _, BufMut as _, BytesMut};
use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::outgoing::Outgoing;
use super::reply;
use super::wire::{self, Framing, Head, Malformed, REPLY_HEAD_MAX_BYTES};
use crate::native::patience::Patience;
use crate::plan::NativeReply;

/// A connection with nothing under way.
#[derive(Debug)]
pub(super) struct Connection<S = TcpStream> {
    socket: S,
    /// Received and not yet read.
    received: BytesMut,
    /// A request on its way out.
    outbox: BytesMut,
    patience: Patience,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Malformed,
    TooLarge,
    /// Not in time.
    Late,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for Fault {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        // A request is one write; waiting for more to send could only delay it.
        let _ = socket.set_nodelay(true);
        Self::over(socket)
    }

    /// Whether an idle connection can be used again: a server that sends something unasked, or that it has closed,
    /// makes it unusable.
    pub(super) fn is_quiet(&self) -> bool {
        let read = self.socket.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over anything that bytes come and go by.
    pub(super) fn over(socket: S) -> Self {
        Self { socket, received: BytesMut::new(), outbox: BytesMut::new(), patience: Patience::default() }
    }

    /// Sends a request and reads its reply, all before `until`; says whether another may follow.
    pub(super) async fn exchange(
        &mut self,
        request: &Outgoing<'_>,
        reply_max_bytes: usize,
        until: Instant,
    ) -> Result<(NativeReply, bool), Fault> {
        let mut patience = std::mem::take(&mut self.patience);
        let outcome = patience.bound(until, self.converse(request, reply_max_bytes)).await;
        self.patience = patience;
        outcome.unwrap_or(Err(Fault::Late))
    }

    /// The same without a bound on the time.
    pub(super) async fn converse(
        &mut self,
        request: &Outgoing<'_>,
        reply_max_bytes: usize,
    ) -> Result<(NativeReply, bool), Fault> {
        wire::put_request(&mut self.outbox, request);
        self.socket.write_all(&self.outbox).await?;
        let Head { status, headers, framing, keep, .. } = self.read_head(&request.method).await?;
        let reply = match framing {
            Framing::Length(length) => {
                // An honest Content-Length saves reading what would be thrown away.
                let length = usize::try_from(length).ok().filter(|length| *length <= reply_max_bytes);
                let length = length.ok_or(Fault::TooLarge)?;
                self.receive_at_least(length).await?;
                let reply = reply::read(status, headers, self.received.get(..length).unwrap_or_default());
                self.received.advance(length);
                reply
            }
            Framing::Chunked => reply::read(status, headers, &self.read_chunks(reply_max_bytes).await?),
            Framing::UntilClose => {
                while self.received.len() <= reply_max_bytes && self.receive().await? > 0 {}
                if self.received.len() > reply_max_bytes {
                    return Err(Fault::TooLarge);
                }
                reply::read(status, headers, &self.received)
            }
        };
        // What comes after a reply was not asked for.
        let keep = keep && self.received.is_empty();
        self.outbox = emptied(std::mem::take(&mut self.outbox));
        self.received = emptied(std::mem::take(&mut self.received));
        Ok((reply, keep))
    }

    async fn read_head(&mut self, method: &Method) -> Result<Head, Fault> {
        loop {
            let head = if self.received.is_empty() { None } else { wire::read_head(&self.received, method)? };
            match head {
                Some(head) if head.length > REPLY_HEAD_MAX_BYTES || head.status == 101 => return Err(Fault::Malformed),
                Some(head) => {
                    self.received.advance(head.length);
                    // What comes before the last head says nothing about the outcome (RFC 9110 15.2).
                    if head.status >= 200 {
                        return Ok(head);
                    }
                }
                None if self.received.len() > REPLY_HEAD_MAX_BYTES => return Err(Fault::Malformed),
                None => self.receive_some().await?,
            }
        }
    }

    /// RFC 9112 7.1.
    async fn read_chunks(&mut self, max_bytes: usize) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        loop {
            let Some((line, size)) = wire::read_chunk_size(&self.received)? else {
                self.receive_some().await?;
                continue;
            };
            self.received.advance(line);
            if size == 0 {
                self.skip_trailers().await?;
                return Ok(body);
            }
            let left = max_bytes - body.len();
            let size = usize::try_from(size).ok().filter(|size| *size <= left).ok_or(Fault::TooLarge)?;
            self.receive_at_least(size + 2).await?;
            let (chunk, rest) = self.received.split_at_checked(size).unwrap_or_default();
            if !rest.starts_with(b"\r\n") {
                return Err(Fault::Malformed);
            }
            body.extend_from_slice(chunk);
            self.received.advance(size + 2);
        }
    }

    /// Up to the blank line, whatever stands before it.
    async fn skip_trailers(&mut self) -> Result<(), Fault> {
        let mut skipped = 0;
        loop {
            match self.received.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let blank = matches!(self.received.get(..end), Some(b"" | b"\r"));
                    self.received.advance(end + 1);
                    skipped += end + 1;
                    if blank {
                        return Ok(());
                    }
                }
                None => self.receive_some().await?,
            }
            if skipped + self.received.len() > REPLY_HEAD_MAX_BYTES {
                return Err(Fault::Malformed);
            }
        }
    }

    async fn receive_at_least(&mut self, length: usize) -> Result<(), Fault> {
        while self.received.len() < length {
            let missing = length - self.received.len();
            self.received.reserve(missing.clamp(READ_BYTES, READ_MAX_BYTES));
            self.receive_some().await?;
        }
        Ok(())
    }

    async fn receive_some(&mut self) -> Result<(), Fault> {
        match self.receive().await? {
            0 => Err(Fault::Io(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    async fn receive(&mut self) -> io::Result<usize> {
        if self.received.capacity() - self.received.len() < READ_BYTES {
            self.received.reserve(READ_BYTES);
        }
        let mut space = (&mut self.received).limit(READ_MAX_BYTES);
        self.socket.read_buf(&mut space).await
    }
}

/// The same buffer for the next exchange, unless it has grown large: an idle connection holds little memory.
fn emptied(mut buffer: BytesMut) -> BytesMut {
    buffer.clear();
    if buffer.capacity() > READ_BYTES * 2 { BytesMut::new() } else { buffer }
}

/// Bytes there is room for before a read, and at the most.
const READ_BYTES: usize = 4096;
const READ_MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod pieces;
#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Connection::new(client), listener.accept().await.unwrap().0)
    }

    fn request(body: &'static str) -> Request<Bytes> {
        let request = Request::post("http://app/x");
        request.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + std::time::Duration::from_secs(10)
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_or_speaks_unasked_is_not_used_again() {
        let (connection, server) = pair().await;
        assert!(connection.is_quiet());
        drop(server);
        connection.socket.readable().await.unwrap();
        assert!(!connection.is_quiet());

        let (connection, mut server) = pair().await;
        server.write_all(b"HTTP/1.1 408 Late\r\n\r\n").await.unwrap();
        connection.socket.readable().await.unwrap();
        assert!(!connection.is_quiet());
    }

    #[tokio::test]
    async fn a_request_leaves_in_one_piece() {
        let (mut connection, mut server) = pair().await;
        let answering = tokio::spawn(async move {
            let mut request = [0; 256];
            let length = server.read(&mut request).await.unwrap();
            server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        let (reply, keep) = connection.exchange(&Outgoing::of(&request("body")).unwrap(), 100, soon()).await.unwrap();
        assert_eq!((reply.status, keep), (200, true));
        let sent = answering.await.unwrap();
        assert_eq!(sent, "POST /x HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\nbody");
    }

    /// What an exchange comes to when the server sends these bytes, one by one or together, and closes.
    async fn check(reply: &'static str, piece: usize) -> Result<(u16, String, bool), Fault> {
        let (mut connection, mut server) = pair().await;
        let answering = tokio::spawn(async move {
            let mut request = [0; 256];
            let _ = server.read(&mut request).await.unwrap();
            for piece in reply.as_bytes().chunks(piece) {
                // The client is gone at the first byte that is too much for it.
                let _ = server.write_all(piece).await;
                tokio::task::yield_now().await;
            }
        });
        let outcome = connection.exchange(&Outgoing::of(&request("")).unwrap(), 20, soon()).await;
        answering.await.unwrap();
        outcome.map(|(reply, keep)| (reply.status, reply.body.to_string(), keep))
    }

    #[tokio::test]
    async fn replies_are_read_however_they_arrive() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]", "[1,2]", true),
            ("HTTP/1.1 103 Hint\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7", "7", true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n",
                "[1,2]",
                true,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\nX: y\r\nZ: z\r\n\r\n", "7", true),
            ("HTTP/1.1 200 OK\r\n\r\n[1,2]", "[1,2]", false),
            ("HTTP/1.1 204 No\r\n\r\n", "null", true),
        ];
        for (text, body, keep) in cases {
            for piece in [1, 7, text.len()] {
                let outcome = check(text, piece).await.unwrap();
                assert_eq!((outcome.1.as_str(), outcome.2), (body, keep), "{text:?} by {piece}");
            }
        }
        let surplus = check("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7HTTP/1.1 200", 100).await.unwrap();
        assert!(!surplus.2);
    }

    #[tokio::test]
    async fn replies_that_are_none_are_refused() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Le",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n",
        ] {
            assert!(matches!(check(text, 100).await, Err(Fault::Io(_))), "{text:?}");
        }
        for text in [
            "HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n77\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
            "no reply\r\n\r\n",
        ] {
            assert!(matches!(check(text, 100).await, Err(Fault::Malformed)), "{text:?}");
        }
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\na\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\n\r\n012345678901234567890",
        ] {
            assert!(matches!(check(text, 100).await, Err(Fault::TooLarge)), "{text:?}");
        }
    }
}
