//! `scimshim config` and `scimshim check`: what is in a configuration, and what is wrong with it.
//!
//! In: arguments, and the files they name. Out: text on standard output, and whether it went well. Nothing is served
//! and no secret is resolved.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::config::migrate::migrate;
use crate::config::reload::{fetch_text, now};
use crate::config::{
    Diagnostic, Origins, Severity, Snapshot, Source, compile_at, compile_with, json_schema, reference, render, show,
};
use crate::mapping::{Access, FilterCall, Mapping};
use crate::plan;
use crate::scim::AttrPath;
use crate::scim::discovery::Capabilities;

use super::{ConfigArgs, Failure, online, read, say};

/// What can be done with a configuration besides serving it.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the configuration with everything that it extends, as one file.
    Show(ShowArgs),
    /// Print the JSON Schema of the file, for editors.
    Schema,
    /// Print the reference of all tables and keys.
    Reference,
    /// Bring a file to the version of the language that this program reads.
    Migrate(MigrateArgs),
}

#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Say with each line where its value comes from.
    #[arg(long)]
    origin: bool,
    /// Print what SCIM clients can do with it instead.
    #[arg(long, conflicts_with = "origin")]
    capabilities: bool,
}

#[derive(Args, Debug)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Rewrite the file instead of printing it.
    #[arg(long)]
    write: bool,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print the findings as JSON, for editors and CI.
    #[arg(long)]
    json: bool,
    /// Say how long it took.
    #[arg(long)]
    timing: bool,
    /// Fail if there are warnings, too.
    #[arg(long)]
    strict: bool,
    /// Try the reads against the application: nothing is written there.
    #[arg(long, conflicts_with = "json")]
    online: bool,
    /// With `--online`: the value of a variable of the base URL, as `name=value`.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable, requires = "online")]
    variables: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Does what the arguments say.
pub(super) fn execute(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(args) if args.capabilities => {
            let path = &args.config.config;
            match compile_with(source(path)?, &fetch_text) {
                Ok(snapshot) => say(&capabilities(&snapshot)),
                Err(findings) => unusable(path, &findings),
            }
        }
        ConfigCommand::Show(args) => {
            let origins = if args.origin { Origins::Shown } else { Origins::Hidden };
            let path = &args.config.config;
            match show(source(path)?, &fetch_text, origins) {
                Ok(text) => say(&text),
                Err(findings) => unusable(path, &findings),
            }
        }
        ConfigCommand::Schema => say(&format!("{}\n", serde_json::to_string_pretty(&json_schema())?)),
        ConfigCommand::Reference => say(&reference()),
        ConfigCommand::Migrate(args) => migration(&args),
    }
}

fn migration(args: &MigrateArgs) -> Result<(), Failure> {
    let path = &args.config.config;
    let migrated = migrate(&read(path)?)?;
    if !args.write {
        return say(&migrated.text);
    }
    if migrated.done.is_empty() {
        return say(&format!("{}: nothing to do\n", path.display()));
    }
    std::fs::write(path, &migrated.text)?;
    say(&format!("{}\n", migrated.done.join("\n")))
}

/// Prints all findings; fails if one of them is an error.
pub(super) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let path = &args.config.config;
    let source = source(path)?;
    let begin = Instant::now();
    let compiled = compile_at(source, &fetch_text, now());
    let took = begin.elapsed();
    let mut snapshot = None;
    let (findings, usable) = match compiled {
        Ok(compiled) => (snapshot.insert(compiled).warnings.clone(), true),
        Err(findings) => (findings, false),
    };
    if args.timing {
        // Beside the findings, so that their form stays as it is.
        eprint(&format!("{} findings in {:.1} ms\n", findings.len(), took.as_secs_f64() * 1000.0));
    }
    let warned = args.strict && !findings.is_empty();
    if args.json {
        let list: Vec<Value> = findings.iter().map(finding).collect();
        say(&format!("{}\n", serde_json::to_string_pretty(&json!({ "usable": usable, "findings": list }))?))?;
        return match (usable, warned) {
            (true, false) => Ok(()),
            (true, true) => Err(has_warnings(path)),
            (false, _) => Err(cannot_be_used(path)),
        };
    }
    match (usable, findings.is_empty()) {
        (true, true) => say(&format!("{}: ok\n", path.display()))?,
        (true, false) => say(&format!("{}\n{}: ok, with warnings\n", render(&findings), path.display()))?,
        (false, _) => return unusable(path, &findings),
    }
    if warned {
        return Err(has_warnings(path));
    }
    match snapshot.filter(|_| args.online) {
        Some(snapshot) => online::check(path, snapshot, &args.variables.iter().cloned().collect()),
        None => Ok(()),
    }
}

fn finding(finding: &Diagnostic) -> Value {
    json!({
        "severity": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "code": finding.code,
        "message": finding.message,
        "help": finding.help,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "length": finding.length,
        "key": finding.key_path,
    })
}

fn unusable(path: &Path, findings: &[Diagnostic]) -> Result<(), Failure> {
    say(&render(findings))?;
    Err(cannot_be_used(path))
}

fn has_warnings(path: &Path) -> Failure {
    format!("{} has warnings", path.display()).into()
}

fn cannot_be_used(path: &Path) -> Failure {
    format!("{} cannot be used", path.display()).into()
}

fn source(path: &Path) -> Result<Source, Failure> {
    Ok(Source { name: path.display().to_string().into(), text: read(path)? })
}

fn eprint(text: &str) {
    use std::io::Write as _;
    // Nobody can be told that standard error is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Where only some elements of a list have a place: which.
fn places(mapping: &Mapping, attribute: &str) -> Option<String> {
    let path = AttrPath::core(attribute, None);
    let places = mapping.index.places().iter().find(|places| places.attribute == path)?;
    let targets = places.rows.iter().filter_map(|index| Some(mapping.rows.get(*index)?.target.to_string()));
    let mut elements: Vec<String> =
        targets.filter_map(|target| Some(format!("[{}]", target.split_once('[')?.1.rsplit_once(']')?.0))).collect();
    elements.dedup();
    Some(format!("only {}", elements.join(" and ")))
}

/// What follows from a configuration for SCIM clients, base URL by base URL.
fn capabilities(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for route in &snapshot.routes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  ({})", route.label, route.origin);
        for mapping in &route.mappings {
            capabilities_of(&mut text, mapping);
        }
        let _ = writeln!(text, "  {}", announced(&plan::capabilities(snapshot, route)));
    }
    text
}

/// What `/ServiceProviderConfig` says of a base URL.
fn announced(can: &Capabilities) -> String {
    let limited = |name: &str, most: Option<u64>| match most {
        Some(most) => format!("{name} (up to {most})"),
        None => format!("no {name}"),
    };
    let plain = |name: &str, can: bool| if can { name.to_owned() } else { format!("no {name}") };
    let words = [
        plain("patch", can.patch),
        limited("bulk", can.bulk.as_ref().map(|bulk| bulk.max_operations)),
        limited("filter", can.filter.as_ref().map(|filter| filter.max_results)),
        plain("changePassword", can.change_password),
        plain("sort", can.sort),
        plain("etag", can.etag),
        plain("pages by index", can.pagination.index),
        plain("pages by cursor", can.pagination.cursor),
    ];
    format!("announced: {}", words.join(", "))
}

fn capabilities_of(text: &mut String, mapping: &Mapping) {
    let ops = &mapping.ops;
    let patches = plan::can_change(mapping);
    let can = [
        ("POST", ops.create.is_some()),
        ("GET", ops.get.is_some() || ops.list.is_some()),
        ("list", ops.list.is_some()),
        ("PUT", patches),
        ("PATCH", patches),
        ("DELETE", ops.delete.is_some() || ops.deletion.is_some()),
    ];
    let can: Vec<&str> = can.iter().filter(|(_, can)| *can).map(|(name, _)| *name).collect();
    let of = &mapping.resource_type;
    let _ = writeln!(text, "  {} at {}: {}", of.name, of.endpoint, can.join(", "));
    for plan in &mapping.filters {
        let ops: Vec<&str> = plan.ops.iter().map(|op| op.as_str()).collect();
        let how = match &plan.how {
            FilterCall::Get { .. } => "get",
            FilterCall::List(_) => "query",
        };
        let _ = writeln!(text, "    filter {} {}: {how}  ({})", plan.path, ops.join(" "), plan.origin);
    }
    match mapping.scan {
        Some(scan) => drop(writeln!(text, "    any other filter: reads up to {} objects", scan.max)),
        None => drop(writeln!(text, "    any other filter: 400 invalidFilter")),
    }
    let external = mapping.rows.iter().find(|row| row.target.path == AttrPath::core("externalId", None));
    let kept = external.map_or("not kept: what a client sends is ignored", |row| match row.access {
        Access::Both | Access::Mirror => "readWrite, case exact",
        Access::Read => "readOnly, case exact",
        Access::Write => "writeOnly, case exact",
        Access::Create => "immutable, case exact",
    });
    let _ = writeln!(text, "    externalId  {kept}");
    for schema in &of.announced {
        for attribute in &schema.attributes {
            let mut about = vec![attribute.mutability.as_str()];
            about.extend(attribute.required.then_some("required"));
            about.extend(attribute.case_exact.then_some("case exact"));
            let subs: Vec<&str> = attribute.sub_attributes.iter().map(|sub| &*sub.name).collect();
            let places = places(mapping, &attribute.name).filter(|_| schema.id == of.schema.id);
            about.extend(places.as_deref());
            let subs = if subs.is_empty() { String::new() } else { format!(" {{ {} }}", subs.join(", ")) };
            let _ = writeln!(text, "    {}:{}{subs}  {}", schema.name, attribute.name, about.join(", "));
        }
    }
}
