//! All pages: README.md, ARCHITECTURE.md and what stands under `docs/`.

use super::{markdown, page, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How many pages run at once.
const AT_ONCE: usize = 3;

fn pages() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("ARCHITECTURE.md"), root().join("CHANGELOG.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `SUMUN_PAGE=returns cargo nextest run -p sumun every_command --no-capture` runs the pages whose path has that word.
#[test]
fn every_command_in_the_documents_runs_and_shows_what_they_say() {
    let only = std::env::var_os("SUMUN_PAGE").map(|only| only.to_string_lossy().into_owned());
    let mut waiting = pages();
    waiting.retain(|path| only.as_ref().is_none_or(|only| path.to_string_lossy().contains(only.as_str())));
    let waiting = Mutex::new(waiting);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(path) = waiting.lock().expect("no one panics").pop() else { return };
                    let outcome = page::run(&path);
                    done.lock().expect("no one panics").push((path, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no one panicked");
    done.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut flaws = Vec::new();
    for (path, outcome) in done {
        println!("{:4} commands  {}", outcome.commands, path.strip_prefix(root()).unwrap_or(&path).display());
        for not_run in &outcome.not_run {
            println!("     not run  {not_run}");
        }
        flaws.extend(outcome.flaws);
    }
    assert!(flaws.is_empty(), "{} flaws:\n\n  {}\n", flaws.len(), flaws.join("\n\n  "));
}

#[test]
fn every_link_leads_somewhere() {
    let mut flaws = Vec::new();
    for path in pages() {
        let text = fs::read_to_string(&path).expect("a page");
        for link in markdown::links(&text) {
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            if file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            let found = target.exists() && anchor.is_none_or(|anchor| headings(&target).contains(anchor));
            if !found {
                flaws.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(flaws.is_empty(), "links that lead nowhere:\n  {}", flaws.join("\n  "));
}

/// What may stand behind `#`, as forges and mdBook make it of a heading.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap_or_default();
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_lowercase());
    let anchor = |heading: String| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines().filter_map(heading).map(anchor).collect()
}

#[test]
fn the_table_of_contents_has_every_chapter() {
    let docs = root().join("docs");
    let [contents, how] = ["SUMMARY.md", "README.md"].map(|name| docs.join(name));
    let text = fs::read_to_string(&contents).expect("the book has a table of contents");
    let listed: BTreeSet<PathBuf> = markdown::links(&text).iter().map(|link| docs.join(link)).collect();
    let is_chapter = |page: &PathBuf| page.starts_with(&docs) && *page != contents && *page != how;
    let there: BTreeSet<PathBuf> = pages().into_iter().filter(is_chapter).collect();
    let missing: Vec<_> = there.difference(&listed).collect();
    assert!(missing.is_empty(), "SUMMARY.md does not list {missing:?}");
}
