//! `cargo xtask mutants`: mistakes made on purpose in a copy of the tree, one at a time. A proof that finds none of
//! them proves little. Each is one exact replacement of text and the smallest proof that has to fail because of it; one
//! whose text is gone or stands twice is an error, as is a proof that fails without any mistake.

use anyhow::{Context, bail, ensure};
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// A mutant may keep its proof from ending; that is a way of being caught too.
const PROOF_SECONDS_MAX: &str = "600";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only mutants whose name contains this
    #[arg(long, default_value = "")]
    only: String,
}

struct Mutant {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    proof: Proof,
}

/// What has to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Proof {
    /// Some seeds of the simulation.
    Sim,
    /// Tests of a package: of which target, with what in their names.
    Test(&'static str, &'static str, &'static str),
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "reply before sync",
        file: "crates/engine/src/engine.rs",
        from: "        let step = self.step;\n        self.step += 1;",
        to: "        let step = self.step;\n        self.proven = step;\n        self.step += 1;",
        proof: Proof::Sim,
    },
    Mutant {
        name: "expiry not freeing a lot",
        file: "crates/core/src/decide/end.rs",
        from: "draft.give(&take, take.left(), Shift { on_hand: 0, reserved: -(take.left() as i64) });",
        to: "let free = if take.lot == NONE { take.left() as i64 } else { 0 };\n            draft.give(&take, take.left(), Shift { on_hand: 0, reserved: -free });",
        proof: Proof::Sim,
    },
    Mutant {
        name: "limit forgetting captured",
        file: "crates/core/src/decide/reserve.rs",
        from: "usage.held + usage.counted(self.now, limit.window_ms)",
        to: "usage.held + 0 * usage.counted(self.now, limit.window_ms)",
        proof: Proof::Sim,
    },
    Mutant {
        name: "partial multi-line",
        file: "crates/core/src/decide/reserve.rs",
        from: "if want.quantity > available || given < want.quantity {",
        to: "if (want.quantity > available || given < want.quantity) && (given == 0 || wants.len() == 1) {",
        proof: Proof::Sim,
    },
    Mutant {
        name: "movement applied twice",
        file: "crates/core/src/decide/item.rs",
        from: "let Some(movement) = self.movement(slot, id)? else { return Ok(()) };",
        to: "let Some(movement) = self.movement(slot, id)?.filter(|_| self.now % 7 > 0) else { return Ok(()) };",
        proof: Proof::Sim,
    },
    Mutant {
        name: "torn frame accepted",
        file: "crates/log/src/scan.rs",
        from: "Ok(if crc == head.crc { Ok(head) }",
        to: "Ok(if crc == head.crc || into.is_none() { Ok(head) }",
        proof: Proof::Test("sumun-log", "log", "damage"),
    },
    Mutant {
        name: "ends skipped at restart",
        file: "crates/engine/src/load.rs",
        from: "let next = engine.shard.state_mut().arm(now, from, ARM_SLOTS);",
        to: "let next = engine.shard.state_mut().arm(now, from | u32::MAX, ARM_SLOTS);",
        proof: Proof::Sim,
    },
    Mutant {
        name: "one end skipped at restart",
        file: "crates/core/src/lists.rs",
        from: "for slot in from..until {",
        to: "for slot in from + 1..until {",
        proof: Proof::Test("sumun-core", "ledger", "timers"),
    },
    Mutant {
        name: "return above captured",
        file: "crates/core/src/decide/part.rs",
        from: "PartVerb::Return => take.returnable(),",
        to: "PartVerb::Return => take.captured,",
        proof: Proof::Sim,
    },
    Mutant {
        name: "tombstone ignored",
        file: "crates/core/src/decide/reserve.rs",
        from: "        if let Some(slot) = self.see(found, || Key::Reservation(c.reservation.into()))? {",
        to: "        if let Some(slot) = self.see(found, || Key::Reservation(c.reservation.into()))?.filter(|slot| !state.reservations[*slot].marks.has(Mark::Tombstone)) {",
        proof: Proof::Sim,
    },
    Mutant {
        name: "order within a connection lost",
        file: "crates/server/src/turn.rs",
        from: "            if !self.request(client, ahead.args(&input[at..]), ledger) {",
        to: "            let begun = client.output.replies().len();\n            let done = self.request(client, ahead.args(&input[at..]), ledger);\n            let reply = client.output.replies().len() - begun;\n            if self.metrics.requests % 5 == 0 {\n                client.output.replies().rotate_right(reply);\n            }\n            if !done {",
        proof: Proof::Test("sumun-server", "reactor", "in_order"),
    },
    Mutant {
        name: "record applied twice at replay",
        file: "crates/core/src/apply.rs",
        from: "if self.usages[slot].sequence >= event.sequence {",
        to: "if self.usages[slot].sequence > event.sequence {",
        proof: Proof::Test("sumun-core", "ledger", "replay"),
    },
    Mutant {
        name: "EXEC cut by a frame",
        file: "crates/engine/src/shard.rs",
        from: "        let Some(stopped) = stopped else {\n            self.state.keep();",
        to: "        if self.now % 3 == 0 && matches!(stopped, Some(ExecDone::Refused(_) | ExecDone::Missing)) {\n            self.state.keep();\n            return stopped.take().expect(\"just seen\");\n        }\n        let Some(stopped) = stopped else {\n            self.state.keep();",
        proof: Proof::Sim,
    },
    Mutant {
        name: "id forgotten before its last return + retention",
        file: "crates/core/src/apply.rs",
        from: "Life::Ended { touched_at: event.time }",
        to: "Life::Ended { touched_at: event.reservation.created_at }",
        proof: Proof::Sim,
    },
    Mutant {
        name: "cold record older than memory installed",
        file: "crates/core/src/evict.rs",
        from: "if r.sequence > item.sequence {",
        to: "if r.sequence > 0 {",
        proof: Proof::Sim,
    },
    Mutant {
        name: "lot that is not in memory never ends",
        file: "crates/engine/src/keeper/ahead.rs",
        from: "} else if !self.ahead.is_asked && now >= self.ahead.at_ms {",
        to: "} else if !self.ahead.is_asked && now < self.ahead.at_ms {",
        proof: Proof::Sim,
    },
    Mutant {
        name: "P ahead of a record",
        file: "crates/core/src/unsaved.rs",
        from: "entry.sequence - 1)",
        to: "entry.sequence)",
        proof: Proof::Test("sumun-core", "ledger", "unsaved"),
    },
    Mutant {
        name: "deletion overtaking a new record of the same id",
        file: "crates/engine/src/keeper/tables.rs",
        from: "    match &staged.record {\n        Record::Reservation(r) if staged.leaves =>",
        to: "    if let Record::Reservation(r) = &staged.record\n        && r.version == 1\n    {\n        put_record(chunk, &staged.record, staged.filing);\n        return chunk.remove(OPEN, &[r.id.as_bytes()]);\n    }\n    match &staged.record {\n        Record::Reservation(r) if staged.leaves =>",
        proof: Proof::Sim,
    },
];

impl Proof {
    fn arguments(self) -> Vec<&'static str> {
        match self {
            Proof::Sim => vec!["run", "--package", "xtask", "--", "sim", "--seeds", "20"],
            Proof::Test(package, target, names) => vec!["test", "--package", package, "--test", target, "--", names],
        }
    }

    /// The same, built alone: what does not build is not caught.
    fn build(self, tree: &Path) -> anyhow::Result<()> {
        let built = match self {
            Proof::Sim => cargo(tree, &["build", "--package", "xtask"]),
            Proof::Test(package, target, _) => {
                cargo(tree, &["test", "--package", package, "--test", target, "--no-run"])
            }
        }?;
        ensure!(built.status.success(), "it does not build:\n{}", String::from_utf8_lossy(&built.stderr));
        Ok(())
    }

    /// What the output of a proof that failed says: which test, or which seed and why.
    fn caught_by(self, output: &Output) -> String {
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let line = match self {
            Proof::Sim => lines.find(|line| line.starts_with("seed ")).map(str::to_owned),
            Proof::Test(..) => lines
                .find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
                .map(|name| format!("test {name}")),
        };
        let error = String::from_utf8_lossy(&output.stderr);
        let panic = error.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
        let why = match (line, panic) {
            (Some(line), Some(panic)) if self == Proof::Sim && line.ends_with("panicked") => format!("{line}: {panic}"),
            (Some(line), Some(_) | None) => line,
            (None, _) if output.status.code() == Some(124) => format!("no end within {PROOF_SECONDS_MAX} s"),
            (None, Some(panic)) => panic.to_owned(),
            (None, None) => output.status.to_string(),
        };
        why.chars().take(120).collect()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cargo {}", self.arguments().join(" "))
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?;
    let mutants: Vec<&Mutant> = MUTANTS.iter().filter(|mutant| mutant.name.contains(&arguments.only)).collect();
    ensure!(!mutants.is_empty(), "no mutant has `{}` in its name", arguments.only);
    let tree = copy_tree(root)?;
    for mutant in &mutants {
        mutant.make(&tree.join(mutant.file))?;
    }
    let mut proven = HashSet::new();
    for proof in mutants.iter().map(|mutant| mutant.proof).filter(|proof| proven.insert(*proof)) {
        proof.build(&tree).with_context(|| format!("`{proof}` without any mutant"))?;
        let output = cargo(&tree, &proof.arguments())?;
        ensure!(output.status.success(), "`{proof}` fails without any mutant: {}", proof.caught_by(&output));
    }
    println!("{:<32} {:>4}  caught by", "mutant", "s");
    let mut survived = Vec::new();
    for mutant in mutants {
        let began = now();
        let by = mutant.caught(&tree)?;
        let said = by.clone().unwrap_or_else(|| format!("NOTHING: `{}` passes", mutant.proof));
        println!("{:<32} {:>4}  {said}", mutant.name, began.elapsed().as_secs());
        if by.is_none() {
            survived.push(mutant.name);
        }
    }
    if survived.is_empty() { Ok(()) } else { bail!("survived: {}", survived.join(", ")) }
}

impl Mutant {
    /// The file's text with the mistake, and as it is.
    fn make(&self, file: &Path) -> anyhow::Result<(String, String)> {
        let text = std::fs::read_to_string(file).with_context(|| format!("{}: {}", self.name, self.file))?;
        let times = text.matches(self.from).count();
        ensure!(times == 1, "{}: `{}` holds the text to change {times} times", self.name, self.file);
        Ok((text.replacen(self.from, self.to, 1), text))
    }

    /// What its proof says of the mistake in this tree, which is taken out again; `None` when that passes.
    fn caught(&self, tree: &Path) -> anyhow::Result<Option<String>> {
        let file = tree.join(self.file);
        let (mistaken, text) = self.make(&file)?;
        std::fs::write(&file, mistaken)?;
        self.proof.build(tree).with_context(|| self.name)?;
        let output = cargo(tree, &self.proof.arguments())?;
        std::fs::write(&file, text)?;
        Ok((!output.status.success()).then(|| self.proof.caught_by(&output)))
    }
}

fn cargo(tree: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new("timeout");
    command.args([PROOF_SECONDS_MAX, "cargo"]).args(arguments);
    command.current_dir(tree).env("CARGO_TARGET_DIR", tree.with_file_name("target"));
    command.output().context("`timeout` starts cargo")
}

/// The tree as git knows it, changes included, so that others may go on working on theirs. What is the same keeps its age,
/// so that little is built again; what is gone goes.
fn copy_tree(root: &Path) -> anyhow::Result<PathBuf> {
    let tree = root.join("target/mutants/tree");
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()?;
    ensure!(listed.status.success(), "git lists no files: {}", String::from_utf8_lossy(&listed.stderr));
    let mut copied = HashSet::new();
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (root.join(name), tree.join(name));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        if !std::fs::read(&to).is_ok_and(|there| there == bytes) {
            std::fs::create_dir_all(to.parent().context("a file stands in a folder")?)?;
            std::fs::write(&to, bytes)?;
            std::fs::set_permissions(&to, std::fs::metadata(&from)?.permissions())?;
        }
        copied.insert(to);
    }
    remove_others(&tree, &copied)?;
    Ok(tree)
}

fn remove_others(folder: &Path, kept: &HashSet<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_others(&entry.path(), kept)?;
        } else if !kept.contains(&entry.path()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long a proof takes is told to whoever waits for it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mutant_changes_a_text_that_stands_once_in_its_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace");
        let stale: Vec<_> = MUTANTS.iter().filter_map(|mutant| mutant.make(&root.join(mutant.file)).err()).collect();
        assert!(stale.is_empty(), "{stale:#?}");
    }
}
