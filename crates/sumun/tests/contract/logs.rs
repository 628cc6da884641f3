//! What the server tells its operator on stderr: a line an event, as fields or as JSON; stdout has the ready line alone.

use super::support::server::{BINARY, fresh_directory, wait_until_ready};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts a server and ends it: its ready line, and all that it told.
fn told(data: &Path, flags: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let mut server = Command::new(BINARY)
        .args(["serve", "--resp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(flags)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for these tests");
    let ready = wait_until_ready(&mut server).expect("it is ready");
    let sent = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(sent.expect("`kill` is on every Linux").success());
    let mut text = String::new();
    server.stderr.take().expect("piped").read_to_string(&mut text).expect("UTF-8");
    assert_eq!(server.wait().expect("our child").code(), Some(0), "{text}");
    (ready, text)
}

fn objects(text: &str) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let all: Vec<Value> = text.lines().map(line).collect();
    for one in &all {
        for name in ["time", "level", "event", "msg"] {
            assert!(one[name].as_str().is_some_and(|value| !value.is_empty()), "{name} of {one}");
        }
    }
    all
}

#[test]
fn each_event_is_a_line_as_fields_or_as_json() {
    let directory = fresh_directory();
    let data = directory.join("data");
    let (ready, text) = told(&data, &[], &[]);
    assert!(ready.starts_with("sumun ready resp="), "{ready}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("time=") && line.contains(" level=info event=")), "{text}");
    assert!(lines[0].contains(" event=log_created msg=\"a new log\" data="), "{text}");

    // A flag, a variable: the same; and the ready line is no log.
    for (flags, variables) in
        [(&["--log-format", "json"][..], &[][..]), (&[][..], &[("SUMUN_LOG_FORMAT", "json"), ("SUMUN_TYPO", "1")][..])]
    {
        let (ready, text) = told(&data, flags, variables);
        assert!(ready.starts_with("sumun ready resp="), "{ready}");
        let all = objects(&text);
        let named =
            |event: &str| all.iter().find(|one| one["event"] == event).unwrap_or_else(|| panic!("{event}: {text}"));
        assert_eq!(named("log_opened")["level"], "info");
        assert!(named("log_opened")["epoch"].is_u64() && named("log_opened")["closed"] == true);
        assert!(named("stopped")["sequence"].is_u64());
        if !variables.is_empty() {
            assert_eq!(named("variable_unknown")["name"], "SUMUN_TYPO");
        }
    }
    // What matters less is left out, and traces say where they go and how many went.
    let typo = [("SUMUN_TYPO", "1"), ("SUMUN_LOG_LEVEL", "warn"), ("SUMUN_LOG_FORMAT", "json")];
    let (_, text) = told(&data, &[], &typo);
    assert_eq!(objects(&text).len(), 1, "{text}");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("OTEL_TRACES_SAMPLER_ARG", "often"),
        ("OTEL_SERVICE_NAME", "shop"),
        ("SUMUN_LOG_FORMAT", "json"),
    ];
    let (_, text) = told(&data, &[], &variables);
    let all = objects(&text);
    let of = |event: &str| all.iter().find(|one| one["event"] == event).unwrap_or_else(|| panic!("{event}: {text}"));
    assert_eq!(of("traces_on")["collector"], "http://127.0.0.1:9/v1/traces");
    assert_eq!((&of("traces_on")["part"], &of("traces_on")["service"]), (&"0.01".into(), &"shop".into()));
    assert_eq!(of("variable_ignored")["name"], "OTEL_TRACES_SAMPLER_ARG");
    assert_eq!(of("traces_off")["sent"], 0);
    std::fs::remove_dir_all(directory).expect("it is ours");
}

#[test]
fn why_it_does_not_start_is_a_line_too() {
    let arguments =
        ["serve", "--data", "/proc/nowhere", "--resp", "127.0.0.1:0", "--http", "-", "--log-format", "json"];
    let output =
        Command::new(BINARY).args(arguments).env_clear().output().expect("the binary was built for these tests");
    assert_eq!(output.status.code(), Some(4));
    let all = objects(&String::from_utf8(output.stderr).expect("UTF-8"));
    let [failed] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((&failed["level"], &failed["event"], &failed["code"]), (&"error".into(), &"failed".into(), &4.into()));
    assert!(failed["msg"].as_str().is_some_and(|why| why.contains("/proc/nowhere")), "{failed}");
}
