//! `scimshim explain`: files in, a transcript out.
//!
//! In: arguments, and the files they name. Out: the transcript on standard output and an exit code: 0 for a transcript,
//! 1 for a configuration or a file that cannot be used. Secrets are not resolved, so none has to be there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::config::reload::fetch_text;
use crate::config::{Snapshot, Source, TEXT_MAX_BYTES, compile_with, render};

use super::{Layout, Replies, Request, explain};

/// Arguments of `explain`.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// The configuration file.
    #[arg(short, long, env = "SCIMSHIM_CONFIG", default_value = "config.toml")]
    config: PathBuf,
    /// Method and path, such as 'PATCH /scim/v2/Users/7'.
    request: String,
    /// The body of the request; - is standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// What the application answers: `[[reply]]` tables with `call`, `status`, `headers`, `body`. Without them the
    /// transcript ends at the first call, and says which reply would take it further.
    #[arg(long, value_name = "FILE")]
    replies: Option<PathBuf>,
    /// The transcript as JSON.
    #[arg(long)]
    json: bool,
    /// `If-Match` of the request.
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// `If-None-Match` of the request.
    #[arg(long, value_name = "ETAG")]
    if_none_match: Option<String>,
}

/// Why there is no transcript.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("'{0}' is not a method and a path, such as 'GET /scim/v2/Users'")]
    Request(String),
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{0}")]
    Config(String),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Prints what a request would become.
pub fn run(args: &ExplainArgs) -> ExitCode {
    match transcript(args).and_then(|text| Ok(io::stdout().write_all(text.as_bytes())?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody can be told that standard error is gone.
            let _ = writeln!(io::stderr(), "scimshim: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn transcript(args: &ExplainArgs) -> Result<String, Failure> {
    let line = Request::parse(&args.request).ok_or_else(|| Failure::Request(args.request.clone()))?;
    let snapshot = snapshot(&args.config)?;
    let body = args.body.as_deref().map(|path| read(path, snapshot.limits.body_max_bytes)).transpose()?;
    let request = Request {
        body: body.unwrap_or_default(),
        if_match: args.if_match.clone(),
        if_none_match: args.if_none_match.clone(),
        ..line
    };
    let replies = args.replies.as_deref().map(replies).transpose()?.unwrap_or_default();
    let transcript = explain(&Arc::new(snapshot), &request, replies);
    Ok(if args.json {
        serde_json::to_string_pretty(&transcript).map_err(io::Error::from)? + "\n"
    } else {
        transcript.text(Layout::Pretty)
    })
}

fn snapshot(path: &Path) -> Result<Snapshot, Failure> {
    let source = Source { name: Arc::from(path.display().to_string()), text: text(path, TEXT_MAX_BYTES)? };
    compile_with(source, &fetch_text).map_err(|findings| Failure::Config(render(&findings)))
}

fn replies(path: &Path) -> Result<Replies, Failure> {
    let unusable = |error: super::RepliesError| Failure::File { path: path.to_owned(), reason: error.to_string() };
    Replies::parse(&text(path, REPLIES_MAX_BYTES)?).map_err(unusable)
}

pub(crate) fn text(path: &Path, max: usize) -> Result<String, Failure> {
    let not_text = |_| Failure::File { path: path.to_owned(), reason: "not UTF-8".to_owned() };
    String::from_utf8(read(path, max)?).map_err(not_text)
}

/// A file or standard input, at most `max` bytes of it.
fn read(path: &Path, max: usize) -> Result<Vec<u8>, Failure> {
    let failure = |reason: String| Failure::File { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read = if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| failure(error.to_string()))?;
    if bytes.len() > max {
        return Err(failure(format!("it is larger than {max} bytes")));
    }
    Ok(bytes)
}

const REPLIES_MAX_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ExplainArgs,
    }

    fn explained(words: &[&str]) -> Result<String, String> {
        let line = Line::try_parse_from(["explain"].iter().chain(words)).map_err(|error| error.to_string())?;
        transcript(&line.args).map_err(|failure| failure.to_string())
    }

    fn config() -> String {
        format!("{}/tests/plans/config/paged.toml", env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn files_become_a_transcript() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let body = at("body.json", r#"{"Operations":[{"op":"replace","path":"title","value":"CTO"}]}"#);
        let replies = at(
            "replies.toml",
            "[[reply]]\ncall = \"PATCH /users/7\"\nbody = '{\"data\":{\"id\":7,\"email\":\"a@x.example\"}}'\n",
        );
        let request = "PATCH /scim/v2/Users/7";
        let words = ["-c", &config(), request, "--body", &body, "--replies", &replies];
        let text = explained(&words).unwrap();
        assert!(text.contains("1  PATCH /users/7") && text.contains("\nanswer   200\n"), "{text}");

        let text = explained(&["-c", &config(), request, "--body", &body]).unwrap();
        assert!(text.contains("\nstopped ") && text.contains("call = \"PATCH /users/7\""), "{text}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let config = config();
        let refused = |words: &[&str]| explained(words).unwrap_err();
        assert!(refused(&["-c", &config, "Users"]).contains("'Users' is not a method and a path"));
        assert!(refused(&["-c", "no-such.toml", "GET /scim/v2/Users"]).starts_with("no-such.toml: "));
        assert!(refused(&["-c", &config, "GET /scim/v2/Users", "--replies", &config]).contains("unknown field"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.toml");
        std::fs::write(&path, "version = 7").unwrap();
        assert!(refused(&["-c", &path.display().to_string(), "GET /x"]).contains("error[E"));
        std::fs::write(&path, vec![b' '; TEXT_MAX_BYTES + 1]).unwrap();
        assert!(refused(&["-c", &path.display().to_string(), "GET /x"]).contains("larger than"));
    }
}
