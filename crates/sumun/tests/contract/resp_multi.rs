//! `MULTI`, `EXEC`, `DISCARD`: queued, decided with nothing in between, each answering for itself, and bounded.

use super::support::resp::{encode, encoded};
use super::support::{Client, Server, Value, check};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

fn exec(client: &mut Client, commands: &[Vec<u8>]) -> Value {
    assert_eq!(client.say("MULTI"), Value::Simple("OK".into()));
    for (place, reply) in client.pipeline(commands).into_iter().enumerate() {
        assert!(matches!(reply, Value::Simple(_) | Value::Error(_)), "queueing {place}: {reply}");
    }
    client.say("EXEC")
}

fn assert_aborted(reply: &Value) {
    assert!(matches!(reply, Value::Error(error) if error.starts_with("EXECABORT")), "{reply}");
}

#[test]
fn queued_commands_are_done_together_and_each_answers_for_itself() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        MULTI -> OK
        RESERVE r1 10000 1 a 4 -> QUEUED
        RESERVE r2 10000 1 a 7 -> QUEUED
        CAPTURE r1 -> QUEUED
        ITEM nosuch -> QUEUED
        RECEIVE a 1 ID m2 -> QUEUED
        # nothing is done yet
        @b ITEM a -> available=10 version=2
        EXEC -> [[state held expires_at * -INSUFFICIENT a wanted 7 available 6 [state captured * null 7]
        @b ITEM a -> on_hand=7 available=7
        RESERVATION r2 -> null
        hello 3
        MULTI -> OK
        RESERVE r3 10000 1 a 1 -> QUEUED
        EXEC -> [{state: held, expires_at: *, sequence: *, replayed: 0}]
        MULTI -> OK
        EXEC -> []
        ",
    );
}

#[test]
fn discard_forgets_and_words_are_those_of_redis() {
    script(
        "
        EXEC -> -ERR EXEC without MULTI
        DISCARD -> -ERR DISCARD without MULTI
        MULTI -> OK
        RECEIVE a 10 ID m1 -> QUEUED
        DISCARD -> OK
        ITEM a -> null
        MULTI -> OK
        MULTI -> -ERR MULTI calls can not be nested
        DISCARD -> OK
        # one refused while queueing aborts the whole
        MULTI -> OK
        RECEIVE a 10 ID m1 -> QUEUED
        NOSUCH x -> -ERR unknown command 'NOSUCH', with args beginning with: *
        EXEC -> -EXECABORT Transaction discarded because of previous errors.
        ITEM a -> null
        MULTI -> OK
        RECEIVE a -> -ERR wrong number of arguments for 'receive' command
        RECEIVE a 10 ID m1 -> QUEUED
        EXEC -> -EXECABORT Transaction discarded because of previous errors.
        ITEM a -> null
        # and the connection is as before
        RECEIVE a 10 ID m1 -> 10
        MULTI -> OK
        RECEIVE a 10 ID m2 -> QUEUED
        RESET -> RESET
        EXEC -> -ERR EXEC without MULTI
        ITEM a -> on_hand=10
        ",
    );
}

#[test]
fn a_transaction_left_by_its_client_is_not_done() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        MULTI -> OK
        RESERVE r 10000 1 a 4 -> QUEUED
        reconnect
        EXEC -> -ERR EXEC without MULTI
        RESERVATION r -> null
        ITEM a -> available=10
        ",
    );
}

#[test]
fn a_transaction_has_1024_commands() {
    let mut server = Server::start();
    let mut client = server.connect();
    let receipts = |count: usize, prefix: &str| -> Vec<_> {
        (0..count).map(|n| encoded(&format!("RECEIVE a 1 ID {prefix}{n}"))).collect()
    };
    let reply = exec(&mut client, &receipts(1024, "x"));
    assert_eq!(reply.rows().len(), 1024);
    assert_eq!(reply.rows().last(), Some(&Value::Integer(1024)));
    assert_aborted(&exec(&mut client, &receipts(1025, "y")));
    check(&mut server, "ITEM a -> on_hand=1024 version=1025");
}

#[test]
fn a_transaction_has_4096_lines() {
    let mut server = Server::start();
    let mut client = server.connect();
    for n in 0..64 {
        client.say(&format!("RECEIVE s{n} 100000 ID m1"));
    }
    let lines: String = (0..64).map(|n| format!(" s{n} 1")).collect();
    let reserves = |count: usize, prefix: &str| -> Vec<_> {
        (0..count).map(|n| encoded(&format!("RESERVE {prefix}{n} 100000 64{lines}"))).collect()
    };
    let reply = exec(&mut client, &reserves(64, "x"));
    assert_eq!(reply.rows().len(), 64, "{reply}");
    for row in reply.rows() {
        assert_eq!(row.field("state"), Some(Value::Bulk(b"held".to_vec())));
    }
    let mut over = reserves(64, "y");
    over.push(encoded("RESERVE one 100000 1 s0 1"));
    assert_aborted(&exec(&mut client, &over));
    check(&mut server, "ITEM s0 -> reserved=64\n RESERVATION y0 -> null\n RESERVATION one -> null");
}

#[test]
fn a_transaction_has_256_kib() {
    let mut server = Server::start();
    let mut client = server.connect();
    let metadata = format!("\"{}\"", "x".repeat(16_000));
    let settings = |count: usize, prefix: &str| -> Vec<_> {
        (0..count).map(|n| encode(&["CONFIGURE", &format!("{prefix}{n}"), "METADATA", &metadata])).collect()
    };
    let reply = exec(&mut client, &settings(16, "x"));
    assert_eq!(reply.rows().len(), 16, "{reply}");
    assert_aborted(&exec(&mut client, &settings(17, "y")));
    check(&mut server, "ITEM x15 -> sku=x15\n ITEM y0 -> null");
}

/// A release of the whole is short to say and long to write: what its events would take counts, too.
#[test]
fn the_events_of_a_transaction_have_1_mib() {
    let mut server = Server::start();
    let mut client = server.connect();
    for n in 0..64 {
        client.say(&format!("RECEIVE s{n} 100000 ID m1"));
    }
    let lines: String = (0..64).map(|n| format!(" s{n} 1")).collect();
    let reserves: Vec<_> = (0..1024).map(|n| encoded(&format!("RESERVE r{n} 600000 64{lines}"))).collect();
    for reply in client.pipeline(&reserves) {
        assert!(reply.field("state").is_some(), "{reply}");
    }
    let releases: Vec<_> = (0..1024).map(|n| encoded(&format!("RELEASE r{n}"))).collect();
    assert_aborted(&exec(&mut client, &releases));
    check(
        &mut server,
        "
        ITEM s0 -> reserved=1024 version=1026
        RESERVATION r0 -> held version=1
        RESERVATION r1023 -> held version=1
        RELEASE r0 -> released
        ",
    );
    // Not so many at once pass.
    assert_eq!(exec(&mut client, &releases[1..17]).rows().len(), 16);
    check(&mut server, "ITEM s63 -> reserved=1007");
}

/// Two clients reserve the same two items in the opposite order, together or not at all; a third one looks on.
#[test]
fn nothing_is_decided_in_between() {
    let server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 1000 ID m1");
    client.say("RECEIVE b 1000 ID m1");
    std::thread::scope(|scope| {
        for writer in ["x", "y"] {
            let mut client = server.connect();
            scope.spawn(move || {
                for n in 0..200 {
                    let skus = if writer == "x" { ["a", "b"] } else { ["b", "a"] };
                    let commands: Vec<_> =
                        skus.iter().map(|sku| encoded(&format!("RESERVE {writer}{sku}{n} 60000 1 {sku} 1"))).collect();
                    assert_eq!(exec(&mut client, &commands).rows().len(), 2);
                }
            });
        }
        for _ in 0..300 {
            let seen = exec(&mut client, &[encoded("ITEM a"), encoded("ITEM b")]);
            let reserved = |row: usize| seen.rows()[row].field("reserved").expect("an item").integer();
            assert_eq!(reserved(0), reserved(1), "a transaction of another client was seen half done");
        }
    });
    let both = exec(&mut client, &[encoded("ITEM a"), encoded("ITEM b")]);
    assert_eq!(both.field("1.reserved"), Some(Value::Integer(400)));
}

#[test]
fn all_of_a_transaction_survives_or_none() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 100000 ID m1");
    let commands: Vec<_> = (0..500).map(|n| encoded(&format!("RESERVE r{n} 600000 1 a 1"))).collect();
    assert_eq!(exec(&mut client, &commands).rows().len(), 500);
    // A second one may or may not have been done when the server dies: all of it or nothing.
    client.say("MULTI");
    let second: Vec<_> = (0..500).map(|n| encoded(&format!("RESERVE q{n} 600000 1 a 1"))).collect();
    client.pipeline(&second);
    client.send_bytes(&encoded("EXEC"));
    server.kill();
    server.start_again();
    let mut client = server.connect();
    let reserved = client.say("ITEM a").field("reserved").expect("an item").integer();
    assert!(reserved == 500 || reserved == 1000, "{reserved} units are reserved by one or two times 500 commands");
    let (first, last) = (client.say("RESERVATION q0"), client.say("RESERVATION q499"));
    assert_eq!(first == Value::Null, last == Value::Null);
    assert_eq!(client.say("RESERVATION r499").field("state"), Some(Value::Bulk(b"held".to_vec())));
}
