//! Client programs as their users have them, unmodified. Each program under `clients/` goes through every verb, an
//! error, a transaction, a thousand pipelined reserves and a connection that is cut, and prints one line that begins
//! with `ok`; what that line says of the library is what `docs/clients.md` tells.
//!
//! A client that is not installed fails its test: nothing here is skipped.

use super::support::proxy::{CUT_ALL, CUT_ONE, Proxy};
use super::support::{Server, check, world};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM_MS_MAX: u64 = 60_000;
pub(crate) const INSTALL: &str = "install the clients with `scripts/setup test`";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a program to its end and gives what it printed.
pub(crate) fn output(command: &mut Command, what: &str) -> String {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{what} cannot be started ({error}): {INSTALL}"));
    let mut pipes = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let reader = std::thread::spawn(move || {
        let mut said = (String::new(), String::new());
        pipes.0.read_to_string(&mut said.0).expect("text");
        pipes.1.read_to_string(&mut said.1).expect("text");
        said
    });
    let status = world::eventually(PROGRAM_MS_MAX, || child.try_wait().expect("our child"));
    if status.is_none() {
        child.kill().expect("it still runs");
    }
    let (stdout, stderr) = reader.join().expect("the pipes end with the program");
    assert!(status.is_some_and(|status| status.success()), "{what} ended with {status:?}\n{stdout}{stderr}");
    stdout
}

/// Runs a client's program in RESP2 and RESP3, each on a server of its own, and holds it to what the docs say of it:
/// the beginning of its line, and whether it sends again by itself.
fn drives(what: &str, program: &[&str], environment: &[(&str, &Path)], seen: [&str; 2], again: &str) {
    let directory = root();
    for (protocol, seen) in ["2", "3"].into_iter().zip(seen) {
        let server = Server::start();
        let proxy = Proxy::before(server.resp);
        let mut command = Command::new(directory.join(program[0]));
        // A name without a slash is found by the path.
        if !program[0].contains('/') {
            command = Command::new(program[0]);
        }
        command.args(&program[1..]).args([server.resp.to_string(), proxy.address.to_string(), protocol.to_owned()]);
        command.current_dir(&directory).envs(environment.iter().copied());
        let line = output(&mut command, what);
        let mut words = line.split_whitespace();
        assert_eq!((words.next(), words.next()), (Some("ok"), Some(what)), "{line}");
        assert!(line.contains(seen), "docs/clients.md says `{seen}` of {what}, which said: {line}");
        assert!(line.trim_end().ends_with(again), "docs/clients.md says `{again}` of {what}, which said: {line}");
        // Cut once, a marked request came twice: from the library, or from the program when the library gave up.
        assert_eq!((proxy.marked(CUT_ONE), proxy.marked(CUT_ALL)), (2, 2), "{line}");
    }
}

pub(crate) fn installed(path: &str) -> PathBuf {
    let path = root().join("target/clients").join(path);
    assert!(path.exists(), "{} is not there: {INSTALL}", path.display());
    path
}

#[test]
fn redis_py_drives_every_verb() {
    installed("python/bin/python");
    drives(
        "redis-py",
        &["target/clients/python/bin/python", "clients/python/client.py"],
        &[],
        ["map=list null=None error=ResponseError", "map=dict null=None error=ResponseError"],
        "again=yes transaction-again=yes",
    );
}

#[test]
fn ioredis_drives_every_verb() {
    let modules = installed("node/node_modules");
    drives(
        "ioredis",
        &["node", "clients/node/ioredis.cjs"],
        &[("NODE_PATH", &modules)],
        ["map=Array null=null error=SimpleError", "map=Array null=null error=SimpleError"],
        "again=yes transaction-again=yes",
    );
}

#[test]
fn node_redis_drives_every_verb() {
    let modules = installed("node/node_modules");
    drives(
        "node-redis",
        &["node", "clients/node/node-redis.cjs"],
        &[("NODE_PATH", &modules)],
        ["map=Array null=null error=SimpleError", "map=Object null=null error=SimpleError"],
        "again=no transaction-again=no",
    );
}

#[test]
fn go_redis_drives_every_verb() {
    installed("go/client");
    drives(
        "go-redis",
        &["target/clients/go/client"],
        &[],
        ["map=[]any null=redis.Nil error=redis.Error", "map=map[any]any null=redis.Nil error=redis.Error"],
        "again=yes transaction-again=no",
    );
}

#[test]
fn jedis_drives_every_verb() {
    installed("java/classes/Client.class");
    drives(
        "jedis",
        &[
            "java",
            "-Xshare:auto",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            "target/clients/java/classes:target/clients/java/lib/*",
            "Client",
        ],
        &[],
        ["map=List null=null error=JedisDataException", "map=List<KeyValue> null=null error=JedisDataException"],
        "again=no transaction-again=no",
    );
}

fn redis_cli(server: &Server, arguments: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &server.resp.port().to_string()]).args(arguments);
    output(&mut command, "redis-cli")
}

#[test]
fn redis_cli_drives_every_verb() {
    let mut server = Server::start();
    let said = |arguments: &[&str]| redis_cli(&server, arguments).trim_end().to_owned();
    assert_eq!(said(&["PING"]), "PONG");
    assert_eq!(said(&["CONFIGURE", "a", "SAFETY", "1", "METADATA", "{\"n\": 1}"]), "0");
    assert_eq!(said(&["RECEIVE", "a", "10", "ID", "*"]), "9");
    assert_eq!(said(&["ADJUST", "a", "-1", "REASON", "broken", "ID", "m1"]), "8");
    assert!(said(&["RESERVE", "r", "60000", "1", "a", "4"]).starts_with("state\nheld\nexpires_at\n"));
    assert!(said(&["EXTEND", "r", "70000"]).starts_with("state\nheld\n"));
    assert!(said(&["CAPTURE", "r", "1", "a", "2", "ID", "c1"]).starts_with("state\nheld\n"));
    assert!(said(&["RELEASE", "r", "1", "a", "1", "ID", "x1"]).starts_with("state\nheld\n"));
    assert!(said(&["RETURN", "r", "1", "a", "1", "ID", "t1"]).starts_with("state\nheld\n"));
    assert!(said(&["--no-raw", "RESERVATION", "r"]).contains("\"held\""));
    assert_eq!(said(&["--no-raw", "ITEM", "nosuch"]), "(nil)");
    assert_eq!(
        said(&["--no-raw", "RESERVE", "q", "60000", "1", "a", "99"]),
        "(error) INSUFFICIENT a wanted 99 available 6"
    );
    let json = said(&["-3", "--json", "ITEM", "a"]);
    assert!(json.contains("\"on_hand\":8") && json.contains("\"limit\":null"), "{json}");
    let map = said(&["-3", "--no-raw", "CAPTURE", "r"]);
    assert!(map.starts_with("1# \"state\" => \"captured\""), "{map}");
    // -e: an error is an exit code.
    let mut refused = Command::new("redis-cli");
    refused.args(["-e", "-h", "127.0.0.1", "-p", &server.resp.port().to_string(), "CAPTURE", "nosuch"]);
    assert!(!refused.output().unwrap_or_else(|error| panic!("redis-cli ({error}): {INSTALL}")).status.success());
    // As people type it: a session on standard input, with a transaction.
    let session = "MULTI\nRESERVE t 60000 1 a 1\nITEM a\nEXEC\nINFO server\nCLIENT LIST\n";
    let file = server.data().with_file_name("session");
    std::fs::write(&file, session).expect("written");
    let shell = format!("redis-cli -h 127.0.0.1 -p {} < '{}'", server.resp.port(), file.display());
    let seen = output(Command::new("sh").args(["-c", &shell]), "redis-cli");
    assert!(seen.starts_with("OK\nQUEUED\nQUEUED\nstate\nheld\n") && seen.contains("redis_version:"), "{seen}");
    // --pipe: a mass of commands, then an ECHO that says when all are answered.
    let bytes: Vec<u8> =
        (0..1000).flat_map(|n| super::support::resp::encoded(&format!("RECEIVE b 1 ID m{n}"))).collect();
    std::fs::write(&file, bytes).expect("written");
    let seen = output(Command::new("sh").args(["-c", &shell.replace(" < ", " --pipe < ")]), "redis-cli --pipe");
    assert!(seen.contains("errors: 0, replies: 1000"), "{seen}");
    check(&mut server, "ITEM b -> on_hand=1000\n RESERVATION r -> captured lines=a:4/3/1/0/1");
}

#[test]
fn redis_benchmark_runs() {
    let mut server = Server::start();
    check(&mut server, "RECEIVE a 1000000 ID m1 -> 1000000");
    let run = |arguments: &[&str]| {
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", "127.0.0.1", "-p", &server.resp.port().to_string(), "--csv"]).args(arguments);
        let seen = output(&mut command, "redis-benchmark");
        assert!(seen.contains("rps") && !seen.contains("rror"), "{seen}");
    };
    run(&["-n", "2000", "-c", "20", "-t", "ping"]);
    run(&["-n", "5000", "-c", "20", "-P", "16", "-r", "1000000", "RESERVE", "r:__rand_int__", "600000", "1", "a", "1"]);
    run(&["-n", "2000", "-c", "5", "-P", "8", "-3", "RESERVE", "one", "600000", "1", "a", "1"]);
    run(&["-n", "2000", "-c", "50", "ITEM", "a"]);
    let reserved = server.connect().say("ITEM a").field("reserved").expect("an item").integer();
    // Ids are drawn from a million, so that a few come twice; a second time has no effect.
    assert!((4_900..=5_001).contains(&reserved), "{reserved}");
}
