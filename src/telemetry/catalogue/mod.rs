//! The catalogue of metrics: the registry is built from it, and `docs/metrics.md` is rendered from it.
//!
//! In: nothing. Out: an [`Entry`] for every metric: its name, type and labels, what each label may be, what the metric
//! means and what to do when it moves. A label takes a word of an enum, a name of the configuration or a status, and
//! never anything that a stranger can choose.

#[rustfmt::skip]
pub(crate) mod entries;
mod labels;
mod page;

pub use page::render;

/// One metric.
#[derive(Debug)]
pub struct Entry {
    /// Its name, without what all of them begin with.
    pub name: &'static str,
    /// What kind of metric it is.
    pub kind: Kind,
    /// What it counts or measures: its HELP.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
    /// What to do when it moves.
    pub advice: &'static str,
}

/// A kind of metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// How observations are spread over these buckets.
    Histogram(&'static [f64]),
}

/// One label.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub values: Values,
}

/// What a label may be.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// One of a few words, known when the program is built.
    Words(fn() -> Vec<&'static str>),
    /// Something that is known when the configuration is loaded, or bounded in another way: a sentence about it.
    Said(&'static str),
}

impl Entry {
    /// The whole name.
    pub fn full_name(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// The names of its labels, in order.
    pub fn label_names(&self) -> Vec<&'static str> {
        self.labels.iter().map(|label| label.name).collect()
    }

    /// Every combination of label values, as far as they are known: those of `known` are as given, all others must be
    /// words. Empty if some label is neither.
    pub fn combinations<'a>(&self, known: &[(&str, &'a str)]) -> Vec<Vec<&'a str>> {
        let mut all = vec![Vec::new()];
        for label in self.labels {
            let values: Vec<&'a str> = match known.iter().find(|(name, _)| *name == label.name) {
                Some((_, value)) => vec![value],
                None => match label.values {
                    Values::Words(words) => words(),
                    Values::Said(_) => return Vec::new(),
                },
            };
            let extended = |row: &Vec<&'a str>| {
                let row = row.clone();
                values.iter().map(move |value| [row.as_slice(), &[*value]].concat()).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(extended).collect();
        }
        all
    }
}

/// What the names of all metrics of our own begin with.
const PREFIX: &str = "scimshim_";

#[cfg(test)]
mod tests {
    use super::*;

    static PAIR: Entry = Entry {
        name: "pair_total",
        kind: Kind::Counter,
        help: "Pairs.",
        labels: &[
            Label { name: "backend", values: Values::Said("a name") },
            Label { name: "outcome", values: Values::Words(|| vec!["ok", "failed"]) },
        ],
        advice: "None.",
    };

    #[test]
    fn series_that_are_known_beforehand_are_named() {
        assert_eq!(PAIR.combinations(&[]), Vec::<Vec<&str>>::new());
        assert_eq!(PAIR.combinations(&[("backend", "a")]), [["a", "ok"], ["a", "failed"]]);
        assert_eq!(PAIR.combinations(&[("backend", "a"), ("outcome", "ok")]), [["a", "ok"]]);
    }

    #[test]
    fn entries_are_written_as_prometheus_wants_them() {
        for entry in entries::ALL {
            let name = entry.full_name();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(entry.kind == Kind::Counter, name.ends_with("_total"), "{name}");
            let base_units = ["_ms", "_milliseconds", "_minutes", "_kilobytes", "_percent"];
            assert!(!base_units.iter().any(|unit| name.contains(unit)), "{name}");
            assert!(entry.help.ends_with('.') && entry.advice.ends_with('.'), "{name}");
            assert_eq!(entries::ALL.iter().filter(|other| other.name == entry.name).count(), 1, "{name}");
        }
    }

    #[test]
    fn words_are_labels_and_differ() {
        for label in entries::ALL.iter().flat_map(|entry| entry.labels) {
            let Values::Words(words) = label.values else { continue };
            let words = words();
            for word in &words {
                assert_eq!(words.iter().filter(|other| *other == word).count(), 1, "{}: {word}", label.name);
                assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{}: {word}", label.name);
            }
        }
    }
}
