//! The mirror as a process: it reads `/v1/events` from where its tables stand, by a stream or page by page as the server's
//! starts have it, and goes on for as long as it is let. Nothing but events moves its tables, until the log has lost
//! what comes next (410). Then it reads all items and all open reservations, asks for each reservation that it has and
//! that is not among them (one that was open may have ended, one that was captured may have been returned), and goes on
//! from the log's beginning: what an item has already is known by its version.
//!
//! Where the server is stands in a file, as it is another port after each start.

use super::tables::Tables;
use crate::support::Web;
use crate::support::clock;
use crate::support::http::{Reply, Stream, segment};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Events after which the tables are written though more are there.
const BATCH: usize = 512;
/// A stream that says nothing for so long is opened anew.
const QUIET: Duration = Duration::from_secs(30);
const RETRY_MS: u64 = 5;
const PAGE: usize = 1_000;

pub(super) const TABLES: &str = "tables.json";
pub(super) const ADDRESS: &str = "address";

/// What one connection came to.
enum Ended {
    /// Ended, or never made: again.
    Lost,
    /// The log begins here.
    Trimmed(u64),
}

/// Follows for ever.
///
/// # Errors
/// A gap, an answer that the contract has not, tables that cannot be written.
pub fn follow(folder: &Path) -> Result<(), String> {
    let path = folder.join(TABLES);
    let mut tables = Tables::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    tables.starts += 1;
    loop {
        let address = std::fs::read_to_string(folder.join(ADDRESS)).ok().and_then(|text| text.trim().parse().ok());
        let Some(address) = address else {
            clock::sleep_ms(RETRY_MS);
            continue;
        };
        let mut mirror = Mirror { path: &path, address, tables: &mut tables };
        let by_pages = mirror.tables.starts % 3 == 2;
        let ended = if by_pages { mirror.pages() } else { mirror.stream() }?;
        match ended {
            Ended::Lost => {}
            Ended::Trimmed(first) => mirror.start_over(first)?,
        }
        clock::sleep_ms(RETRY_MS);
    }
}

struct Mirror<'a> {
    path: &'a Path,
    address: SocketAddr,
    tables: &'a mut Tables,
}

impl Mirror<'_> {
    fn keep(&self) -> Result<(), String> {
        self.tables.write(self.path).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn stream(&mut self) -> Result<Ended, String> {
        // A stream without a cursor begins where the log begins.
        let after = (self.tables.after > 0).then(|| format!("0/{}", self.tables.after));
        let mut stream = match Stream::open(self.address, "/v1/events", after.as_deref()) {
            Ok(Ok(stream)) => stream,
            Ok(Err(reply)) => return refused(&reply),
            Err(error) => return lost(&error),
        };
        if stream.set_timeout(QUIET).is_err() {
            return Ok(Ended::Lost);
        }
        let mut unkept = 0;
        loop {
            let sent = match stream.read() {
                Ok(Some(sent)) => sent,
                Ok(None) => return Ok(Ended::Lost),
                Err(error) => return lost(&error),
            };
            let Some(data) = sent.data else { continue };
            let event: Json = serde_json::from_str(&data).map_err(|_| format!("no event: {data}"))?;
            if event["id"].as_str() != Some(&sent.id) {
                return Err(format!("event {} came as {}", event["id"], sent.id));
            }
            self.tables.apply(&event)?;
            unkept += 1;
            if unkept >= BATCH || !stream.has_more() {
                self.keep()?;
                unkept = 0;
            }
        }
    }

    fn pages(&mut self) -> Result<Ended, String> {
        let mut web = match Web::open(self.address) {
            Ok(web) => web,
            Err(error) => return lost(&error),
        };
        loop {
            let reply = match web.get(&format!("/v1/events?limit={PAGE}&after={}", self.tables.after)) {
                Ok(reply) => reply,
                Err(error) => return lost(&error),
            };
            if reply.head.status != 200 {
                return refused(&reply);
            }
            let page = reply.json().map_err(|error| error.to_string())?;
            let events = page["events"].as_array().ok_or_else(|| format!("no page of events: {page}"))?;
            events.iter().try_for_each(|event| self.tables.apply(event))?;
            if events.is_empty() {
                clock::sleep_ms(RETRY_MS);
            } else {
                self.keep()?;
            }
        }
    }

    /// Tables read whole; kept when they are.
    fn start_over(&mut self, first: u64) -> Result<(), String> {
        let mut tables = self.tables.clone();
        let read = (|| -> io::Result<Result<(), String>> {
            let mut web = Web::open(self.address)?;
            let mut listed = BTreeSet::new();
            for record in all(&mut web, "items")? {
                listed.extend(record["sku"].as_str().map(str::to_owned));
                if let Err(why) = tables.put_item(&record) {
                    return Ok(Err(why));
                }
            }
            // What is not there any more was deleted.
            tables.items.retain(|sku, _| listed.contains(sku));
            let mut open = BTreeSet::new();
            for record in all(&mut web, "reservations")? {
                open.extend(record["id"].as_str().map(str::to_owned));
                if let Err(why) = tables.put_reservation(&record) {
                    return Ok(Err(why));
                }
            }
            let missed = tables.reservations.iter().filter(|(id, known)| known.may_change() && !open.contains(*id));
            let missed: Vec<String> = missed.map(|(id, _)| id.clone()).collect();
            for id in missed {
                let reply = web.get(&format!("/v1/reservations/{}", segment(&id)))?;
                if reply.head.status != 200 {
                    return Ok(Err(format!("{id} was there, and is {}", reply.head.status)));
                }
                if let Err(why) = tables.put_reservation(&reply.json()?) {
                    return Ok(Err(why));
                }
            }
            Ok(Ok(()))
        })();
        match read {
            Ok(done) => done?,
            // Whatever was read is thrown away, and is read again.
            Err(_) => return Ok(()),
        }
        tables.after = first - 1;
        tables.read_whole += 1;
        *self.tables = tables;
        self.keep()
    }
}

/// All of a list.
pub(super) fn all(web: &mut Web, list: &str) -> io::Result<Vec<Json>> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let reply = web.get(&format!("/v1/{list}?limit={PAGE}{after}"))?;
        if reply.head.status != 200 {
            return Err(io::Error::other(format!("a page of {list} was answered with {}", reply.head.status)));
        }
        let mut page = reply.json()?;
        let Json::Array(rows) = page[list].take() else {
            return Err(io::Error::other(format!("no page of {list}: {page}")));
        };
        found.extend(rows);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", segment(next)),
            None => return Ok(found),
        }
    }
}

fn refused(reply: &Reply) -> Result<Ended, String> {
    let problem = reply.json().map_err(|error| error.to_string())?;
    match (reply.head.status, problem["first_sequence"].as_u64()) {
        (410, Some(first)) => Ok(Ended::Trimmed(first)),
        // Not ready, or too much to do.
        (503, _) => Ok(Ended::Lost),
        _ => Err(format!("the events were refused: {problem}")),
    }
}

/// What a kill does to a connection is no breach; words that no server of ours says are.
fn lost(error: &io::Error) -> Result<Ended, String> {
    if error.kind() == io::ErrorKind::InvalidData { Err(error.to_string()) } else { Ok(Ended::Lost) }
}
