//! Memberships as sets: what was asked for against what is there. Everything here is linear in the members named.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::plan::run::id_text;

/// The members of a group as they were read.
#[derive(Debug, Default)]
pub(super) struct Current {
    /// Distinct values, in order.
    pub(super) values: Vec<String>,
    /// The same as SCIM elements.
    pub(super) elements: Vec<Value>,
    /// Members that the client does not see.
    pub(super) hidden: Vec<String>,
    /// What showed each of them; kept only for those who need it.
    pub(super) shown_by: HashMap<String, Vec<Value>>,
}

/// What is to be sent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Difference {
    pub(super) add: Vec<String>,
    pub(super) remove: Vec<String>,
}

impl Difference {
    pub(super) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// From one set to another.
    pub(super) fn between(current: &[String], wanted: &[String]) -> Self {
        let (have, want): (HashSet<&String>, HashSet<&String>) = (current.iter().collect(), wanted.iter().collect());
        Self {
            add: wanted.iter().filter(|value| !have.contains(value)).cloned().collect(),
            remove: current.iter().filter(|value| !want.contains(value)).cloned().collect(),
        }
    }

    /// The set after it.
    pub(super) fn applied_to(&self, current: &[String]) -> Vec<String> {
        let removed: HashSet<&String> = self.remove.iter().collect();
        let present: HashSet<&String> = current.iter().collect();
        let kept = current.iter().filter(|value| !removed.contains(value));
        kept.chain(self.add.iter().filter(|value| !present.contains(value))).cloned().collect()
    }
}

/// `+anna +bo -cy`, and how many more.
impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("no change");
        }
        let mut separator = "";
        for (sign, values) in [('+', &self.add), ('-', &self.remove)] {
            for value in values.iter().take(SHOWN_MAX) {
                write!(f, "{separator}{sign}{value}")?;
                separator = " ";
            }
            if values.len() > SHOWN_MAX {
                write!(f, " and {} more", values.len() - SHOWN_MAX)?;
            }
        }
        Ok(())
    }
}

/// Names in one note.
const SHOWN_MAX: usize = 5;

/// Distinct member values, in order.
pub(super) fn values(elements: &[Value]) -> Vec<String> {
    let mut seen = HashSet::new();
    elements.iter().filter_map(value_of).filter(|value| seen.insert(value.clone())).collect()
}

/// `value` of a member element.
pub(super) fn value_of(element: &Value) -> Option<String> {
    element.get("value").and_then(id_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn difference(add: &str, remove: &str) -> Difference {
        Difference { add: list(add), remove: list(remove) }
    }

    #[test]
    fn differences() {
        for (current, wanted, add, remove) in
            [("a b", "b c", "c", "a"), ("a b", "b a", "", ""), ("", "a", "a", ""), ("a", "", "", "a")]
        {
            let found = Difference::between(&list(current), &list(wanted));
            assert_eq!(found, difference(add, remove), "{current} -> {wanted}");
            let mut after = found.applied_to(&list(current));
            let mut wanted = list(wanted);
            after.sort();
            wanted.sort();
            assert_eq!(after, wanted);
        }
    }

    #[test]
    fn many_names_are_not_all_shown() {
        assert_eq!(difference("a", "b c").to_string(), "+a -b -c");
        assert_eq!(difference("1 2 3 4 5 6 7", "").to_string(), "+1 +2 +3 +4 +5 and 2 more");
        assert_eq!(Difference::default().to_string(), "no change");
    }

    /// Comparing each with each would take minutes.
    #[test]
    fn the_work_is_linear_in_the_members() {
        let people = |numbers: std::ops::Range<usize>| numbers.map(|number| number.to_string()).collect::<Vec<_>>();
        let start = std::time::Instant::now();
        let (current, wanted) = (people(0..200_000), people(100_000..300_000));
        let found = Difference::between(&current, &wanted);
        assert_eq!((found.add.len(), found.remove.len()), (100_000, 100_000));
        assert_eq!(found.applied_to(&current).len(), 200_000);
        assert!(start.elapsed() < std::time::Duration::from_secs(30));
    }
}
