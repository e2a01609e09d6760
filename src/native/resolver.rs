//! In: the host of the application that requests pass through to. Out: its addresses, kept fresh in the background, so
//! that no request waits for a name server. Native calls do not need this: their client resolves by itself.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// The current addresses of one host.
#[derive(Debug)]
pub struct UpstreamAddrs {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    addresses: ArcSwap<Vec<SocketAddr>>,
    /// Requests go round the addresses.
    turn: AtomicUsize,
}

impl UpstreamAddrs {
    /// Knows no address yet, unless the host is one. Call [`Self::refresh`] before serving.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let literal = host.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
        Self { host, port, addresses: ArcSwap::from_pointee(literal.into_iter().collect()), turn: AtomicUsize::new(0) }
    }

    /// An address to connect to, each in its turn; `None` while the name has never been resolved.
    pub fn pick(&self) -> Option<SocketAddr> {
        let addresses = self.addresses.load();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        addresses.get(turn.checked_rem(addresses.len())?).copied()
    }

    /// Asks the resolver once. Returns whether the addresses changed.
    ///
    /// # Errors
    ///
    /// The name does not resolve, to nothing, or not within [`RESOLVE_TIMEOUT`]. The addresses known so far stay.
    pub async fn refresh(&self) -> io::Result<bool> {
        if self.host.parse::<IpAddr>().is_ok() {
            return Ok(false);
        }
        let found = timeout(RESOLVE_TIMEOUT, lookup_host((self.host.as_str(), self.port))).await??;
        self.replace(found.take(ADDRESSES_MAX).collect())
    }

    /// Goes on refreshing until `shutdown` turns true or its sender is gone.
    pub async fn keep_fresh(self: Arc<Self>, every: Duration, mut shutdown: watch::Receiver<bool>) {
        loop {
            let pause = if self.addresses.load().is_empty() { every.min(RETRY_UNRESOLVED) } else { every };
            tokio::select! {
                () = sleep(pause) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            match self.refresh().await {
                Ok(true) => tracing::info!(host = %self.host, "the addresses of the application changed"),
                Ok(false) => {}
                Err(error) => tracing::warn!(host = %self.host, %error, "the application's name does not resolve"),
            }
        }
    }

    /// Order does not matter: resolvers rotate it.
    fn replace(&self, mut found: Vec<SocketAddr>) -> io::Result<bool> {
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name resolves to no address"));
        }
        found.sort_unstable();
        found.dedup();
        let changed = **self.addresses.load() != found;
        if changed {
            self.addresses.store(Arc::new(found));
        }
        Ok(changed)
    }
}

/// How long one question to the resolver may take.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// While there is no address at all, the next question comes sooner: the application may just be starting.
const RETRY_UNRESOLVED: Duration = Duration::from_secs(1);

/// Addresses kept.
const ADDRESSES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 80))
    }

    #[test]
    fn requests_go_round_the_addresses() {
        let upstream = UpstreamAddrs::new("app", 80);
        assert_eq!(upstream.pick(), None);
        assert!(upstream.replace(vec![address(2), address(1), address(2)]).unwrap());
        let picked: Vec<_> = (0..4).filter_map(|_| upstream.pick()).collect();
        assert_eq!(picked.iter().filter(|picked| **picked == address(1)).count(), 2);
        assert_eq!(picked.iter().filter(|picked| **picked == address(2)).count(), 2);
    }

    #[test]
    fn rotation_is_no_change_and_an_empty_answer_keeps_what_is_known() {
        let upstream = UpstreamAddrs::new("app", 80);
        upstream.replace(vec![address(1), address(2)]).unwrap();
        assert!(!upstream.replace(vec![address(2), address(1)]).unwrap());
        assert!(upstream.replace(vec![]).is_err());
        assert!(upstream.pick().is_some());
        assert!(upstream.replace(vec![address(3)]).unwrap());
        assert_eq!(upstream.pick(), Some(address(3)));
    }

    #[tokio::test]
    async fn an_address_needs_no_resolver_and_a_name_does() {
        let literal = UpstreamAddrs::new("[::1]", 8080);
        assert_eq!(literal.pick(), Some("[::1]:8080".parse().unwrap()));
        assert!(!literal.refresh().await.unwrap());
        let name = UpstreamAddrs::new("localhost", 81);
        assert!(name.refresh().await.unwrap());
        assert!(name.pick().is_some_and(|picked| picked.ip().is_loopback() && picked.port() == 81));
    }

    #[tokio::test]
    async fn keeping_fresh_resolves_and_ends_with_the_server() {
        let upstream = Arc::new(UpstreamAddrs::new("localhost", 82));
        let (stop, shutdown) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&upstream).keep_fresh(Duration::from_millis(1), shutdown));
        while upstream.pick().is_none() {
            tokio::task::yield_now().await;
        }
        stop.send(true).unwrap();
        task.await.unwrap();
    }
}
