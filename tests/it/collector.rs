//! A collector of spans: takes OTLP over HTTP, reads it with the messages of the OpenTelemetry project, and remembers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

use crate::proxy_harness::eventually;

/// What it answers, instead of taking everything.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// This status, and perhaps `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Takes all but so many.
    Partly(i64, &'static str),
    /// Nothing, ever.
    Silent,
}

/// A delivery as it came.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub request: ExportTraceServiceRequest,
}

#[derive(Default)]
struct Seen {
    moods: VecDeque<Mood>,
    deliveries: Vec<Arc<Delivery>>,
    taken: Vec<Span>,
}

pub(crate) struct Collector {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::in_mood([]).await
    }

    /// One that answers like this first, a delivery each, and takes everything afterwards.
    pub(crate) async fn in_mood(moods: impl IntoIterator<Item = Mood>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen { moods: moods.into_iter().collect(), ..Seen::default() }));
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let seen = kept.clone();
                tokio::spawn(async move {
                    let answer = service_fn(|request| take(request, seen.clone()));
                    let connection = hyper::server::conn::http1::Builder::new();
                    // A client that is gone is no event.
                    let _ = connection.serve_connection(TokioIo::new(socket), answer).await;
                });
            }
        });
        Self { address, seen }
    }

    /// `[trace]` for this collector.
    pub(crate) fn table(&self, more: &str) -> String {
        format!("\n[trace]\nendpoint = \"http://{}\"\ninterval = \"10ms\"\n{more}\n", self.address)
    }

    /// The spans taken so far, once there are so many.
    pub(crate) async fn spans(&self, count: usize) -> Vec<Span> {
        eventually(&format!("{count} spans"), || self.seen.lock().unwrap().taken.len() >= count).await;
        self.seen.lock().unwrap().taken.clone()
    }

    pub(crate) fn taken(&self) -> usize {
        self.seen.lock().unwrap().taken.len()
    }

    /// Every delivery so far, whatever was answered.
    pub(crate) fn deliveries(&self) -> Vec<Arc<Delivery>> {
        self.seen.lock().unwrap().deliveries.clone()
    }
}

async fn take(request: Request<Incoming>, seen: Arc<Mutex<Seen>>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let request = ExportTraceServiceRequest::decode(body.clone()).expect("a message of the protocol");
    let spans: Vec<Span> =
        request.resource_spans.iter().flat_map(|of| &of.scope_spans).flat_map(|of| of.spans.clone()).collect();
    let delivery = Delivery { path: head.uri.path().to_owned(), headers: head.headers, body, request };
    let mood = {
        let mut seen = seen.lock().unwrap();
        seen.deliveries.push(Arc::new(delivery));
        seen.moods.pop_front()
    };
    let mut answer = ExportTraceServiceResponse::default();
    match mood {
        Some(Mood::Silent) => return std::future::pending().await,
        Some(Mood::Status(status, later)) => {
            let response = Response::builder().status(status);
            let response = later.into_iter().fold(response, |response, later| response.header("retry-after", later));
            return Ok(response.body(Full::default()).unwrap());
        }
        Some(Mood::Partly(rejected_spans, why)) => {
            let error_message = why.to_owned();
            answer.partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
        }
        None => {}
    }
    seen.lock().unwrap().taken.extend(spans);
    let response = Response::builder().header("content-type", "application/x-protobuf");
    Ok(response.body(Full::from(answer.encode_to_vec())).unwrap())
}

/// Attributes as text, by name.
pub(crate) fn attributes(list: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    list.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
