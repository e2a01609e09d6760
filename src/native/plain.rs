//! HTTP/1.1 without TLS.
//!
//! In: a request. Out: its reply, or why there is none. Everything happens in the task of the
//! caller: no task is spawned and nothing is handed from thread to thread, which is most of what a call over loopback
//! costs. Here are the connections, kept for the next exchange; what passes over one is in `connection`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::uri::Authority;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::{Connection, Fault};
use super::outgoing::Outgoing;
use super::transport::IDLE_MAX;
use crate::plan::{NativeFailure, NativeReply};

/// The connections to one origin.
#[derive(Debug)]
pub(super) struct Plain {
    idle: Arc<Mutex<Idle>>,
    /// Idle connections kept.
    idle_max: usize,
    /// Time to open a connection.
    connect_timeout: Duration,
    /// Bytes of a reply's body.
    reply_max_bytes: usize,
}

/// Why there is no reply, and what is said about it in the log.
pub(super) struct Broken {
    pub(super) failure: NativeFailure,
    pub(super) cause: String,
}

impl Plain {
    pub(super) fn new(idle_max: usize, connect_timeout: Duration, reply_max_bytes: usize) -> Self {
        Self { idle: Arc::default(), idle_max, connect_timeout, reply_max_bytes }
    }

    /// Sends one request at the time `begun` and reads its reply whole, all before `until`.
    pub(super) async fn exchange(
        &self,
        request: &Outgoing<'_>,
        begun: Instant,
        until: Instant,
    ) -> Result<NativeReply, Broken> {
        let mut connection = match self.take(begun) {
            Some(connection) => connection,
            // Boxed, as it is rare and would make room in every call.
            None => Box::pin(self.connect_until(request.authority, until)).await?,
        };
        let exchanged = connection.exchange(request, self.reply_max_bytes, until).await;
        let (reply, keep) = exchanged.map_err(Broken::from)?;
        if keep {
            self.keep(connection);
        }
        Ok(reply)
    }

    /// The connection used last, if it still can be used.
    fn take(&self, now: Instant) -> Option<Box<Connection>> {
        let mut idle = lock(&self.idle);
        while let Some((connection, since)) = idle.connections.pop() {
            if now.duration_since(since) < IDLE_MAX && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Box<Connection>) {
        let mut idle = lock(&self.idle);
        if idle.connections.len() < self.idle_max {
            idle.connections.push((connection, Instant::now()));
            if !idle.swept {
                idle.swept = true;
                tokio::spawn(sweep(Arc::downgrade(&self.idle)));
            }
        }
    }

    async fn connect_until(&self, authority: &Authority, until: Instant) -> Result<Box<Connection>, Broken> {
        let connected = timeout_at(until, self.connect(authority)).await;
        connected.unwrap_or_else(|late| Err(broken(NativeFailure::Timeout, late))).map(Box::new)
    }

    async fn connect(&self, authority: &Authority) -> Result<Connection, Broken> {
        let unreachable = |cause: &dyn std::fmt::Display| broken(NativeFailure::Connect, cause);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let opened = timeout(self.connect_timeout, async {
            let addresses: Vec<_> = lookup_host((host, authority.port_u16().unwrap_or(80))).await?.collect();
            // A silent address leaves time for the next one.
            let share = self.connect_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
            let mut last = std::io::ErrorKind::NotFound.into();
            for address in addresses {
                match timeout(share, TcpStream::connect(address)).await {
                    Ok(Ok(socket)) => return Ok(socket),
                    Ok(Err(error)) => last = error,
                    Err(late) => last = late.into(),
                }
            }
            Err(last)
        });
        match opened.await {
            Ok(Ok(socket)) => Ok(Connection::new(socket)),
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(late) => Err(unreachable(&late)),
        }
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) => broken(NativeFailure::Interrupted, error),
            Fault::Malformed => broken(NativeFailure::Interrupted, "the reply is malformed"),
            Fault::Late => broken(NativeFailure::Timeout, "the reply is late"),
            Fault::TooLarge => broken(NativeFailure::TooLarge, "the reply is too large"),
        }
    }
}

#[derive(Debug, Default)]
struct Idle {
    /// Each with the time since when; the one used last at the end.
    connections: Vec<(Box<Connection>, Instant)>,
    /// Whether somebody looks after them.
    swept: bool,
}

/// Closes what was idle for too long, until there is nothing left.
async fn sweep(idle: Weak<Mutex<Idle>>) {
    loop {
        sleep(IDLE_MAX / 4).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = lock(&idle);
        idle.connections.retain(|(connection, since)| since.elapsed() < IDLE_MAX && connection.is_quiet());
        if idle.connections.is_empty() {
            idle.swept = false;
            return;
        }
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cold]
fn broken(failure: NativeFailure, cause: impl std::fmt::Display) -> Broken {
    Broken { failure, cause: cause.to_string() }
}
