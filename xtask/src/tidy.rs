//! `cargo xtask tidy`: the house rules that no lint knows. Which crate may know which; what core must never know; how a
//! file begins.

use anyhow::{Context, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our crates each may use, tests aside. Arrows go leftwards only.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("sumun-wire", &[]),
    ("sumun-core", &["sumun-wire"]),
    ("sumun-codec", &["sumun-core", "sumun-wire"]),
    ("sumun-auditor", &["sumun-wire"]),
    ("sumun-log", &[]),
    ("sumun-store", &[]),
    ("sumun-engine", &["sumun-codec", "sumun-core", "sumun-log", "sumun-store", "sumun-wire"]),
    ("sumun-feed", &["sumun-codec", "sumun-log", "sumun-wire"]),
    ("sumun-trace", &["sumun-wire"]),
    ("sumun-server", &["sumun-engine", "sumun-wire"]),
    ("sumun-http", &["sumun-feed", "sumun-server", "sumun-trace", "sumun-wire"]),
    (
        "sumun",
        &[
            "sumun-auditor",
            "sumun-codec",
            "sumun-core",
            "sumun-engine",
            "sumun-feed",
            "sumun-http",
            "sumun-log",
            "sumun-server",
            "sumun-store",
            "sumun-trace",
            "sumun-wire",
        ],
    ),
    (
        "sumun-sim",
        &["sumun-auditor", "sumun-codec", "sumun-core", "sumun-engine", "sumun-log", "sumun-store", "sumun-wire"],
    ),
    ("sumun-proof", &["sumun-auditor", "sumun-codec", "sumun-core", "sumun-log", "sumun-wire"]),
    ("xtask", &["sumun-proof", "sumun-sim"]),
];

/// All that the core and its vocabulary may bring along: none of it does I/O, reads a clock or serialises.
const CORE_MAY_USE: [&str; 8] =
    ["compact_str", "fastbloom", "foldhash", "hashbrown", "siphasher", "smallvec", "sumun-wire", "unicode-properties"];

const LINES_MAX: usize = 600;

pub(crate) fn run() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?;
    let mut flaws = Vec::new();
    dependencies(root, &mut flaws)?;
    for file in rust_files(root)? {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        look(&file, &text, &mut flaws);
    }
    if flaws.is_empty() {
        println!("tidy");
        return Ok(());
    }
    bail!("{} flaws:\n  {}", flaws.len(), flaws.join("\n  "))
}

fn dependencies(root: &Path, flaws: &mut Vec<String>) -> anyhow::Result<()> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output =
        Command::new(cargo).args(["metadata", "--format-version=1", "--no-deps"]).current_dir(root).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata gives JSON")?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, may_use)) = MAY_USE.iter().find(|(of, _)| *of == name) else {
            flaws.push(format!("{name}: a crate that xtask/src/tidy.rs does not know"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let in_tests = dependency["kind"] == "dev";
            let ours = MAY_USE.iter().any(|(of, _)| *of == used);
            if ours && !in_tests && !may_use.contains(&used) {
                flaws.push(format!("{name} must not know {used}"));
            }
            if (name == "sumun-core" || name == "sumun-wire") && !in_tests && !CORE_MAY_USE.contains(&used) {
                flaws.push(format!("{name} must not use {used}: it does no I/O and knows no clock and no serde"));
            }
        }
    }
    for core in ["crates/core/src/lib.rs", "crates/wire/src/lib.rs"] {
        if !std::fs::read_to_string(root.join(core))?.contains("#![no_std]") {
            flaws.push(format!("{core}: must stay no_std, the proof that it does no I/O"));
        }
    }
    Ok(())
}

fn look(file: &Path, text: &str, flaws: &mut Vec<String>) {
    let name = file.display();
    let head: String = text.lines().take_while(|line| line.starts_with("//!") || line.starts_with("#!")).collect();
    if !head.contains("//!") {
        flaws.push(format!("{name}: begins without `//!` that says what it owns"));
    }
    if text.lines().count() > LINES_MAX && !head.contains("lines:") {
        flaws.push(format!("{name}: more than {LINES_MAX} lines, and its `//!` does not say why (`lines: …`)"));
    }
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("#[allow(") || line.starts_with("#![allow(") || line.starts_with("#[ignore") {
            flaws.push(format!("{name}:{}: `expect` with a reason, and no test that is left out", number + 1));
        }
    }
}

fn rust_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("xtask"), root.join("fuzz/fuzz_targets")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
