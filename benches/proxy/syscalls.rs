//! System calls per request: the half of a proxy's cost that instructions in user space do not show.
//!
//! In: the stage, and strace if the machine has it and lets it attach. Out: for one request of each subject the calls
//! by name. How often a thread goes to sleep depends on the load, so these are numbers for this load and no others.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::sleep;

use crate::load::drive;
use crate::requests::Subject;
use crate::stage::Stage;
use crate::{Options, Outcome};

pub(crate) async fn run(
    stage: &Stage,
    options: &Options,
    found: &mut Vec<(Subject, BTreeMap<String, f64>)>,
) -> Outcome<()> {
    for subject in Subject::ALL {
        if subject == Subject::Direct || options.is_over() {
            continue;
        }
        let Some(calls) = count(stage, subject, options).await? else {
            eprintln!("bench: system calls are NOT COUNTED, strace is missing or may not attach");
            return Ok(());
        };
        found.push((subject, calls));
    }
    Ok(())
}

async fn count(stage: &Stage, subject: Subject, options: &Options) -> Outcome<Option<BTreeMap<String, f64>>> {
    let process = stage.process(subject);
    let file = options.out.join("strace.out");
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-p", &process.id().to_string(), "-o"]).arg(&file);
    let Ok(mut strace) = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn() else { return Ok(None) };
    sleep(ATTACH).await;
    if strace.try_wait()?.is_some() {
        return Ok(None);
    }
    let requests = subject.share_of(REQUESTS);
    let driven = drive(process.address, options.connections, requests, stage.requests(subject)).await;
    sleep(ATTACH).await;
    Command::new("kill").args(["-s", "INT", &strace.id().to_string()]).status()?;
    strace.wait()?;
    driven?;
    Ok(Some(parse(&fs::read_to_string(file)?, requests)))
}

/// Lines such as `35.00  0.01  3  3000  12 read`; the errors in front of the name may be missing.
#[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
fn parse(text: &str, requests: usize) -> BTreeMap<String, f64> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, calls) = (words.last()?, words.get(3)?.parse::<f64>().ok()?);
        (*name != "total").then(|| ((*name).to_owned(), calls / requests as f64))
    };
    text.lines().filter_map(line).collect()
}

const REQUESTS: usize = 500;
const ATTACH: Duration = Duration::from_millis(200);
