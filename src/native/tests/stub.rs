//! A scripted HTTP/1.1 server on a free port: it notes what it is sent and does with it what the test says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What to do with one request.
pub(super) enum Act {
    /// Answer with this status, these further header lines, this body.
    Answer(u16, &'static str, &'static str),
    /// Write this text as it is, and close.
    Raw(String),
    /// Write this text and then nothing more, with the connection open.
    Stall(&'static str),
    /// Close without a word.
    Close,
    /// Hold the connection and say nothing.
    Hang,
}

/// Stops with its last owner.
pub(super) struct Stub {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Stub {
    /// Starts; `script` is asked with the number of the request, from 0, when its head and body have been read.
    pub(super) async fn start<F>(script: impl Fn(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Act> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (noted, script) = (Arc::clone(&requests), Arc::new(script));
        let connections: Arc<AtomicUsize> = Arc::default();
        let accepted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&noted), Arc::clone(&script)));
            }
        });
        Self { address, requests, connections, accepting }
    }

    /// One act per request; the last one for all that follow.
    pub(super) async fn acting(acts: Vec<fn() -> Act>) -> Self {
        Self::start(move |number| {
            let act = acts.get(number).or(acts.last()).unwrap()();
            async move { act }
        })
        .await
    }

    /// The requests so far, as text: head, empty line, body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Connections accepted so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve<F: Future<Output = Act>>(
    mut stream: TcpStream,
    requests: Arc<Mutex<Vec<String>>>,
    script: Arc<impl Fn(usize) -> F>,
) {
    let mut pending = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut pending).await {
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(request);
            requests.len() - 1
        };
        match script(number).await {
            Act::Answer(status, headers, body) => {
                let length = body.len();
                let answer = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            Act::Raw(text) => {
                // The client may hang up before it has read everything.
                let _ = stream.write_all(text.as_bytes()).await;
                return;
            }
            Act::Stall(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                std::future::pending::<()>().await;
            }
            Act::Close => return,
            Act::Hang => std::future::pending::<()>().await,
        }
    }
}

/// The next request with its `Content-Length` body; `None` when the client has closed.
async fn read_request(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = names_in_lower_case(&String::from_utf8_lossy(pending));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
            if body.len() >= length {
                let end = head.len() + 4 + length;
                pending.drain(..end);
                return Some(text[..end].to_owned());
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => pending.extend_from_slice(&chunk[..read]),
        }
    }
}

/// How a name is written is up to whoever sends it.
fn names_in_lower_case(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").map_or((request, None), |(head, body)| (head, Some(body)));
    let lines = head.split("\r\n").map(|line| match line.split_once(": ") {
        Some((name, value)) if !name.contains(' ') => format!("{}: {value}", name.to_lowercase()),
        _ => line.to_owned(),
    });
    let head = lines.collect::<Vec<_>>().join("\r\n");
    body.map_or(head.clone(), |body| format!("{head}\r\n\r\n{body}"))
}
