//! What a page of Markdown links to, and where others can link into it.
//!
//! In: the text of pages by their paths from the root of the checkout, and the paths of all files. Out: every link that
//! leads nowhere, with its line. It reads plain Markdown with tables, and names headings as the forges and the
//! book do. Links to other sites are looked at for their form only: nothing is fetched.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

/// A page as links see it.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The names of its headings and of elements with an id.
    anchors: BTreeSet<String>,
    /// Line and target of links and images.
    links: Vec<(usize, String)>,
}

/// How Markdown is read here, and for the book.
pub(crate) const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);

/// Reads a page.
pub(crate) fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut heading: Option<String> = None;
    let line = |at: usize| text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    // A reference that nothing defines is taken for plain text by the parser, and for a link by whoever wrote it.
    let unknown = |link: pulldown_cmark::BrokenLink<'_>| {
        Some((format!("{UNDEFINED}{}", &*link.reference).into(), String::new().into()))
    };
    for (event, range) in Parser::new_with_broken_link_callback(text, OPTIONS, Some(unknown)).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let name = slug(&heading.take().unwrap_or_default());
                let before = used.entry(name.clone()).or_default();
                page.anchors.insert(if *before == 0 { name } else { format!("{name}-{before}") });
                *before += 1;
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::Start(Tag::Link { link_type, dest_url, .. }) if link_type != LinkType::Email => {
                // `[like this]` is mostly not meant as a link, unlike `[this][one]`.
                let shortcut = link_type == LinkType::ShortcutUnknown;
                if !shortcut {
                    page.links.push((line(range.start), dest_url.into_string()));
                }
            }
            Event::Start(Tag::Image { dest_url, .. }) => page.links.push((line(range.start), dest_url.into_string())),
            Event::Html(html) | Event::InlineHtml(html) => {
                page.anchors.extend(attributes(&html, "id").map(str::to_owned));
                let targets =
                    attributes(&html, "href").chain(attributes(&html, "src")).chain(attributes(&html, "srcset"));
                page.links.extend(targets.map(|target| (line(range.start), target.to_owned())));
            }
            _ => {}
        }
    }
    page
}

/// Marks the target of a reference that is not defined.
const UNDEFINED: &str = "\u{0}";

/// The values of an attribute, as this project writes HTML: in double quotes.
pub(crate) fn attributes<'t>(html: &'t str, name: &'t str) -> impl Iterator<Item = &'t str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let (before, after) = rest.split_once(name)?;
            rest = after;
            let begins = before.ends_with(|last: char| last.is_ascii_whitespace());
            if let Some((value, after)) = after.strip_prefix("=\"").and_then(|value| value.split_once('"')) {
                rest = after;
                if begins {
                    return Some(value);
                }
            }
        }
    })
}

/// The name of a heading: small letters, digits, `-` and `_`; spaces become `-`, all else goes.
pub(crate) fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c => c.is_alphanumeric().then_some(c),
        })
        .collect()
}

/// What is wrong with the links of all pages, one finding a line.
///
/// `files` are all files of the checkout, so that it is the same on every file system.
pub(crate) fn findings(pages: &BTreeMap<String, Page>, files: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (path, page) in pages {
        for (line, target) in &page.links {
            if let Some(what) = wrong(path, target, pages, files) {
                found.push(format!("{path}:{line}: {what}"));
            }
        }
    }
    found
}

fn wrong(from: &str, target: &str, pages: &BTreeMap<String, Page>, files: &BTreeSet<String>) -> Option<String> {
    if let Some(name) = target.strip_prefix(UNDEFINED) {
        return Some(format!("`[{name}]` is defined nowhere"));
    }
    if let Some(why) = is_external(target).then(|| bad_form(target)) {
        return why.map(|why| format!("`{target}`: {why}"));
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { Some(from.to_owned()) } else { resolve(from, file) };
    let Some(path) = path else {
        return Some(format!("`{target}` leaves the repository"));
    };
    let is_folder =
        || files.range(format!("{path}/")..).next().is_some_and(|next| next.starts_with(&format!("{path}/")));
    if !files.contains(&path) && !is_folder() {
        return Some(format!("`{target}`: there is no {path}"));
    }
    let anchor = anchor?;
    match pages.get(&path) {
        Some(page) if page.anchors.contains(anchor) => None,
        Some(_) => Some(format!("`{target}`: {path} has no heading of this name")),
        None => Some(format!("`{target}`: {path} has no headings")),
    }
}

/// Whether a target names a scheme.
pub(crate) fn is_external(target: &str) -> bool {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Why an address of another site is not one.
fn bad_form(target: &str) -> Option<&'static str> {
    let Some(rest) = target.strip_prefix("https://") else {
        return (!target.starts_with("mailto:")).then_some("links to other sites begin with https://");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let named = host.contains('.') && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if !named {
        return Some("this is no host");
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`');
    if rest.contains(odd) {
        return Some("there are characters that no URL has");
    }
    target.ends_with(['.', ',', ';', ':']).then_some("the last character belongs to the sentence")
}

/// A relative path, from the folder of a file; nothing above the root.
pub(crate) fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings about `README.md` with this text, beside a page with some headings.
    fn check(text: &str) -> Vec<String> {
        let guide = "# Guide\n\n## What *it* `does`, and why?\n\n## Twice\n\n## Twice\n\n<a id=\"by-hand\"></a>\n";
        let texts = [("README.md", text), ("docs/guide.md", guide)];
        let pages: BTreeMap<String, Page> = texts.map(|(path, text)| (path.to_owned(), read(text))).into();
        let files = ["README.md", "docs/guide.md", "docs/img/a.svg", "config.toml"].map(str::to_owned).into();
        findings(&pages, &files)
    }

    #[test]
    fn links_that_lead_somewhere_are_left_alone() {
        let fine = "# Here it is\n\n[a](docs/guide.md) [b](config.toml) [c](docs) [d](./docs/img/) [e](#here-it-is)\n\
                    ![f](docs/img/a.svg) <https://example.com/x?y=%20> [g][ref] [plain] <img src=\"docs/img/a.svg\">\n\
                    [h](docs/guide.md#what-it-does-and-why) [i](docs/guide.md#twice-1) [j](docs/guide.md#by-hand)\n\
                    [k](mailto:a@example.com)\n\n\
                    ```\n[in code](nowhere.md)\n```\n\n`[in code](nowhere.md)`\n\n[ref]: docs/guide.md#twice\n";
        assert_eq!(check(fine), Vec::<String>::new());
    }

    #[test]
    fn a_missing_file_and_a_missing_heading_are_found_with_their_line() {
        let cases = [
            ("[a](docs/gone.md)", "`docs/gone.md`: there is no docs/gone.md"),
            ("[a](docs/guide.md#what-it-does)", "docs/guide.md has no heading of this name"),
            ("[a](docs/guide.md#Twice)", "has no heading of this name"),
            ("[a](docs/guide.md#twice-2)", "has no heading of this name"),
            ("[a](#nowhere)", "README.md has no heading of this name"),
            ("[a](config.toml#x)", "config.toml has no headings"),
            ("[a](../other/x.md)", "leaves the repository"),
            ("![a](docs/img/b.svg)", "there is no docs/img/b.svg"),
            ("<img src=\"b.svg\">", "there is no b.svg"),
            ("[a][ref]\n\n[ref]: docs/guide.md#gone", "has no heading of this name"),
            ("[a][undefined]", "`[undefined]` is defined nowhere"),
        ];
        for (text, expected) in cases {
            let found = check(&format!("Words.\n\n{text}\n"));
            assert!(
                matches!(&found[..], [one] if one.starts_with("README.md:3: ") && one.contains(expected)),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn addresses_of_other_sites_are_looked_at() {
        let cases = [
            ("http://example.com", "begin with https://"),
            ("ftp://example.com", "begin with https://"),
            ("https://localhost/x", "no host"),
            ("https://<your host>/", "no host"),
            ("https://example.com.", "belongs to the sentence"),
            ("https://example.com/a`b", "no URL has"),
        ];
        for (target, expected) in cases {
            let found = bad_form(target);
            assert!(found.is_some_and(|why| why.contains(expected)), "{target}: {found:?}");
        }
        assert_eq!(bad_form("https://learn.example.com/a/b?c=d#e"), None);
    }

    #[test]
    fn headings_are_named_as_readers_of_markdown_do() {
        assert_eq!(slug("`[[resource.<Type>.guard]]`"), "resourcetypeguard");
        assert_eq!(slug("What `scimshim check` says"), "what-scimshim-check-says");
        assert_eq!(slug("op-case, a_b: 7 – Größe"), "op-case-a_b-7--größe");
    }

    #[test]
    fn attributes_are_read_as_they_are_written() {
        let html = "<a id=\"x\" data-id=\"y\" href=\"a.html#b\"><img src=\"c.svg\">";
        assert_eq!(attributes(html, "id").collect::<Vec<_>>(), ["x"]);
        assert_eq!(attributes(html, "href").chain(attributes(html, "src")).collect::<Vec<_>>(), ["a.html#b", "c.svg"]);
    }

    #[test]
    fn paths_stay_below_the_root() {
        assert_eq!(resolve("docs/a/b.md", "../c.md").as_deref(), Some("docs/c.md"));
        assert_eq!(resolve("b.md", "./c/").as_deref(), Some("c"));
        assert_eq!(resolve("docs/b.md", "../../c.md"), None);
    }
}
