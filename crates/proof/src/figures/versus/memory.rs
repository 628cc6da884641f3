//! The memory row: an empty server, one with connections that say nothing, one with clients that read nothing, and one
//! after ten million reservations have ended.

use super::caps::{ASKED, ENDS, ENDS_MS, FALL_MS, IDLE, READERS, SETTLE_MS};
use super::generate::{Bench, bench};
use super::peers::{Running, ask};
use super::results::Lane;
use super::rows::{Disk, Peer, Shape};
use crate::crowd::{Process, raise_open_files};
use crate::figures::stage::MIB;
use crate::support::clock;
use crate::support::resp::encoded;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;

pub(super) fn measure(scale: f64) -> Result<Lane, String> {
    let count = |whole: u64| ((whole as f64 * scale) as u64).max(10);
    let mut more = BTreeMap::new();
    let server = Running::start(Peer::Sumun, Disk::AsItIs)?;
    clock::sleep_ms(count(SETTLE_MS));
    let empty = rss(&server)?;
    more.insert("empty_mib".to_owned(), empty / MIB);
    let idle = count(IDLE as u64);
    more.insert("idle_bytes".to_owned(), silent(&server, idle)? / idle as f64);
    more.insert("readers_mib".to_owned(), unread(&server, count(READERS as u64))? / MIB);
    drop(server);
    let server = Running::start(Peer::Sumun, Disk::AsItIs)?;
    let shape = Shape { connections: 16, pipeline: 64 };
    let load = Bench {
        scenario: "uniform",
        shape,
        rate: None,
        duration_ms: None,
        commands: Some(count(ENDS)),
        warm_up_ms: 0,
        ttl_ms: count(1_000),
        ending: 100,
    };
    let mut lane = bench(&server, &load)?;
    let over = clock::eventually(ENDS_MS, || {
        clock::sleep_ms(100);
        let info = server.info().ok()?;
        (info.number("open_reservations") == 0 && info.number("store_unsaved") == 0).then_some(info)
    });
    let info = over.ok_or_else(|| format!("reservations are open, or unsaved, after {} s", ENDS_MS / 1_000))?;
    (lane.ended, lane.reserved, lane.stored) =
        (info.number("ends"), load.commands.unwrap_or(0), info.number("store_records"));
    let peak = Process(server.pid).memory_peak().map_err(|error| error.to_string())? as f64;
    clock::sleep_ms(count(FALL_MS));
    more.insert("peak_mib".to_owned(), peak / MIB);
    more.insert("after_mib".to_owned(), rss(&server)? / MIB);
    more.insert("after".to_owned(), rss(&server)? / peak);
    Ok(Lane { more, ..lane })
}

fn rss(server: &Running) -> Result<f64, String> {
    Process(server.pid).memory().map(|bytes| bytes as f64).map_err(|error| error.to_string())
}

/// What so many connections cost that never say a word.
fn silent(server: &Running, connections: u64) -> Result<f64, String> {
    let files = raise_open_files().map_err(|error| error.to_string())?;
    if files < connections + 100 {
        return Err(format!("a process may open {files} files here, too few for {connections} connections"));
    }
    let before = rss(server)?;
    let mut asks = server.connect()?;
    let open = |_| TcpStream::connect(server.address).map_err(|error| format!("an idle connection: {error}"));
    let idle: Vec<TcpStream> = (0..connections).map(open).collect::<Result<_, _>>()?;
    crate::crowd::figure_becomes(&mut asks, "connected_clients", |count| count > connections)?;
    let grown = rss(server)? - before;
    drop(idle);
    crate::crowd::figure_becomes(&mut asks, "connected_clients", |count| count == 1)?;
    Ok(grown.max(0.0))
}

/// What so many clients cost that ask for 16 MB each and read none of it.
fn unread(server: &Running, readers: u64) -> Result<f64, String> {
    let mut asks = server.connect()?;
    let metadata = format!("\"{}\"", "x".repeat(16_000));
    ask(&mut asks, &["CONFIGURE", "wide", "METADATA", &metadata])?;
    let before = rss(server)?;
    let asked = encoded("ITEM wide").repeat(ASKED);
    let mut clients = Vec::new();
    for _ in 0..readers {
        let mut client = TcpStream::connect(server.address).map_err(|error| error.to_string())?;
        client.set_nonblocking(true).map_err(|error| error.to_string())?;
        // What is not taken is not needed: the socket's own buffers are full then.
        let _taken = client.write(&asked).map_err(|error| error.to_string())?;
        clients.push(client);
    }
    crate::crowd::figure_becomes(&mut asks, "reader_pauses", |pauses| pauses >= readers)?;
    Ok((rss(server)? - before).max(0.0))
}
