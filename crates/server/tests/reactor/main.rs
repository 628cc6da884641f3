//! The reactor at its sockets: order, durability, fairness, bounds, ends.

mod handover;
mod server;

use server::{Peer, Start, options, start, start_with};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use sumun_log::faulty::{Call, FaultyDisk};
use sumun_server::{Ended, Options};

#[test]
fn a_reservations_life_is_answered_as_the_table_says() {
    let server = start();
    let mut peer = server.connect();
    assert_eq!(peer.ask("CONFIGURE a LIMIT 5 METADATA '{\"x\":1}'"), ":0");
    assert_eq!(peer.ask("RECEIVE a 10 ID m1"), ":10");
    assert_eq!(peer.ask("RECEIVE a 10 ID m1"), ":10");
    assert_eq!(peer.ask("RECEIVE a 1 ID *"), ":11");
    assert_eq!(peer.ask("RECEIVE a 1 ID *"), ":12");
    let reserved = peer.ask("RESERVE r 60000 1 a 2 FOR h");
    assert!(reserved.starts_with("state held expires_at :") && reserved.ends_with("replayed :0"), "{reserved}");
    assert!(peer.ask("RESERVE r 60000 1 a 2 FOR h").ends_with("replayed :1"));
    assert_eq!(peer.ask("RESERVE r2 60000 1 a 4 FOR h"), "-LIMIT a h wanted 4 left 3");
    assert_eq!(peer.ask("RESERVE r2 60000 1 b 4"), "-NOTFOUND b");
    assert!(peer.ask("CAPTURE r 1 a 1 ID c").starts_with("state held sequence :"));
    assert!(peer.ask("RELEASE r").ends_with("replayed :0 tombstone :0"));
    assert!(peer.ask("RETURN r ID x").starts_with("state partially_captured sequence :"));
    assert!(peer.ask("RELEASE never").ends_with("replayed :0 tombstone :1"));
    assert!(peer.ask("ITEM a").contains("on_hand :12 reserved :0 available :12 received :12 removed :0 returned :1"));
    assert!(
        peer.ask("RESERVATION r").starts_with("id r state partially_captured ended released tombstone :0 holder h")
    );
    assert_eq!(peer.ask("ITEM b"), "*-1");
    assert!(peer.ask("RECEIVE a 1").starts_with("-INVALID "));
    assert!(peer.ask("RESERVE r3 0 1 a 1 FOR h").starts_with("-INVALID "));
    assert_eq!(peer.ask("RESERVE r3"), "-ERR wrong number of arguments for 'reserve' command");
    assert!(peer.ask("HELLO 3").starts_with("server sumun version"));
    assert_eq!(peer.ask("ITEM b"), "_");
}

#[test]
fn a_transaction_is_decided_as_one_and_each_command_answers_for_itself() {
    let server = start();
    let mut peer = server.connect();
    for (request, reply) in [
        ("MULTI", "+OK"),
        ("RECEIVE a 3 ID m", "+QUEUED"),
        ("RESERVE r 60000 1 a 5", "+QUEUED"),
        ("PING x", "+QUEUED"),
        ("CAPTURE r y", "+QUEUED"),
        ("ADJUST a -1 REASON lost ID *", "+QUEUED"),
        ("EXEC", ":3 -INSUFFICIENT a wanted 5 available 3 x -INVALID option: is not one of this command :2"),
        ("MULTI", "+OK"),
        ("EXEC", "*0"),
        ("MULTI", "+OK"),
        ("ADJUST a -1 REASON lost ID n", "+QUEUED"),
        ("GET a", "-ERR unknown command 'GET', with args beginning with: 'a' "),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
    ] {
        assert_eq!(peer.ask(request), reply.trim_end(), "{request}");
    }
    assert!(peer.ask("ITEM a").contains("on_hand :2 "));
}

#[test]
fn nothing_is_answered_before_it_is_durable_reads_and_refusals_included() {
    let server = start();
    let (mut writer, mut reader) = (server.connect(), server.connect());
    assert_eq!(writer.ask("RECEIVE a 1 ID m"), ":1");
    assert!(reader.ask("ITEM a").contains("on_hand :1 "));
    server.disk.hold_syncs();
    writer.send("RECEIVE a 1 ID n\nITEM a\nPING\n");
    assert!(writer.is_silent());
    reader.send("ITEM a\nRESERVE r 1000 1 a 9\n");
    assert!(reader.is_silent());
    server.disk.release_syncs();
    assert_eq!(writer.reply(), ":2");
    assert!(writer.reply().contains("on_hand :2 "));
    assert_eq!(writer.reply(), "+PONG");
    assert!(reader.reply().contains("on_hand :2 "));
    assert_eq!(reader.reply(), "-INSUFFICIENT a wanted 9 available 2");
}

#[test]
fn while_a_slow_sync_runs_beside_the_loop_later_steps_wait_for_their_own() {
    let server = start();
    let (mut writer, mut reader) = (server.connect(), server.connect());
    // These hold the loop up, and show that syncs are slow here: those that follow run beside it.
    for round in 1..=8 {
        server.disk.hold_syncs();
        writer.send(&format!("RECEIVE slow 1 ID m{round}\n"));
        assert!(writer.is_silent());
        server.disk.release_syncs();
        assert_eq!(writer.reply(), format!(":{round}"));
    }
    let before = server.figure("commits_beside");
    for round in 1..=4 {
        server.disk.hold_syncs();
        writer.send(&format!("RECEIVE a 1 ID m{round}\n"));
        assert!(writer.is_silent());
        reader.send("ITEM a\nPING\nRECEIVE b 1 ID *\n");
        assert!(reader.is_silent());
        writer.send("ITEM a\n");
        assert!(writer.is_silent());
        server.disk.release_syncs();
        assert_eq!(writer.reply(), format!(":{round}"));
        assert!(writer.reply().contains(&format!("on_hand :{round} ")));
        assert!(reader.reply().contains(&format!("on_hand :{round} ")));
        assert_eq!((reader.reply(), reader.reply()), ("+PONG".into(), format!(":{round}")));
    }
    assert!(server.figure("commits_beside") >= before + 4);
}

#[test]
fn what_could_not_be_made_durable_gets_no_answer_and_the_same_id_tells_later() {
    let server = start();
    let mut peer = server.connect();
    assert_eq!(peer.ask("RECEIVE a 1 ID m"), ":1");
    for call in [Call::Sync, Call::Write, Call::Create, Call::Open] {
        server.disk.fail_always(call, libc::EIO);
    }
    peer.send("RECEIVE a 1 ID n\nPING\n");
    assert!(peer.is_closed());
    // The connection is there, and the log is not: it is opened again when the disk lets it.
    let mut other = server.connect();
    assert_eq!(other.ask("PING"), "+PONG");
    assert_eq!(other.ask("ITEM a"), "-LOADING Sumun is replaying its log");
    server.disk.heal();
    server.wait_for("readiness", |server| !server.connect().ask("ITEM a").starts_with("-LOADING"));
    assert_eq!(server.connect().ask("RECEIVE a 1 ID n"), ":2");
    assert_eq!(server.figure("log_failures"), 1);
    assert_eq!(server.figure("unproven_closed"), 1);
}

#[test]
fn a_server_that_is_not_ready_says_so_and_still_talks() {
    let server = start_with(Start { ready: false, ..Start::default() });
    let mut peer = server.connect();
    assert_eq!(peer.ask("PING"), "+PONG");
    assert_eq!(peer.ask("ITEM a"), "-LOADING Sumun is replaying its log");
    assert!(peer.ask("INFO persistence").contains("loading:1|"));
    assert!(server.told.try_recv().is_err());
    server.ready.store(true, Ordering::Release);
    assert_eq!(server.told.recv_timeout(server::PATIENCE), Ok(server.address));
    server.wait_for("readiness", |server| server.connect().ask("ITEM a") == "*-1");
    assert!(peer.ask("INFO persistence").contains("loading:0|"));
}

#[test]
fn a_long_pipeline_is_answered_in_order_while_others_get_their_turn() {
    const REQUESTS: usize = 1_000_000;
    let server = start();
    let flood = server.connect();
    let mut sender = flood.stream.try_clone().expect("a second handle");
    let sending = std::thread::spawn(move || {
        let requests: String = (0..REQUESTS).map(|n| format!("*2\r\n$4\r\nECHO\r\n$7\r\n{n:07}\r\n")).collect();
        sender.write_all(requests.as_bytes()).expect("it is taken");
    });
    let mut other = server.connect();
    let mut reader = BufReader::new(&flood.stream);
    let (mut head, mut body) = (String::new(), String::new());
    for n in 0..REQUESTS {
        head.clear();
        body.clear();
        reader.read_line(&mut head).expect("a reply");
        reader.read_line(&mut body).expect("a reply");
        assert_eq!((head.as_str(), body.trim_end()), ("$7\r\n", format!("{n:07}").as_str()));
        if n % 50_000 == 0 {
            assert_eq!(other.ask("PING"), "+PONG");
        }
    }
    sending.join().expect("it sends");
}

#[test]
fn a_peer_that_does_not_read_is_not_read_and_costs_a_bounded_amount() {
    let server = start();
    let mut setup = server.connect();
    setup.ask(&format!("CONFIGURE a METADATA '\"{}\"'", "x".repeat(16_000)));
    let peer = server.connect();
    let mut sender = peer.stream.try_clone().expect("a second handle");
    const REQUESTS: usize = 20_000;
    let sending = std::thread::spawn(move || sender.write_all("ITEM a\n".repeat(REQUESTS).as_bytes()));
    server.wait_for("a pause", |server| server.figure("reader_pauses") > 0);
    let kept = server.figure("mem_clients_peak");
    assert!(kept < 2 << 20, "320 MB of replies wait, and {kept} bytes are kept");
    assert!(setup.ask("ITEM a").contains("version :1"));
    let mut peer = peer;
    for _ in 0..REQUESTS {
        assert!(peer.reply().ends_with("version :1 sequence :2"));
    }
    sending.join().expect("it ends").expect("all is taken");
    let peak = server.figure("mem_clients_peak");
    assert!(peak < 2 << 20, "{peak}");
}

#[test]
fn all_peers_together_keep_no_more_than_they_may() {
    let server = start_with(Start { options: Options { kept_bytes_max: 1 << 20, ..options() }, ..Start::default() });
    let mut setup = server.connect();
    setup.ask(&format!("CONFIGURE a METADATA '\"{}\"'", "x".repeat(16_000)));
    let lazy: Vec<Peer> = (0..64).map(|_| server.connect()).collect();
    for peer in &lazy {
        // What the kernel's buffers take (a few MB each at most) comes on top, and is not the server's.
        peer.send(&"ITEM a\n".repeat(2_000));
    }
    server.wait_for("pauses", |server| server.figure("reader_pauses") > 64);
    let peak = server.figure("mem_clients_peak");
    assert!(peak < 6 << 20, "64 × 256 KiB would be 16 MiB; {peak} are kept");
    assert!(setup.ask("ITEM a").contains("version :1"), "who reads is served");
}

#[test]
fn queued_transactions_have_a_share_past_which_commands_are_refused_with_a_retry_time() {
    let server = start();
    let big = format!("ECHO {}\n", "x".repeat(60_000));
    let mut queueing: Vec<Peer> = (0..200).map(|_| server.connect()).collect();
    let mut refused = 0;
    for peer in &mut queueing {
        assert_eq!(peer.ask("MULTI"), "+OK");
        peer.send(&big.repeat(4));
        for _ in 0..4 {
            match peer.reply().as_str() {
                "+QUEUED" => {}
                "-OVERLOADED retry after 100 ms" => refused += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert!(refused > 0);
    let kept = server.figure("transactions_bytes");
    assert!(kept <= 33 << 20, "{kept}");
    assert_eq!(queueing[199].ask("EXEC"), "-EXECABORT Transaction discarded because of previous errors.");
    assert_eq!(queueing[0].ask("EXEC").len(), 4 * 60_000 + 3);
    drop(queueing);
    server.wait_for("the memory back", |server| server.figure("transactions_bytes") == 0);
}

#[test]
fn partial_requests_are_given_up_when_memory_is_short() {
    let server = start_with(Start { options: Options { kept_bytes_max: 1 << 20, ..options() }, ..Start::default() });
    let part = format!("*2\r\n$4\r\nECHO\r\n$60000\r\n{}", "x".repeat(30_000));
    let mut slow: Vec<Peer> = (0..100).map(|_| server.connect()).collect();
    slow.iter().for_each(|peer| peer.send(&part));
    server.wait_for("shortage", |server| server.figure("scarce_closed") > 0);
    let given_up = slow.iter_mut().rev().find_map(|peer| (!peer.is_silent()).then_some(peer)).expect("one is told");
    assert_eq!(given_up.reply(), "-ERR Protocol error: too big request while memory is short");
    assert!(given_up.is_closed());
    let peak = server.figure("mem_clients_peak");
    assert!(peak < 5 << 19, "100 × 30 kB would be 3 MB; {peak} are kept");
    assert_eq!(server.connect().ask("PING"), "+PONG");
}

#[test]
fn a_protocol_error_is_answered_behind_what_came_before_and_then_closes() {
    let server = start();
    let mut peer = server.connect();
    peer.send("PING\r\n*x\r\nPING\r\n");
    assert_eq!(peer.reply(), "+PONG");
    assert_eq!(peer.reply(), "-ERR Protocol error: invalid multibulk length");
    assert!(peer.is_closed());
    let mut web = server.connect();
    web.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nITEM a\r\n");
    assert!(web.is_closed());
    let mut quitter = server.connect();
    quitter.send("PING\nQUIT\nPING\n");
    assert_eq!((quitter.reply(), quitter.reply()), ("+PONG".into(), "+OK".into()));
    assert!(quitter.is_closed());
    assert_eq!(server.figure("protocol_errors"), 1);
}

#[test]
fn a_peer_that_has_finished_sending_still_gets_its_replies() {
    let server = start();
    let mut peer = server.connect();
    peer.send("PING a\nRECEIVE a 1 ID m\n*1\r\n$4\r\nPI");
    peer.finish();
    assert_eq!((peer.reply(), peer.reply()), ("a".into(), ":1".into()));
    assert!(peer.is_closed());
}

#[test]
fn requests_in_any_pieces_are_answered() {
    let server = start();
    let mut peer = server.connect();
    for piece in ["*", "1", "\r", "\n", "$4", "\r\n", "PI", "NG", "\r", "\n*0\r\n", "PING 'a", " b'", "\n"] {
        peer.send(piece);
        std::thread::park_timeout(std::time::Duration::from_millis(3));
    }
    assert_eq!((peer.reply(), peer.reply()), ("+PONG".into(), "a b".into()));
}

#[test]
fn too_many_clients_are_told_so() {
    let server = start_with(Start { options: Options { clients_max: 2, ..options() }, ..Start::default() });
    let mut first = server.connect();
    let mut second = server.connect();
    assert_eq!((first.ask("PING"), second.ask("PING")), ("+PONG".into(), "+PONG".into()));
    let mut third = server.connect();
    assert_eq!(third.reply(), "-ERR max number of clients reached");
    assert!(third.is_closed());
    assert_eq!(first.ask("QUIT"), "+OK");
    assert!(first.is_closed());
    server.wait_for("room", |server| server.connect().try_reply_to_ping());
    assert!(second.ask("INFO stats").contains("rejected_connections:"));
}

#[test]
fn clients_are_listed_and_idle_ones_keep_nothing() {
    let server = start();
    let mut idle: Vec<Peer> = (0..100).map(|_| server.connect()).collect();
    for (n, peer) in idle.iter_mut().enumerate() {
        assert_eq!(peer.ask(&format!("CLIENT SETNAME c{n}")), "+OK");
    }
    let list = idle[0].ask("CLIENT LIST");
    assert_eq!(list.matches("id=").count(), 100, "{list}");
    assert!(list.contains("name=c99 "), "{list}");
    // Only the one that asks keeps anything, and it can be no buffer that others lent.
    assert!(server.figure("mem_clients_normal") < 100 * 512);
}

#[test]
fn an_end_answers_what_was_accepted_and_the_log_has_it() {
    let disk = FaultyDisk::new(1);
    let server = start_with(Start { disk: disk.clone(), ..Start::default() });
    let mut peer = server.connect();
    assert_eq!(peer.ask("RECEIVE a 1 ID m"), ":1");
    disk.hold_syncs();
    peer.send("RECEIVE a 1 ID n\n");
    assert!(peer.is_silent());
    let address = server.address;
    server.stopper().stop().expect("the loop is there");
    disk.release_syncs();
    assert_eq!(peer.reply(), ":2");
    assert!(peer.is_closed());
    assert_eq!(server.end(), Ended::Clean);
    assert!(std::net::TcpStream::connect(address).is_err());
    let again = start_with(Start { disk, ..Start::default() });
    assert!(again.connect().ask("ITEM a").contains("on_hand :2 "));
}

#[test]
fn the_grace_of_an_end_is_over_for_a_peer_that_does_not_read() {
    let server = start_with(Start { options: Options { grace_ms: 200, ..options() }, ..Start::default() });
    let mut setup = server.connect();
    setup.ask(&format!("CONFIGURE a METADATA '\"{}\"'", "x".repeat(16_000)));
    let lazy = server.connect();
    lazy.send(&"ITEM a\n".repeat(2_000));
    server.wait_for("a pause", |server| server.figure("reader_pauses") > 0);
    assert_eq!(server.end(), Ended::GraceOver { connections: 1 });
}

#[test]
fn the_control_socket_tells_the_durable_end_to_its_owner() {
    // Longer than the kernel takes for a socket's path.
    let data = std::env::temp_dir().join(format!("sumun-control-{}-{}", std::process::id(), "x".repeat(100)));
    std::fs::create_dir_all(&data).expect("a directory");
    let server = start_with(Start { options: Options { data: Some(data.clone()), ..options() }, ..Start::default() });
    let path = data.join("control.sock");
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let directory = std::fs::File::open(&data).expect("a directory");
    let short = format!("/proc/self/fd/{}/control.sock", std::os::fd::AsRawFd::as_raw_fd(&directory));
    let mut tool = BufReader::new(UnixStream::connect(short).expect("it listens"));
    let mut ask = |request: &str| {
        tool.get_mut().write_all(request.as_bytes()).expect("it is taken");
        let mut line = String::new();
        tool.read_line(&mut line).expect("an answer");
        line
    };
    let before = ask("end\n");
    let mut peer = server.connect();
    assert_eq!(peer.ask("RECEIVE a 1 ID m"), ":1");
    let after = ask("end\n");
    let numbers = |line: &str| line.split_whitespace().map(|n| n.parse().expect("a number")).collect::<Vec<u64>>();
    let (before, after) = (numbers(&before), numbers(&after));
    assert_eq!((before.len(), after.len()), (3, 3));
    // The new item, and the receipt.
    assert_eq!((after[0], after[0] - before[0]), (server.figure("durable_sequence"), 2));
    assert!(after[2] > before[2]);
    assert_eq!(ask("what\n"), "unknown request\n");
    let mut endless =
        UnixStream::connect(format!("/proc/self/fd/{}/control.sock", std::os::fd::AsRawFd::as_raw_fd(&directory)))
            .expect("it listens");
    endless.write_all(&[b'x'; 200]).expect("it is taken");
    assert!(matches!(endless.read(&mut [0; 1]), Ok(0) | Err(_)));
    drop(server);
    std::fs::remove_dir_all(&data).expect("it goes");
}

impl Peer {
    fn try_reply_to_ping(&mut self) -> bool {
        self.send("PING\n");
        self.try_reply().as_deref() == Some("+PONG")
    }
}
