//! `bench`: what the sidecar costs, measured against a bare Pingora proxy in the same run.
//!
//! In: nothing but the checkout. Out: a table and `summary.json` in the build folder's `bench`. The measuring is
//! done by `benches/proxy`; here it is only built and started, in the release profile, because a profile of its own
//! would compile Pingora a second time.

use crate::workspace::{Workspace, step};

/// Builds in the release profile and measures.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    let workspace = workspace.with_build_tools()?;
    let mut command = workspace.cargo(["bench", "--quiet", "--profile", "release", "--bench", "proxy", "--"]);
    command.arg("orchestrate").arg("--out").arg(workspace.target.join("bench")).args(args);
    step("measure", &mut command)
}
