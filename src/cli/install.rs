//! What a package installs beside the program: completions and manual pages.
//!
//! In: a shell, or a folder. Out: text, made from the definition of the command line and from nothing else.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Failure, say};

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// Whose.
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder.
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "scimshim", &mut text);
    say(&String::from_utf8(text)?)
}

pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir)?;
        return Ok(clap_mangen::generate_to(Cli::command(), dir)?);
    }
    let mut text = Vec::new();
    Man::new(Cli::command()).render(&mut text)?;
    say(&String::from_utf8(text)?)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn completions_know_the_commands() {
        for shell in Shell::value_variants() {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "scimshim", &mut text);
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("healthcheck") && text.contains("explain"), "{shell}");
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        man(&ManArgs { dir: Some(folder.path().join("man1")) }).unwrap();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = folder.path().join(format!("man1/scimshim-{}.1", command.get_name()));
            let text = std::fs::read_to_string(&page).unwrap();
            assert!(text.starts_with(".ie") && text.contains(".SH NAME"), "{text}");
        }
    }
}
