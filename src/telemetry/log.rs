//! Where log lines go: standard output, JSON when nobody is looking, text on a terminal.
//!
//! Only this program's own records are written. The proxy library logs through another facade, with paths and hosts in
//! its text; that facade has no logger here, on purpose, for a query string may hold a filter and a filter holds names.

use std::io::IsTerminal;
use std::sync::LazyLock;

use prometheus::IntCounter;

use super::json_line::JsonLine;
use super::outlet::Outlet;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// The variable that says what is logged, such as `debug` or `scimshim::native=debug`.
pub const FILTER_VARIABLE: &str = "SCIMSHIM_LOG";

static OUTLET: LazyLock<Outlet> = LazyLock::new(Outlet::counting);

/// Writes the lines that still wait. To be called before the process ends.
pub fn flush() {
    OUTLET.flush();
}

/// How many lines were dropped: one counter for the whole process.
pub(super) fn dropped_lines() -> Option<&'static IntCounter> {
    OUTLET.dropped()
}

/// Starts logging. Called again, as several servers in one process do, it changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = if std::io::stdout().is_terminal() {
        fmt::layer().with_target(false).boxed()
    } else {
        fmt::layer().event_format(JsonLine).with_writer(OUTLET.start()).boxed()
    };
    if tracing::subscriber::set_global_default(Registry::default().with(filter).with(layer)).is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            // The place only: the words of a panic may hold input.
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "panic");
        }));
    }
}
