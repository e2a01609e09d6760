//! Spans, read by a receiver that is not ours.

use super::{Bench, output};

/// One request through the release binary, and the spans that a receiver of OTLP takes of it.
pub(super) fn spans(bench: &Bench<'_>) -> Result<String, String> {
    let mut script = bench.tools.script("spans.py")?;
    script.arg(bench.program()?);
    Ok(output(&mut script)?.trim().to_owned())
}
