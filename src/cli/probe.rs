//! `scimshim healthcheck` and `scimshim drain`: the admin listener, asked from inside the same pod or host.
//!
//! In: where the admin listener is. Out: an exit code. The image holds no shell and no other client; these are what
//! probes and `preStop` hooks run there. What a drain means is the server's business, [`crate::server::Stop::drain`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{ConfigArgs, Failure, read};
use crate::config::units;
use crate::server::load::compile_file;

#[derive(Args, Debug)]
pub(super) struct AdminArgs {
    /// Where the admin listener is [default: what the configuration says]
    #[arg(long, env = "SCIMSHIM_ADMIN")]
    admin: Option<SocketAddr>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Args, Debug)]
pub(super) struct HealthcheckArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// What is asked.
    #[arg(long, value_enum, default_value_t = Probe::Ready)]
    probe: Probe,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Probe {
    /// Whether it should get traffic.
    Ready,
    /// Whether the process answers at all.
    Live,
    /// Whether it has begun to listen.
    Startup,
}

#[derive(Args, Debug)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// How long to wait at the most.
    #[arg(long, default_value = "20s", value_parser = duration)]
    wait: Duration,
    /// How long nothing may have been asked for it to count as drained.
    #[arg(long, default_value = "5s", value_parser = duration)]
    quiet: Duration,
}

/// What the server says about its traffic.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Traffic {
    under_way: usize,
    begun: u64,
}

/// Fails unless the probe is answered 200.
pub(super) fn healthcheck(args: &HealthcheckArgs) -> Result<(), Failure> {
    let admin = args.admin.address()?;
    let path = match args.probe {
        Probe::Ready => "/readyz?verbose",
        Probe::Live => "/livez",
        Probe::Startup => "/startupz?verbose",
    };
    let (status, body) = runtime()?.block_on(ask(admin, Method::GET, path, ""))?;
    if status == StatusCode::OK {
        return Ok(());
    }
    Err(format!("{status}: {}", String::from_utf8_lossy(&body).trim_end().replace('\n', ", ")).into())
}

/// Begins the drain, and waits until the sidecar was quiet for long enough, or the time is over.
pub(super) fn drain(args: &DrainArgs) -> Result<(), Failure> {
    let admin = args.admin.address()?;
    runtime()?.block_on(async {
        let began = Instant::now();
        let mut last = traffic(admin).await?;
        let mut busy_at = began;
        loop {
            let now = Instant::now();
            if last.under_way == 0 && now - busy_at >= args.quiet {
                return Ok(());
            }
            if now - began >= args.wait {
                return given_up(last, args.wait);
            }
            sleep(POLL.min(args.wait.saturating_sub(now - began))).await;
            // It was there before: a sidecar that has ended in the meantime has nothing under way.
            let Ok(seen) = traffic(admin).await else { return Ok(()) };
            if seen.under_way > 0 || seen.begun != last.begun {
                busy_at = Instant::now();
            }
            last = seen;
        }
    })
}

/// Requests that keep coming are not waited for; the ones that were begun are.
fn given_up(last: Traffic, wait: Duration) -> Result<(), Failure> {
    match last.under_way {
        0 => Ok(()),
        open => Err(format!("{open} requests are still under way after {} s", wait.as_secs_f64()).into()),
    }
}

async fn traffic(admin: SocketAddr) -> Result<Traffic, Failure> {
    let (status, body) = ask(admin, Method::POST, "/drain", "").await?;
    if status != StatusCode::OK {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body).trim_end()).into());
    }
    Ok(serde_json::from_slice(&body)?)
}

pub(super) async fn ask(
    admin: SocketAddr,
    method: Method,
    path: &str,
    body: &str,
) -> Result<(StatusCode, Bytes), Failure> {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    let answer = async {
        let socket = TcpStream::connect(admin).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header(header::HOST, admin.to_string());
        let response = sender.send_request(request.body(body)?).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES).collect().await?.to_bytes();
        connection.abort();
        Ok::<_, Failure>((status, body))
    };
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| format!("the admin listener at {admin}: {error}").into()),
        Err(_) => Err(format!("the admin listener at {admin} did not answer in {} s", PATIENCE.as_secs()).into()),
    }
}

impl AdminArgs {
    pub(super) fn address(&self) -> Result<SocketAddr, Failure> {
        let listening = match self.admin {
            Some(given) => given,
            None => compile_file(&self.config.config, read(&self.config.config)?)?.server.admin_listen,
        };
        Ok(reachable(listening))
    }
}

/// Where one that listens on all addresses is reached from the same host.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "a duration is written 500ms, 5s, 2m or 1h".to_owned())
}

const POLL: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        let check = |listening: &str, asked: &str| {
            assert_eq!(reachable(listening.parse().unwrap()), asked.parse().unwrap(), "{listening}");
        };
        check("0.0.0.0:9090", "127.0.0.1:9090");
        check("[::]:9090", "[::1]:9090");
        check("127.0.0.1:9090", "127.0.0.1:9090");
        check("10.1.2.3:9090", "10.1.2.3:9090");
    }

    #[test]
    fn only_what_was_begun_is_waited_for() {
        let seen = |under_way| Traffic { under_way, begun: 7 };
        assert!(given_up(seen(0), Duration::from_secs(20)).is_ok());
        let said = given_up(seen(2), Duration::from_secs(20)).unwrap_err().to_string();
        assert_eq!(said, "2 requests are still under way after 20 s");
    }
}
