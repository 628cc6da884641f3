//! Where work is refused for want of room, each through a socket: memory nearly and wholly used up, a full disk, the
//! control socket's clients. What connections may keep is in the tests of the reactor.

#[path = "reactor/server.rs"]
#[expect(dead_code, reason = "it serves the other tests, too")]
mod server;

use server::{PATIENCE, Peer, Start, options, start, start_with};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use sumun_server::Options;

const OVERLOADED: &str = "-OVERLOADED retry after 40 ms";

/// Asks `request` with 0, 1, 2 … for `#` until it is refused; returns how many were not, and the refusal.
fn until_refused(peer: &mut Peer, request: &str) -> (usize, String) {
    for n in 0..1_000 {
        let some: String = (n * 100..n * 100 + 100).map(|n| request.replace('#', &n.to_string()) + "\n").collect();
        peer.send(&some);
        let replies: Vec<String> = (0..100).map(|_| peer.reply()).collect();
        if let Some(at) = replies.iter().position(|reply| reply.starts_with('-')) {
            return (n * 100 + at, replies[at].clone());
        }
    }
    panic!("`{request}` was never refused");
}

fn figure_of(record: &str, name: &str) -> i64 {
    let mut words = record.split(' ').skip_while(|word| *word != name);
    words.nth(1).and_then(|figure| figure.strip_prefix(':')).and_then(|figure| figure.parse().ok()).expect("a figure")
}

/// Asks until it is not refused for want of memory: what the store has by then has left.
fn ask_in_the_end(peer: &mut Peer, request: &str) -> String {
    for _ in 0..1_000 {
        let reply = peer.ask(request);
        if reply != OVERLOADED {
            return reply;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    panic!("`{request}` was always refused");
}

/// What is open cannot leave memory, and with what it touches it is the floor; all else leaves when the store has it.
#[test]
fn memory_that_is_nearly_used_up_takes_nothing_new_and_what_is_open_may_end_then_only_time_ends_it() {
    let server = start_with(Start { memory: 400_000, ..Start::default() });
    let mut peer = server.connect();
    assert_eq!(peer.ask("RECEIVE a 1000000 ID m"), ":1000000");
    assert!(peer.ask("RESERVE brief 5000 1 a 1").starts_with("state held"));
    let (held, refusal) = until_refused(&mut peer, "RESERVE r# 600000 1 a 1");
    assert_eq!(refusal, OVERLOADED);
    assert!((2_500..3_100).contains(&held), "{held} at about 111 bytes each, with two filters, fill nine tenths");

    for begins in ["RESERVE x 1000 1 a 1", "RECEIVE a 1 ID n", "ADJUST a -1 REASON lost ID o", "CONFIGURE b"] {
        assert_eq!(peer.ask(begins), OVERLOADED, "{begins}");
    }
    for (ends, reply) in [
        ("CAPTURE r0", "state captured"),
        ("CAPTURE r1 1 a 1 ID c", "state captured"),
        ("RELEASE r2", "state released"),
        ("EXTEND r3 900000", "state held"),
        ("RETURN r0 ID t", "state captured"),
    ] {
        assert!(peer.ask(ends).starts_with(reply), "{ends}");
    }
    for (writes_nothing, reply) in [
        ("RESERVE r4 600000 1 a 1", "state held"),
        ("RECEIVE a 1000000 ID m", ":1000000"),
        ("RESERVE x 1000 1 a 9000000", "-INSUFFICIENT a wanted 9000000"),
        ("RESERVE x 1000 1 nosuch 1", "-NOTFOUND nosuch"),
        ("RECEIVE a 0 ID n", "-INVALID"),
        ("RESERVATION r4", "id r4 state held"),
    ] {
        assert!(peer.ask(writes_nothing).starts_with(reply), "{writes_nothing}");
    }
    // A transaction is refused whole.
    for (request, reply) in
        [("MULTI", "+OK"), ("CAPTURE r5", "+QUEUED"), ("RESERVE x 1000 1 a 1", "+QUEUED"), ("EXEC", OVERLOADED)]
    {
        assert_eq!(peer.ask(request), reply);
    }
    assert!(peer.ask("RESERVATION r5").starts_with("id r5 state held"));

    // Tombstones are records too: they may take the last tenth, and leave it to those that come after them.
    const TOMBSTONES: usize = 1_500;
    for n in 0..TOMBSTONES {
        assert!(ask_in_the_end(&mut peer, &format!("RELEASE never-{n}")).starts_with("state released"));
    }
    assert_eq!(peer.ask("RESERVE x 1000 1 a 1"), OVERLOADED, "what is open is still there");
    for back in ["RELEASE never-0", "RESERVATION never-700"] {
        assert!(ask_in_the_end(&mut peer, back).contains("state released"), "{back}: it comes back");
    }

    // What is extended takes more room, and is as open as before.
    let extended = loop {
        let (extended, refusal) = until_refused(&mut peer, "EXTEND r1# 900000");
        assert_eq!(refusal, OVERLOADED);
        // Until nothing is left that may leave.
        let stays = |_| {
            std::thread::park_timeout(std::time::Duration::from_millis(5));
            peer.ask("EXTEND r6 900000") == OVERLOADED
        };
        if (0..20).all(stays) {
            break extended;
        }
    };
    assert!((20..600).contains(&extended), "{extended} at about 250 bytes each fill the last tenth");
    for writes in ["CAPTURE r6", "EXTEND r6 900000", "RELEASE never-again", "RETURN r1 ID u"] {
        assert_eq!(peer.ask(writes), OVERLOADED, "{writes}");
    }
    assert!(peer.ask("RESERVATION r6").starts_with("id r6 state held"));
    assert!(peer.ask("RESERVATION r0").starts_with("id r0 state captured"), "it is read back, if it has left");
    assert_eq!(figure_of(&peer.ask("ITEM a"), "reserved"), held as i64 - 2, "`brief` is still held");
    for _ in 0..1_000 {
        // One was captured in part, as a whole; one is `brief`: time ends it all the same.
        if figure_of(&peer.ask("ITEM a"), "reserved") == held as i64 - 3 {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("`brief` did not end");
}

#[test]
fn a_full_disk_refuses_what_would_write_and_recovers_by_itself() {
    let server = start();
    let mut peer = server.connect();
    assert_eq!(peer.ask("RECEIVE a 10 ID m"), ":10");
    assert!(peer.ask("RESERVE r 600000 1 a 1").starts_with("state held"));
    server.disk.set_capacity(Some(server.disk.used()));
    let filler = format!("CONFIGURE filler METADATA '\"{}#\"'", "x".repeat(16_000));
    let (written, refusal) = until_refused(&mut peer, &filler);
    assert!(refusal.starts_with("-MISCONF Errors writing to the log: "), "{refusal}");
    assert!(written > 10, "what was laid out before is used first: {written}");

    let before = peer.ask("ITEM a");
    for writes in ["CAPTURE r", "RESERVE s 600000 1 a 1", "RECEIVE a 1 ID n", "RELEASE never", "EXTEND r 900000"] {
        assert!(peer.ask(writes).starts_with("-MISCONF "), "{writes}");
    }
    for (writes_nothing, reply) in [
        ("RESERVE r 600000 1 a 1", "state held"),
        ("RESERVE s 1000 1 a 90", "-INSUFFICIENT a wanted 90 available 9"),
        ("RECEIVE a 0 ID n", "-INVALID"),
        ("RESERVATION r", "id r state held"),
        ("PING", "+PONG"),
    ] {
        assert!(peer.ask(writes_nothing).starts_with(reply), "{writes_nothing}");
    }
    assert_eq!((peer.ask("MULTI"), peer.ask("CAPTURE r")), ("+OK".into(), "+QUEUED".into()));
    assert!(peer.ask("EXEC").starts_with("-MISCONF "));
    assert_eq!(peer.ask("ITEM a"), before, "an error changes nothing");

    server.disk.set_capacity(None);
    for _ in 0..1_000 {
        if peer.ask("CAPTURE r").starts_with("state captured") {
            assert!(peer.ask("ITEM a").contains("on_hand :9 reserved :0 "));
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("it did not recover");
}

#[test]
fn while_a_full_batch_waits_for_the_sync_before_it_nobody_is_read_and_then_all_is_answered() {
    const REQUESTS: usize = 1_000;
    let server = start();
    let mut peer = server.connect();
    // A sync that was held shows that syncs are slow here: the next ones run beside the loop.
    server.disk.hold_syncs();
    peer.send("RECEIVE a 1 ID m\n");
    assert!(peer.is_silent());
    server.disk.release_syncs();
    assert_eq!(peer.reply(), ":1");

    server.disk.hold_syncs();
    let mut flood = server.connect();
    let mut sender = flood.stream.try_clone().expect("a second handle");
    let filler = format!("CONFIGURE filler METADATA '\"{}#\"'\n", "x".repeat(16_000));
    let requests: String = (0..REQUESTS).map(|n| filler.replace('#', &n.to_string())).collect();
    let sending = std::thread::spawn(move || sender.write_all(requests.as_bytes()));
    assert!(flood.is_silent());
    peer.send("ITEM a\n");
    assert!(peer.is_silent());
    assert!(!sending.is_finished(), "16 MB are more than it reads ahead");
    server.disk.release_syncs();
    assert!(peer.reply().contains("on_hand :1 "));
    for _ in 0..REQUESTS {
        assert_eq!(flood.reply(), ":0");
    }
    sending.join().expect("it ends").expect("all is taken");
    let info = peer.ask("INFO");
    let peak = info.split('|').find_map(|line| line.strip_prefix("mem_clients_peak:")).expect("a figure");
    assert!(peak.parse::<u64>().expect("a number") < 1 << 20, "{peak} bytes");
}

#[test]
fn more_tools_than_the_control_socket_serves_see_their_connection_end() {
    let data = std::env::temp_dir().join(format!("sumun-tools-{}", std::process::id()));
    std::fs::create_dir_all(&data).expect("a directory");
    let server = start_with(Start { options: Options { data: Some(data.clone()), ..options() }, ..Start::default() });
    let directory = std::fs::File::open(&data).expect("a directory");
    let path = format!("/proc/self/fd/{}/control.sock", directory.as_raw_fd());
    let ask = |tool: &mut BufReader<UnixStream>| {
        tool.get_mut().set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut line = String::new();
        let asked = tool.get_mut().write_all(b"end\n").and_then(|()| tool.read_line(&mut line));
        asked.is_ok_and(|read| read > 0)
    };
    let connect = || BufReader::new(UnixStream::connect(&path).expect("it listens"));
    let mut tools: Vec<_> = (0..sumun_server::caps::CONTROL_CLIENTS_MAX).map(|_| connect()).collect();
    assert!(tools.iter_mut().all(&ask));
    assert!(!ask(&mut connect()));
    assert!(tools.iter_mut().all(&ask), "those that are served stay");
    drop(tools);
    let served_again = (0..1_000).any(|_| ask(&mut connect()));
    assert!(served_again);
    drop(server);
    std::fs::remove_dir_all(&data).expect("it goes");
}
