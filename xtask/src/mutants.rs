//! `cargo xtask mutants`: mistakes made on purpose in a copy of the tree, one at a time. A proof that finds none of
//! them proves little. Each names the change and the command that has to fail because of it.

use anyhow::{Context, bail, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

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
    proof: &'static [&'static str],
}

const SIM: &[&str] = &["run", "-q", "-p", "xtask", "--", "sim", "--seeds", "20"];

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "reply before sync",
        file: "crates/engine/src/engine.rs",
        from: "        let step = self.step;\n        self.step += 1;",
        to: "        let step = self.step;\n        self.proven = step;\n        self.step += 1;",
        proof: SIM,
    },
    Mutant {
        name: "expiry does not free a lot",
        file: "crates/core/src/decide/end.rs",
        from: "draft.give(&take, take.left(), Shift { on_hand: 0, reserved: -(take.left() as i64) });",
        to: "let free = if take.lot == NONE { take.left() as i64 } else { 0 };\n            draft.give(&take, take.left(), Shift { on_hand: 0, reserved: -free });",
        proof: SIM,
    },
    Mutant {
        name: "limit forgets what was captured",
        file: "crates/core/src/decide/reserve.rs",
        from: "usage.held + usage.counted(self.now, limit.window_ms)",
        to: "usage.held + 0 * usage.counted(self.now, limit.window_ms)",
        proof: SIM,
    },
    Mutant {
        name: "partial multi-line",
        file: "crates/core/src/decide/reserve.rs",
        from: "if want.quantity > available || given < want.quantity {",
        to: "if (want.quantity > available || given < want.quantity) && (given == 0 || wants.len() == 1) {",
        proof: SIM,
    },
    Mutant {
        name: "movement applied twice",
        file: "crates/core/src/decide/item.rs",
        from: "let Some(movement) = self.movement(slot, id)? else { return Ok(()) };",
        to: "let Some(movement) = self.movement(slot, id)?.filter(|_| self.now % 7 > 0) else { return Ok(()) };",
        proof: SIM,
    },
    Mutant {
        name: "ends skipped at restart",
        file: "crates/engine/src/load.rs",
        from: "let next = engine.shard.state_mut().arm(now, from, ARM_SLOTS);",
        to: "let next = engine.shard.state_mut().arm(now, from.max(8), ARM_SLOTS);",
        proof: SIM,
    },
    Mutant {
        name: "return above captured",
        file: "crates/core/src/decide/part.rs",
        from: "PartVerb::Return => take.returnable(),",
        to: "PartVerb::Return => take.captured,",
        proof: SIM,
    },
    Mutant {
        name: "tombstone ignored",
        file: "crates/core/src/decide/reserve.rs",
        from: "        if let Some(slot) = self.see(found, || Key::Reservation(c.reservation.into()))? {",
        to: "        if let Some(slot) = self.see(found, || Key::Reservation(c.reservation.into()))?.filter(|slot| !state.reservations[*slot].tombstone) {",
        proof: SIM,
    },
    Mutant {
        name: "record applied twice at replay",
        file: "crates/core/src/apply.rs",
        from: "if self.usages[slot].sequence >= event.sequence {",
        to: "if self.usages[slot].sequence > event.sequence {",
        proof: &["test", "-q", "-p", "sumun-core"],
    },
    Mutant {
        name: "EXEC cut by a frame",
        file: "crates/engine/src/shard.rs",
        from: "        let Some(stopped) = stopped else {\n            self.state.keep();",
        to: "        if self.now % 3 == 0 && matches!(stopped, Some(ExecDone::Refused(_) | ExecDone::Missing)) {\n            self.state.keep();\n            return stopped.take().expect(\"just seen\");\n        }\n        let Some(stopped) = stopped else {\n            self.state.keep();",
        proof: SIM,
    },
];

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?;
    let copy = root.join("target/mutants/tree");
    let mut survived = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| mutant.name.contains(&arguments.only)) {
        copy_tree(root, &copy)?;
        let file = copy.join(mutant.file);
        let text = std::fs::read_to_string(&file)?;
        ensure!(text.contains(mutant.from), "{}: `{}` does not hold the text to change", mutant.name, mutant.file);
        std::fs::write(&file, text.replacen(mutant.from, mutant.to, 1))?;
        let mut build = mutant.proof.to_vec();
        build[0] = if mutant.proof[0] == "run" { "build" } else { "test" };
        build.truncate(4);
        if build[0] == "test" {
            build.push("--no-run");
        }
        ensure!(cargo(&copy, &build)?.success(), "{}: the mutant does not build", mutant.name);
        let found = !cargo(&copy, mutant.proof)?.success();
        println!("{:<36} {}   cargo {}", mutant.name, if found { "found" } else { "SURVIVED" }, mutant.proof.join(" "));
        if !found {
            survived.push(mutant.name);
        }
    }
    if survived.is_empty() { Ok(()) } else { bail!("not found: {}", survived.join(", ")) }
}

fn cargo(tree: &Path, arguments: &[&str]) -> anyhow::Result<std::process::ExitStatus> {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(tree).env("CARGO_TARGET_DIR", tree.with_file_name("target"));
    Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?)
}

/// The tree as git knows it, changes included; what is the same keeps its age, so that little is built again.
fn copy_tree(root: &Path, copy: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()?;
    for name in String::from_utf8(listed.stdout)?.lines() {
        let (from, to) = (root.join(name), copy.join(name));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().context("a file stands in a folder")?)?;
        std::fs::write(&to, bytes)?;
    }
    Ok(())
}
