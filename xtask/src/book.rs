//! `book`: the pages of `docs` as a book, and links that lead somewhere.
//!
//! In: `docs/SUMMARY.md`, the pages, and what they link to. Out: `target/book/docs/index.html`, or every link that is
//! dead. Links are followed twice: in the Markdown, where forges and editors follow them, and in what was built, where
//! readers do. mdBook comes as a wheel, because compiling it takes minutes.

mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::Parser;

use crate::tools::python_environment;
use crate::workspace::{Workspace, capture, step};

/// Builds the book and follows its links.
pub(crate) fn book(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    if let Some(extra) = args.first() {
        return Err(format!("`{extra}`: the book takes no arguments"));
    }
    let pages = follow(workspace)?;
    let unlisted = unlisted(&read(&workspace.root.join("docs/SUMMARY.md"))?, pages.keys());
    if !unlisted.is_empty() {
        return Err(format!("docs/SUMMARY.md has no line for {}", unlisted.join(", ")));
    }
    let site = workspace.target.join("book");
    if site.exists() {
        fs::remove_dir_all(&site).map_err(|err| format!("cannot remove {}: {err}", site.display()))?;
    }
    let mut build = workspace.command(mdbook(workspace)?);
    // Where the file says, unless the build folder is elsewhere.
    build.args(["build", "docs", "--dest-dir"]).arg(site.join("docs"));
    step("build the book", &mut build)?;
    complete(&workspace.root, &site)?;
    println!("    {}", site.join("docs/index.html").display());
    Ok(())
}

/// Follows the links of every page of Markdown in the checkout.
pub(crate) fn links(workspace: &Workspace) -> Result<(), String> {
    follow(workspace).map(drop)
}

fn follow(workspace: &Workspace) -> Result<BTreeMap<String, links::Page>, String> {
    println!("==> links");
    let listed = capture(workspace.command("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    // What is deleted is listed until that is committed.
    let files: BTreeSet<String> =
        listed.lines().filter(|path| workspace.root.join(path).exists()).map(str::to_owned).collect();
    let mut pages = BTreeMap::new();
    for path in files.iter().filter(|path| is(path, "md")) {
        pages.insert(path.clone(), links::read(&read(&workspace.root.join(path))?));
    }
    if !pages.contains_key("README.md") {
        return Err("git lists no README.md here".into());
    }
    let found = links::findings(&pages, &files);
    if found.is_empty() {
        return Ok(pages);
    }
    Err(format!("{} links lead nowhere\n{}", found.len(), found.join("\n")))
}

/// The pages below `docs` that are no chapters.
fn unlisted<'p>(summary: &str, pages: impl Iterator<Item = &'p String>) -> Vec<&'p str> {
    let is_page = |path: &&str| path.starts_with("docs/") && *path != "docs/SUMMARY.md";
    pages.map(String::as_str).filter(is_page).filter(|path| !summary.contains(&format!("]({})", &path[5..]))).collect()
}

/// The mdBook of the `PATH` if it is of the version that the pages are written for, else that of the wheel.
fn mdbook(workspace: &Workspace) -> Result<PathBuf, String> {
    let requirements = workspace.root.join("xtask/book/requirements.txt");
    let wanted = version(&read(&requirements)?).ok_or("xtask/book/requirements.txt names no version of mdBook")?;
    let installed = workspace.command("mdbook").arg("--version").output();
    if installed.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == format!("mdbook v{wanted}")) {
        return Ok("mdbook".into());
    }
    let python = python_environment(workspace, &requirements, &workspace.target.join("book-tools"))
        .map_err(|why| format!("mdBook cannot be installed ({why}); try `cargo install mdbook --version {wanted}`"))?;
    Ok(python.with_file_name("mdbook"))
}

/// The version in `name==1.2.3 \`.
fn version(requirements: &str) -> Option<String> {
    let pinned = requirements.lines().find_map(|line| line.split_once("=="))?.1;
    pinned.split_whitespace().next().map(str::to_owned)
}

/// Puts what pages link to beside the book, then looks whether every link of it leads somewhere.
fn complete(root: &Path, site: &Path) -> Result<(), String> {
    println!("==> links of the book");
    let mut unread = html_below(site)?;
    let mut pages: BTreeMap<String, (BTreeSet<String>, Vec<String>)> = BTreeMap::new();
    // Pages that come with a link may link to more.
    while let Some(path) = unread.pop() {
        let html = read(&site.join(&path))?;
        let ids = links::attributes(&html, "id").map(str::to_owned).collect();
        let targets: Vec<String> =
            ["href", "src"].iter().flat_map(|name| links::attributes(&html, name)).map(unescaped).collect();
        for target in targets.iter().filter(|target| !links::is_external(target)) {
            let file = target.split('#').next().unwrap_or_default();
            let Some(wanted) = links::resolve(&path, file).filter(|_| !file.is_empty()) else { continue };
            let unlisted = root.join(&wanted).is_dir() && !site.join(&wanted).join("index.html").exists();
            if unlisted || !site.join(&wanted).exists() {
                unread.extend(bring(root, site, &wanted)?);
            }
        }
        pages.insert(path, (ids, targets));
    }
    let dead = dead_links(site, &pages);
    if dead.is_empty() {
        println!("    {} pages", pages.len());
        return Ok(());
    }
    Err(format!("{} links of the book lead nowhere\n{}", dead.len(), dead.join("\n")))
}

/// Brings what the book links to from the checkout, if it is there, and returns the page that this makes. A link to `X.md`
/// has become one to `X.html`: what is a chapter is there under its own name, and what is none is rendered. Of a folder
/// there is a list.
fn bring(root: &Path, site: &Path, wanted: &str) -> Result<Option<String>, String> {
    let to = site.join(wanted);
    let from = root.join(wanted);
    let folder = if from.is_dir() { Some(to.as_path()) } else { to.parent() };
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(|err| format!("cannot make {}: {err}", folder.display()))?;
    }
    let cannot = |err: std::io::Error| format!("cannot write {}: {err}", to.display());
    let chapter = to.with_file_name("index.html");
    let page = wanted.strip_suffix(".html").map(|name| root.join(format!("{name}.md"))).filter(|page| page.exists());
    if to.ends_with("README.html") && chapter.exists() {
        fs::copy(chapter, &to).map_err(cannot)?;
    } else if let Some(page) = page {
        fs::write(&to, rendered(&read(&page)?)).map_err(cannot)?;
    } else if from.is_dir() {
        fs::write(to.join("index.html"), listed(&from, wanted)?).map_err(cannot)?;
        return Ok(Some(format!("{wanted}/index.html")));
    } else if from.is_file() {
        fs::copy(from, &to).map_err(cannot)?;
        return Ok(None);
    } else {
        return Ok(None);
    }
    Ok(Some(wanted.to_owned()))
}

/// A page that lists a folder. Its entries lead to what is brought in turn.
fn listed(folder: &Path, name: &str) -> Result<String, String> {
    let cannot = |err: std::io::Error| format!("cannot read {}: {err}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        names.push(entry.map_err(cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let items: Vec<String> = names.iter().map(|name| format!("- [{name}]({name})\n")).collect();
    Ok(rendered(&format!("# {name}\n\n{}", items.concat())))
}

/// A page that is no chapter, by itself. Its links follow the pages they lead to, as in the book.
fn rendered(text: &str) -> String {
    use pulldown_cmark::{Event, Tag, html};
    let title = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("scimshim").to_owned();
    let mut headings = Vec::new();
    let events = Parser::new_ext(text, links::OPTIONS).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) if !links::is_external(&dest_url) => {
            let dest_url = dest_url.replacen(".md#", ".html#", 1);
            let dest_url = dest_url.strip_suffix(".md").map_or(dest_url.clone(), |page| format!("{page}.html"));
            Event::Start(Tag::Link { link_type, dest_url: dest_url.into(), title, id })
        }
        other => other,
    });
    let mut events: Vec<Event<'_>> = events.collect();
    name_headings(&mut events, &mut headings);
    let mut body = String::new();
    html::push_html(&mut body, events.into_iter());
    let title = title.replace(['<', '>', '&', '`'], "");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n{STYLE}</head>\n<body>\n{body}</body></html>\n"
    )
}

/// Gives headings the names by which others link to them.
fn name_headings(events: &mut [pulldown_cmark::Event<'_>], used: &mut Vec<String>) {
    use pulldown_cmark::{Event, Tag, TagEnd};
    let mut open = None;
    let mut words = String::new();
    for at in 0..events.len() {
        match &events[at] {
            Event::Start(Tag::Heading { .. }) => (open, words) = (Some(at), String::new()),
            Event::Text(text) | Event::Code(text) => words.push_str(text),
            Event::End(TagEnd::Heading(_)) => {
                let name = links::slug(&words);
                let before = used.iter().filter(|other| **other == name).count();
                let unique = if before == 0 { name.clone() } else { format!("{name}-{before}") };
                used.push(name);
                if let Some(Event::Start(Tag::Heading { id, .. })) = open.take().and_then(|open| events.get_mut(open)) {
                    *id = Some(unique.into());
                }
            }
            _ => {}
        }
    }
}

const STYLE: &str = "<style>:root{color-scheme:light dark}body{max-width:50rem;margin:2rem auto;padding:0 1rem;\
                     font:16px/1.5 sans-serif}td,th{border:1px solid;padding:.2rem .5rem}table{border-collapse:collapse}\
                     pre{overflow-x:auto}</style>";

/// What is dead among the links of the pages.
fn dead_links(site: &Path, pages: &BTreeMap<String, (BTreeSet<String>, Vec<String>)>) -> Vec<String> {
    let mut dead = Vec::new();
    // All pages on one, with ids of its own making, and the page for what is missing, which knows no place.
    let by_reader = |path: &&String| !path.ends_with("print.html") && !path.ends_with("404.html");
    for path in pages.keys().filter(by_reader) {
        for target in pages[path].1.iter().filter(|target| !links::is_external(target)) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let wanted = if file.is_empty() { Some(path.clone()) } else { links::resolve(path, file) };
            let there = wanted.as_ref().is_some_and(|wanted| site.join(wanted).exists());
            let page = wanted.and_then(|wanted| pages.get(&wanted));
            let named = anchor.is_empty() || page.is_some_and(|(ids, _)| ids.contains(anchor));
            if !there || !named {
                dead.push(format!("{path}: {target}"));
            }
        }
    }
    dead
}

/// The pages below a folder, by their paths from it.
fn html_below(site: &Path) -> Result<Vec<String>, String> {
    let cannot = |err: std::io::Error| format!("cannot read {}: {err}", site.display());
    let (mut folders, mut found) = (vec![site.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(path) =
                path.strip_prefix(site).ok().and_then(Path::to_str).filter(|path| is(path, "html"))
            {
                found.push(path.to_owned());
            }
        }
    }
    Ok(found)
}

/// Whether a path has this extension.
fn is(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == wanted)
}

/// The text of an attribute.
fn unescaped(value: &str) -> String {
    value.replace("&quot;", "\"").replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|err| format!("cannot read {}: {err}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_is_pinned() {
        assert_eq!(version("# why\nrust-mdbook==0.5.4 \\\n    --hash=sha256:00\n").as_deref(), Some("0.5.4"));
        assert_eq!(version("# none\n"), None);
    }

    #[test]
    fn every_page_is_a_chapter() {
        let pages = ["README.md", "docs/SUMMARY.md", "docs/a.md", "docs/b/a.md", "docs/c.md"].map(str::to_owned);
        assert_eq!(unlisted("- [A](a.md)\n    - [C](c.md)\n", pages.iter()), ["docs/b/a.md"]);
    }

    #[test]
    fn a_page_that_is_no_chapter_links_to_what_was_built() {
        let html = rendered(
            "# A `b`\n\n## Twice\n\n## Twice\n\n[c](d.md#e) [f](../g.md) [h](i.toml) [j](https://k.example/l.md)\n",
        );
        for part in [
            "<title>A b</title>",
            "<h1 id=\"a-b\">",
            "<h2 id=\"twice-1\">",
            "href=\"d.html#e\"",
            "href=\"../g.html\"",
            "href=\"i.toml\"",
            "href=\"https://k.example/l.md\"",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
    }

    #[test]
    fn dead_links_of_a_built_book_are_found() {
        let site = std::env::temp_dir().join(format!("scimshim-book-{}", std::process::id()));
        let page = |body: &str| (format!("<h1 id=\"top\">A</h1>{body}"), site.join("docs/a.html"));
        fs::create_dir_all(site.join("docs")).expect("a folder");
        let root = site.join("no-checkout");
        let outcome = |body: &str| {
            let (html, path) = page(body);
            fs::write(path, html).expect("a page");
            complete(&root, &site)
        };
        assert_eq!(
            outcome("<a href=\"#top\">b</a> <a href=\"a.html#top\">c</a> <a href=\"https://d.example\">d</a>"),
            Ok(())
        );
        for dead in ["#bottom", "a.html#bottom", "b.html", "../../../x"] {
            let why = outcome(&format!("<a href=\"{dead}\">b</a>")).expect_err(dead);
            assert!(why.contains(&format!("docs/a.html: {dead}")), "{why}");
        }
        fs::remove_dir_all(&site).expect("removed");
    }

    #[test]
    fn what_is_linked_from_outside_is_brought() {
        let root = std::env::temp_dir().join(format!("scimshim-brought-{}", std::process::id()));
        let site = root.join("target/book");
        let write = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write(&root.join("deploy/a.toml"), "a = 1\n");
        write(&root.join("deploy/more/README.md"), "# More\n\n[a](../a.toml)\n");
        let links = ["../deploy/a.toml", "../deploy", "../deploy/more/README.html#more"]
            .map(|to| format!("<a href=\"{to}\">x</a>"));
        write(&site.join("docs/index.html"), &links.concat());
        assert_eq!(complete(&root, &site), Ok(()));
        for path in ["deploy/a.toml", "deploy/index.html", "deploy/more/README.html", "deploy/more/index.html"] {
            assert!(site.join(path).exists(), "{path}");
        }
        fs::remove_dir_all(&root).expect("removed");
    }
}
