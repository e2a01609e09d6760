//! The list document of RFC 7644 3.4.2, with the cursors of RFC 9865.

use serde_json::{Map, Value, json};

/// URN of a list document.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// The resources of a page as text, written one after the other.
#[derive(Clone, Debug)]
pub struct Listing {
    text: Vec<u8>,
    count: usize,
}

impl Default for Listing {
    fn default() -> Self {
        let mut text = Vec::with_capacity(PAGE_BYTES);
        text.extend_from_slice(RESOURCES);
        Self { text, count: 0 }
    }
}

impl Listing {
    /// Adds what `write` writes: one resource.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.count > 0 {
            self.text.push(b',');
        }
        self.count += 1;
        write(&mut self.text);
    }

    /// Makes room for so many more resources of the size of those that are there.
    pub fn reserve(&mut self, more: usize) {
        let size = self.text.len() / self.count.max(1);
        self.text.reserve(size.saturating_mul(more).min(ROOM_MAX));
    }

    /// Adds a resource.
    pub fn push(&mut self, resource: &Value) {
        // Writing into memory cannot fail.
        self.write(|text| serde_json::to_writer(text, resource).unwrap_or_default());
    }

    /// How many resources there are.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Room for most pages of one resource.
const PAGE_BYTES: usize = 2048;

/// Room made at once; more is taken as needed.
const ROOM_MAX: usize = 1 << 20;

/// How the text of a list begins: no member has a name that comes before.
const RESOURCES: &[u8] = b"{\"Resources\":[";

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListResponse {
    /// Number of resources on all pages; `None` if it is not known, which only cursor paging allows (RFC 9865).
    pub total_results: Option<u64>,
    /// 1-based index of the first resource of the page; `None` with cursor paging.
    pub start_index: Option<u64>,
    /// The resources of the page, as they will be shown.
    pub resources: Vec<Value>,
    /// Cursor of the page after this one; `None` on the last page and with index paging.
    pub next_cursor: Option<String>,
    /// Cursor of the page before this one, if there is such a thing.
    pub previous_cursor: Option<String>,
}

impl ListResponse {
    /// A list on a single page.
    pub fn whole(resources: Vec<Value>) -> Self {
        let total_results = Some(resources.len() as u64);
        Self { total_results, start_index: Some(1), resources, ..Self::default() }
    }

    /// The document. `Resources` is there even when it is empty: some clients read it without looking at the count.
    pub fn into_json(self) -> Value {
        let mut document = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                document.insert(key.to_owned(), value);
            }
        };
        put("schemas", Some(json!([LIST_SCHEMA])));
        put("totalResults", self.total_results.map(Value::from));
        put("startIndex", self.start_index.map(Value::from));
        put("itemsPerPage", Some(Value::from(self.resources.len())));
        put("nextCursor", self.next_cursor.map(Value::from));
        put("previousCursor", self.previous_cursor.map(Value::from));
        put("Resources", Some(Value::Array(self.resources)));
        Value::Object(document)
    }

    /// The document as text, with resources that are text already instead of its own. Its members stand in the order
    /// of their names, as those of [`Self::into_json`].
    pub fn into_text(self, listing: Listing) -> Vec<u8> {
        let Listing { mut text, count } = listing;
        text.extend_from_slice(b"],\"itemsPerPage\":");
        put_number(&mut text, count as u64);
        for (name, cursor) in [("nextCursor", &self.next_cursor), ("previousCursor", &self.previous_cursor)] {
            if let Some(cursor) = cursor {
                put_name(&mut text, name);
                // As above.
                serde_json::to_writer(&mut text, cursor).unwrap_or_default();
            }
        }
        put_name(&mut text, "schemas");
        text.extend_from_slice(b"[\"");
        text.extend_from_slice(LIST_SCHEMA.as_bytes());
        text.extend_from_slice(b"\"]");
        for (name, number) in [("startIndex", self.start_index), ("totalResults", self.total_results)] {
            if let Some(number) = number {
                put_name(&mut text, name);
                put_number(&mut text, number);
            }
        }
        text.push(b'}');
        text
    }
}

fn put_name(text: &mut Vec<u8>, name: &str) {
    text.extend_from_slice(b",\"");
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\":");
}

fn put_number(text: &mut Vec<u8>, number: u64) {
    // As above.
    serde_json::to_writer(text, &number).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_page_has_integers_and_no_cursors() {
        let page = ListResponse {
            total_results: Some(12),
            start_index: Some(6),
            resources: vec![json!({"id": "6"})],
            ..ListResponse::default()
        };
        assert_eq!(
            page.into_json(),
            json!({
                "schemas": [LIST_SCHEMA], "totalResults": 12, "startIndex": 6, "itemsPerPage": 1,
                "Resources": [{"id": "6"}],
            })
        );
    }

    #[test]
    fn the_text_is_that_of_the_document() {
        for resources in [vec![], vec![json!({"id": "6"})], vec![json!({"id": "6"}), json!({"id": "7"})]] {
            let mut listing = Listing::default();
            for resource in &resources {
                listing.push(resource);
            }
            let index = ListResponse { total_results: Some(12), start_index: Some(6), ..ListResponse::default() };
            let cursor = ListResponse {
                next_cursor: Some("n\"1".to_owned()),
                previous_cursor: Some("p".to_owned()),
                ..ListResponse::default()
            };
            for page in [index, cursor] {
                let page = ListResponse { resources: resources.clone(), ..page };
                let text = String::from_utf8(page.clone().into_text(listing.clone())).unwrap();
                assert_eq!(text, page.into_json().to_string());
            }
        }
    }

    #[test]
    fn an_empty_list_still_has_resources() {
        assert_eq!(
            ListResponse::whole(Vec::new()).into_json(),
            json!({"schemas": [LIST_SCHEMA], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []})
        );
    }

    #[test]
    fn a_cursor_page_may_lack_the_total() {
        let page = ListResponse {
            next_cursor: Some("n".to_owned()),
            previous_cursor: Some("p".to_owned()),
            ..ListResponse::default()
        };
        assert_eq!(
            page.into_json(),
            json!({"schemas": [LIST_SCHEMA], "itemsPerPage": 0, "nextCursor": "n", "previousCursor": "p", "Resources": []})
        );
    }
}
