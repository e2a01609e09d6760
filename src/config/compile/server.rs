//! `[server]`, `[limits]` and `[metrics]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::snapshot::{Cidr, Limits, MetricsRule, Server};
use crate::config::tree::Node;

use super::context::Context;

/// The server, still without its pass-through, whose node comes beside it.
pub(super) fn server<'n>(cx: &mut Context, node: Option<&'n Node>) -> (Server, Option<&'n Node>) {
    let mut server = default_server();
    let Some(fields) = node.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::SERVER)) else {
        return (server, None);
    };
    set(&mut server.listen, fields.get("listen").and_then(|node| address(cx, node)));
    set(&mut server.admin_listen, fields.get("admin_listen").and_then(|node| address(cx, node)));
    set(&mut server.threads, fields.get("threads").and_then(|node| count(cx, node, 1, 256)));
    set(&mut server.max_connections, fields.get("max_connections").and_then(|node| count(cx, node, 1, 1_000_000)));
    let proxies = fields.get("trusted_proxies").and_then(|node| cx.report.list(node)).unwrap_or(&[]);
    server.trusted_proxies = proxies.iter().filter_map(|node| cidr(cx, node)).collect();
    let grace = Duration::ZERO..=Duration::from_secs(3600);
    let keep = fields.get("keep_accepting").and_then(|node| cx.report.duration(node, grace.clone()));
    set(&mut server.keep_accepting, keep);
    set(&mut server.drain_timeout, fields.get("drain_timeout").and_then(|node| cx.report.duration(node, grace)));
    if let Some(node) = fields.get("group_patch_status") {
        match cx.report.integer(node, 0..=u64::MAX) {
            Some(status @ (200 | 204)) => server.group_patch_status = if status == 200 { 200 } else { 204 },
            Some(_) => cx.report.error("E004", &node.place, "must be 200 or 204"),
            None => {}
        }
    }
    if server.listen == server.admin_listen && server.listen.port() != 0 {
        let place = fields.get("admin_listen").map_or(fields.place, |node| &node.place);
        cx.report.error("E004", place, "`listen` and `admin_listen` must differ");
    }
    (server, fields.get("passthrough"))
}

/// The backend that gets everything that is not SCIM; without the key it is the only one there is.
pub(super) fn passthrough(cx: &mut Context, node: Option<&Node>, backends: &[String]) -> Option<usize> {
    let Some(node) = node else { return (backends.len() == 1).then_some(0) };
    let name = cx.report.word(node)?;
    if name == "none" {
        return None;
    }
    let found = backends.iter().position(|backend| backend == name);
    if found.is_none() {
        let names = backends.iter().map(String::as_str).chain(["none"]);
        cx.report.unknown("E007", &node.place, format!("there is no backend `{name}`"), name, names);
    }
    found
}

fn default_server() -> Server {
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    Server {
        listen: local(8080),
        admin_listen: local(9090),
        threads: 2,
        max_connections: 10_000,
        passthrough: None,
        trusted_proxies: Vec::new(),
        keep_accepting: Duration::from_secs(5),
        drain_timeout: Duration::from_secs(30),
        group_patch_status: 204,
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn address(cx: &mut Context, node: &Node) -> Option<SocketAddr> {
    let text = cx.report.text(node)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let help = "write address and port, such as \"127.0.0.1:8080\"".to_owned();
        cx.report.error_help("E004", &node.place, format!("`{text}` is not an address"), help);
    }
    parsed
}

fn cidr(cx: &mut Context, node: &Node) -> Option<Cidr> {
    let text = cx.report.text(node)?;
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let parsed = address.parse::<IpAddr>().ok().and_then(|addr| {
        let longest = if addr.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok()).filter(|prefix| *prefix <= longest)?;
        Some(Cidr { addr, prefix })
    });
    if parsed.is_none() {
        let help = "write an address or a range, such as \"10.0.0.0/8\"".to_owned();
        cx.report.error_help("E004", &node.place, format!("`{text}` is not an address range"), help);
    }
    parsed
}

fn count(cx: &mut Context, node: &Node, min: u64, max: u64) -> Option<usize> {
    cx.report.integer(node, min..=max).and_then(|number| usize::try_from(number).ok())
}

pub(super) fn metrics(cx: &mut Context, node: Option<&Node>) -> MetricsRule {
    let mut metrics = MetricsRule { tenants: 100 };
    if let Some(fields) = node.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::METRICS)) {
        set(&mut metrics.tenants, fields.get("tenants").and_then(|node| count(cx, node, 0, 10_000)));
    }
    metrics
}

pub(super) fn limits(cx: &mut Context, node: Option<&Node>) -> Limits {
    let mut limits = default_limits();
    let Some(fields) = node.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::LIMITS)) else {
        return limits;
    };
    let sizes: [(&str, &mut usize, u64, u64); 3] = [
        ("header_max_bytes", &mut limits.header_max_bytes, KIB, MIB),
        ("body_max_bytes", &mut limits.body_max_bytes, KIB, 256 * MIB),
        ("reply_max_bytes", &mut limits.reply_max_bytes, KIB, 256 * MIB),
    ];
    for (name, field, min, max) in sizes {
        let size = fields.get(name).and_then(|node| cx.report.size(node, min..=max));
        set(field, size.and_then(|size| usize::try_from(size).ok()));
    }
    let counts: [(&str, &mut usize, u64); 8] = [
        ("json_max_depth", &mut limits.json_max_depth, 100),
        ("filter_max_depth", &mut limits.filter_max_depth, 50),
        ("filter_max_terms", &mut limits.filter_max_terms, 1_000),
        ("patch_max_operations", &mut limits.patch_max_operations, 100_000),
        ("members_max", &mut limits.members_max, 1_000_000),
        ("page_max", &mut limits.page_max, 10_000),
        ("calls_max", &mut limits.calls_max, 1_000_000),
        ("bulk_max_operations", &mut limits.bulk_max_operations, 10_000),
    ];
    for (name, field, max) in counts {
        set(field, fields.get(name).and_then(|node| count(cx, node, 1, max)));
    }
    let times: [(&str, &mut Duration); 6] = [
        ("header_timeout", &mut limits.header_timeout),
        ("body_timeout", &mut limits.body_timeout),
        ("keepalive_timeout", &mut limits.keepalive_timeout),
        ("request_timeout", &mut limits.request_timeout),
        ("upstream_connect_timeout", &mut limits.upstream_connect_timeout),
        ("upstream_read_timeout", &mut limits.upstream_read_timeout),
    ];
    for (name, field) in times {
        let range = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);
        set(field, fields.get(name).and_then(|node| cx.report.duration(node, range)));
    }
    limits
}

/// What holds where `[limits]` is silent; the annotated `config.toml` says the same.
fn default_limits() -> Limits {
    Limits {
        header_max_bytes: 32 * 1024,
        header_timeout: Duration::from_secs(10),
        body_max_bytes: 1024 * 1024,
        body_timeout: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(60),
        json_max_depth: 32,
        filter_max_depth: 16,
        filter_max_terms: 64,
        patch_max_operations: 1_000,
        members_max: 10_000,
        page_max: 100,
        calls_max: 1_000,
        request_timeout: Duration::from_secs(30),
        reply_max_bytes: 8 * 1024 * 1024,
        bulk_max_operations: 100,
        upstream_connect_timeout: Duration::from_secs(5),
        upstream_read_timeout: Duration::from_secs(60),
    }
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
