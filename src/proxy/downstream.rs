//! A downstream connection as the proxy library sees it.
//!
//! In: a socket. Out: one inspected request head at a time, then exactly the bytes of that request's body. The next
//! request of the connection stays here until its own head is asked for, so that every head passes through
//! [`head::inspect`] and none reaches the library in the wake of the request before it.
//!
//! What to do with a request is not decided here.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout, timeout_at};

use super::head::{self, Framing, Head, Layout, Refusal};
use crate::native::patience::Patience;

/// Bounds of a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadBounds {
    /// Bytes, all together.
    pub max_bytes: usize,
    /// Time from the first byte to the blank line; on a fresh connection, from its beginning.
    pub timeout: Duration,
    /// Time a kept connection may wait for its next request.
    pub idle: Duration,
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub enum HeadEnd {
    /// The connection ended, was idle for too long, or the listener stops: nothing to say.
    Closed,
    /// The head is refused.
    Refused(Refusal),
}

/// A downstream connection.
#[derive(Debug)]
pub struct Downstream {
    socket: TcpStream,
    digest: Arc<SocketDigest>,
    /// Read but not yet handed on: an inspected head, or what came with it.
    inbox: BytesMut,
    /// What is known of the inspected head that stands in the inbox.
    layout: Option<Layout>,
    /// Bytes of that head.
    head: usize,
    /// How many more bytes belong to the request that was handed on; `None` when only the library can tell.
    owed: Option<u64>,
    /// Whether a request was served on it.
    used: bool,
    write_timeout: Duration,
    /// For the first byte of a request.
    patience: Patience,
    /// Written by the library and not yet flushed: head and body of an answer leave in one piece.
    outbox: BytesMut,
    /// Armed while a write makes no progress.
    write_deadline: Option<Pin<Box<Sleep>>>,
    /// Once the sending side is shut: how many bytes are still read, and until when.
    lingering: Option<(usize, Pin<Box<Sleep>>)>,
}

impl Downstream {
    /// Wraps an accepted socket. A write that makes no progress for `write_timeout` fails.
    pub fn new(socket: TcpStream, peer: SocketAddr, write_timeout: Duration) -> Self {
        let digest = SocketDigest::from_raw_fd(socket.as_raw_fd());
        // The address is asked for once here: a client that is gone by then would have none.
        let _ = digest.peer_addr.set(Some(peer.into()));
        Self {
            socket,
            digest: Arc::new(digest),
            inbox: BytesMut::new(),
            layout: None,
            head: 0,
            owed: Some(0),
            used: false,
            write_timeout,
            patience: Patience::default(),
            outbox: BytesMut::new(),
            write_deadline: None,
            lingering: None,
        }
    }

    /// Waits for the next request head, checks it and makes it readable. Ends before its first byte if `stop` does.
    pub async fn next_request(&mut self, bounds: &HeadBounds, stop: Pin<&mut impl Future>) -> Result<(), HeadEnd> {
        let end = self.read_head(bounds, stop).await?;
        let Head { bytes, layout } =
            head::inspect(self.inbox.get(..end).unwrap_or_default()).map_err(HeadEnd::Refused)?;
        let length = bytes.len();
        if let Cow::Owned(bytes) = bytes {
            let rest = self.inbox.split_off(end);
            self.inbox = BytesMut::from(bytes.as_slice());
            self.inbox.unsplit(rest);
        }
        self.owed = match layout.framing {
            Framing::Length(body) => Some(body.saturating_add(length as u64)),
            Framing::Chunked | Framing::Upgrade => None,
        };
        self.head = length;
        self.layout = Some(layout);
        self.used = true;
        Ok(())
    }

    /// The path of the head that was made readable, as long as nobody has read it.
    pub fn path(&self) -> &str {
        let path = self.layout.as_ref().map(|layout| layout.path.clone()).unwrap_or_default();
        // A head in origin form is ASCII.
        self.inbox.get(path).and_then(|path| std::str::from_utf8(path).ok()).unwrap_or_default()
    }

    /// Takes the head that was made readable, if it says how long its body is. From then on only [`Self::body`] and
    /// [`Self::answer`] know where the request ends; otherwise whoever reads the connection as a stream does.
    pub(super) fn take_head(&mut self) -> Option<(Bytes, Layout, u64)> {
        let Framing::Length(length) = self.layout.as_ref()?.framing else { return None };
        self.owed = Some(length);
        let layout = self.layout.take()?;
        Some((self.inbox.split_to(self.head.min(self.inbox.len())).freeze(), layout, length))
    }

    /// Reads a body of this length, all of it.
    pub(super) async fn body(&mut self, length: usize) -> io::Result<Bytes> {
        while self.inbox.len() < length {
            let missing = (length - self.inbox.len()).clamp(READ_BYTES, BODY_READ_BYTES);
            self.inbox.reserve(missing);
            if self.socket.read_buf(&mut (&mut self.inbox).limit(missing)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.owed = Some(0);
        Ok(self.inbox.split_to(length).freeze())
    }

    /// Sends a head and a body, in one piece if they are small.
    pub(super) async fn answer(&mut self, head: BytesMut, body: &[u8]) -> io::Result<()> {
        self.outbox = head;
        self.write_all(body).await?;
        self.flush().await
    }

    async fn read_head(&mut self, bounds: &HeadBounds, stop: Pin<&mut impl Future>) -> Result<usize, HeadEnd> {
        let mut begun = Instant::now();
        if self.inbox.is_empty() {
            let wait = if self.used { bounds.idle } else { bounds.timeout };
            self.wait_for_first_byte(wait, stop).await?;
        }
        if self.used {
            begun = Instant::now();
        }
        let deadline = begun + bounds.timeout;
        let mut seen = 0;
        loop {
            let found = head::search(&self.inbox, seen, bounds.max_bytes).map_err(HeadEnd::Refused)?;
            self.inbox.advance(found.skip);
            if let Some(length) = found.length {
                return Ok(length);
            }
            seen = self.inbox.len();
            match timeout_at(deadline, self.receive()).await {
                Ok(Ok(1..)) => {}
                Err(_) if !self.inbox.is_empty() => return Err(HeadEnd::Refused(Refusal::Timeout)),
                _ => return Err(HeadEnd::Closed),
            }
        }
    }

    /// Nobody is served between requests, nor before the first one: clients connect in advance, and one that has said
    /// nothing must not hold up a stop.
    async fn wait_for_first_byte(&mut self, wait: Duration, stop: Pin<&mut impl Future>) -> Result<(), HeadEnd> {
        let until = Instant::now() + wait;
        let mut patience = std::mem::take(&mut self.patience);
        let something = async {
            tokio::select! {
                biased;
                read = self.receive() => read.unwrap_or(0),
                _ = stop => 0,
            }
        };
        let received = patience.bound(until, something).await;
        self.patience = patience;
        match received {
            Some(1..) => Ok(()),
            _ => Err(HeadEnd::Closed),
        }
    }

    async fn receive(&mut self) -> io::Result<usize> {
        self.inbox.reserve(READ_BYTES);
        self.socket.read_buf(&mut (&mut self.inbox).limit(READ_BYTES)).await
    }

    /// Sends an answer of our own making and closes.
    pub async fn refuse(mut self, answer: &[u8]) {
        // How much more is to come of what is refused, nobody knows.
        self.owed = None;
        if timeout(LINGER, self.socket.write_all(answer)).await.is_ok_and(|sent| sent.is_ok()) {
            // Whether the client took the answer is its own affair.
            let _ = AsyncWriteExt::shutdown(&mut self).await;
        }
    }

    /// Everything owed was handed on. What comes may only be the next request, which is kept, or the end.
    fn poll_beyond(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.inbox.len() < READ_BYTES {
            let mut space = [0_u8; 1024];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.inbox.extend_from_slice(read.filled());
        }
        // Enough was kept; the rest stays in the socket until the request under way is answered.
        Poll::Pending
    }

    /// Sends what is in the outbox, and in the same breath `more`; says how many bytes of `more` went out.
    fn poll_send(&mut self, cx: &mut Context<'_>, more: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let both = [io::IoSlice::new(&self.outbox), io::IoSlice::new(more)];
            let poll = match (self.outbox.is_empty(), more.is_empty()) {
                (true, true) => return Poll::Ready(Ok(0)),
                (true, false) => Pin::new(&mut self.socket).poll_write(cx, more),
                (false, true) => Pin::new(&mut self.socket).poll_write(cx, &self.outbox),
                (false, false) => Pin::new(&mut self.socket).poll_write_vectored(cx, &both),
            };
            let sent = ready!(self.settle_write(cx, poll))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let held = sent.min(self.outbox.len());
            self.outbox.advance(held);
            if self.outbox.is_empty() {
                // Between answers a connection holds no memory for them.
                self.outbox = BytesMut::new();
                return Poll::Ready(Ok(sent - held));
            }
        }
    }

    fn settle_write<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write_deadline = None;
            return poll;
        }
        let timeout = self.write_timeout;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Downstream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let allowed = self.owed.map_or(usize::MAX, |owed| usize::try_from(owed).unwrap_or(usize::MAX));
        if allowed == 0 {
            return self.poll_beyond(cx);
        }
        let before = buf.filled().len();
        if !self.inbox.is_empty() {
            let length = self.inbox.len().min(allowed).min(buf.remaining());
            buf.put_slice(&self.inbox.split_to(length));
        } else if allowed >= buf.remaining() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        } else {
            let mut space = [0_u8; READ_BYTES];
            let mut part = ReadBuf::new(space.get_mut(..allowed.min(READ_BYTES)).unwrap_or_default());
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut part))?;
            buf.put_slice(part.filled());
        }
        let length = buf.filled().len() - before;
        if let Some(owed) = &mut self.owed {
            *owed = owed.saturating_sub(length as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Downstream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.outbox.len() + buf.len() <= OUTBOX_BYTES {
            self.outbox.extend_from_slice(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        loop {
            match ready!(self.poll_send(cx, buf))? {
                // Only the outbox went out.
                0 => {}
                sent => return Poll::Ready(Ok(sent)),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx, &[]))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Closes in a way that lets the client read the answer: a socket closed with unread bytes in it is reset, and the
    /// reset overtakes the answer (RFC 9112 9.6). So what the client may still be sending is read for a while.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let (left, deadline) = match &mut this.lingering {
            Some(lingering) => lingering,
            None => {
                ready!(this.poll_send(cx, &[]))?;
                ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
                if this.owed == Some(0) && this.inbox.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                this.lingering.insert((LINGER_BYTES, Box::pin(tokio::time::sleep(LINGER))))
            }
        };
        let mut space = [0_u8; READ_BYTES];
        while *left > 0 {
            let mut scrap = ReadBuf::new(&mut space);
            if Pin::new(&mut this.socket).poll_read(cx, &mut scrap)?.is_pending() {
                return deadline.as_mut().poll(cx).map(Ok);
            }
            *left = if scrap.filled().is_empty() { 0 } else { left.saturating_sub(scrap.filled().len()) };
        }
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Shutdown for Downstream {
    async fn shutdown(&mut self) {
        // Nobody is left to be told if this fails.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Downstream {
    fn id(&self) -> UniqueIDType {
        self.socket.as_raw_fd()
    }
}

impl Ssl for Downstream {}

impl GetTimingDigest for Downstream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Downstream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Downstream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.digest.clone())
    }
}

impl Peek for Downstream {}

/// Bytes read at a time, and bytes of a next request kept while one is under way.
const READ_BYTES: usize = 4096;

/// Bytes of a body read at a time, at the most.
const BODY_READ_BYTES: usize = 64 * 1024;

/// Bytes of an answer that wait for the library to flush; more is sent at once.
pub(super) const OUTBOX_BYTES: usize = 8192;

/// How long and how much a closing connection is read.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 256 * 1024;
