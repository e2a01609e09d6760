//! The header fields of a native reply.
//!
//! In: names and values as they were received. Out: what was said under a name. Few are ever asked for, so they are
//! kept as one text, and none has a place of its own in memory.

use std::fmt;

/// Names in lower case, each with its value, in the order in which they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ReplyHeaders {
    /// Name, value, name, value.
    text: String,
    /// Where in the text each name ends, and its value.
    ends: Vec<(usize, usize)>,
}

impl ReplyHeaders {
    /// Nothing yet, with room for so many fields of so many bytes together.
    pub fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(fields) }
    }

    /// Adds one; its name may be in any case.
    pub fn push(&mut self, name: &str, value: &str) {
        let begin = self.text.len();
        self.text.push_str(name);
        let end = self.text.len();
        if let Some(name) = self.text.get_mut(begin..) {
            name.make_ascii_lowercase();
        }
        self.text.push_str(value);
        self.ends.push((end, self.text.len()));
    }

    /// The first value of a name, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut begin = 0;
        self.ends.iter().map(move |(name, value)| {
            let field = (self.part(begin, *name), self.part(*name, *value));
            begin = *value;
            field
        })
    }

    fn part(&self, begin: usize, end: usize) -> &str {
        self.text.get(begin..end).unwrap_or_default()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for ReplyHeaders {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }
}

impl fmt::Debug for ReplyHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_and_keep_their_order() {
        let headers: ReplyHeaders = [("ETag", "\"é\""), ("X-Odd", ""), ("x-odd", "b"), ("", "c")].into_iter().collect();
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("etag", "\"é\""), ("x-odd", ""), ("x-odd", "b"), ("", "c")]);
        assert_eq!((headers.get("etag"), headers.get("x-odd"), headers.get("x")), (Some("\"é\""), Some(""), None));
        assert_eq!(format!("{headers:?}"), format!("{all:?}"));
        assert_eq!(ReplyHeaders::default().iter().count(), 0);
    }
}
