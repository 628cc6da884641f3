//! The command line: flags, variables and file, exit codes, and the commands that read a server's data.

use super::support::server::{BINARY, address, fresh_directory, wait_until_ready};
use super::support::{Client, Server, Value, check};
use std::fs;
use std::process::{Command, Output, Stdio};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_code(output: &Output, code: i32, what: &str) {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{what}: {said}");
}

#[test]
fn the_ready_line_names_the_addresses() {
    let server = Server::start();
    assert!(server.ready.starts_with("sumun ready resp=127.0.0.1:"), "{}", server.ready);
    assert_ne!(server.resp.port(), 0);
}

#[test]
fn a_second_server_on_one_data_directory_ends_with_4() {
    let mut server = Server::start();
    let data = server.data();
    let data = data.to_str().expect("the target directory is UTF-8");
    let second = Server::command(&["serve", "--data", data, "--resp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    assert_code(&second, 4, "a second server");
    assert!(!second.stderr.is_empty(), "it says why");
    assert!(second.stdout.is_empty(), "it was never ready: {}", text(&second.stdout));
    check(&mut server, "RECEIVE a 10 ID m1 -> 10");
}

#[test]
fn wrong_usage_ends_with_2() {
    let directory = fresh_directory();
    let data = directory.join("data");
    let data = data.to_str().expect("UTF-8");
    let file = directory.join("bad.toml");
    fs::write(&file, "colour = \"red\"\n").expect("written");
    let file = file.to_str().expect("UTF-8");
    for wrong in [
        &["nosuch"][..],
        &["serve", "--nosuch"],
        &["serve", "--data", data, "--resp", "nowhere"],
        &["serve", "--data", data, "--memory", "many"],
        &["serve", "--data", data, "--retention", "long"],
        &["serve", "--data", data, "--config", "/nosuch/sumun.toml"],
        // An unknown key is a mistake, not a comment.
        &["serve", "--data", data, "--config", file],
        &["verify", "--nosuch"],
    ] {
        let output = Server::command(wrong);
        assert_code(&output, 2, &wrong.join(" "));
        assert!(!output.stderr.is_empty(), "{wrong:?} says why");
    }
    assert!(!directory.join("data").exists(), "nothing was made");
    fs::remove_dir_all(directory).expect("removed");
}

/// Starts with what `configure` adds, says where it listens, and is ended.
fn served(configure: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(BINARY);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).arg("serve");
    configure(&mut command);
    let mut child = command.spawn().expect("the binary was built for these tests");
    let ready = wait_until_ready(&mut child);
    if let Some(resp) = ready.as_deref().and_then(|line| address(line, "resp")) {
        assert_eq!(Client::connect(resp).say("PING"), Value::Simple("PONG".into()));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    ready.expect("it was ready")
}

#[test]
fn every_flag_is_a_variable_and_a_key_and_the_flag_wins() {
    let directory = fresh_directory();
    let path = |name: &str| directory.join(name);
    let file = path("sumun.toml");
    let key = |data: &str| {
        format!("data = {:?}\nresp = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\nretention = \"7d\"\n", path(data))
    };
    fs::write(&file, key("by-file")).expect("written");
    served(|command| {
        command.arg("--config").arg(&file);
    });
    assert!(path("by-file").is_dir(), "a key of the file");
    served(|command| {
        command.arg("--config").arg(&file).env("SUMUN_DATA", path("by-variable"));
    });
    assert!(path("by-variable").is_dir(), "a variable wins over the file");
    served(|command| {
        command.arg("--config").arg(&file).env("SUMUN_DATA", path("not-this")).arg("--data").arg(path("by-flag"));
    });
    assert!(path("by-flag").is_dir() && !path("not-this").exists(), "a flag wins over the variable");
    let flags = ["--retention", "90s", "--log-retention", "36h", "--memory", "512MiB", "--accept-clock"];
    served(|command| {
        command.env("SUMUN_RESP", "127.0.0.1:0").env("SUMUN_HTTP", "127.0.0.1:0");
        command.arg("--data").arg(path("flags")).args(flags);
    });
    // `sumun.toml` where it was started is its file; without that and all else it serves ./sumun-data. The ports alone
    // are not left to chance here.
    served(|command| {
        command.current_dir(&directory);
    });
    assert!(!path("sumun-data").exists());
    fs::remove_file(&file).expect("removed");
    served(|command| {
        command.current_dir(&directory).args(["--resp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    });
    assert!(path("sumun-data").is_dir());
    fs::remove_dir_all(directory).expect("removed");
}

#[test]
fn verify_and_log_dump_read_a_running_and_a_stopped_server() {
    let mut server = Server::start();
    check(
        &mut server,
        "
        RECEIVE a 10 ID m1 -> 10
        RESERVE r 600000 1 a 2 -> held
        CAPTURE r -> captured
        ",
    );
    let data = server.data();
    let data = data.to_str().expect("UTF-8");
    let dump = |more: &[&str]| {
        let output = Server::command(&[&["log", "dump", "--data", data], more].concat());
        assert_code(&output, 0, "log dump");
        text(&output.stdout)
    };
    assert_code(&Server::command(&["verify", "--data", data]), 0, "verify beside a running server");
    for words in ["item.configured", "item.received", "reservation.held", "reservation.captured", "log.opened"] {
        assert!(dump(&[]).contains(words), "the log beside a running server has `{words}`: {}", dump(&[]));
    }
    let sequence = server.connect().say("RESERVATION r").field("sequence").expect("a record").integer();
    let newest = dump(&["--after", &(sequence - 1).to_string()]);
    assert!(newest.contains("reservation.captured") && !newest.contains("reservation.held"), "{newest}");
    assert!(!dump(&["--after", &sequence.to_string()]).contains("reservation."));
    // It took no lock and cut nothing.
    check(&mut server, "CAPTURE r -> captured replayed\n RECEIVE a 1 ID m2 -> 9");
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "SIGTERM is a clean end");
    assert_code(&Server::command(&["verify", "--data", data]), 0, "verify of a stopped server");
    assert!(dump(&[]).contains("reservation.captured"));
    server.start_again();
    server.kill();
    assert_code(&Server::command(&["verify", "--data", data]), 0, "verify after kill -9");
    server.start_again();
    check(&mut server, "ITEM a -> on_hand=9 available=9");
}

#[test]
fn verify_finds_damage() {
    let mut server = Server::start();
    check(&mut server, "RECEIVE a 10 ID m1 -> 10");
    let mut client = server.connect();
    for n in 0..50 {
        client.say(&format!("RESERVE r{n} 600000 1 a 1 UNTIL 12345"));
    }
    assert!(server.terminate().success());
    let log = server.data().join("0/log");
    let newest = fs::read_dir(&log)
        .expect("the log's directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| fs::read(path).is_ok_and(|bytes| bytes.windows(2).any(|w| w == b"r7")))
        .max()
        .expect("a segment holds the reservations");
    let mut bytes = fs::read(&newest).expect("a segment");
    let at = bytes.windows(2).position(|w| w == b"r7").expect("it was there");
    bytes[at] ^= 0x20;
    fs::write(&newest, bytes).expect("written");
    let data = server.data();
    let output = Server::command(&["verify", "--data", data.to_str().expect("UTF-8")]);
    assert_code(&output, 1, "verify of a damaged log");
    // And the server refuses to start on it, naming the place.
    let data = data.to_str().expect("UTF-8");
    let serve = Server::command(&["serve", "--data", data, "--resp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    assert_code(&serve, 4, "serve on a damaged log");
    let said = text(&serve.stderr);
    let segment = newest.file_name().expect("a file").to_string_lossy().into_owned();
    assert!(said.contains(&segment) && said.contains("offset") && said.contains("sequence"), "{said}");
}

#[test]
fn each_verb_is_a_command() {
    let server = Server::start();
    let address = server.resp.to_string();
    let run = |arguments: &[&str]| Server::command(&[arguments, &["--server", &address]].concat());
    let mut client = server.connect();
    client.say("RECEIVE a 10 ID m1");
    client.say("RESERVE r 600000 1 a 2");
    assert_code(&run(&["item", "a"]), 0, "item");
    let json = run(&["item", "a", "--json"]);
    assert_code(&json, 0, "item --json");
    assert!(
        text(&json.stdout).contains("\"on_hand\":10") || text(&json.stdout).contains("\"on_hand\": 10"),
        "{}",
        text(&json.stdout)
    );
    assert_code(&run(&["capture", "r"]), 0, "capture");
    assert_eq!(client.say("RESERVATION r").field("state"), Some(Value::Bulk(b"captured".to_vec())));
    // 1: the answer is no.
    assert_code(&run(&["release", "r"]), 1, "release of what is captured");
    assert_code(&run(&["item", "nosuch"]), 1, "an unknown item");
    // 3: the server cannot be reached. Port 1 is nobody's.
    let nobody = Server::command(&["item", "a", "--server", "127.0.0.1:1"]);
    assert_code(&nobody, 3, "no server");
}
