//! A connection to a backend as the proxy library sees it.
//!
//! In: a connected socket. Out: the same socket, with a request leaving in one piece: what is written waits until the
//! reply is asked for. The library writes head and body by two calls and flushes between them, which would be two
//! packets and, at the application, two wake-ups.

use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// A plain connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    /// Written and not yet sent.
    outbox: BytesMut,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        // A request is one write; waiting for more to send could only delay it.
        let _ = socket.set_nodelay(true);
        Self { socket, outbox: BytesMut::new() }
    }

    /// Whether an idle connection can be used again: a server that sends something unasked, or that it has closed,
    /// makes it unusable.
    pub(super) fn is_quiet(&self) -> bool {
        let read = self.socket.try_read(&mut [0]);
        self.outbox.is_empty() && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.outbox))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.outbox.len() >= OUTBOX_BYTES {
            ready!(self.poll_send(cx))?;
        }
        let taken = buf.get(..OUTBOX_BYTES).unwrap_or(buf);
        self.outbox.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    /// Does nothing: a client of HTTP/1.1 always reads after it wrote.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Connection {
    async fn shutdown(&mut self) {
        // Nobody is left to be told if this fails.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Connection {
    fn id(&self) -> UniqueIDType {
        self.socket.as_raw_fd()
    }
}

impl Ssl for Connection {}

impl GetTimingDigest for Connection {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Connection {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Connection {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

impl Peek for Connection {}

/// Bytes of a request that wait to be sent together; twice that at the most.
const OUTBOX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Connection::new(client), listener.accept().await.unwrap().0)
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
    async fn a_request_leaves_in_one_piece_when_its_reply_is_asked_for() {
        let (mut connection, mut server) = pair().await;
        for part in ["head ", "body"] {
            connection.write_all(part.as_bytes()).await.unwrap();
            connection.flush().await.unwrap();
        }
        let answering = tokio::spawn(async move {
            let mut request = [0; 64];
            let length = server.read(&mut request).await.unwrap();
            server.write_all(&request[..length]).await.unwrap();
        });
        let mut reply = [0; 64];
        let length = connection.read(&mut reply).await.unwrap();
        assert_eq!(&reply[..length], b"head body");
        answering.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_larger_than_the_outbox_arrives_whole() {
        let (mut connection, mut server) = pair().await;
        let body = vec![b'x'; 5 * OUTBOX_BYTES + 7];
        let sent = body.len();
        let reading = tokio::spawn(async move {
            let mut request = vec![0; sent];
            server.read_exact(&mut request).await.unwrap();
            server.write_all(b"!").await.unwrap();
            request
        });
        connection.write_all(&body).await.unwrap();
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 1);
        assert!(reading.await.unwrap() == body);
    }
}
