//! Which parts of a configuration no case has used.
//!
//! In: a snapshot and the transcripts of all cases. Out: rows that were never read or never written, calls that were
//! never made, rules that never decided, in the order of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::Snapshot;
use crate::explain::{Entry, Transcript};
use crate::mapping::members::MemberSource;
use crate::mapping::row::Access;
use crate::mapping::{Call, Flow, Mapping, Origin};
use crate::plan::RowsUsed;

/// Gathers what cases use.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Places in the configuration: of calls that were made, and of rules that decided.
    places: BTreeSet<String>,
    rows: BTreeMap<Arc<str>, RowsUsed>,
}

/// Something that no case has used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unused {
    line: u32,
    source: Arc<str>,
    /// What it is: "row `title`: never written".
    pub what: String,
}

impl std::fmt::Display for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.source, self.line, self.what)
    }
}

impl Coverage {
    /// Adds what one case has used.
    pub fn add(&mut self, transcript: &Transcript) {
        for entry in &transcript.entries {
            if let Entry::Call(call) = entry {
                self.places.insert(call.origin.clone());
            }
        }
        self.places.extend(transcript.used.rules.iter().map(|(source, line)| format!("{source}:{line}")));
        for (of, used) in &transcript.used.rows {
            let all = self.rows.entry(Arc::clone(of)).or_default();
            all.read |= used.read;
            all.written |= used.written;
        }
    }

    /// What no case has used, each once, in the order of the file.
    pub fn unused(&self, snapshot: &Snapshot) -> Vec<Unused> {
        let mut found = BTreeSet::new();
        let mut add = |origin: &Origin, what: String| {
            found.insert(Unused { line: origin.line, source: Arc::clone(&origin.source), what });
        };
        for rule in snapshot.backends.iter().flat_map(|backend| &backend.errors) {
            if !self.saw(&rule.origin) {
                add(&rule.origin, "error rule: never decided".to_owned());
            }
        }
        for mapping in snapshot.routes.iter().flat_map(|route| &route.mappings) {
            self.unused_rows(mapping, &mut add);
            for (origin, what) in places(mapping).into_iter().filter(|(origin, _)| !self.saw(origin)) {
                add(origin, what);
            }
        }
        found.into_iter().collect()
    }

    fn saw(&self, origin: &Origin) -> bool {
        self.places.contains(&origin.to_string())
    }

    fn unused_rows(&self, mapping: &Mapping, add: &mut impl FnMut(&Origin, String)) {
        let used = self.rows.get(&mapping.resource_type.name).copied().unwrap_or_default();
        for (index, row) in mapping.rows.iter().enumerate() {
            let bit = 1 << index;
            let reads = row.access != Access::Write;
            let writes = matches!(row.access, Access::Both | Access::Write | Access::Create);
            let name = format!("{} `{}`", mapping.resource_type.name, row.target);
            if reads && used.read & bit == 0 {
                add(&row.origin, format!("{name}: never read"));
            }
            if writes && used.written & bit == 0 {
                add(&row.origin, format!("{name}: never written"));
            }
        }
    }
}

/// Calls and rules of a mapping, with their names.
fn places(mapping: &Mapping) -> Vec<(&Origin, String)> {
    let name = &mapping.resource_type.name;
    let mut places: Vec<(&Origin, String)> = Vec::new();
    let ops = &mapping.ops;
    let lists = ops.list.iter().map(|list| &list.call);
    let calls = lists.chain(&ops.get).chain(ops.flows().flat_map(Flow::calls));
    places.extend(calls.map(|call| (&call.origin, made(name, call))));
    places.extend(mapping.writes.iter().map(|rule| (&rule.origin, format!("{name} write rule: never used"))));
    places.extend(mapping.guards.iter().map(|guard| (&guard.origin, format!("{name} guard: never matched"))));
    for plan in &mapping.filters {
        places.push((&plan.origin, format!("{name} filter plan of `{}`: never used", plan.path)));
    }
    if let Some(members) = &mapping.members {
        let changes = [&members.add, &members.remove].into_iter().flatten().flat_map(|call| call.flow.calls());
        let source = match &members.source {
            MemberSource::List(list) => Some(&list.call),
            MemberSource::Native(_) => None,
        };
        let calls = changes.chain(members.set.iter().flat_map(Flow::calls)).chain(source);
        places.extend(calls.map(|call| (&call.origin, made(name, call))));
    }
    places
}

fn made(name: &str, call: &Call) -> String {
    format!("{name} {}: never called", call.slot.as_str())
}
