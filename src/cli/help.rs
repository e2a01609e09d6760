//! `scimshim help`: a code of `check`, or a command.
//!
//! In: a word. Out: text.

use clap::CommandFactory as _;

use crate::config::explanation;

use super::{Cli, Failure, say};

/// Prints the page of a code, or the help of a command.
pub(super) fn help(topic: Option<&str>) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(topic) = topic else { return say(&command.render_long_help().to_string()) };
    let code = topic.to_uppercase();
    if let Some(page) = explanation(&code) {
        return say(page);
    }
    match command.find_subcommand_mut(topic) {
        Some(command) => say(&command.render_long_help().to_string()),
        None => Err(format!("`{topic}` is neither a code such as E014 nor a command").into()),
    }
}
