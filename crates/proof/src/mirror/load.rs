//! Load for a mirror to follow: a few items, lots among them, reservations that are captured, released, returned, extended
//! and that end, by RESP and by HTTP, from clients that come back whenever the server does.

use crate::support::resp::encode;
use crate::support::{Connection, Web, clock};
use crate::ways;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use sumun_auditor::generate::Random;
use sumun_auditor::{OwnedCommand, OwnedLine, PartVerb};
use sumun_wire::{Allocation, Limit, Timestamp};

/// Every second one by HTTP.
pub(super) const CLIENTS: u64 = 4;
const ITEMS: u64 = 8;
/// The last of them have lots.
const WITH_LOTS: u64 = 3;
/// Comes and goes.
const PASSING: &str = "passing";
const RECENT: u64 = 30;
const PAUSE_US: u64 = 1_500;
const LONG_MS: u64 = 3_600_000;
const FILLER_BYTES: usize = 15 << 10;

/// Where the server is: RESP and HTTP.
#[derive(Debug, Default)]
pub(super) struct Place(Mutex<Option<(SocketAddr, SocketAddr)>>);

impl Place {
    pub(super) fn set(&self, now: Option<(SocketAddr, SocketAddr)>) {
        *self.0.lock().expect("nobody panics while it holds it") = now;
    }
    fn get(&self) -> Option<(SocketAddr, SocketAddr)> {
        *self.0.lock().expect("nobody panics while it holds it")
    }
}

#[derive(Debug)]
pub(super) struct Shop {
    seed: u64,
    pub(super) place: Place,
    pub(super) over: AtomicBool,
    pub(super) answered: AtomicU64,
    issued: AtomicU64,
}

enum Line {
    Resp(Connection),
    Http(Web),
}

impl Shop {
    pub(super) fn new(seed: u64) -> Shop {
        Shop {
            seed,
            place: Place::default(),
            over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            issued: AtomicU64::new(0),
        }
    }

    /// Reservations that were asked for.
    pub(super) fn names(&self) -> BTreeSet<String> {
        (0..self.issued.load(Ordering::Relaxed)).map(|n| format!("r{n}")).collect()
    }

    /// One client, until the load is over. Errors are what no server of ours says.
    pub(super) fn client(&self, number: u64) -> Result<(), String> {
        let mut random = Random::new(self.seed << 8 | number);
        let mut line = None;
        let mut asked = 0;
        while !self.over.load(Ordering::Acquire) {
            let Some(open) = &mut line else {
                line = self.place.get().and_then(|(resp, http)| open(number, resp, http).ok());
                clock::sleep_ms(1);
                continue;
            };
            asked += 1;
            let command = self.command(&mut random, number, asked);
            match ask(open, &command) {
                Ok(()) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(format!("{command}: {error}")),
                Err(_lost) => line = None,
            }
            clock::sleep_us(random.below(PAUSE_US));
        }
        Ok(())
    }

    /// So many events that take much of the log.
    pub(super) fn fill(&self, count: u64) -> Result<(), String> {
        let (resp, _) = self.place.get().ok_or("the server is gone")?;
        let filled = || -> io::Result<()> {
            let mut connection = Connection::open(resp)?;
            for n in 0..count {
                let metadata = format!("\"{}{n}\"", "x".repeat(FILLER_BYTES));
                connection.send(&encode(&["CONFIGURE", "filler", "METADATA", &metadata]))?;
            }
            (0..count).try_for_each(|_| connection.read().map(drop))
        };
        filled().map_err(|error| format!("filling the log: {error}"))
    }

    fn command(&self, random: &mut Random, client: u64, asked: u64) -> OwnedCommand {
        let recent = |random: &mut Random| {
            let issued = self.issued.load(Ordering::Relaxed);
            format!("r{}", issued.saturating_sub(1 + random.below(RECENT)))
        };
        let movement = Some(format!("m{client}-{asked}"));
        match random.below(100) {
            0..34 => {
                let id = self.issued.fetch_add(1, Ordering::Relaxed);
                reserve(random, format!("r{id}"))
            }
            34..62 => {
                let verb = *random.pick(&[PartVerb::Capture, PartVerb::Release, PartVerb::Return]);
                let part = random.chance(60).then(|| vec![(sku(random), 1)]);
                let reservation = recent(random);
                OwnedCommand::Part { verb, reservation, id: Some(format!("p{client}-{asked}")), lines: part }
            }
            62..67 => {
                let ttl_ms = ttl(random);
                OwnedCommand::Extend { reservation: recent(random), ttl_ms }
            }
            67..84 => receive(random, movement),
            84..92 => {
                let (sku, delta) = (sku(random), random.below(9) as i64 - 4);
                OwnedCommand::Adjust { sku, delta, reason: "count".to_owned(), movement, lot: None }
            }
            92..95 => OwnedCommand::Receive {
                sku: PASSING.to_owned(),
                quantity: 1,
                movement,
                lot: None,
                expires_at: None,
                location: None,
            },
            95..97 => {
                let (sku, reason) = (PASSING.to_owned(), "gone".to_owned());
                OwnedCommand::Adjust { sku, delta: -1, reason, movement, lot: None }
            }
            97..98 => OwnedCommand::Remove { sku: PASSING.to_owned() },
            _ => OwnedCommand::Configure {
                sku: sku(random),
                kind: None,
                safety_stock: random.below(3),
                backorder_limit: 0,
                limit: random.chance(30).then_some(Limit { quantity: 1_000, window_ms: None }),
                allocation: Allocation::Fefo,
                metadata: None,
            },
        }
    }
}

fn sku(random: &mut Random) -> String {
    format!("i{}", random.below(ITEMS))
}

fn ttl(random: &mut Random) -> u64 {
    if random.chance(40) { 1 + random.below(250) } else { LONG_MS }
}

fn reserve(random: &mut Random, reservation: String) -> OwnedCommand {
    let lines = (0..=random.below(2)).map(|_| OwnedLine {
        sku: sku(random),
        quantity: 1 + random.below(2),
        ..OwnedLine::default()
    });
    let lines = lines.collect();
    let capture = random.chance(10);
    let ttl_ms = (!capture).then(|| ttl(random));
    let holder = Some(format!("h{}", random.below(20)));
    OwnedCommand::Reserve { reservation, ttl_ms, lines, holder, needed_until: None, capture }
}

fn receive(random: &mut Random, movement: Option<String>) -> OwnedCommand {
    let n = random.below(ITEMS);
    let has_lots = n >= ITEMS - WITH_LOTS && random.chance(85);
    let lot = has_lots.then(|| format!("l{}", random.below(200)));
    let at = Timestamp(clock::unix_ms() + 50 + random.below(2_000));
    let expires_at = (has_lots && random.chance(50)).then_some(at);
    let location = (has_lots && random.chance(20)).then(|| "north".to_owned());
    OwnedCommand::Receive { sku: format!("i{n}"), quantity: 1 + random.below(6), movement, lot, expires_at, location }
}

fn open(number: u64, resp: SocketAddr, http: SocketAddr) -> io::Result<Line> {
    Ok(if number.is_multiple_of(2) { Line::Http(Web::open(http)?) } else { Line::Resp(Connection::open(resp)?) })
}

/// Whatever is answered; RESP passes over what it has no words for.
fn ask(line: &mut Line, command: &OwnedCommand) -> io::Result<()> {
    match line {
        Line::Resp(connection) => {
            let Some(words) = ways::words(command) else { return Ok(()) };
            connection.send(&encode(&words))?;
            connection.read().map(drop)
        }
        Line::Http(web) => {
            let Some(request) = ways::request(command) else { return Ok(()) };
            ways::put(web, &request, &[])?;
            let reply = web.read()?;
            if reply.head.status < 500 || reply.head.status == 503 {
                return Ok(());
            }
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("answered with {}", reply.head.status)))
        }
    }
}
