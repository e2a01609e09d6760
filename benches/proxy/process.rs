//! A server under measurement, as the kernel sees it.
//!
//! In: a command. Out: its CPU time and its peak memory from `/proc`. It is stopped by its process id, and at the
//! latest when the value goes away.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::Outcome;

pub(crate) struct Process {
    name: &'static str,
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts a server and waits until it accepts connections.
    pub(crate) async fn start(
        name: &'static str,
        command: &mut Command,
        address: SocketAddr,
        patience: Duration,
    ) -> Outcome<Self> {
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(|err| format!("{name}: {err}"))?;
        let mut process = Self { name, child, address };
        let deadline = Instant::now() + patience;
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = process.child.try_wait()? {
                return Err(format!("{name} ended before it listened: {status}").into());
            }
            if Instant::now() > deadline {
                return Err(format!("{name} does not listen after {patience:?}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(process)
    }

    /// User and system time so far of all threads, in nanoseconds. Of a thread that runs right now, what it ran since
    /// it was last scheduled may be missing, so this is asked when nothing is under way.
    pub(crate) fn cpu_ns(&self) -> Outcome<u64> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split_whitespace().next().ok_or("odd schedstat")?.parse::<u64>()?;
        }
        Ok(sum)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory it ever had resident, in KiB.
    pub(crate) fn peak_kib(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc status")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// Asks it to end with the given signal and waits.
    pub(crate) async fn stop(mut self, signal: &str) -> Outcome<ExitStatus> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-s", signal, &pid]).status()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not end on SIG{signal}", self.name).into());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that was free a moment ago.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
