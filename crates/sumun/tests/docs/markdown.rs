//! Pages as blocks: fenced code with what stands right before it.
//!
//! Never here: what becomes of a block.

/// A fenced block.
#[derive(Debug)]
pub(crate) struct Block {
    /// Of its opening fence, from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
    /// The comments right before it: `<!-- name: value -->`.
    pub(crate) notes: Vec<Note>,
    /// Whether it stands right behind the block before it, with nothing but empty lines between.
    pub(crate) follows: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// It is not run, for this reason.
    NotRun(String),
    /// It is this file, word by word.
    File(String),
    /// Commands to be run before it, which a reader does by hand or does not need.
    Before(String),
}

/// A page's blocks, or what is wrong with its form.
pub(crate) fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let mut found: Vec<Block> = Vec::new();
    let mut notes = Vec::new();
    let mut follows = false;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let bare = line.trim_start();
        if let Some(language) = bare.strip_prefix("```") {
            let indent = line.len() - bare.len();
            let mut text = String::new();
            loop {
                let Some((_, line)) = lines.next() else {
                    return Err(format!("line {}: a block without end", number + 1));
                };
                if line.trim() == "```" {
                    break;
                }
                text.push_str(line.get(indent..).unwrap_or_default());
                text.push('\n');
            }
            let language = language.trim().to_owned();
            found.push(Block { line: number + 1, language, text, notes: std::mem::take(&mut notes), follows });
            follows = true;
        } else if bare.starts_with("<!--") {
            let mut comment = bare.to_owned();
            while !comment.contains("-->") {
                let Some((_, line)) = lines.next() else {
                    return Err(format!("line {}: a comment without end", number + 1));
                };
                comment.push('\n');
                comment.push_str(line);
            }
            let inner = comment.trim_start_matches("<!--").split("-->").next().unwrap_or_default().trim();
            match inner.split_once(':') {
                Some(("not run", why)) => notes.push(Note::NotRun(why.trim().to_owned())),
                Some(("file", path)) => notes.push(Note::File(path.trim().to_owned())),
                Some(("before", commands)) => notes.push(Note::Before(commands.trim().to_owned())),
                _ => {}
            }
            follows = false;
        } else if !bare.is_empty() {
            if !notes.is_empty() {
                return Err(format!("line {}: {:?} stands before no block", number + 1, notes[0]));
            }
            follows = false;
        }
    }
    Ok(found)
}

/// Where a page's links lead: `](target)`, outside of fenced blocks.
pub(crate) fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        }
        if inside {
            continue;
        }
        for part in line.split("](").skip(1) {
            found.extend(part.split(')').next().map(str::to_owned));
        }
    }
    found
}

/// The rows of all tables whose first column's head is `first`: their cells, without backticks around a whole cell.
pub(crate) fn rows(page: &str, first: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        let Some(row) = line.trim().strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        let cells: Vec<String> = row.split(" | ").map(|cell| cell.trim().to_owned()).collect();
        if cells[0] == first {
            inside = true;
        } else if inside && !cells[0].starts_with("---") {
            found.push(cells.iter().map(|cell| cell.trim_matches('`').to_owned()).collect());
        }
    }
    found
}

#[test]
fn a_page_is_read_into_blocks_with_what_stands_before_them() {
    let page = "a\n\n<!-- before: x\ny -->\n```sh\necho 1\n```\n\n```text\n1\n```\n- b\n  ```toml\n  c = 1\n  ```\n";
    let found = blocks(page).expect("a page");
    let seen: Vec<_> = found.iter().map(|b| (b.line, b.language.as_str(), b.text.as_str(), b.follows)).collect();
    assert_eq!(seen, [(5, "sh", "echo 1\n", false), (9, "text", "1\n", true), (13, "toml", "c = 1\n", false)]);
    assert_eq!(found[0].notes, [Note::Before("x\ny".into())]);
    assert!(blocks("```sh\necho").is_err());
    assert!(blocks("<!-- not run: why -->\nwords\n").is_err(), "a note that holds for nothing");
}
