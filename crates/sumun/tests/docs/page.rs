//! One page, run: its `sh` blocks in order in one shell, beside a server of its own. The words of the page are what is run;
//! only the default ports are others, and `sumun`, `cargo run --release --`, `redis-cli` and `curl` are small scripts
//! that say what a terminal would.

use super::markdown::{Block, Note, blocks};
use super::support::server::{BINARY, fresh_directory};
use super::support::world;
use super::{matching, root};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const PAGE_MS_MAX: u64 = 120_000;
/// Below those that the kernel gives to who asks for any.
const PORT_MIN: u32 = 20_000;
const PORT_PAIRS: u32 = 6_000;

/// What came of a page.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) commands: usize,
    pub(crate) not_run: Vec<String>,
    pub(crate) flaws: Vec<String>,
}

/// A command as the shell takes it: one line, or as many as it goes on for.
#[derive(Debug)]
struct Chunk {
    line: usize,
    text: String,
    /// What `# =>` behind it says.
    shown: Option<String>,
    /// Which of the page's outputs it belongs to, when it has none of its own.
    output: Option<usize>,
    is_hidden: bool,
}

/// What a page shows below a block.
#[derive(Debug)]
struct Output {
    line: usize,
    language: String,
    text: String,
}

pub(crate) fn run(path: &Path) -> Outcome {
    let text = fs::read_to_string(path).expect("the page can be read");
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let mut outcome = Outcome::default();
    match blocks(&text) {
        Ok(blocks) => look(&name, &blocks, &mut outcome),
        Err(flaw) => outcome.flaws.push(format!("{name}: {flaw}")),
    }
    outcome
}

fn look(name: &str, blocks: &[Block], outcome: &mut Outcome) {
    let mut chunks = Vec::new();
    let mut outputs: Vec<Output> = Vec::new();
    let mut after_commands = false;
    for (at, block) in blocks.iter().enumerate() {
        let place = format!("{name}:{}", block.line);
        let mut apart = false;
        for note in &block.notes {
            match note {
                Note::NotRun(why) => {
                    outcome.not_run.push(format!("{place}: {why}"));
                    apart = true;
                }
                Note::File(file) => {
                    apart = true;
                    let path = root().join(file);
                    let real = fs::read_to_string(&path).unwrap_or_else(|error| format!("{file}: {error}"));
                    if real.trim_end() != block.text.trim_end() {
                        outcome.flaws.push(format!("{place}: not what {file} has"));
                    }
                }
                Note::Before(commands) => {
                    let text = commands.clone();
                    chunks.push(Chunk { line: block.line, text, shown: None, output: None, is_hidden: true });
                }
            }
        }
        let shows = block.follows && after_commands && matches!(block.language.as_str(), "text" | "json");
        after_commands = false;
        match block.language.as_str() {
            _ if apart => {}
            "sh" => {
                after_commands = true;
                let next = blocks.get(at + 1);
                let shown = next.is_some_and(|next| next.follows && matches!(next.language.as_str(), "text" | "json"));
                let output = shown.then_some(outputs.len());
                match cut(block, output) {
                    Ok(more) => chunks.extend(more),
                    Err(flaw) => outcome.flaws.push(format!("{place}: {flaw}")),
                }
            }
            _ if shows => {
                let Block { line, language, text, .. } = block;
                outputs.push(Output { line: *line, language: language.clone(), text: text.clone() });
            }
            // A drawing.
            "text" => {}
            other => outcome.flaws.push(format!("{place}: a block of `{other}` is neither run nor marked")),
        }
    }
    if chunks.iter().any(|chunk| !chunk.is_hidden) {
        outcome.commands = chunks.iter().filter(|chunk| !chunk.is_hidden).count();
        let ran = Shell::new().run(&chunks);
        judge(name, &chunks, &outputs, &ran, &mut outcome.flaws);
    }
}

/// A block's commands: lines are put together until the shell takes them as whole.
fn cut(block: &Block, output: Option<usize>) -> Result<Vec<Chunk>, String> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut first = block.line + 1;
    for (number, line) in (block.line + 1..).zip(block.text.lines()) {
        if text.is_empty() {
            first = number;
        }
        text.push_str(line);
        text.push('\n');
        if line.trim_end().ends_with('\\') || !is_whole(&text) {
            continue;
        }
        let whole = std::mem::take(&mut text);
        let comment_alone = whole.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        let shown = whole.split_once("# => ").map(|(_, shown)| shown.trim().to_owned());
        match found.last_mut() {
            // `# =>` on a line of its own belongs to the command above it.
            Some(Chunk { shown: none @ None, .. }) if comment_alone && shown.is_some() => *none = shown,
            _ if comment_alone => {}
            _ => {
                let output = output.filter(|_| shown.is_none());
                found.push(Chunk { line: first, text: whole, shown, output, is_hidden: false });
            }
        }
    }
    if text.is_empty() { Ok(found) } else { Err(format!("the shell waits for more after {text:?}")) }
}

fn is_whole(text: &str) -> bool {
    let checked = Command::new("bash").args(["-n", "-c", text]).stdin(Stdio::null()).output().expect("bash is there");
    checked.status.success() && checked.stderr.is_empty()
}

/// What each command wrote and how it ended; fewer than were asked when the shell ended early.
type Ran = Vec<(String, i32)>;

fn judge(name: &str, chunks: &[Chunk], outputs: &[Output], ran: &Ran, flaws: &mut Vec<String>) {
    let mut below = vec![String::new(); outputs.len()];
    for (at, chunk) in chunks.iter().enumerate() {
        let place = format!("{name}:{}: {}", chunk.line, chunk.text.trim_end());
        let Some((seen, status)) = ran.get(at) else {
            flaws.push(format!("{place}\n      was not reached, or did not end"));
            break;
        };
        let (shown, wanted) = match chunk.shown.as_deref().map(|shown| (shown, shown.rsplit_once("(exit "))) {
            Some((_, Some((shown, code)))) => (Some(shown), code.trim_end_matches(')').parse().unwrap_or(-1)),
            Some((shown, None)) => (Some(shown), 0),
            None => (None, 0),
        };
        if *status != wanted {
            flaws.push(format!("{place}\n      ended with {status}: {seen}"));
        }
        match (shown, chunk.output) {
            (Some(shown), _) if !matching::one_line(seen, shown) => {
                flaws.push(format!("{place}\n      shown: {shown}\n      seen:  {}", seen.trim()));
            }
            (None, Some(output)) => {
                below[output].push_str(seen);
                if !seen.is_empty() && !seen.ends_with('\n') {
                    below[output].push('\n');
                }
            }
            (None, None) if seen.contains("(error)") || seen.contains("urn:sumun:problem") => {
                flaws.push(format!("{place}\n      a refusal that the page does not show: {}", seen.trim()));
            }
            _ => {}
        }
    }
    for (output, seen) in outputs.iter().zip(&below) {
        let same = match output.language.as_str() {
            "json" => matching::json(seen, &output.text),
            _ => Ok(matching::text(seen, &output.text)),
        };
        if same != Ok(true) {
            let why = same.err().unwrap_or_default();
            let Output { line, text, .. } = output;
            flaws.push(format!("{name}:{line}: {why}\n    shown:\n{text}\n    seen:\n{}", seen.trim_end()));
        }
    }
}

/// A directory, two ports and what stands for the commands that a page names.
struct Shell {
    directory: PathBuf,
    resp: u32,
    http: u32,
}

impl Shell {
    fn new() -> Shell {
        let directory = fresh_directory();
        let (resp, http) = free_ports();
        let bin = directory.join("bin");
        fs::create_dir_all(&bin).expect("it is ours");
        fs::create_dir_all(directory.join("work")).expect("it is ours");
        for (name, script) in [("sumun", SUMUN), ("cargo", CARGO), ("redis-cli", REDIS_CLI), ("curl", CURL)] {
            let path = bin.join(name);
            fs::write(&path, script).expect("it is ours");
            let set = Command::new("chmod").arg("+x").arg(&path).status().expect("`chmod` is there");
            assert!(set.success());
        }
        // What a page names by its path in the repository.
        fs::create_dir(directory.join("work/target")).expect("it is ours");
        for name in ["scripts", "clients", "target/clients"] {
            std::os::unix::fs::symlink(root().join(name), directory.join("work").join(name)).expect("it is ours");
        }
        Shell { directory, resp, http }
    }

    fn run(self, chunks: &[Chunk]) -> Ran {
        let mut script = "exec 2>&1 </dev/null\nshopt -s expand_aliases\n".to_owned();
        let starts_one = |text: &str| text.contains("sumun serve") || text.contains("-- serve");
        if !chunks.iter().any(|chunk| starts_one(&chunk.text)) {
            script.push_str("sumun serve >/dev/null\n");
        }
        // What stands before the first mark belongs to nothing.
        script.push_str("printf '\\036\\n'\n");
        for chunk in chunks {
            let text = self.with_our_ports(&chunk.text);
            write!(script, "{}\nprintf '\\036%d\\036\\n' $?\n", text.trim_end()).expect("text");
        }
        let file = self.directory.join("page.sh");
        fs::write(&file, script).expect("it is ours");
        self.written_by(&file)
    }

    fn with_our_ports(&self, text: &str) -> String {
        text.replace("6380", &self.resp.to_string()).replace("7080", &self.http.to_string())
    }

    fn with_default_ports(&self, text: &str) -> String {
        text.replace(&self.resp.to_string(), "6380").replace(&self.http.to_string(), "7080")
    }

    fn written_by(self, script: &Path) -> Ran {
        let out = self.directory.join("out");
        let clients = root().join("target/clients");
        let path = std::env::var_os("PATH").unwrap_or_default().into_string().expect("UTF-8");
        // The Python that has the library is the one that a page means.
        let path = format!("{}:{path}", clients.join("python/bin").display());
        let mut child = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .arg(script)
            .current_dir(self.directory.join("work"))
            .env("PATH", format!("{}:{path}", self.directory.join("bin").display()))
            .env("REAL_PATH", &path)
            .env("NODE_PATH", clients.join("node/node_modules"))
            .env("REAL_SUMUN", BINARY)
            .env("PAGE", &self.directory)
            .env("SUMUN_RESP", format!("127.0.0.1:{}", self.resp))
            .env("SUMUN_HTTP", format!("127.0.0.1:{}", self.http))
            .env("SUMUN_SERVER", format!("127.0.0.1:{}", self.resp))
            .env("SUMUN_SERVER_HTTP", format!("127.0.0.1:{}", self.http))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out).expect("it is ours"))
            .process_group(0)
            .spawn()
            .expect("bash is there");
        let _in_time = world::eventually(PAGE_MS_MAX, || child.try_wait().expect("our child"));
        // Its servers are of its group, which is ours alone.
        let _gone =
            Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).stderr(Stdio::null()).status();
        let _ended = child.wait();
        let text = String::from_utf8_lossy(&fs::read(&out).expect("it is ours")).into_owned();
        let text = self.with_default_ports(&text);
        let _left = fs::remove_dir_all(&self.directory);
        let mut parts = text.split('\u{1e}').skip(1);
        let mut ran = Ran::new();
        while let (Some(seen), Some(status)) = (parts.next(), parts.next()) {
            let seen = seen.strip_prefix('\n').unwrap_or(seen);
            ran.push((seen.to_owned(), status.parse().unwrap_or(-1)));
        }
        ran
    }
}

/// Two that nobody has, and that the kernel gives to nobody: a server that is killed gets its own again.
pub(crate) fn free_ports() -> (u32, u32) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u32| TcpListener::bind(("127.0.0.1", u16::try_from(port).expect("a port"))).is_ok();
    for _ in 0..PORT_PAIRS {
        let pair = std::process::id() * 7 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORT_MIN + pair % PORT_PAIRS * 2;
        if is_free(port) && is_free(port + 1) {
            return (port, port + 1);
        }
    }
    panic!("no port is free");
}

/// `serve` returns when the server is ready and leaves it running, as in a terminal of its own. What makes its own server,
/// and how long it takes, is kept off the page's.
const SUMUN: &str = r#"#!/usr/bin/env bash
case $1 in
serve)
  # Of an earlier one on these ports nothing may be left.
  if [ -f "$PAGE/pid" ]; then while kill -0 "$(cat "$PAGE/pid")" 2>/dev/null; do sleep 0.02; done; fi
  : >"$PAGE/ready"
  "$REAL_SUMUN" "$@" >"$PAGE/ready" 2>"$PAGE/said" </dev/null &
  echo $! >"$PAGE/pid"
  for _ in $(seq 1000); do
    if [ -s "$PAGE/ready" ]; then cat "$PAGE/ready"; exit; fi
    if ! kill -0 $! 2>/dev/null; then cat "$PAGE/said"; wait $!; exit; fi
    sleep 0.02
  done
  exit 1 ;;
demo) unset SUMUN_RESP SUMUN_HTTP; shift; exec "$REAL_SUMUN" demo --once --buyers 3000 --units 100 --duration 1s "$@" ;;
bench) unset SUMUN_RESP SUMUN_HTTP; exec "$REAL_SUMUN" "$@" --duration 500ms --warm-up 100ms ;;
*) exec "$REAL_SUMUN" "$@" ;;
esac
"#;

const CARGO: &str = r#"#!/usr/bin/env bash
if [ "$1" = run ]; then
  program=sumun
  if [ "$2" = --example ]; then program=$(dirname "$REAL_SUMUN")/examples/$3; fi
  while [ "$1" != -- ]; do shift; done; shift
  exec "$program" "$@"
fi
PATH=$REAL_PATH exec cargo "$@"
"#;

/// As on a terminal: `(error)`, `(integer)` and all.
const REDIS_CLI: &str = r#"#!/usr/bin/env bash
form=--no-raw
for word in "$@"; do
  case $word in --raw | --no-raw | --json | --csv | --pipe) form= ;; esac
done
PATH=$REAL_PATH exec redis-cli $form "$@"
"#;

/// A stream is left after a second, as with Ctrl-C.
const CURL: &str = r#"#!/usr/bin/env bash
case "$*" in
*text/event-stream*) PATH=$REAL_PATH curl --max-time 1 "$@"; status=$?; [ $status = 28 ] || exit $status ;;
*) PATH=$REAL_PATH exec curl --max-time 30 "$@" ;;
esac
"#;
