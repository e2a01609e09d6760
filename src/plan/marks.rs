//! What earlier requests learned about native lists: places in those that are paged by marker, so that page n is not
//! reached by way of all pages before it, and the size of pages that are paged by number.
//!
//! None of it is data: it may be old without an answer being old. The shell hands a table to every plan and takes in
//! what the plan learned.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::mapping::{Paging, PagingStyle};

use super::call::NativeCall;
use super::run::Run;

/// How long a mark is used, in seconds.
const LIFETIME_SECONDS: u64 = 600;
const LISTS_MAX: usize = 256;
const MARKS_MAX: usize = 1024;
const MARKER_MAX_BYTES: usize = 2048;

/// Which list a mark belongs to: a digest of the call for its first page.
pub type Key = [u8; 32];

/// What a plan came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// A place in a list.
    Marker {
        /// The list.
        list: Key,
        /// Items before the place.
        position: usize,
        /// How the application calls it.
        marker: String,
    },
    /// How many items a page has.
    PageSize {
        /// The list.
        list: Key,
        /// Items on every page but the last.
        size: usize,
    },
}

/// Known places by list. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    lists: HashMap<Key, Arc<Known>>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// By position: the marker, and when it was learned.
    places: BTreeMap<usize, (String, u64)>,
    /// Items on a page, and when that was learned.
    page_size: Option<(usize, u64)>,
    used: u64,
}

impl Marks {
    /// The last known place at or before an item.
    pub fn nearest(&self, list: &Key, start: usize, now: u64) -> Option<(usize, &str)> {
        let before = self.lists.get(list)?.places.range(1..=start.max(1)).rev();
        let mut fresh = before.filter(|(position, (_, learned))| **position <= start && is_fresh(*learned, now));
        fresh.next().map(|(position, (marker, _))| (*position, marker.as_str()))
    }

    /// How many items the pages of a list have.
    pub fn page_size(&self, list: &Key, now: u64) -> Option<usize> {
        let known = self.lists.get(list)?.page_size.filter(|(_, learned)| is_fresh(*learned, now));
        known.map(|(size, _)| size)
    }

    /// Takes in what a plan learned. The list that was used least lately makes room for a new one.
    pub fn learn(&mut self, learned: Vec<Learned>, now: u64) {
        for learned in learned {
            match learned {
                Learned::Marker { list, position, marker } => {
                    if marker.len() <= MARKER_MAX_BYTES && position > 0 {
                        self.known(list, now).place(position, marker, now);
                    }
                }
                Learned::PageSize { list, size } => self.known(list, now).page_size = Some((size, now)),
            }
        }
    }

    fn known(&mut self, list: Key, now: u64) -> &mut Known {
        if !self.lists.contains_key(&list) && self.lists.len() >= LISTS_MAX {
            let oldest = self.lists.iter().min_by_key(|(_, known)| known.used).map(|(list, _)| *list);
            oldest.and_then(|oldest| self.lists.remove(&oldest));
        }
        let known = Arc::make_mut(self.lists.entry(list).or_default());
        known.used = now;
        known
    }
}

impl Known {
    fn place(&mut self, position: usize, marker: String, now: u64) {
        self.places.retain(|_, (_, learned)| is_fresh(*learned, now));
        self.places.insert(position, (marker, now));
        // Every other place is as good for finding one's way.
        if self.places.len() > MARKS_MAX {
            let mut keep = false;
            self.places.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }
}

fn is_fresh(learned: u64, now: u64) -> bool {
    now < learned.saturating_add(LIFETIME_SECONDS)
}

/// The key of the list whose first page this call asks for. The page size does not matter.
pub(super) fn key(run: &Run<'_>, first: &NativeCall, paging: &Paging) -> Key {
    let size = match (&paging.size, &paging.style) {
        (Some(size), PagingStyle::Cursor { .. } | PagingStyle::Link { .. }) => Some(super::render::encode_query(size)),
        _ => None,
    };
    let (path, query) = first.target.split_once('?').unwrap_or((&first.target, ""));
    let counts = |pair: &&str| size.as_deref().is_none_or(|size| pair.split('=').next() != Some(size));
    let query: Vec<&str> = query.split('&').filter(counts).collect();
    let body = first.body.as_ref().map(ToString::to_string).unwrap_or_default();
    let whose = (&run.backend.name, &run.context.variables, run.context.cursor_key);
    let text = format!("{whose:?}\n{}\n{path}\n{query:?}\n{:?}\n{body}", first.method, first.headers);
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(list: u8, position: usize) -> Learned {
        Learned::Marker { list: [list; 32], position, marker: format!("m{position}") }
    }

    #[test]
    fn the_nearest_place_before_an_item_is_found() {
        let mut marks = Marks::default();
        marks.learn(vec![learned(1, 100), learned(1, 200), learned(2, 50), learned(1, 0)], 1000);
        let at = |start, now| marks.nearest(&[1; 32], start, now);
        assert_eq!(at(250, 1000), Some((200, "m200")));
        assert_eq!(at(200, 1000), Some((200, "m200")));
        assert_eq!(at(199, 1000), Some((100, "m100")));
        assert_eq!(at(99, 1000), None);
        assert_eq!(at(0, 1000), None);
        assert_eq!(at(250, 1000 + LIFETIME_SECONDS), None);
        assert_eq!(marks.nearest(&[3; 32], 250, 1000), None);
        marks.learn(vec![Learned::PageSize { list: [1; 32], size: 20 }], 1000);
        assert_eq!(marks.page_size(&[1; 32], 1001), Some(20));
        assert_eq!(marks.page_size(&[1; 32], 1000 + LIFETIME_SECONDS), None);
        assert_eq!(marks.page_size(&[2; 32], 1001), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut marks = Marks::default();
        for list in 0..=u16::try_from(LISTS_MAX).unwrap() {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&list.to_be_bytes());
            marks.learn(vec![Learned::PageSize { list: key, size: 5 }], u64::from(list));
        }
        assert_eq!(marks.lists.len(), LISTS_MAX);
        assert!(!marks.lists.contains_key(&[0; 32]), "the oldest list stays");
        let many = (1..=3 * MARKS_MAX).map(|position| learned(9, position)).collect();
        marks.learn(many, 1);
        let known = &marks.lists[&[9; 32]].places;
        assert!(known.len() <= MARKS_MAX && known.len() > MARKS_MAX / 4, "{}", known.len());
        let marker = "x".repeat(MARKER_MAX_BYTES + 1);
        marks.learn(vec![Learned::Marker { list: [9; 32], position: 7000, marker }], 1);
        assert!(!marks.lists[&[9; 32]].places.contains_key(&7000));
    }
}
