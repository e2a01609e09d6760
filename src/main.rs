//! The binary: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use scimshim::cli::Cli;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First, because whoever builds a TLS client before there is a default provider panics. A second installation is
    // refused, which leaves the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Cli::parse().execute()
}
