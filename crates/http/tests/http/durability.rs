//! LOG-1 over HTTP: nothing is answered before it is durable; what cannot be made so closes the connection.

use crate::support::{resp, start, start_with};
use std::time::Duration;
use sumun_http::Options;
use sumun_log::faulty::{Call, FaultyDisk};
use sumun_server::Ended;

#[test]
fn nothing_is_answered_before_it_is_durable() {
    let server = start();
    assert_eq!(server.ask("POST", "/v1/items/a/receipts", r#"{"id":"m","quantity":1}"#).status, 201);
    let (mut writer, mut reader) = (server.connect(), server.connect());
    server.disk.hold_syncs();
    writer.send(writer.request("POST", "/v1/items/a/receipts", "", r#"{"id":"n","quantity":1}"#));
    assert!(writer.is_silent());
    reader.send(reader.request("GET", "/v1/items/a", "", ""));
    assert!(reader.is_silent());
    assert_eq!(server.ask("GET", "/livez", "").status, 200, "who asks nothing of the log is answered");
    assert_eq!(server.ask("GET", "/readyz", "").said(), "503 read_only", "a log that hangs is not ready");
    assert_eq!(server.metric("sumun_shard_answers"), 0.0, "and metrics come all the same");
    server.disk.release_syncs();
    assert_eq!(writer.reply().expect("it is durable").json()["on_hand"], 2);
    assert_eq!(reader.reply().expect("it is durable").json()["on_hand"], 2);
}

#[test]
fn what_could_not_be_made_durable_closes_the_connection_and_the_same_id_tells_later() {
    let server = start();
    assert_eq!(server.ask("POST", "/v1/items/a/receipts", r#"{"id":"m","quantity":1}"#).status, 201);
    for call in [Call::Sync, Call::Write, Call::Create, Call::Open] {
        server.disk.fail_always(call, libc_eio());
    }
    let mut client = server.connect();
    client.send(client.request("POST", "/v1/items/a/receipts", "", r#"{"id":"n","quantity":1}"#));
    client.send(client.request("GET", "/livez", "", ""));
    assert!(client.reply().is_none(), "no answer, and the connection is closed");
    let item = server.ask("GET", "/v1/items/a", "");
    assert_eq!(item.said(), "503 loading");
    assert_eq!(server.ask("GET", "/readyz", "").said(), "503 loading");
    assert_eq!(server.ask("GET", "/v1/items", "").said(), "503 loading");
    server.disk.heal();
    server.wait_for("readiness", |server| server.ask("GET", "/readyz", "").status == 200);
    assert_eq!(server.ask("POST", "/v1/items/a/receipts", r#"{"id":"n","quantity":1}"#).json()["on_hand"], 2);
    assert_eq!(server.metric("sumun_http_unproven_closed_total"), 1.0);
}

const fn libc_eio() -> i32 {
    5
}

#[test]
fn a_log_without_room_refuses_what_would_write_and_still_reads() {
    let server = start();
    assert_eq!(server.ask("POST", "/v1/items/a/receipts", r#"{"id":"m","quantity":1}"#).status, 201);
    server.disk.fail_always(Call::Allocate, 28);
    let write = |server: &crate::support::Server, n: usize| {
        let metadata = "x".repeat(16_000);
        server.ask("PUT", "/v1/items/a", &format!(r#"{{"metadata":"{n}{metadata}"}}"#))
    };
    let mut n = 0;
    server.wait_for("no room", |server| {
        n += 1;
        write(server, n).status == 503
    });
    assert_eq!(write(&server, 0).said(), "503 read_only");
    assert_eq!(server.ask("GET", "/v1/items/a", "").status, 200);
    assert_eq!(server.ask("GET", "/readyz", "").said(), "503 read_only");
    assert_eq!(server.metric("sumun_log_writable"), 0.0);
    server.disk.heal();
    server.wait_for("room", |server| server.ask("GET", "/readyz", "").status == 200);
}

#[test]
fn an_end_answers_what_was_read_and_closes_who_is_idle() {
    let disk = FaultyDisk::new(1);
    let server = start_with(disk.clone(), Options::default());
    let mut idle = server.connect();
    assert_eq!(idle.ask("POST", "/v1/items/a/receipts", r#"{"id":"m","quantity":1}"#).status, 201);
    let mut busy = server.connect();
    disk.hold_syncs();
    busy.send(busy.request("POST", "/v1/items/a/receipts", "", r#"{"id":"n","quantity":1}"#));
    assert!(busy.is_silent());
    server.stop();
    std::thread::park_timeout(Duration::from_millis(50));
    disk.release_syncs();
    assert_eq!(busy.reply().expect("it was read before").json()["on_hand"], 2);
    assert!(busy.is_closed() && idle.is_closed());
    let address = server.http;
    assert_eq!(server.end(), Ended::Clean);
    assert!(std::net::TcpStream::connect(address).is_err());
    let again = start_with(disk, Options::default());
    assert!(resp(&again, "RECEIVE a 1 ID n").starts_with(":2"));
}
