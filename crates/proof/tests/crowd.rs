//! A thousand buyers at once, captures at the moment of their end, ten thousand who say nothing, readers who do not
//! read: the real binary over its sockets. Time is no verdict here; what is measured is memory, and work done for
//! nothing.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use sumun_proof::crowd::{Process, break_off, figure, figure_becomes, outcome, raise_open_files};
use sumun_proof::support::resp::encoded;
use sumun_proof::support::{Connection, Scratch, Server, Setup, Value, clock, log};
use sumun_wire::{EventData, Verb};

struct World {
    server: Server,
    client: Connection,
    _scratch: Scratch,
}

fn start(name: &str) -> World {
    let scratch = Scratch::new(name);
    let server = Server::start(&Setup::below(scratch.path())).expect("it starts");
    let client = server.connect().expect("it listens");
    World { server, client, _scratch: scratch }
}

impl World {
    fn say(&mut self, command: &str) -> Value {
        self.client.say(command).expect("an answer")
    }

    fn process(&self) -> Process {
        Process(self.server.pid())
    }

    /// The named figures of an item, in that order.
    fn item<const N: usize>(&mut self, sku: &str, names: [&str; N]) -> [i64; N] {
        let item = self.say(&format!("ITEM {sku}"));
        names.map(|name| item.number(name).unwrap_or_else(|| panic!("no {name} in {item}")))
    }
}

#[test]
fn of_a_thousand_who_want_one_of_a_hundred_exactly_a_hundred_get_it() {
    const THREADS: usize = 8;
    const EACH: usize = 125;
    let mut world = start("thousand");
    assert_eq!(world.say("RECEIVE a 100 ID m"), Value::Integer(100));
    // All are connected before the first asks, and all have asked before the first reads.
    let barrier = Barrier::new(THREADS);
    let server = &world.server;
    let buyer = |thread: usize| {
        let mut buyers: Vec<Connection> = (0..EACH).map(|_| server.connect().expect("room")).collect();
        barrier.wait();
        for (n, buyer) in buyers.iter_mut().enumerate() {
            // One half reserves, the other captures in the same step.
            let command = if n % 2 == 0 { "600000 1 a 1" } else { "0 1 a 1 CAPTURE" };
            buyer.send(&encoded(&format!("RESERVE b{thread}-{n} {command}"))).expect("it is taken");
        }
        buyers.iter_mut().map(|buyer| buyer.read().expect("an answer")).collect::<Vec<_>>()
    };
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || buyer(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a buyer")).collect()
    });
    let count = |word: &str| answers.iter().filter(|answer| outcome(answer) == word).count();
    let (held, captured) = (count("held"), count("captured"));
    assert_eq!(held + captured, 100);
    let refused = Value::Error("INSUFFICIENT a wanted 1 available 0".to_owned());
    assert_eq!(answers.iter().filter(|answer| **answer == refused).count(), 900);
    let figures = world.item("a", ["on_hand", "reserved", "available", "captured", "version"]);
    // Configured, received, and one event a sale.
    let (held, captured) = (held as i64, captured as i64);
    assert_eq!(figures, [100 - captured, held, 0, captured, 102]);
}

/// What one client captured at about the moment of the end, while another looked on.
struct Wave {
    captured: Vec<String>,
    expired: Vec<String>,
}

fn race_the_end(world: &mut World, wave: usize) -> Wave {
    const COUNT: usize = 60;
    let names: Vec<String> = (0..COUNT).map(|n| format!("w{wave}-{n}")).collect();
    let reserves: Vec<u8> = names
        .iter()
        .enumerate()
        .flat_map(|(n, name)| encoded(&format!("RESERVE {name} {} 1 a 2", 40 + 2 * n)))
        .collect();
    world.client.send(&reserves).expect("it is taken");
    let ends: Vec<u64> = names
        .iter()
        .map(|_| world.client.read().expect("an answer").number("expires_at").expect("an end").unsigned_abs())
        .collect();
    let done = AtomicBool::new(false);
    let mut looker = world.server.connect().expect("room");
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen: HashMap<&str, Vec<String>> = HashMap::new();
            while !done.load(Ordering::Acquire) {
                for name in &names {
                    let state = outcome(&looker.say(&format!("RESERVATION {name}")).expect("an answer"));
                    let states = seen.entry(name).or_default();
                    if states.last() != Some(&state) {
                        states.push(state);
                    }
                }
            }
            seen
        });
        let mut answers = Vec::new();
        for (n, (name, end)) in names.iter().zip(&ends).enumerate() {
            // From a little before to a little after the end.
            let at = (end + (n % 7) as u64).saturating_sub(5);
            clock::sleep_ms(at.saturating_sub(clock::unix_ms()));
            answers.push(outcome(&world.say(&format!("CAPTURE {name}"))));
        }
        done.store(true, Ordering::Release);
        (answers, looking.join().expect("it looks"))
    });
    let (answers, seen) = seen;
    let mut result = Wave { captured: Vec::new(), expired: Vec::new() };
    for (name, answer) in names.iter().zip(&answers) {
        let last = outcome(&world.say(&format!("RESERVATION {name}")));
        let (ended, list) = match answer.as_str() {
            "captured" => ("captured", &mut result.captured),
            "EXPIRED" => ("expired", &mut result.expired),
            other => panic!("{name}: {other}"),
        };
        assert_eq!(last, ended, "{name}");
        let states = &seen[name.as_str()];
        let in_order = ["held", ended].iter().filter(|state| states.iter().any(|s| s == *state)).count();
        assert_eq!(in_order, states.len(), "{name} was {answer}, and seen as {states:?}");
        assert!(states.iter().position(|state| state == "held").is_none_or(|at| at == 0), "{name}: {states:?}");
        list.push(name.clone());
    }
    result
}

#[test]
fn a_capture_at_the_moment_of_the_end_is_one_or_the_other_and_never_after_it() {
    const WAVES_MAX: usize = 40;
    let mut world = start("moment");
    assert_eq!(world.say("RECEIVE a 10000 ID m"), Value::Integer(10_000));
    let (mut captured, mut expired) = (Vec::new(), Vec::new());
    // On a busy machine all of a wave may come late: another follows until both were seen.
    for wave in 0..WAVES_MAX {
        let mut result = race_the_end(&mut world, wave);
        captured.append(&mut result.captured);
        expired.append(&mut result.expired);
        if wave >= 3 && !captured.is_empty() && !expired.is_empty() {
            break;
        }
    }
    assert!(!captured.is_empty() && !expired.is_empty(), "{} and {}", captured.len(), expired.len());
    let units = 2 * captured.len() as i64;
    let figures = world.item("a", ["on_hand", "reserved", "available", "captured"]);
    assert_eq!(figures, [10_000 - units, 0, 10_000 - units, units]);
    // The record says the same, and by its own time no capture stands at or after its end, no end before it.
    let mut ends = HashMap::new();
    let mut outcomes: HashMap<String, Vec<Verb>> = HashMap::new();
    for event in log::read(world.server.data(), 0).expect("its log") {
        let EventData::Reservation(data) = event.data else { continue };
        let name = data.reservation.to_string();
        match data.verb {
            Verb::Held => drop(ends.insert(name, data.expires_at.expect("it ends"))),
            Verb::Captured => {
                assert!(event.time < ends[&name], "{name} captured at {:?}, its end {:?}", event.time, ends[&name]);
                outcomes.entry(name).or_default().push(Verb::Captured);
            }
            Verb::Expired => {
                assert!(event.time >= ends[&name], "{name} ended at {:?}, its end {:?}", event.time, ends[&name]);
                outcomes.entry(name).or_default().push(Verb::Expired);
            }
            Verb::Released
            | Verb::Extended
            | Verb::Returned
            | Verb::Configured
            | Verb::Removed
            | Verb::Received
            | Verb::Adjusted
            | Verb::LotExpired => panic!("{name}: {:?}", data.verb),
        }
    }
    assert_eq!(outcomes.len(), captured.len() + expired.len());
    assert!(captured.iter().all(|name| outcomes[name] == [Verb::Captured]));
    assert!(expired.iter().all(|name| outcomes[name] == [Verb::Expired]));
}

/// What an idle connection may cost the server's own memory; the kernel's share is not the server's.
const IDLE_BYTES_MAX: u64 = 1_024;

#[test]
fn ten_thousand_idle_connections_cost_ten_megabytes_at_most() {
    // As many as the default allows, the one that asks included.
    const COUNT: usize = 9_999;
    let files = raise_open_files().expect("Linux");
    assert!(files > COUNT as u64 + 100, "this machine lets a process open {files} files: too few to try");
    let mut world = start("idle");
    assert_eq!(world.say("RECEIVE a 1 ID m0"), Value::Integer(1));
    let before = world.process().memory().expect("it runs");
    let idle: Vec<TcpStream> = (0..COUNT).map(|_| TcpStream::connect(world.server.resp).expect("room")).collect();
    figure_becomes(&mut world.client, "connected_clients", |count| count == COUNT as u64 + 1).expect("all are in");
    let grown = world.process().memory().expect("it runs").saturating_sub(before);
    assert!(grown <= COUNT as u64 * IDLE_BYTES_MAX, "{grown} bytes for {COUNT}");
    // Who works is served as ever, and so is each of the idle when it wakes up.
    assert_eq!(world.say("RECEIVE a 1 ID m1"), Value::Integer(2));
    for mut stream in idle.iter().step_by(997) {
        stream.write_all(b"PING\r\n").expect("it is taken");
        let mut pong = [0; 7];
        stream.read_exact(&mut pong).expect("an answer");
        assert_eq!(&pong, b"+PONG\r\n");
    }
    let mut refused = world.server.connect().expect("it listens");
    assert_eq!(refused.read().expect("an answer").error(), Some("ERR max number of clients reached"));
    drop(idle);
    figure_becomes(&mut world.client, "connected_clients", |count| count == 1).expect("all have gone");
}

/// Whether the server does next to nothing for a while: a loop that spins takes all that the machine gives it.
fn rests(process: Process) {
    let (before, began) = (process.worked_ms().expect("it runs"), clock::ticks_ns());
    clock::sleep_ms(1_500);
    let worked = process.worked_ms().expect("it runs") - before;
    let passed = (clock::ticks_ns() - began) / 1_000_000;
    assert!(worked * 10 <= passed, "{worked} ms of work in {passed} ms of waiting");
}

#[test]
fn file_descriptors_used_up_are_waited_for_without_a_spin_and_served_when_there_are_some() {
    const ROOM: u64 = 20;
    const COUNT: usize = 60;
    let mut world = start("descriptors");
    assert_eq!(world.say("RECEIVE a 1000 ID m"), Value::Integer(1_000));
    let process = world.process();
    let files = process.open_files().expect("it runs");
    process.limit_open_files(files + ROOM).expect("it is ours");
    // The kernel's queue takes all of them; the server has no descriptor for most.
    let mut clients: Vec<Connection> = (0..COUNT).map(|_| world.server.connect().expect("the queue")).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&encoded(&format!("RESERVE r{n} 600000 1 a 1"))).expect("it is taken");
    }
    figure_becomes(&mut world.client, "accept_pauses", |pauses| pauses > 0).expect("it has none left");
    rests(process);
    let inside = figure(&mut world.client, "connected_clients").expect("an answer") as usize - 1;
    assert!((1..COUNT).contains(&inside), "{inside} of {COUNT} are in");
    // Who is in is served, writes included.
    for (n, client) in clients[..inside].iter_mut().enumerate() {
        assert_eq!(outcome(&client.read().expect("an answer")), "held", "{n}");
    }
    assert_eq!(outcome(&world.say("RESERVE x 600000 1 a 1")), "held");
    // As some leave, others come in; nobody was forgotten.
    let mut waiting = clients.split_off(inside);
    drop(clients);
    while !waiting.is_empty() {
        let next = waiting.split_off(waiting.len().min(ROOM as usize / 2));
        for mut client in std::mem::replace(&mut waiting, next) {
            assert_eq!(outcome(&client.read().expect("an answer")), "held");
        }
    }
    let [reserved] = world.item("a", ["reserved"]);
    assert_eq!(reserved, COUNT as i64 + 1);
    process.limit_open_files(u64::MAX).expect("it is ours");
    let pings: Vec<_> = (0..COUNT).map(|_| world.server.connect().expect("room").say("PING")).collect();
    assert!(pings.into_iter().all(|pong| pong.is_ok_and(|pong| pong.text() == Some("PONG"))));
}

/// What the server may grow by while a client does not read: its bounds on requests and replies, and some room.
const UNREAD_BYTES_MAX: u64 = 16 << 20;

/// Writes until all is written or the other side takes no more for a good while. How much it was.
fn write_what_is_taken(mut stream: &TcpStream, bytes: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(1_000))).expect("not zero");
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_write_timeout(None).expect("a socket");
    written
}

#[test]
fn a_million_commands_that_nobody_reads_stop_the_reading_and_are_all_answered_in_order() {
    const COUNT: usize = 1_000_000;
    const RECEIPT_EACH: usize = 10_000;
    let mut world = start("million");
    let filler = "x".repeat(40);
    let mut bytes = Vec::with_capacity(COUNT * 80);
    for n in 0..COUNT {
        if n % RECEIPT_EACH == 0 {
            bytes.extend(encoded(&format!("RECEIVE a 1 ID m{n}")));
        } else {
            write!(bytes, "*2\r\n$4\r\nECHO\r\n$47\r\n{n:07}{filler}\r\n").expect("memory");
        }
    }
    let before = world.process().memory().expect("it runs");
    let mut flood = world.server.connect().expect("room");
    let stream = flood.socket().try_clone().expect("a second handle");
    let written = write_what_is_taken(&stream, &bytes);
    assert!(written < bytes.len(), "all of {written} bytes were taken from somebody who reads nothing");
    assert!(figure(&mut world.client, "reader_pauses").expect("an answer") > 0);
    rests(world.process());
    assert_eq!(world.say("PING").text(), Some("PONG"), "others are served");
    std::thread::scope(|scope| {
        let rest = &bytes[written..];
        let writing = scope.spawn(move || (&stream).write_all(rest));
        for n in 0..COUNT {
            let answer = flood.read().expect("an answer");
            if n % RECEIPT_EACH == 0 {
                assert_eq!(answer, Value::Integer((n / RECEIPT_EACH) as i64 + 1));
            } else {
                let text = answer.text().unwrap_or_else(|| panic!("{n}: {answer}"));
                assert!(text.starts_with(&format!("{n:07}")) && text.len() == 47, "{n}: {text}");
            }
        }
        writing.join().expect("it writes").expect("all is taken");
    });
    let grown = world.process().memory_peak().expect("it runs").saturating_sub(before);
    assert!(grown <= UNREAD_BYTES_MAX, "{grown} bytes for {} of commands", bytes.len());
}

#[test]
fn slow_readers_cost_a_bounded_amount_and_get_every_answer() {
    const READERS: usize = 8;
    const ASKED: usize = 1_500;
    let mut world = start("slow");
    let metadata = format!("\"{}\"", "x".repeat(16_000));
    assert_eq!(world.say(&format!("CONFIGURE a METADATA {metadata}")), Value::Integer(0));
    let before = world.process().memory().expect("it runs");
    let asked: Vec<u8> = (0..ASKED).flat_map(|n| [encoded("ITEM a"), encoded(&format!("ECHO {n}"))].concat()).collect();
    let mut readers: Vec<Connection> = (0..READERS).map(|_| world.server.connect().expect("room")).collect();
    let server = world.server.resp;
    std::thread::scope(|scope| {
        for reader in &mut readers {
            let mut writer = reader.socket().try_clone().expect("a second handle");
            let asked = &asked;
            scope.spawn(move || writer.write_all(asked).expect("all is taken in the end"));
        }
        figure_becomes(&mut world.client, "reader_pauses", |pauses| pauses >= READERS as u64).expect("all are paused");
        let reading: Vec<_> = readers
            .iter_mut()
            .map(|reader| {
                scope.spawn(move || {
                    for n in 0..ASKED {
                        // Drops, and then what is left in one go.
                        if n < 50 {
                            clock::sleep_ms(5);
                        }
                        assert_eq!(reader.read().expect("an answer").number("version"), Some(1));
                        assert_eq!(reader.read().expect("an answer").to_string(), n.to_string());
                    }
                })
            })
            .collect();
        let mut other = Connection::open(server).expect("room");
        while reading.iter().any(|reading| !reading.is_finished()) {
            assert_eq!(other.say("PING").expect("an answer").text(), Some("PONG"));
            clock::sleep_ms(5);
        }
        reading.into_iter().for_each(|reading| reading.join().expect("it reads"));
    });
    let grown = world.process().memory_peak().expect("it runs").saturating_sub(before);
    assert!(grown <= UNREAD_BYTES_MAX, "{grown} bytes for {READERS} readers of 24 MB each");
}

#[test]
fn clients_that_vanish_or_fall_silent_in_the_middle_leave_nothing_and_hold_nobody_up() {
    const COUNT: usize = 100;
    let mut world = start("vanish");
    let metadata = format!("\"{}\"", "x".repeat(16_000));
    world.say(&format!("CONFIGURE b METADATA {metadata}"));
    assert_eq!(world.say("RECEIVE a 1000 ID m"), Value::Integer(1_000));
    // Half open for ever: a part of a request, and not a word more.
    let mut silent: Vec<Connection> = (0..COUNT).map(|_| world.server.connect().expect("room")).collect();
    let whole = encoded("RESERVE silent 600000 1 a 1");
    for (n, client) in silent.iter_mut().enumerate() {
        client.send(&whole[..1 + n % (whole.len() - 1)]).expect("it is taken");
    }
    for n in 0..COUNT {
        // Gone inside a request, inside a transaction, before its replies could leave, and before it said anything.
        let mut client = world.server.connect().expect("room");
        match n % 4 {
            0 => client.send(&whole[..whole.len() - 3]).expect("it is taken"),
            1 => {
                assert_eq!(client.say("MULTI").expect("an answer").text(), Some("OK"));
                let queued = client.say(&format!("RESERVE q{n} 600000 1 a 1")).expect("an answer");
                assert_eq!(queued.text(), Some("QUEUED"));
            }
            2 => client.send(&encoded("ITEM b").repeat(500)).expect("it is taken"),
            _ => {}
        }
        break_off(client).expect("it goes");
        assert_eq!(outcome(&world.say(&format!("RESERVE r{n} 600000 1 a 1"))), "held");
    }
    figure_becomes(&mut world.client, "connected_clients", |count| count == COUNT as u64 + 1).expect("they are gone");
    assert_eq!(figure(&mut world.client, "transactions_bytes").expect("an answer"), 0);
    assert_eq!(world.item("a", ["reserved"]), [COUNT as i64], "nothing of what was begun took effect");
    rests(world.process());
    // One of the silent ones finishes its sentence.
    let n = COUNT / 2;
    silent[n].send(&whole[1 + n % (whole.len() - 1)..]).expect("it is taken");
    assert_eq!(outcome(&silent[n].read().expect("an answer")), "held");
    drop(silent);
    figure_becomes(&mut world.client, "connected_clients", |count| count == 1).expect("they are gone");
    let kept = figure(&mut world.client, "mem_clients_normal").expect("an answer");
    assert!(kept < 64 << 10, "{kept} bytes are kept for nobody");
}
