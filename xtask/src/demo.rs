//! The demo, as a newcomer meets it: one command on a fresh machine.
//!
//! In: arguments for `scimshim demo`. Out: the demo's own output, with the build kept apart from it. It does not
//! come back: this process becomes the demo, so that signals and the exit status are the demo's own.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::workspace::{Workspace, cannot_start, step};

/// Builds the release binary, then runs its demo.
pub(crate) fn demo(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    let workspace = workspace.with_build_tools()?;
    step("build the release binary (the first time this takes some minutes)", &mut workspace.release_build())?;

    let mut demo = workspace.command(workspace.binary("release", "scimshim"));
    demo.arg("demo").args(args).stdin(Stdio::inherit());
    let err = demo.exec();
    Err(cannot_start(&demo, &err))
}
