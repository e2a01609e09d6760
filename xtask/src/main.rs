//! Developer commands: `cargo xtask <verb> [arguments]`.
//!
//! In: a verb, the checkout it was started in, and whatever tools the machine has. Out: the verb's own output and
//! an exit status, 0 only if everything it stands for held. People and CI use the same verbs. It does not build
//! anything itself: nearly every verb is a handful of child processes, mostly cargo.

mod apps;
mod bench;
mod book;
mod check;
mod conformance;
mod demo;
mod deploy;
mod fuzz;
mod suite;
mod tools;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

/// One command: its name, its help line and what it runs.
struct Verb {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&Workspace, &[String]) -> Result<(), String>,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "demo",
        arguments: "[ARGS]",
        help: "build the release binary and run its demo: a sample application behind the sidecar",
        run: demo::demo,
    },
    Verb {
        name: "check",
        arguments: "",
        help: "everything but the tests: format, lints, docs, house rules, dependencies of the core",
        run: check::check,
    },
    Verb {
        name: "test",
        arguments: "",
        help: "all tests: the core alone, the shell, integration, doc tests, this tool",
        run: suite::test,
    },
    Verb {
        name: "core",
        arguments: "[FILTER]",
        help: "tests of the core alone, without building Pingora",
        run: suite::core,
    },
    Verb { name: "wire", arguments: "", help: "the wire corpus alone, with its report", run: suite::wire },
    Verb {
        name: "test-apps",
        arguments: "[APP ...]",
        help: "install and start real applications, provision them through the sidecar, stop them",
        run: apps::test_apps,
    },
    Verb {
        name: "conformance",
        arguments: "",
        help: "put the sidecar through the SCIM conformance suites of others",
        run: conformance::conformance,
    },
    Verb {
        name: "deploy-check",
        arguments: "[--bless] [CHECK...]",
        help: "check what is under deploy: chart, manifests, image, packages; --bless renders again",
        run: deploy::deploy_check,
    },
    Verb { name: "book", arguments: "", help: "build the book of docs and follow its links", run: book::book },
    Verb {
        name: "fuzz",
        arguments: "[--seconds N] [TARGET]",
        help: "build and run the fuzz targets, 30 s each unless told otherwise",
        run: fuzz::fuzz,
    },
    Verb {
        name: "bench",
        arguments: "[--quick]",
        help: "measure the sidecar against a bare proxy and the application alone",
        run: bench::bench,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        print!("{}", help());
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        eprint!("xtask: there is no verb `{name}`\n\n{}", help());
        return ExitCode::from(2);
    };
    match Workspace::locate().and_then(|workspace| (verb.run)(&workspace, rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {name}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let line = |verb: &Verb| {
        let call = format!("{} {}", verb.name, verb.arguments);
        format!("  {call:<30} {}\n", verb.help)
    };
    let lines: String = VERBS.iter().map(line).collect();
    format!("cargo xtask <verb>\n\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_verb_once() {
        let text = help();
        for verb in VERBS {
            let lines = text.lines().filter(|line| line.split_whitespace().next() == Some(verb.name));
            assert_eq!(lines.count(), 1, "{}", verb.name);
        }
    }
}
