//! Query parameters: the raw query string in, decoded pairs and a page out.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::reply::Refusal;

/// The decoded query of one request. A parameter given twice counts with its last value.
pub(super) struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Params<'a> {
    pub(super) fn parse(query: &'a str) -> Params<'a> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Params(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }
}

/// `+` is a space and `%41` an `A`, as HTML forms write them; bytes that are not UTF-8 become U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8_lossy();
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// One page of a list: `number` counts from 1, `size` is at most [`PAGE_SIZE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) size: usize,
}

impl Page {
    /// Reads `page` and `per_page`. A size above the maximum is clamped, anything that is not a positive
    /// number is refused with 400.
    pub(super) fn parse(params: &Params<'_>) -> Result<Page, Refusal> {
        let number = positive(params, "page")?.unwrap_or(1);
        let size = positive(params, "per_page")?.unwrap_or(PAGE_SIZE_DEFAULT).min(PAGE_SIZE_MAX);
        Ok(Page { number, size })
    }

    /// How many rows come before this page.
    pub(super) fn skip(self) -> usize {
        (self.number - 1).saturating_mul(self.size)
    }
}

fn positive(params: &Params<'_>, parameter: &'static str) -> Result<Option<usize>, Refusal> {
    let Some(text) = params.last(parameter) else {
        return Ok(None);
    };
    match text.parse::<usize>() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(Refusal::BadQuery { parameter, message: "must be a number from 1" }),
    }
}

const PAGE_SIZE_DEFAULT: usize = 25;
pub(super) const PAGE_SIZE_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::{Page, Params};

    #[test]
    fn parameters_are_decoded_and_the_last_wins() {
        let params = Params::parse("a=1&a=2&b=x+y%2Bz&&c&%64=%F0%9F%90%9D&e=%FF");
        let cases = [
            ("a", Some("2")),
            ("b", Some("x y+z")),
            ("c", Some("")),
            ("d", Some("🐝")),
            ("e", Some("\u{fffd}")),
            ("f", None),
        ];
        for (name, expect) in cases {
            assert_eq!(params.last(name), expect, "{name}");
        }
    }

    #[test]
    fn pages_are_bounded() {
        let cases = [
            ("", Some((1, 25, 0))),
            ("page=3&per_page=10", Some((3, 10, 20))),
            ("per_page=101", Some((1, 100, 0))),
            ("page=18446744073709551615&per_page=100", Some((usize::MAX, 100, usize::MAX))),
            ("page=0", None),
            ("page=-1", None),
            ("page=x", None),
            ("page=", None),
            ("per_page=0", None),
            ("per_page=99999999999999999999999", None),
        ];
        for (query, expect) in cases {
            let page = Page::parse(&Params::parse(query)).ok();
            assert_eq!(page.map(|page| (page.number, page.size, page.skip())), expect, "{query}");
        }
    }
}
