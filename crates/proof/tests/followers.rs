//! Followers of `/v1/events` that stop reading: they cost the server nothing but their own connection. Memory stays
//! flat, others are served, and who reads again goes on where it stopped.

use serde_json::Value as Json;
use std::io;
use std::time::Duration;
use sumun_proof::crowd::Process;
use sumun_proof::support::http::Stream;
use sumun_proof::support::resp::encode;
use sumun_proof::support::{Scratch, Server, Setup, clock};

const STALLED: usize = 40;
/// Many times what the sockets and outboxes of all of them hold.
const EVENTS: u64 = 3_000;
const METADATA_BYTES: usize = 15 << 10;
/// Sockets' buffers are the kernel's; what a stalled one may keep here is its outbox, and what is on its way.
const KEPT_BYTES_MAX: u64 = STALLED as u64 * (256 << 10) + (16 << 20);

/// Events of 15 KiB each.
fn write(server: &Server, count: u64) {
    let mut connection = server.connect().expect("it serves");
    let metadata = format!("\"{}", "x".repeat(METADATA_BYTES));
    for part in 0..count.div_ceil(100) {
        for n in 0..100 {
            let text = format!("{metadata}{part}-{n}\"");
            connection.send(&encode(&["CONFIGURE", "large", "METADATA", &text])).expect("it takes it");
        }
        for _ in 0..100 {
            assert!(connection.read().expect("it answers").integer().is_some());
        }
    }
}

fn sequence(stream: &mut Stream) -> io::Result<Option<u64>> {
    loop {
        let Some(sent) = stream.read()? else { return Ok(None) };
        if let Some(data) = sent.data {
            let event: Json = serde_json::from_str(&data).expect("an event is JSON");
            return Ok(Some(event["sequence"].as_u64().expect("a sequence")));
        }
    }
}

fn follow(server: &Server, after: Option<u64>) -> Stream {
    let after = after.map(|sequence| format!("0/{sequence}"));
    let stream = Stream::open(server.http, "/v1/events", after.as_deref()).expect("it serves");
    stream.expect("a stream")
}

#[test]
fn stalled_followers_cost_the_server_nothing_but_their_connections() {
    let scratch = Scratch::new("followers");
    let mut server = Server::start(&Setup::below(scratch.path())).expect("a server");
    let process = Process(server.pid());
    // What the server takes for this load without them.
    let mut reader = follow(&server, None);
    write(&server, EVENTS);
    let mut last = 0;
    while last < EVENTS + 1 {
        last = sequence(&mut reader).expect("it goes on").expect("no end");
    }
    let before = process.memory_peak().expect("Linux counts it");

    let mut stalled: Vec<Stream> = (0..STALLED).map(|_| follow(&server, Some(last))).collect();
    let begun = clock::ticks_ns();
    write(&server, EVENTS);
    let took_ms = (clock::ticks_ns() - begun) / 1_000_000;
    // Another follower is given all of it, in order.
    while last < 2 * EVENTS + 1 {
        let next = sequence(&mut reader).expect("it goes on").expect("no end");
        assert_eq!(next, last + 1);
        last = next;
    }
    let after = process.memory_peak().expect("Linux counts it");
    let grown = after.saturating_sub(before);
    assert!(grown < KEPT_BYTES_MAX, "{STALLED} stalled followers made it grow by {grown} bytes");
    println!("{STALLED} stalled followers: {} KiB; {EVENTS} events written in {took_ms} ms", grown >> 10);
    // Requests of both kinds are answered beside them.
    let asked = clock::ticks_ns();
    assert!(server.connect().and_then(|mut resp| resp.say("ITEM large")).expect("it answers").field("sku").is_some());
    let reply = server.web().and_then(|mut web| web.get("/v1/items/large")).expect("it answers");
    assert_eq!(reply.head.status, 200);
    assert!(clock::ticks_ns() - asked < 2_000_000_000, "others wait for the stalled");
    // Who reads again goes on where it stopped: nothing is missing, nothing is there twice.
    let begins = EVENTS + 1;
    for (n, stream) in stalled.iter_mut().enumerate().take(3) {
        stream.set_timeout(Duration::from_secs(20)).expect("a timeout");
        for expected in begins + 1..=2 * EVENTS + 1 {
            assert_eq!(sequence(stream).expect("it goes on"), Some(expected), "of stalled follower {n}");
        }
    }
    drop(stalled);
    drop(reader);
    assert!(server.terminate().expect("it ends").success());
}
