//! What a thousand followers cost those who do not follow: the same load on the hot path with and without them, in paired
//! rounds on fresh servers. Each follows one subject by server-sent events; all of them together are owed so many events
//! a second, which are written in the rounds without them too. An event that one of them is not given, or is given twice
//! or out of its order, fails the run.

use super::generate::{Bench, bench};
use super::peers::{Running, ask};
use super::quiet::{self, Ticks};
use super::results::{Lane, spread};
use super::rows::{Disk, Peer, Shape};
use super::{OTHERS_MAX, millis};
use crate::crowd::{Process, raise_open_files};
use crate::figures::{Options, Report, Wanted};
use crate::support::clock;
use crate::support::resp::encode;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FOLLOWERS: usize = 1_000;
/// Events a second, to all of them together; written so often a second.
const EVENTS: u64 = 1_000;
const TURNS: u64 = 100;
const ROUNDS: usize = 7;
const SECONDS: f64 = 4.0;
/// Void rounds are made again, so often at most.
const TRIES: usize = 2;
/// How long after the last event all of them must have what they are owed.
const LATE_MS_MAX: u64 = 5_000;
const OPEN_MS_MAX: u64 = 20_000;
/// Of the pair's rate, what is left of it with followers.
const RATIO_MIN: f64 = 0.9;

pub(in crate::figures) fn run(options: &Options) -> Result<Report, String> {
    let mut report = Report::new("followers", options.scale);
    let (mut pairs, mut void) = (Vec::new(), 0);
    for turn in 0..ROUNDS * TRIES {
        if pairs.len() == ROUNDS {
            break;
        }
        let (_, busy) = quiet::wait(options.scale < 1.0)?;
        // Another one first each time.
        let order = if turn % 2 == 0 { [0, FOLLOWERS] } else { [FOLLOWERS, 0] };
        let mut found = Vec::new();
        for followers in order {
            let lane = lane(followers, options.scale)?;
            println!("-- round {}, {followers} followers: {}", turn + 1, said(&lane));
            report.must(lane.refused == 0, || format!("{} commands were refused", lane.refused));
            found.push(lane);
        }
        found.sort_by_key(|lane| lane.name == "with");
        let others = found.iter().map(|lane| lane.others).fold(0.0, f64::max);
        // A scaled run says what it finds on any machine.
        if options.scale >= 1.0 && (busy.is_some() || others > OTHERS_MAX) {
            void += 1;
            println!("   void: others had {:.0} % of the machine", others * 100.0);
            continue;
        }
        pairs.push(found);
    }
    if options.scale >= 1.0 {
        report.must(pairs.len() == ROUNDS, || format!("{} of {ROUNDS} rounds count, {void} are void", pairs.len()));
    }
    say(&mut report, &pairs);
    Ok(report)
}

fn said(lane: &Lane) -> String {
    format!(
        "{:.0}/s, p50 {:.0} p99 {:.0} µs; {:.0} events given; server {:.1} s of CPU; others {:.0} %",
        lane.rate,
        lane.p50_us,
        lane.p99_us,
        lane.more["given"],
        lane.more["cpu_s"],
        lane.others * 100.0
    )
}

/// In seconds. It tells what followers cost on a busy machine too.
fn cpu_a_command(lane: &Lane) -> f64 {
    lane.more["cpu_s"] / lane.done.max(1) as f64
}

fn say(report: &mut Report, pairs: &[Vec<Lane>]) {
    let ratio =
        |pick: fn(&Lane) -> f64| spread(pairs.iter().filter_map(|pair| Some(pick(pair.get(1)?) / pick(pair.first()?))));
    let of =
        |which: usize, pick: fn(&Lane) -> f64| spread(pairs.iter().filter_map(move |pair| pair.get(which).map(pick)));
    for (name, found, unit) in [
        ("commands a second without followers", of(0, |lane| lane.rate), "/s"),
        ("commands a second with 1,000 followers", of(1, |lane| lane.rate), "/s"),
        ("p99 without followers", of(0, |lane| lane.p99_us), "µs"),
        ("p99 with 1,000 followers", of(1, |lane| lane.p99_us), "µs"),
        ("p99, of that without", ratio(|lane| lane.p99_us), "×"),
        ("the server's CPU a command, of that without", ratio(cpu_a_command), "×"),
    ] {
        if let Some(found) = found {
            let (min, median, max) = (found.min, found.median, found.max);
            report.figure(name, median, unit);
            report.note(format!("   least {min:.2}, median {median:.2}, greatest {max:.2} of {}", found.count));
        }
    }
    if let Some(found) = ratio(|lane| lane.rate) {
        report.wanted("commands a second, of those without", found.median, "×", Wanted::AtLeast(RATIO_MIN));
        report.note(format!(
            "   least {:.2}, median {:.2}, greatest {:.2} of {}",
            found.min, found.median, found.max, found.count
        ));
    }
}

/// One load, with so many followers.
fn lane(followers: usize, scale: f64) -> Result<Lane, String> {
    let server = Running::start(Peer::Sumun, Disk::AsItIs)?;
    let http = server.http.ok_or("the server has no HTTP")?;
    let wanted = FOLLOWERS as u64 + followers as u64 + 500;
    if raise_open_files().map_err(|error| error.to_string())? < wanted {
        return Err(format!("a process must be let open {wanted} files here"));
    }
    let mut prepares = server.connect()?;
    for follower in 0..FOLLOWERS {
        ask(&mut prepares, &["CONFIGURE", &sku(follower)])?;
    }
    let mut crowd = Crowd::open(http, followers).map_err(|error| format!("the followers: {error}"))?;
    let load = Bench {
        scenario: "uniform",
        shape: Shape { connections: 64, pipeline: 1 },
        rate: None,
        duration_ms: Some(millis(SECONDS, scale)),
        commands: None,
        warm_up_ms: millis(1.0, scale),
        ttl_ms: 200,
        ending: 20,
    };
    let over = AtomicBool::new(false);
    let worked = || Process(server.pid).worked_ms().map_err(|error| error.to_string());
    let (before, worked_before) = (Ticks::now()?, worked()?);
    let (found, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&server, &over));
        let reader = scope.spawn(|| crowd.read(&over));
        let found = bench(&server, &load);
        over.store(true, Ordering::Release);
        const PANICKED: &str = "a thread panicked";
        let written = writer.join().unwrap_or_else(|_| Err(PANICKED.to_owned()));
        let read = reader.join().unwrap_or_else(|_| Err(PANICKED.to_owned()));
        (found, read.and(written))
    });
    let others = Ticks::now()?.others_since(before);
    let cpu_s = (worked()? - worked_before) as f64 / 1_000.0;
    let (mut lane, written) = (found?, written?);
    let given = crowd.rest(written)?;
    lane.name = if followers > 0 { "with" } else { "without" }.to_owned();
    lane.others = others;
    lane.more.insert("given".to_owned(), given as f64);
    lane.more.insert("cpu_s".to_owned(), cpu_s);
    Ok(lane)
}

fn sku(follower: usize) -> String {
    format!("followed-{follower}")
}

/// Receipts of one item after the other, until the load is over: each is one follower's event. Says how many there were.
fn write(server: &Running, over: &AtomicBool) -> Result<u64, String> {
    let mut connection = server.connect()?;
    let mut written = 0;
    let begun = clock::ticks_ns();
    while !over.load(Ordering::Acquire) {
        let due = (clock::ticks_ns() - begun) * EVENTS / 1_000_000_000;
        let mut bytes = Vec::new();
        for n in written..due {
            let (sku, id) = (sku(n as usize % FOLLOWERS), (n / FOLLOWERS as u64).to_string());
            bytes.extend_from_slice(&encode(&["RECEIVE", &sku, "1", "ID", &id]));
        }
        let failed = |error: io::Error| format!("writing what is followed: {error}");
        connection.send(&bytes).map_err(failed)?;
        for _ in written..due {
            if let Some(error) = connection.read().map_err(failed)?.error() {
                return Err(format!("writing what is followed: {error}"));
            }
        }
        written = due;
        clock::sleep_us(1_000_000 / TURNS);
    }
    Ok(written)
}

struct Follower {
    stream: TcpStream,
    /// What has come of an event that is not whole yet.
    rest: Vec<u8>,
    given: u64,
    opened: bool,
}

/// All followers, on one poll: they cost the machine as little as they can.
struct Crowd {
    poll: Poll,
    events: Events,
    followers: Vec<Follower>,
    buffer: Vec<u8>,
}

impl Crowd {
    fn open(http: SocketAddr, count: usize) -> io::Result<Crowd> {
        let poll = Poll::new()?;
        let mut followers = Vec::with_capacity(count);
        for n in 0..count {
            let mut stream = std::net::TcpStream::connect(http)?;
            let path = format!("/v1/events?subject={}", sku(n));
            let head = format!("GET {path} HTTP/1.1\r\nhost: {http}\r\naccept: text/event-stream\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(n), Interest::READABLE)?;
            followers.push(Follower { stream, rest: Vec::new(), given: 0, opened: false });
        }
        let mut crowd = Crowd { poll, events: Events::with_capacity(1_024), followers, buffer: vec![0; 64 << 10] };
        let begun = clock::ticks_ns();
        while crowd.followers.iter().any(|follower| !follower.opened) {
            if clock::ticks_ns() - begun > OPEN_MS_MAX * 1_000_000 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            crowd.turn().map_err(io::Error::other)?;
        }
        Ok(crowd)
    }

    fn read(&mut self, over: &AtomicBool) -> Result<(), String> {
        while !over.load(Ordering::Acquire) {
            self.turn()?;
        }
        Ok(())
    }

    /// What is on its way still. All have then what they are owed of so many events.
    fn rest(&mut self, written: u64) -> Result<u64, String> {
        let count = self.followers.len() as u64;
        let owed = |n: u64| written / FOLLOWERS as u64 + u64::from(n < written % FOLLOWERS as u64);
        let begun = clock::ticks_ns();
        loop {
            let late = (0..count).filter(|n| self.followers[*n as usize].given < owed(*n)).count();
            if late == 0 {
                return Ok(self.followers.iter().map(|follower| follower.given).sum());
            }
            if clock::ticks_ns() - begun > LATE_MS_MAX * 1_000_000 {
                return Err(format!("{late} followers lack events after {LATE_MS_MAX} ms"));
            }
            self.turn()?;
        }
    }

    fn turn(&mut self) -> Result<(), String> {
        match self.poll.poll(&mut self.events, Some(Duration::from_millis(20))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            done => done.map_err(|error| error.to_string())?,
        }
        for event in &self.events {
            let Token(n) = event.token();
            let follower = &mut self.followers[n];
            loop {
                match follower.stream.read(&mut self.buffer) {
                    Ok(0) => return Err(format!("follower {n} was closed")),
                    Ok(length) => {
                        follower.take(&self.buffer[..length]).map_err(|why| format!("follower {n}: {why}"))?
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(format!("follower {n}: {error}")),
                }
            }
        }
        Ok(())
    }
}

impl Follower {
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.rest.extend_from_slice(bytes);
        if !self.opened {
            let Some(end) = find(&self.rest, b"\r\n\r\n") else { return Ok(()) };
            if !self.rest.starts_with(b"HTTP/1.1 200 ") {
                return Err(String::from_utf8_lossy(&self.rest).into_owned());
            }
            self.rest.drain(..end + 4);
            self.opened = true;
        }
        // An event ends with an empty line; the lengths of chunks stand between events, never within.
        while let Some(end) = find(&self.rest, b"\n\n") {
            if let Some(at) = find(&self.rest[..end], MOVEMENT) {
                let digits = self.rest[at + MOVEMENT.len()..end].split(|byte| *byte == b'"').next().unwrap_or_default();
                if digits != self.given.to_string().as_bytes() {
                    let got = String::from_utf8_lossy(digits);
                    return Err(format!("event {got} came where {} was due", self.given));
                }
                self.given += 1;
            }
            self.rest.drain(..end + 2);
        }
        Ok(())
    }
}

const MOVEMENT: &[u8] = b"\"movement\":\"";

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|found| found == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower() -> Follower {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        Follower { stream: TcpStream::from_std(stream), rest: Vec::new(), given: 0, opened: false }
    }

    #[test]
    fn events_count_wherever_they_are_cut_and_a_missing_one_is_found() {
        let event = |n| format!("21\r\nid: 0/{n}\ndata: {{\"movement\":\"{n}\"}}\n\n\r\n");
        let whole = format!("HTTP/1.1 200 OK\r\n\r\n3\r\n:\n\n\r\n{}{}", event(0), event(1));
        for cut in 0..whole.len() {
            let mut follower = follower();
            follower.take(&whole.as_bytes()[..cut]).expect("in order");
            follower.take(&whole.as_bytes()[cut..]).expect("in order");
            assert_eq!(follower.given, 2);
        }
        let mut follower = follower();
        follower.take(whole.as_bytes()).expect("in order");
        assert!(follower.take(event(3).as_bytes()).is_err(), "the third is missing");
        assert!(follower.take(event(1).as_bytes()).is_err(), "the second came already");
    }
}
