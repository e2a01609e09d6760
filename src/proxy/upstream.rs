//! The application behind us, as far as requests that pass through are concerned.
//!
//! In: its base URL and timeouts. Out: a prepared peer for each request. Names are resolved at load and again every
//! [`RESOLVE_EVERY`], never while a request waits: the proxy library would do it blocking, and panic where it fails.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::upstreams::peer::HttpPeer;

use super::trust::UpstreamTls;

/// How often names are resolved again.
pub const RESOLVE_EVERY: Duration = Duration::from_secs(10);

/// Where an application is, and how long it may take.
#[derive(Clone, Debug)]
pub struct UpstreamTarget {
    /// Name of the backend.
    pub name: Arc<str>,
    /// TLS, and how it is verified; `None` is plain HTTP.
    pub tls: Option<UpstreamTls>,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Time to open a connection, TLS included.
    pub connect_timeout: Duration,
    /// Time between two reads, and that a write may stall.
    pub read_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// Keeps connections of different configurations apart.
    pub generation: u64,
}

/// An application with its addresses.
#[derive(Debug)]
pub struct Upstream {
    target: UpstreamTarget,
    peers: ArcSwap<Vec<HttpPeer>>,
    next: AtomicUsize,
}

impl Upstream {
    /// Resolves the target once, waiting at most its connect timeout, and keeps it resolved while it is in use. A name
    /// that cannot be resolved yet is no error: the application may start after us, and requests are answered 502
    /// until then.
    pub async fn start(target: UpstreamTarget) -> Arc<Self> {
        let upstream = Arc::new(Self { target, peers: ArcSwap::default(), next: AtomicUsize::new(0) });
        upstream.resolve().await;
        if upstream.target.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err() {
            tokio::spawn(keep_resolved(Arc::downgrade(&upstream)));
        }
        upstream
    }

    /// Where it is.
    pub fn target(&self) -> &UpstreamTarget {
        &self.target
    }

    /// The peer for a request, or none while no address is known. A tunnel may be silent for [`TUNNEL_IDLE`].
    pub fn peer(&self, tunnel: Tunnel) -> Option<Box<HttpPeer>> {
        let peers = self.peers.load();
        let index = self.next.load(Ordering::Relaxed).checked_rem(peers.len())?;
        let mut peer = Box::new(peers.get(index)?.clone());
        if tunnel == Tunnel::Yes {
            peer.options.read_timeout = Some(TUNNEL_IDLE.max(self.target.read_timeout));
        }
        Some(peer)
    }

    /// The address in use could not be reached: the next request tries another.
    pub fn rotate(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
    }

    async fn resolve(&self) {
        let host = self.target.host.trim_matches(['[', ']']);
        let lookup = tokio::net::lookup_host((host, self.target.port));
        let addresses: Vec<SocketAddr> = match tokio::time::timeout(self.target.connect_timeout, lookup).await {
            Ok(Ok(addresses)) => addresses.collect(),
            _ => Vec::new(),
        };
        let known = self.peers.load();
        if addresses.is_empty() {
            // An answer that worked before beats none.
            let (backend, known) = (&*self.target.name, known.len());
            tracing::warn!(target: "scimshim::passthrough", backend, known, "host name could not be resolved");
        } else if !addresses.iter().eq(known.iter().filter_map(|peer| peer._address.as_inet())) {
            self.peers.store(Arc::new(addresses.into_iter().map(|address| self.prepare(address)).collect()));
        }
    }

    fn prepare(&self, address: SocketAddr) -> HttpPeer {
        let target = &self.target;
        let host = target.host.trim_matches(['[', ']']);
        let mut peer = match &target.tls {
            Some(tls) => tls.peer(address, host),
            None => HttpPeer::new(address, false, host.to_owned()),
        };
        peer.group_key = target.generation;
        peer.options.connection_timeout = Some(target.connect_timeout);
        peer.options.total_connection_timeout = Some(target.connect_timeout);
        peer.options.read_timeout = Some(target.read_timeout);
        peer.options.write_timeout = Some(target.read_timeout);
        peer.options.idle_timeout = Some(target.idle_timeout);
        peer
    }
}

/// Whether a request asks for another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// A WebSocket, for instance.
    Yes,
    /// Ordinary HTTP.
    No,
}

async fn keep_resolved(upstream: Weak<Upstream>) {
    loop {
        tokio::time::sleep(RESOLVE_EVERY).await;
        // Nobody is using it any more: its configuration was replaced.
        let Some(upstream) = upstream.upgrade() else { return };
        upstream.resolve().await;
    }
}

/// Silence that a tunnel is allowed: long, because it is up to the two ends to send pings, but not for ever.
pub const TUNNEL_IDLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str) -> UpstreamTarget {
        UpstreamTarget {
            name: "app".into(),
            tls: None,
            host: host.to_owned(),
            port: 8080,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            generation: 7,
        }
    }

    #[tokio::test]
    async fn every_timeout_is_set() {
        let upstream = Upstream::start(target("[::1]")).await;
        let peer = upstream.peer(Tunnel::No).unwrap();
        assert_eq!(peer._address.as_inet().unwrap().to_string(), "[::1]:8080");
        assert_eq!(peer.group_key, 7);
        let options = &peer.options;
        assert_eq!(options.connection_timeout, Some(Duration::from_secs(5)));
        assert_eq!(options.total_connection_timeout, Some(Duration::from_secs(5)));
        assert_eq!(options.read_timeout, Some(Duration::from_secs(30)));
        assert_eq!(options.write_timeout, Some(Duration::from_secs(30)));
        assert_eq!(options.idle_timeout, Some(Duration::from_secs(60)));
        assert_eq!(upstream.peer(Tunnel::Yes).unwrap().options.read_timeout, Some(TUNNEL_IDLE));
    }

    #[tokio::test]
    async fn a_name_that_is_not_known_yet_is_no_panic() {
        let upstream = Upstream::start(target("no-such-host.invalid")).await;
        assert!(upstream.peer(Tunnel::No).is_none());
    }
}
