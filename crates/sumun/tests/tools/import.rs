//! Imports: what is done once, what is refused and where it is told, and what happens when a server goes.

use super::support::{Ran, Scratch, Server};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

fn sums(ran: &Ran) -> [u64; 5] {
    let sums: Value = serde_json::from_str(ran.out.trim()).unwrap_or_else(|_| panic!("{ran:?}"));
    ["rows", "received", "replayed", "configured", "refused"].map(|name| sums[name].as_u64().expect("a sum"))
}

/// The report, `row code` a line.
fn report(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.map(|line| format!("{} {}", line["row"], line["code"].as_str().expect("a code"))).collect()
}

#[test]
fn a_second_run_of_a_file_changes_nothing() {
    let server = Server::start();
    let file = "sku,id,quantity,lot,expires_at,location,kind,safety_stock,limit,limit_window_ms,metadata\n\
                shoe,m1,10,,,,stock,2,3,60000,\"{\"\"a\"\": [1,\n2]}\"\n\
                milk,m1,5,L1,2030-01-01T09:00:00+09:00,seoul,,,,,\n\
                milk,m2,6,L2,2029-01-01T00:00:00Z,busan,,,,,\n\
                calls,,,,,,points,,,,\n\
                shoe,m1,10,,,,stock,2,3,60000,\"{\"\"a\"\": [1,\n2]}\"\n";
    server.scratch.file("a.csv", file);
    let first = server.import(&["a.csv", "--json"]).ends_with(0);
    assert_eq!(sums(&first), [5, 3, 1, 3, 0]);
    let (shoe, milk) = (server.item("shoe"), server.item("milk"));
    assert_eq!((shoe["on_hand"].as_u64(), shoe["available"].as_u64()), (Some(10), Some(8)));
    assert_eq!(shoe["metadata"]["a"][1], 2);
    assert_eq!(shoe["limit"]["window_ms"], 60_000);
    assert_eq!((&milk["lots"][0]["lot"], &milk["lots"][0]["location"]), (&"L2".into(), &"busan".into()));
    assert_eq!(milk["lots"][1]["expires_at"], "2030-01-01T00:00:00.000Z");
    assert_eq!(server.item("calls")["kind"], "points");
    let before = server.sequence();
    let second = server.import(&["a.csv", "--json"]).ends_with(0);
    assert_eq!(sums(&second), [5, 0, 4, 3, 0]);
    assert_eq!(server.sequence(), before, "not one event");
}

#[test]
fn what_is_refused_stands_in_the_report_and_the_rest_goes_on() {
    let server = Server::start();
    server.ask("configure taken --kind points").ends_with(0);
    let file = "id,sku,quantity,kind,safety_stock\n\
                m1,good,5,,\n\
                m2,good,five,,\n\
                m3,good\n\
                m1,good,6,,\n\
                m4,taken,1,stock,\n\
                m5,taken,1,,\n\
                m6,new,1,pionts,\n\
                m7,new,1,,\n\
                m8,new,1,points,\n\
                m9,new,1,,\n\
                ,twice,,,1\n\
                ,twice,,,2\n\
                m1,other,9007199254740991,,\n\
                m2,other,1,,\n\
                m3,last,7,,\n";
    server.scratch.file("a.csv", file);
    let ran = server.import(&["a.csv", "--json", "--refused", "refused"]).ends_with(1);
    let wanted = [
        "2 invalid",
        "3 invalid",
        "4 duplicate",
        "5 conflict",
        "6 held_back",
        "7 invalid",
        "8 held_back",
        "12 duplicate",
        "14 invalid",
    ];
    let refused = server.scratch.read("refused");
    let mut found = report(&refused);
    found.sort_by_key(|line| line.split(' ').next().and_then(|row| row.parse::<u64>().ok()));
    assert_eq!(found, wanted, "{refused}");
    assert!(refused.contains("\"line\":4,") && refused.contains("2 cells where the header names 5"), "{refused}");
    assert_eq!(sums(&ran), [15, 5, 0, 2, 9]);
    assert!(ran.err.contains("row 4 (line 5) \"good\": duplicate: row 1 has"), "{}", ran.err);
    assert_eq!((server.item("good")["on_hand"].as_u64(), server.item("last")["on_hand"].as_u64()), (Some(5), Some(7)));
    assert_eq!(
        (server.item("new")["kind"].as_str(), server.item("new")["on_hand"].as_u64()),
        (Some("points"), Some(2))
    );
    assert_eq!(server.item("taken")["on_hand"], 0, "nothing is received into what is not what the file says");
    let again = server.import(&["a.csv", "--json"]).ends_with(1);
    assert_eq!(sums(&again), [15, 0, 5, 2, 9]);
}

#[test]
fn settings_stand_when_their_row_s_quantity_is_refused_and_the_report_says_so() {
    let server = Server::start();
    server.ask("receive a 1 --id m1 --lot L").ends_with(0);
    server.scratch.file("a.ndjson", "{\"sku\":\"a\",\"id\":\"m1\",\"quantity\":2,\"lot\":\"L\",\"safety_stock\":1}\n");
    server.import(&["a.ndjson", "--refused", "refused"]).ends_with(1);
    let refused = server.scratch.read("refused");
    assert!(refused.contains("its settings stand, its quantity was not received"), "{refused}");
    assert_eq!((server.item("a")["safety_stock"].as_u64(), server.item("a")["on_hand"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn a_file_that_cannot_be_what_it_says_sends_nothing() {
    let server = Server::start();
    let before = server.sequence();
    let check = |name: &str, bytes: &[u8], part: &str| {
        server.scratch.file(name, bytes);
        let ran = server.import(&[name]).ends_with(2);
        assert!(ran.err.contains(part) && ran.out.is_empty(), "{name}: {ran:?}");
    };
    check(
        "a.csv",
        b"sku,id,quantty\na,m1,1\n",
        "a.csv:1: column 3: unknown column `quantty`; did you mean `quantity`?",
    );
    check("b.csv", b"", "it is empty");
    check("c.csv", b"sku,id,quantity\na,m1,1\n\"b,m2,1\nc,m3,1\n", "no other that closes it");
    let long = format!("sku,id,quantity\na,m1,1\n{},m2,1\n", "x".repeat(10 << 20));
    check("d.csv", long.as_bytes(), "d.csv:3: a row of more than 262144 bytes begins here");
    check(
        "e.ndjson",
        b"{\"sku\":\"a\",\"id\":\"m\",\"quantity\":1}\n{\"sku\":\"a\",\"qty\":1}\n",
        "e.ndjson:2: unknown column `qty`",
    );
    check("f.txt", b"sku\n", "--format");
    check("g.csv", b"\xff\xfes\0k\0u\0\n\0", "not UTF-8");
    let ran = server.import(&["nosuch.csv"]).ends_with(2);
    assert!(ran.err.contains("nosuch.csv"), "{ran:?}");
    server.scratch.file("h.csv", "sku,id,quantity\na,m1,1\n");
    let ran = server.import(&["h.csv", "--refused", "./h.csv"]).ends_with(2);
    assert!(ran.err.contains("is the file to import itself"), "{ran:?}");
    assert_eq!(server.scratch.read("h.csv"), "sku,id,quantity\na,m1,1\n", "and it is as it was");
    assert_eq!(server.sequence(), before, "nothing was sent");
}

#[test]
fn a_dry_run_needs_no_server() {
    let scratch = Scratch::new();
    scratch.file("a.csv", "\u{feff}sku,id,quantity\r\na,m1,1\r\nb,,1\r\nc,m1,x\r\na,m1,2\r\n");
    let ran = scratch.run(&["item", "import", "a.csv", "--dry-run", "--server", "127.0.0.1:1", "--refused", "r"]);
    let ran = ran.ends_with(1);
    assert_eq!(ran.out, "4 rows: 1 to receive, 0 to configure, 3 refused\n");
    assert_eq!(report(&scratch.read("r")), ["2 invalid", "3 invalid", "4 duplicate"]);
    scratch.file("b.csv", "sku,kind\na,stock\n");
    scratch.run(&["item", "import", "b.csv", "--dry-run"]).ends_with(0);
}

#[test]
fn what_comes_by_a_pipe_is_imported_too() {
    let server = Server::start();
    let words = ["item", "import", "-", "--format", "ndjson", "--json", "--server", &server.resp];
    let mut child =
        server.scratch.command(&words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut input = child.stdin.take().expect("piped");
    for n in 0..2_000 {
        writeln!(input, "{{\"sku\":\"one\",\"id\":\"m{n}\",\"quantity\":1}}").expect("written");
    }
    drop(input);
    let ran = Ran::of(&child.wait_with_output().expect("it ends")).ends_with(0);
    assert_eq!(sums(&ran), [2_000, 2_000, 0, 0, 0]);
    assert_eq!(server.item("one")["on_hand"], 2_000);
}

#[test]
fn a_server_that_cannot_be_reached_is_given_up_in_time() {
    let scratch = Scratch::new();
    scratch.file("a.csv", "sku,id,quantity\na,m1,1\n");
    let words = ["item", "import", "a.csv", "--server", "127.0.0.1:1", "--give-up-after", "300ms"];
    let ran = scratch.run(&words).ends_with(3);
    assert!(ran.err.contains("run the same command again") && ran.err.contains("300ms"), "{}", ran.err);
    assert_eq!(ran.err.matches("; trying again").count(), 1, "told once: {}", ran.err);
    assert!(ran.out.contains("0 rows: 0 received"), "{}", ran.out);
    // One that takes the connection and never answers.
    let server = Server::start();
    server.scratch.file("a.csv", "sku,id,quantity\na,m1,1\n");
    server.stop_for_a_while(true);
    let ran = server.import(&["a.csv", "--give-up-after", "300ms"]);
    server.stop_for_a_while(false);
    assert!(ran.ends_with(3).err.contains("it takes too long"));
}

/// Rows enough that a kill meets the import under way.
fn catalogue(rows: u64) -> String {
    let mut text = "sku,id,quantity,lot,safety_stock\n".to_owned();
    for n in 0..rows {
        let (sku, lot) = (n / 4, n % 4);
        let safety = if lot == 0 { "1" } else { "" };
        let _ = writeln!(text, "sku-{sku},m-{n},{},lot-{lot},{safety}", n % 9 + 1);
    }
    text
}

#[test]
fn kill_9_of_server_or_importer_in_the_middle_loses_nothing_and_doubles_nothing() {
    const ROWS: u64 = 24_000;
    let mut server = Server::start();
    server.scratch.file("a.csv", catalogue(ROWS));
    let start = |server: &Server| {
        let words = ["item", "import", "a.csv", "--json", "--server", &server.resp];
        server.scratch.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    };
    let under_way = |server: &Server, more: u64| {
        let wanted = server.sequence() + more;
        while server.sequence() < wanted {}
    };
    // The importer is killed; the next one goes on.
    let mut importer = start(&server);
    under_way(&server, 1_500);
    importer.kill().expect("it runs");
    importer.wait().expect("it ended");
    assert!(server.sequence() < ROWS, "it was met under way");
    let importer = start(&server);
    for _ in 0..2 {
        under_way(&server, 2_500);
        server.kill();
        server.start_again();
    }
    let ran = Ran::of(&importer.wait_with_output().expect("it ends")).ends_with(0);
    let [rows, received, replayed, configured, refused] = sums(&ran);
    assert_eq!((rows, received + replayed, configured, refused), (ROWS, ROWS, ROWS / 4, 0));
    assert!(replayed > 0, "some were done by the one that was killed");
    let before = server.sequence();
    let ran = server.import(&["a.csv", "--json"]).ends_with(0);
    assert_eq!(sums(&ran), [ROWS, 0, ROWS, ROWS / 4, 0]);
    assert_eq!(server.sequence(), before, "all of it was done once");
    let waits = server.metric("sumun_waits_total");
    assert!(waits < ROWS as f64 / 8.0, "a batch waits once for all that it misses, not {waits} times");
    let units: u64 = (0..ROWS).map(|n| n % 9 + 1).sum();
    let out = server.export(&[]).ends_with(0).out;
    let on_hand =
        |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["on_hand"].as_u64().expect("a figure");
    assert_eq!(out.lines().map(on_hand).sum::<u64>(), units);
    assert_eq!(out.lines().count() as u64, ROWS / 4);
}

#[test]
fn ctrl_c_ends_between_two_batches_and_says_how_to_go_on() {
    let server = Server::start();
    server.scratch.file("a.csv", catalogue(40_000));
    let words = ["item", "import", "a.csv", "--server", &server.resp];
    let mut command = server.scratch.command(&words);
    let importer = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let begun = server.sequence();
    while server.sequence() == begun {}
    let sent = std::process::Command::new("kill").args(["-INT", &importer.id().to_string()]).status();
    assert!(sent.expect("`kill` is on every Linux").success());
    let ran = Ran::of(&importer.wait_with_output().expect("it ends")).ends_with(4);
    assert!(ran.err.contains("stopped, ") && ran.err.contains("run the same command again"), "{}", ran.err);
    let whole = server.import(&["a.csv", "--json"]).ends_with(0);
    let [rows, received, replayed, ..] = sums(&whole);
    assert!(rows == 40_000 && received > 0 && replayed > 0 && received + replayed == rows, "{whole:?}");
}
