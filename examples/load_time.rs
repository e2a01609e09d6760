//! How long it takes to check a configuration.
//!
//! In: the annotated `config.toml`, and the same with a long attribute table. Out: one line for each with the best and
//! the middle of many runs. `cargo run --release --no-default-features --example load_time`.
#![expect(clippy::print_stdout, reason = "a line is what this program is for")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scimshim::config::{Source, compile, render};

const RUNS: usize = 50;

fn main() {
    let text = include_str!("../config.toml");
    measure("config.toml", text);
    measure("with 100 rows more", &with_rows(text));
}

/// Rows of every kind of law, on attributes of a schema of their own.
fn with_rows(text: &str) -> String {
    let (mut attributes, mut rows) = (String::new(), String::new());
    for at in 0..80 {
        let _ = write!(attributes, "{{ name = \"x{at}\" }}, ");
        let native = match at % 4 {
            0 => format!("\"x{at}\""),
            1 => format!("{{ native = \"x{at}\", codec = [\"lower\", {{ prefix = \"p-\" }}] }}"),
            2 => format!("{{ native = \"x{at}\", map = {{ A = 1, B = 2 }} }}"),
            _ => format!(
                "{{ native = \"x{at}\", read = \"native.x{at}.before('@x')\", write = \"scim['urn:example:more:User'].x{at} + '@x'\" }}"
            ),
        };
        let _ = writeln!(rows, "'urn:example:more:User:x{at}' = {native}");
    }
    let schema =
        format!("[schema.more]\nurn = \"urn:example:more:User\"\nextends = \"User\"\nattributes = [{attributes}]\n");
    text.replacen("[resource.User]", &format!("{schema}\n[resource.User]"), 1).replacen(
        "[resource.User.attrs]\n",
        &format!("[resource.User.attrs]\n{rows}"),
        1,
    )
}

fn measure(name: &str, text: &str) {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| once(text)).collect();
    times.sort_unstable();
    let (best, middle) = (times[0], times[RUNS / 2]);
    println!("{name}: {} lines, best {best:.1?}, median {middle:.1?}", text.lines().count());
}

fn once(text: &str) -> Duration {
    let source = Source { name: Arc::from("config.toml"), text: text.to_owned() };
    let start = Instant::now();
    let found = compile(source);
    let taken = start.elapsed();
    if let Err(found) = found {
        println!("{}", render(&found));
    }
    taken
}
