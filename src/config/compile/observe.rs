//! `[log]` and `[trace]`: what the adapter says about itself.

use std::sync::Arc;
use std::time::Duration;

use crate::config::catalogue;
use crate::config::levels::Levels;
use crate::config::read::Fields;
use crate::config::snapshot::{BackendTls, BaseUrl, LogFormat, LogRule, TraceRule};
use crate::config::tree::{Data, Node};

use super::backend::{parse_url, tls};
use super::calls::is_header_name;
use super::context::Context;

pub(super) fn log(cx: &mut Context, node: Option<&Node>) -> LogRule {
    let mut rule = LogRule::default();
    let Some(fields) = node.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::LOG)) else { return rule };
    if let Some(node) = fields.get("level")
        && let Some(text) = cx.report.text(node)
    {
        match Levels::parse(text) {
            Ok(levels) => rule.levels = levels,
            Err(error) => {
                let place = if error.span.is_empty() { node.place.clone() } else { cx.report.part(node, error.span) };
                cx.report.error_help("E175", &place, error.message, error.help);
            }
        }
    }
    let formats = [("auto", LogFormat::Auto), ("json", LogFormat::Json), ("text", LogFormat::Text)];
    rule.format = fields.get("format").and_then(|node| cx.report.choice(node, &formats)).unwrap_or_default();
    rule
}

pub(super) fn trace(cx: &mut Context, node: Option<&Node>) -> Option<TraceRule> {
    let fields = Fields::of(&mut cx.report, node?, &catalogue::TRACE)?;
    let why = "where is the collector? such as \"http://127.0.0.1:4318\"";
    let endpoint = fields.require(&mut cx.report, "endpoint", why).and_then(|node| endpoint(cx, node));
    let secure = endpoint.as_ref().is_none_or(|endpoint| endpoint.tls);
    let times = |cx: &mut Context, name: &str, least: u64| {
        let range = Duration::from_millis(least)..=Duration::from_secs(300);
        fields.get(name).and_then(|node| cx.report.duration(node, range))
    };
    let (timeout, interval) = (times(cx, "timeout", 10), times(cx, "interval", 10));
    let count = |cx: &mut Context, name: &str, most: u64| {
        let number = fields.get(name).and_then(|node| cx.report.integer(node, 1..=most));
        number.and_then(|number| usize::try_from(number).ok())
    };
    let (batch, queue) = (count(cx, "batch_max", 10_000), count(cx, "queue_max", 1_000_000));
    let (batch_max, queue_max) = (batch.unwrap_or(BATCH_MAX), queue.unwrap_or(QUEUE_MAX));
    if batch_max > queue_max {
        let place = fields.get("queue_max").map_or(fields.place, |node| &node.place);
        let message = format!("a delivery of {batch_max} spans would never be full: {queue_max} may wait");
        cx.report.error_help("E004", place, message, "raise `queue_max`, or lower `batch_max`".to_owned());
    }
    let service = fields.get("service").and_then(|node| cx.report.word(node)).unwrap_or("scimshim").to_owned();
    let rule = TraceRule {
        endpoint: BaseUrl { tls: false, host: String::new(), port: 0, path: String::new() },
        headers: fields.get("headers").map_or(Vec::new(), |node| headers(cx, node)),
        tls: fields.entry("tls").map_or_else(BackendTls::default, |entry| tls(cx, entry, secure)),
        sample: fields.get("sample").and_then(|node| share(cx, node)).unwrap_or(1.0),
        service,
        resource: fields.get("resource").map_or(Vec::new(), |node| resource(cx, node)),
        timeout: timeout.unwrap_or(Duration::from_secs(10)),
        interval: interval.unwrap_or(Duration::from_secs(5)),
        batch_max,
        queue_max,
    };
    Some(TraceRule { endpoint: endpoint?, ..rule })
}

fn endpoint(cx: &mut Context, node: &Node) -> Option<BaseUrl> {
    let text = cx.report.word(node)?;
    let Some(mut url) = parse_url(text) else {
        let help = "such as \"http://127.0.0.1:4318\"; credentials go into `headers`".to_owned();
        cx.report.error_help("E004", &node.place, "not the URL of a collector", help);
        return None;
    };
    if let Some(path) = url.path.strip_suffix("/v1/traces") {
        url.path = path.to_owned();
    }
    if url.port == GRPC_PORT {
        let help = "4318 is the port for HTTP; if this one takes it too, accept the warning in `[lint]`".to_owned();
        cx.report.warn("W175", &node.place, "at port 4317 collectors speak gRPC, and this is sent over HTTP", help);
    }
    Some(url)
}

fn headers(cx: &mut Context, node: &Node) -> Vec<(Arc<str>, usize)> {
    let mut found = Vec::new();
    for entry in cx.report.table(node).map_or(&[][..], |table| &table.entries) {
        let own = ["content-type", "host"].iter().any(|own| own.eq_ignore_ascii_case(&entry.name));
        if own || !is_header_name(&entry.name) {
            cx.report.error("E004", &entry.key, format!("`{}` cannot be a header of a delivery", entry.name));
        } else if let Some(secret) = cx.secret(&entry.value) {
            found.push((Arc::from(entry.name.as_str()), secret));
        }
    }
    found
}

fn resource(cx: &mut Context, node: &Node) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in cx.report.table(node).map_or(&[][..], |table| &table.entries) {
        if entry.name == "service.name" {
            cx.report.error("E004", &entry.key, "the name of the service is the key `service`");
        } else if let Some(text) = cx.report.text(&entry.value) {
            found.push((entry.name.clone(), text.to_owned()));
        }
    }
    found
}

/// A number from 0 to 1.
fn share(cx: &mut Context, node: &Node) -> Option<f64> {
    let number = match node.data {
        Data::Float(number) => Some(number),
        Data::Int(0) => Some(0.0),
        Data::Int(1) => Some(1.0),
        Data::Int(_) => Some(f64::NAN),
        _ => None,
    };
    match number {
        Some(number) if (0.0..=1.0).contains(&number) => Some(number),
        Some(_) => {
            cx.report.error("E004", &node.place, "must be between 0 and 1");
            None
        }
        None => {
            cx.report.wrong_type(node, "a number from 0 to 1");
            None
        }
    }
}

/// Where collectors take gRPC.
const GRPC_PORT: u16 = 4317;
const BATCH_MAX: usize = 512;
const QUEUE_MAX: usize = 4096;
