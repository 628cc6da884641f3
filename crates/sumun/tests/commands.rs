//! The commands as they are used: the real binary, and where there is something to talk to, the real server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const BINARY: &str = env!("CARGO_BIN_EXE_sumun");

/// Runs without anything of this shell's.
fn command(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("TMPDIR", directory).current_dir(directory).args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str], directory: &Path) -> Output {
    command(arguments, directory).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs, checks the exit code, and gives what it printed and what it complained of.
fn check(arguments: &[&str], directory: &Path, code: i32) -> (String, String) {
    let output = run(arguments, directory);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    (out, err)
}

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("commands-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("created");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server on a scratch directory.
struct Server {
    child: Child,
    address: String,
    http: String,
    scratch: Scratch,
}

impl Server {
    fn start() -> Server {
        let scratch = Scratch::new();
        let addresses = ["--resp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        let mut serve = command(&[&["serve", "--data", "data"][..], &addresses].concat(), &scratch.0);
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("a ready line");
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        let ["sumun", "ready", resp, http, pid, "shard=0", log] = words[..] else { panic!("{line:?}") };
        assert_eq!(pid, format!("pid={}", child.id()));
        assert_eq!(log.len(), "log=".len() + 32);
        let address = resp.strip_prefix("resp=").expect("an address").to_owned();
        let http = http.strip_prefix("http=").expect("an address").to_owned();
        Server { child, address, http, scratch }
    }

    /// Runs a client command against it.
    fn ask(&self, line: &str, code: i32) -> (String, String) {
        let words: Vec<&str> = line.split(' ').chain(["--server", &self.address]).collect();
        check(&words, &self.scratch.0, code)
    }

    /// A signal, as `kill` sends it.
    fn signal(&self, name: &str) {
        signal(name, &self.child.id().to_string());
    }
}

fn signal(name: &str, pid: &str) {
    let sent = Command::new("kill").args([name, pid]).status().expect("`kill` is on every Linux");
    assert!(sent.success());
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let scratch = Scratch::new();
    let (help, _) = check(&["--help"], &scratch.0, 0);
    let commands = "serve demo bench verify log snapshot store top config configure receive adjust reserve capture release extend return item reservation";
    for name in commands.split(' ') {
        assert!(help.lines().any(|line| line.trim_start().starts_with(name)), "{name} in {help}");
        let (help, _) = check(&[name, "--help"], &scratch.0, 0);
        assert!(help.contains("Examples:\n") && help.contains(&format!("sumun {name}")), "{name}: {help}");
    }
    check(&["log", "dump", "--help"], &scratch.0, 0);
    for words in [&["item", "import", "--help"][..], &["item", "export", "--help"], &["config", "check", "--help"]] {
        let (help, _) = check(words, &scratch.0, 0);
        assert!(help.contains("Examples:\n"), "{help}");
    }
    check(&["store", "rebuild", "--help"], &scratch.0, 0);
    check(&["--version"], &scratch.0, 0);
    assert!(fs::read_dir(&scratch.0).expect("it is there").next().is_none(), "help makes nothing");
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_to_do() {
    let scratch = Scratch::new();
    for (line, hint) in [
        ("", "Usage"),
        ("reserve r1 a --ttl 1s", "SKU=QUANTITY"),
        ("reserve r1 a=1", "--ttl"),
        ("reserve r1 a=1 --ttl 90", "`90s`"),
        ("receive a 1", "--id"),
        ("receive a 1 --id m --expires tomorrow --lot l", "RFC 3339"),
        ("receive a 1 --id m --at seoul", "--lot"),
        ("adjust a -1 --id m", "--reason"),
        ("capture r1 a=1", "--id"),
        ("return r1", "--id"),
        ("item a --server nowhere", "an address and a port"),
        ("bench --rate 10 --pipeline 2", "--pipeline"),
        ("bench --duration 25h", "at most 1d, not 25h"),
        ("bench --warm-up 300000000d", "at most 1d"),
        ("demo --once --duration 300000000d", "at most 1d"),
        ("bench hot --rate 0", "0"),
        ("bench nosuch", "flash-sale"),
        ("bench --spawn --peer redis", "--server"),
        ("verify --data nosuch", "--data"),
        ("log dump --data .", "--data"),
        ("snapshot --data nosuch out", "--data"),
        ("store rebuild --data nosuch", "--data"),
        ("demo --buyers 0", "0"),
    ] {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let (_, err) = check(&words, &scratch.0, 2);
        assert!(err.contains(hint), "{line}: {err}");
    }
}

#[test]
fn a_flaw_of_the_file_is_told_with_file_line_and_key() {
    let scratch = Scratch::new();
    for (file, hints) in [
        ("# a\nretentoin = \"7d\"\n", ["sumun.toml:2:", "`retentoin`"]),
        ("data = \"x\"\nmemory = \"512\"\n", ["sumun.toml:2:", "`memory`"]),
        ("resp = 6380\n", ["sumun.toml:1:", "`resp`"]),
    ] {
        fs::write(scratch.0.join("sumun.toml"), file).expect("written");
        let (out, err) = check(&["serve"], &scratch.0, 2);
        assert!(out.is_empty() && hints.iter().all(|hint| err.contains(hint)), "{file}: {err}");
    }
    assert!(!scratch.0.join("x").exists() && !scratch.0.join("sumun-data").exists(), "nothing was made");
}

#[test]
fn a_bad_variable_is_told_by_its_flag_and_a_mistyped_one_is_warned_of() {
    let scratch = Scratch::new();
    let output = command(&["serve"], &scratch.0).env("SUMUN_GRACE", "soon").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--grace"), "{}", text(&output.stderr));
    // A directory that cannot be: so that it ends by itself, after the warning.
    let mut serve = command(&["serve", "--data", "/dev/null/x", "--resp", "127.0.0.1:0", "--http", "-"], &scratch.0);
    let output = serve.env("SUMUN_RETENTOIN", "7d").output().expect("it runs");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("name=SUMUN_RETENTOIN"), "{}", text(&output.stderr));
}

#[test]
fn the_printed_configuration_is_one_that_is_taken() {
    let scratch = Scratch::new();
    let (file, _) = check(&["config"], &scratch.0, 0);
    for key in
        "data resp http memory retention log_retention store_delay accept_clock grace max_clients segment".split(' ')
    {
        assert!(file.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        let (help, _) = check(&["serve", "--help"], &scratch.0, 0);
        assert!(help.contains(&format!("--{}", key.replace('_', "-"))), "{key} is a flag");
        assert!(help.contains(&format!("SUMUN_{}", key.to_uppercase())), "{key} is a variable");
    }
    fs::write(scratch.0.join("sumun.toml"), file.replace("retention = \"30d\"", "retention = \"0s\""))
        .expect("written");
    let (_, err) = check(&["serve"], &scratch.0, 2);
    assert!(err.contains("`retention`: must be more than 0"), "the whole file was read: {err}");
}

#[test]
fn the_verbs_answer_in_text_and_json() {
    let server = Server::start();
    server.ask("configure a --limit 3 --window 7d --metadata {\"x\":1}", 0);
    assert_eq!(server.ask("receive a 10 --id m1", 0).0, "10\n");
    assert_eq!(server.ask("receive a 10 --id m1 --json", 0).0, "{\"available\":10}\n");
    assert_eq!(server.ask("adjust a -2 --reason damaged --id m2", 0).0, "8\n");
    assert!(server.ask("reserve r1 a=2 --ttl 15m --for h", 0).0.starts_with("state       held\n"));
    assert!(server.ask("reserve r1 a=2 --ttl 15m --for h --json", 0).0.contains("\"replayed\":true"));
    assert!(server.ask("capture r1 a=1 --id c1 --json", 0).0.contains("\"state\":\"held\""));
    assert!(server.ask("return r1 --id b1", 0).0.contains("held"));
    assert!(server.ask("extend r1 --ttl 30m", 0).0.contains("expires_at"));
    assert!(server.ask("release r1 --json", 0).0.contains("\"state\":\"partially_captured\""));
    let item = server.ask("item a --json", 0).0;
    assert!(item.contains("\"metadata\":{\"x\":1}") && item.contains("\"window_ms\":604800000"), "{item}");
    let record = server.ask("reservation r1 --json", 0).0;
    assert!(record.contains("\"tombstone\":false") && record.contains("Z\",\"needed_until\":null"), "{record}");
    // 1: the answer is no, in words and as JSON.
    let (out, err) = server.ask("reserve r2 a=4 --ttl 15m --for h --json", 1);
    assert_eq!(out, "{\"code\":\"LIMIT\",\"detail\":\"a h wanted 4 left 3\"}\n");
    assert!(err.contains("LIMIT a h wanted 4 left 3"), "{err}");
    assert_eq!(server.ask("reservation nosuch --json", 1).0, "null\n");
    server.ask("capture nosuch", 1);
}

#[test]
fn sigterm_ends_a_server_cleanly_and_its_log_verifies() {
    let mut server = Server::start();
    server.ask("receive a 10 --id m1", 0);
    server.signal("-TERM");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
    let (out, _) = check(&["verify", "--data", "data"], &server.scratch.0, 0);
    assert!(out.contains("(closed)") && out.ends_with("clean\n"), "{out}");
    let (dump, _) = check(&["log", "dump", "--data", "data", "--json"], &server.scratch.0, 0);
    for (n, line) in dump.lines().enumerate() {
        let event: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        assert_eq!(event["sequence"], n + 1);
    }
    server.ask("item a", 3);
}

#[test]
fn bench_measures_every_scenario_and_reports_it_as_json() {
    let server = Server::start();
    let plain = ["hot", "uniform", "flash-sale", "full-life", "multi-line", "random-ids"];
    for scenario in plain.into_iter().chain(["zipf", "holders", "lots"]) {
        let line = format!("bench {scenario} -n 3000 --warm-up 0s -c 8 -p 4 --items 7 --json");
        let report: serde_json::Value = serde_json::from_str(&server.ask(&line, 0).0).expect("a report is JSON");
        let answers = report["answers"].as_u64().expect("a count");
        assert!((3_000..3_040).contains(&answers), "{report}");
        assert!(report["latency_us"]["p50"].as_f64() <= report["latency_us"]["p999"].as_f64(), "{report}");
        assert_eq!(report["unanswered"], 0, "{report}");
    }
    for scenario in ["hot", "full-life", "holders", "random-ids"] {
        let line = format!("bench {scenario} --peer http -n 500 --warm-up 0s -c 8 -p 2 --items 7 --json");
        let words: Vec<&str> = line.split(' ').chain(["--server", &server.http]).collect();
        let (out, _) = check(&words, &server.scratch.0, 0);
        let report: serde_json::Value = serde_json::from_str(&out).expect("a report is JSON");
        assert!(report["answers"].as_u64().is_some_and(|answers| (500..520).contains(&answers)), "{report}");
        assert_eq!((&report["unanswered"], &report["errors"]), (&0.into(), &serde_json::json!({})), "{report}");
    }
    // Units that are too few where none should be refused: the answer is no.
    let (out, _) = server.ask("bench hot -n 100 --warm-up 0s -c 4 --units 10 --json", 1);
    let report: serde_json::Value = serde_json::from_str(&out).expect("a report is JSON");
    assert_eq!(report["errors"]["INSUFFICIENT"], 90, "{report}");
    check(&["verify", "--data", "data"], &server.scratch.0, 0);
}

/// A real server that really stands still: a closed loop hardly notices, an open loop counts all who came meanwhile.
#[test]
fn an_open_loop_feels_a_server_that_stands_still() {
    let server = Server::start();
    let p90_ms = |pace: &[&str]| {
        let fixed = ["bench", "hot", "-c", "4", "--warm-up", "0s", "-d", "2s", "--json", "--server", &server.address];
        let mut bench = command(&[&fixed, pace].concat(), &server.scratch.0);
        let mut child = bench.stdout(Stdio::piped()).spawn().expect("the binary runs");
        wait_ms(700);
        server.signal("-STOP");
        wait_ms(800);
        server.signal("-CONT");
        let mut out = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        std::io::Read::read_to_string(&mut BufReader::new(stdout), &mut out).expect("a report");
        child.wait().expect("it ends");
        let report: serde_json::Value = serde_json::from_str(&out).expect("a report is JSON");
        report["latency_us"]["p90"].as_f64().expect("a figure") / 1_000.0
    };
    let (open, closed) = (p90_ms(&["--rate", "500"]), p90_ms(&[]));
    // Two fifths of all arrivals came in the 800 ms, evenly: a tenth of all waited more than 600 ms.
    assert!(open > 400.0, "open loop: p90 {open} ms");
    assert!(closed < 200.0, "closed loop: p90 {closed} ms");
}

/// Waits for time itself to pass: the stall that is measured is a length of time.
#[expect(clippy::disallowed_methods, reason = "the length of the stall is what the test is about")]
fn wait_ms(ms: u64) {
    std::thread::sleep(std::time::Duration::from_millis(ms));
}

#[test]
fn the_demo_survives_its_own_kill_and_ends_after_the_audit() {
    let scratch = Scratch::new();
    let (out, _) = check(&["demo", "--once", "--buyers", "5000", "--units", "100", "--duration", "1s"], &scratch.0, 0);
    assert!(out.contains("kills survived        1"), "{out}");
    assert!(out.ends_with("not one unit lost or sold twice\n"), "{out}");
    assert!(fs::read_dir(&scratch.0).expect("it is there").next().is_none(), "it has cleared up");
}

#[test]
fn the_demo_stays_starts_a_killed_server_again_and_ends_on_ctrl_c() {
    let scratch = Scratch::new();
    let arguments = ["demo", "--buyers", "500", "--units", "20", "--duration", "500ms", "--data", "here"];
    let mut demo = command(&arguments, &scratch.0).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("it is piped")).lines();
    let mut until = |words: &str| {
        let line = lines.by_ref().map(|line| line.expect("text")).find(|line| line.contains(words));
        line.unwrap_or_else(|| panic!("it never said {words}"))
    };
    let pid = |line: &str| line.rsplit(' ').next().expect("a pid").to_owned();
    let (first, second) = (pid(&until("Kill it whenever you like")), until("audit of the log"));
    assert!(!second.is_empty());
    until("not one unit lost or sold twice");
    let hint = until("redis-cli -3 -p");
    let port = hint.split(' ').skip_while(|word| *word != "-p").nth(1).expect("a port").to_owned();
    let verify = until("sumun verify --data");
    signal("-KILL", &first);
    let back = pid(&until("back after"));
    assert_ne!(first, back);
    let sku = hint.rsplit(' ').next().expect("a sku").to_owned();
    let (out, _) = check(&["item", &sku, "--server", &format!("127.0.0.1:{port}"), "--json"], &scratch.0, 0);
    assert!(out.contains("\"received\":20"), "{out}");
    let data = verify.rsplit(' ').next().expect("a directory").to_owned();
    let (out, _) = check(&["verify", "--data", &data], &scratch.0, 0);
    assert!(out.contains("(running)"), "{out}");
    signal("-INT", &demo.id().to_string());
    assert_eq!(demo.wait().expect("it ends").code(), Some(0));
    let (out, _) = check(&["verify", "--data", &data], &scratch.0, 0);
    assert!(out.contains("(closed)"), "{out}");
    // A directory that is given is kept, and takes another sale.
    let again = ["demo", "--once", "--buyers", "500", "--units", "20", "--duration", "500ms", "--data", "here"];
    check(&again, &scratch.0, 0);
}

#[test]
fn nothing_of_a_demo_outlives_it() {
    let scratch = Scratch::new();
    let arguments = ["demo", "--buyers", "1000", "--duration", "60s"];
    let mut demo = command(&arguments, &scratch.0).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("it is piped")).lines();
    let line = lines.by_ref().map(|line| line.expect("text")).find(|line| line.contains("kill -9 "));
    let pid = line.as_deref().and_then(|line| line.rsplit(' ').next()).expect("a pid").to_owned();
    demo.kill().expect("it runs");
    demo.wait().expect("it ends");
    let process = Path::new("/proc").join(pid).join("stat");
    let gone = |_| {
        wait_ms(20);
        fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "))
    };
    assert!((0..500).any(gone), "the server goes with the demo");
}
