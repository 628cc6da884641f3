//! `cargo xtask fuzz`: coverage-guided fuzzing of what reads bytes from outside, for so long. libFuzzer's instrumentation
//! is LLVM's own, so the pinned stable toolchain has it; of the machine it needs a C++ compiler, for libFuzzer itself.
//! What was found before goes on in `target/fuzz/corpus`; `fuzz/seeds` is where a fresh machine begins.

use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// What cargo-fuzz sets too, but for sanitizers: they need a nightly compiler, and almost all that is fuzzed is safe Rust.
const INSTRUMENTED: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

const TARGETS: [&str; 3] = ["resp", "log_reader", "events"];
/// An input that takes longer is a finding.
const INPUT_SECONDS_MAX: u32 = 10;
const MEMORY_MIB_MAX: u32 = 1024;
const INPUT_BYTES_MAX: u32 = 4096;
/// Fewer edges than this after all seeds: the instrumentation is not there, and the fuzzer is blind.
const EDGES_MIN: u64 = 200;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long each target is fuzzed
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Run the target on this one file instead
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
    /// Only this target
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
}

struct Fuzz {
    seeds: PathBuf,
    dictionaries: PathBuf,
    binaries: PathBuf,
    /// Below it: corpus, artifacts, logs.
    found: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?;
    let targets: Vec<&str> =
        TARGETS.into_iter().filter(|name| arguments.target.as_deref().is_none_or(|only| only == *name)).collect();
    let fuzz = build(root, &targets)?;
    if let Some(input) = &arguments.input {
        return fuzz.try_one(targets[0], input);
    }
    // As many at once as there are processors, the next when one is done.
    let queue = Mutex::new(targets.iter().rev().collect::<Vec<_>>());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(targets.len()) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("nothing panics while it holds the queue").pop();
                    let Some(target) = next else { break };
                    match fuzz.target(target, arguments.seconds) {
                        Ok(said) => println!("{said}"),
                        Err(why) => {
                            println!("{target:<12} FAILED");
                            failures.lock().expect("nothing panics while it holds them").push(format!("{why:#}"));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("all threads have ended");
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n\n")) }
}

fn build(root: &Path, targets: &[&str]) -> anyhow::Result<Fuzz> {
    let (source, found) = (root.join("fuzz"), root.join("target/fuzz"));
    let version = Command::new("rustc").arg("-vV").current_dir(&source).output().context("rustc starts")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
    let built = Command::new("cargo")
        // With a target, flags are for what is fuzzed, and not for build scripts.
        .args(["build", "--quiet", "--release", "--target", host])
        .args(targets.iter().flat_map(|target| ["--bin", target]))
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", found.join("build"))
        .env("RUSTFLAGS", INSTRUMENTED)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()?;
    ensure!(built.success(), "the fuzz targets do not build; a C++ compiler must be there (apt-get install g++)");
    Ok(Fuzz {
        seeds: source.join("seeds"),
        dictionaries: source.join("dictionaries"),
        binaries: found.join("build").join(host).join("release"),
        found,
    })
}

impl Fuzz {
    /// One line about what was done; the error says what was found, and where.
    fn target(&self, target: &str, seconds: u32) -> anyhow::Result<String> {
        let (corpus, artifacts) = (self.found.join("corpus").join(target), self.found.join("artifacts").join(target));
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&artifacts)?;
        let log = self.found.join(format!("{target}.log"));
        let status = self
            .command(target)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-dict={}", self.dictionaries.join(target).display()))
            // A folder: libFuzzer puts the name behind it.
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args([corpus, self.seeds.join(target)])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .status()?;
        let bytes = std::fs::read(&log)?;
        let text = String::from_utf8_lossy(&bytes);
        if !status.success() {
            bail!("{}", failure(target, &text, &log));
        }
        let last = text.lines().rfind(|line| line.contains("DONE")).unwrap_or_default();
        let begun = text.lines().find(|line| line.contains("INITED")).unwrap_or_default();
        let (from, to) = (figure(begun, "cov:"), figure(last, "cov:"));
        ensure!(to >= EDGES_MIN, "{target} is fuzzed blindly: {to} edges are seen; see {}", log.display());
        let runs = last.split_whitespace().next().unwrap_or_default().trim_start_matches('#');
        Ok(format!(
            "{target:<12} {runs:>9} inputs in {seconds} s, edges {from} to {to}, features {} to {}",
            figure(begun, "ft:"),
            figure(last, "ft:")
        ))
    }

    fn try_one(&self, target: &str, input: &Path) -> anyhow::Result<()> {
        ensure!(self.command(target).arg(input).status()?.success(), "{target} fails on {}", input.display());
        Ok(())
    }

    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(self.binaries.join(target));
        // The windows over a segment are large: what was freed is kept for the next input, not given back page by page.
        command.env("MALLOC_MMAP_THRESHOLD_", "67108864").env("MALLOC_TRIM_THRESHOLD_", "268435456");
        command
    }
}

/// The number behind a name in a line of libFuzzer's.
fn figure(line: &str, name: &str) -> u64 {
    let number = line.split_whitespace().skip_while(|word| *word != name).nth(1);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What a log says of a failure, and how to see it again.
fn failure(target: &str, text: &str, log: &Path) -> String {
    let found = text.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
    let why: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("panicked at"))
        .take_while(|line| !line.contains("stack"))
        .collect();
    let why = if why.is_empty() {
        text.lines().find(|line| line.contains("ERROR: libFuzzer")).unwrap_or("it ended without a word").to_owned()
    } else {
        why.join("\n  ")
    };
    let again = match found {
        Some(path) => format!("input: {path}\nrun it again: cargo xtask fuzz {target} --input {path}\n"),
        None => String::new(),
    };
    format!("{target}: {why}\n{again}all that was said: {}", log.display())
}
