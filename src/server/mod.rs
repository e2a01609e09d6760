//! The whole server in one place: listeners, tasks, and their orderly end.
//!
//! In: bound sockets and the configuration in force. Out: a [`Running`] server, in the binary as in a test or the demo.
//! Signals are not its business; [`load`] makes what is in force from a file or from text.

pub mod load;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::IntGauge;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::proxy::admin::{self, Admin, Health};
use crate::proxy::edge::Live;
use crate::proxy::listener::{DataListener, Phase, Traffic};
use crate::telemetry::Metrics;

/// The sockets of a server.
#[derive(Debug)]
pub struct Listeners {
    /// For traffic.
    pub data: TcpListener,
    /// For probes and metrics.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds both, at once and for good: a port that is taken is an error now and not a thread that tries again.
    ///
    /// # Errors
    ///
    /// [`BindError`], which names the address.
    pub async fn bind(data: SocketAddr, admin: SocketAddr) -> Result<Self, BindError> {
        Ok(Self { data: bind("server.listen", data).await?, admin: bind("server.admin_listen", admin).await? })
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { key, address, source })
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({key}): {source}")]
pub struct BindError {
    /// The key of the configuration.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

/// What only a restart can change.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Connections at the most, on the data side.
    pub max_connections: usize,
}

/// A server that is running.
#[derive(Debug)]
pub struct Running {
    /// Where traffic goes; the port is the one that was chosen.
    pub data_addr: SocketAddr,
    /// Where probes go.
    pub admin_addr: SocketAddr,
    stop: Stop,
    serving: JoinHandle<usize>,
    admin: JoinHandle<()>,
}

/// Starts serving, on the runtime this is called on.
///
/// # Errors
///
/// A socket that does not know its own address, or trust roots of the system that cannot be read: the proxy library
/// would panic over those.
pub fn start(
    current: Arc<ArcSwap<Live>>,
    listeners: Listeners,
    options: RunOptions,
    metrics: Arc<Metrics>,
) -> io::Result<Running> {
    check_trust_roots()?;
    current.load().scim.put_in_force();
    let (data_addr, admin_addr) = (listeners.data.local_addr()?, listeners.admin.local_addr()?);
    let (phase, watch_phase) = watch::channel(Phase::Running);
    let health = Arc::new(Health::default());
    let (limit, traffic) = (options.max_connections, Arc::new(Traffic::default()));
    let data = DataListener::new(listeners.data, limit, current.clone(), metrics.clone(), watch_phase, traffic.clone());
    let serving = tokio::spawn(data.run());
    health.listening.store(true, Ordering::Release);
    let draining = metrics.draining.clone();
    let stop = Stop { current, phase: Arc::new(phase), health: health.clone(), draining };
    let leaving = stop.clone();
    let drain = Box::new(move || leaving.drain());
    let admin = tokio::spawn(admin::serve(listeners.admin, Arc::new(Admin { health, metrics, traffic, drain })));
    tracing::info!(data = %data_addr, admin = %admin_addr, "listening");
    Ok(Running { data_addr, admin_addr, stop, serving, admin })
}

/// Tells a server to stop; may be cloned and told again.
#[derive(Clone)]
pub struct Stop {
    current: Arc<ArcSwap<Live>>,
    phase: Arc<watch::Sender<Phase>>,
    health: Arc<Health>,
    draining: IntGauge,
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stop").field(&*self.phase.borrow()).finish()
    }
}

impl Stop {
    /// Readiness goes at once and answers close their connection, but everybody is served until [`Self::begin`].
    pub fn drain(&self) {
        self.health.leaving.store(true, Ordering::Release);
        self.enter(Phase::Leaving);
    }

    /// Begins to stop: readiness goes at once, accepting goes on for `keep_accepting`, then work in flight has
    /// `drain_timeout`. Told again, or after [`Self::drain`], it goes straight to the next of these.
    pub fn begin(&self) {
        self.health.leaving.store(true, Ordering::Release);
        if let Some(tracer) = &self.current.load().tracer {
            tracer.hurry();
        }
        let next = match *self.phase.borrow() {
            Phase::Running => Phase::Leaving,
            Phase::Leaving => Phase::Draining,
            Phase::Draining | Phase::Cut => Phase::Cut,
        };
        self.enter(next);
        if next < Phase::Cut {
            // One that runs already comes to the same moments.
            tokio::spawn(self.clone().wind_down());
        }
    }

    /// Sends the spans that are left, in the time that is left.
    async fn send_last_spans(&self) {
        let tracer = self.current.load().tracer.clone();
        let Some(tracer) = tracer else { return };
        let mut watch = self.phase.subscribe();
        let time_over = async {
            // The other end of the channel is our own.
            let _ = watch.wait_for(|now| *now >= Phase::Cut).await;
            tokio::time::sleep(LAST_SPANS).await;
        };
        tokio::select! {
            () = tracer.flush() => {}
            () = time_over => {
                tracing::warn!(spans = tracer.left(), "spans could not be delivered in time");
            }
        }
    }

    async fn wind_down(self) {
        let bounds = self.current.load().bounds;
        self.enter_after(bounds.keep_accepting, Phase::Draining).await;
        self.enter_after(bounds.drain_timeout, Phase::Cut).await;
    }

    /// Waits for the time to pass or the phase to be reached some other way.
    async fn enter_after(&self, wait: Duration, phase: Phase) {
        let mut watch = self.phase.subscribe();
        let reached = watch.wait_for(|now| *now >= phase);
        // Not reached in time is the ordinary case.
        let _ = tokio::time::timeout(wait, reached).await;
        self.enter(phase);
    }

    fn enter(&self, phase: Phase) {
        let entered = self.phase.send_if_modified(|now| {
            let later = phase > *now;
            if later {
                *now = phase;
            }
            later
        });
        if entered {
            self.draining.set(1);
            tracing::info!(phase = ?phase, "stopping");
        }
    }
}

impl Running {
    /// A handle to stop it by.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// Begins to stop; see [`Stop::begin`].
    pub fn stop(&self) {
        self.stop.begin();
    }

    /// Waits for the end of the last connection, and says how many were cut off. Probes are answered until then.
    pub async fn wait(self) -> usize {
        let cut = self.serving.await.unwrap_or(0);
        self.stop.send_last_spans().await;
        self.admin.abort();
        cut
    }
}

/// How long the last spans may take after work that took all the time there was.
const LAST_SPANS: Duration = Duration::from_secs(1);

/// Whether the file of trust roots that the environment names can be read.
fn check_trust_roots() -> io::Result<()> {
    let Some(path) = std::env::var_os("SSL_CERT_FILE") else { return Ok(()) };
    match std::fs::metadata(&path) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(io::Error::new(error.kind(), format!("SSL_CERT_FILE names a file that is not there: {error}")))
        }
    }
}
