//! Metrics as a scraper reads them.
//!
//! In: the release binary, `docs/metrics.md`. Out: what `promtool` says about the scrape of a demo after its cycles, and
//! that it holds every metric of the page, and none besides.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Bench, read};
use crate::workspace::cannot_start;

/// `promtool` accepts the metrics, and all of them are there.
pub(super) fn metrics(bench: &Bench<'_>) -> Result<String, String> {
    bench.tools.system(&[("promtool", "prometheus")])?;
    let demo = Demo::start(bench)?;
    let scrape = demo.scrape()?;
    lint(bench, &scrape)?;
    // A linter that accepts everything would accept this.
    if lint(bench, "# TYPE requests_ms counter\nrequests_ms 1\n").is_ok() {
        return Err("promtool accepts a counter without HELP and without `_total`".into());
    }
    let page = read(&bench.source("docs/metrics.md"))?;
    let (documented, shown) = (documented(&page), shown(&scrape));
    let list = |names: &mut dyn Iterator<Item = &&str>| names.copied().collect::<Vec<_>>().join(", ");
    let missing = list(&mut documented.difference(&shown));
    let unknown = list(&mut shown.difference(&documented));
    if !missing.is_empty() || !unknown.is_empty() {
        return Err(format!("not in the scrape of a demo: [{missing}]; not in docs/metrics.md: [{unknown}]"));
    }
    let samples = scrape.lines().filter(|line| !line.starts_with('#')).count();
    Ok(format!("{} metrics in {samples} samples, promtool has nothing to say", shown.len()))
}

/// A demo that has run its cycles and goes on serving, until dropped.
pub(super) struct Demo {
    child: Child,
    /// Host and port of its metrics.
    pub(super) admin: String,
}

impl Demo {
    pub(super) fn start(bench: &Bench<'_>) -> Result<Self, String> {
        let mut command = bench.workspace.command(bench.program()?);
        command.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().map_err(|err| cannot_start(&command, &err))?;
        let mut demo = Self { child, admin: String::new() };
        let said = demo.child.stdout.take().ok_or("the demo has no output")?;
        for line in BufReader::new(said).lines() {
            let line = line.map_err(|err| format!("the demo cannot be read: {err}"))?;
            if let Some(rest) = line.strip_prefix("metrics      http://") {
                rest.trim_end_matches("/metrics").clone_into(&mut demo.admin);
            }
            if line.starts_with("The sidecar goes on serving") {
                return Ok(demo);
            }
        }
        Err("the demo ended before its cycles did".into())
    }

    /// All samples.
    pub(super) fn scrape(&self) -> Result<String, String> {
        let cannot = |err: std::io::Error| format!("no metrics at {}: {err}", self.admin);
        let mut connection = TcpStream::connect(&self.admin).map_err(cannot)?;
        connection.set_read_timeout(Some(Duration::from_secs(10))).map_err(cannot)?;
        connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n").map_err(cannot)?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).map_err(cannot)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
            _ => Err(format!("no metrics at {}: {answer:.200}", self.admin)),
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that is gone already need not be stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `promtool check metrics` finds in samples.
fn lint(bench: &Bench<'_>, samples: &str) -> Result<(), String> {
    let mut command: Command = bench.workspace.command("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|err| cannot_start(&command, &err))?;
    let mut stdin = child.stdin.take().ok_or("promtool has no input")?;
    stdin.write_all(samples.as_bytes()).map_err(|err| format!("promtool reads nothing: {err}"))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(|err| cannot_start(&command, &err))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    if output.status.success() && said.is_empty() { Ok(()) } else { Err(format!("promtool says:\n{said}")) }
}

/// The names that the page describes.
fn documented(page: &str) -> BTreeSet<&str> {
    let own = page.lines().filter_map(|line| line.strip_prefix("### "));
    let process = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    own.chain(process.filter(|name| name.starts_with("process_"))).collect()
}

/// The names that have samples.
fn shown(scrape: &str) -> BTreeSet<&str> {
    scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_page_and_in_the_scrape() {
        let page = "# Metrics\n\n### app_a_total\n\nA.\n\n| name | what |\n|---|---|\n| process_x | X. |\n";
        assert_eq!(documented(page), BTreeSet::from(["app_a_total", "process_x"]));
        let scrape = "# HELP app_a_total A.\n# TYPE app_a_total counter\napp_a_total 0\n";
        assert_eq!(shown(scrape), BTreeSet::from(["app_a_total"]));
    }
}
