//! A load generator: some connections, each sending the next request when it has the answer to the last.
//!
//! In: an address and ready-made request bytes. Out: how long every answer took. HTTP/1.1 with keep-alive over plain
//! sockets; it understands `Content-Length` and chunked bodies and nothing more, because an HTTP client's own cost
//! would be part of every number. An answer outside 2xx ends the run: errors are cheap and would look fast.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Outcome;

/// No answer may take longer, and no batch of [`drive`] may.
const ANSWER_TIME: Duration = Duration::from_secs(30);
const BATCH_TIME: Duration = Duration::from_secs(120);

/// The largest answer that is read.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// What a batch of requests took.
pub(crate) struct Batch {
    pub(crate) elapsed: Duration,
    /// Sorted, one for every request.
    pub(crate) latencies: Vec<Duration>,
}

/// Sends `count` requests over `connections` connections. `make` gets the number of the request, from 0.
pub(crate) async fn drive(
    address: SocketAddr,
    connections: usize,
    count: usize,
    make: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> Outcome<Batch> {
    let make = Arc::new(make);
    let next = Arc::new(AtomicUsize::new(0));
    // Connected before the clock starts: the question is the cost of a request, not of a connection.
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(Connection::open(address).await?);
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in opened {
        let (make, next) = (Arc::clone(&make), Arc::clone(&next));
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Outcome::Ok(latencies);
                }
                let request = make(number);
                let sent = Instant::now();
                connection.exchange(&request).await?;
                latencies.push(sent.elapsed());
            }
        });
    }
    let mut latencies = Vec::with_capacity(count);
    let finish = async {
        while let Some(task) = tasks.join_next().await {
            latencies.extend(task??);
        }
        Outcome::Ok(())
    };
    timeout(BATCH_TIME, finish)
        .await
        .map_err(|_| format!("{count} requests to {address} took over {BATCH_TIME:?}"))??;
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok(Batch { elapsed, latencies })
}

/// One request outside any measurement; gives the body of the answer.
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> Outcome<Vec<u8>> {
    Connection::open(address).await?.exchange(request).await
}

/// A request as bytes.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: bench\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    /// Received and not yet used.
    received: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, received: Vec::with_capacity(8192) })
    }

    async fn exchange(&mut self, request: &[u8]) -> Outcome<Vec<u8>> {
        timeout(ANSWER_TIME, self.exchange_untimed(request))
            .await
            .map_err(|_| format!("no answer from {} within {ANSWER_TIME:?}", self.address))?
    }

    async fn exchange_untimed(&mut self, request: &[u8]) -> Outcome<Vec<u8>> {
        self.stream.write_all(request).await?;
        let head_end = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            self.receive().await?;
        };
        let head = Head::parse(std::str::from_utf8(&self.received[..head_end])?)?;
        self.received.drain(..head_end);
        let body = match head.framing {
            Framing::Length(length) => self.take(length).await?,
            Framing::Chunked => self.take_chunks().await?,
        };
        if !(200..300).contains(&head.status) {
            let line = String::from_utf8_lossy(request);
            let line = line.lines().next().unwrap_or_default().to_owned();
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(format!("{line}: status {}: {body}", head.status).into());
        }
        if head.closes {
            *self = Self::open(self.address).await?;
        }
        Ok(body)
    }

    async fn receive(&mut self) -> Outcome<()> {
        if self.received.len() > ANSWER_MAX_BYTES {
            return Err(format!("an answer from {} is too large", self.address).into());
        }
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err(format!("{} closed the connection within an answer", self.address).into());
        }
        Ok(())
    }

    async fn take(&mut self, length: usize) -> Outcome<Vec<u8>> {
        while self.received.len() < length {
            self.receive().await?;
        }
        Ok(self.received.drain(..length).collect())
    }

    async fn take_chunks(&mut self) -> Outcome<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_end = loop {
                if let Some(at) = find(&self.received, b"\r\n") {
                    break at + 2;
                }
                self.receive().await?;
            };
            let line = self.take(line_end).await?;
            let size = usize::from_str_radix(std::str::from_utf8(&line)?.trim(), 16)?;
            body.extend(self.take(size).await?);
            self.take(2).await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

struct Head {
    status: u16,
    framing: Framing,
    closes: bool,
}

enum Framing {
    Length(usize),
    Chunked,
}

impl Head {
    fn parse(text: &str) -> Outcome<Self> {
        let mut lines = text.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or("an answer without a status line")?;
        let mut head = Self { status, framing: Framing::Length(0), closes: false };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                head.framing = Framing::Length(value.parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.framing = Framing::Chunked;
            } else if name.eq_ignore_ascii_case("connection") {
                head.closes = value.eq_ignore_ascii_case("close");
            }
        }
        Ok(head)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
