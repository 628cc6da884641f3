//! The sale as it is seen: a picture in a terminal, elsewhere a line a second.

use super::Plan;
use super::buyers::Sale;
use crate::failure::Failure;
use crate::picture::{Picture, gauge, short_time, sparkline, thousands};
use crate::show::say;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;

const SECOND: u64 = 1_000_000_000;
const FRAME: u64 = SECOND / 5;
const WIDTH: usize = 50;
/// Things that happened which are shown below the picture, the last of them.
const NOTES_SHOWN_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct View {
    picture: Option<Picture>,
    title: String,
    next: u64,
    next_second: u64,
    answers_before: u64,
    rates: Vec<u64>,
    /// Percentiles of the second before.
    latency: (u64, u64),
    notes: Vec<String>,
}

impl View {
    pub(super) fn new(plan: &Plan, sku: &str) -> View {
        let (buyers, units) = (thousands(u64::from(plan.buyers)), thousands(plan.units));
        View {
            picture: io::stdout().is_terminal().then(Picture::default),
            title: format!("flash sale: {buyers} buyers, {units} units of {sku}, one each"),
            next: 0,
            next_second: 0,
            answers_before: 0,
            rates: Vec::new(),
            latency: (0, 0),
            notes: Vec::new(),
        }
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn announce(&self, resp: SocketAddr, pid: u32) -> Result<(), Failure> {
        say(&format!("{}\nserver: {resp}, pid {pid}. Kill it whenever you like:  kill -9 {pid}\n", self.title))
    }

    /// Something that happened.
    pub(super) fn note(&mut self, what: &str) -> Result<(), Failure> {
        if self.picture.is_none() {
            return say(what);
        }
        self.notes.push(what.to_owned());
        if self.notes.len() > NOTES_SHOWN_MAX {
            self.notes.remove(0);
        }
        self.next = 0;
        Ok(())
    }

    pub(super) fn show(&mut self, now: u64, sale: &mut Sale, pid: Option<u32>) -> Result<(), Failure> {
        if now < self.next {
            return Ok(());
        }
        let second = now >= self.next_second;
        if second {
            self.next_second = now + SECOND;
            let answers = sale.counts.answers;
            self.rates.push(answers - self.answers_before);
            self.answers_before = answers;
            let found = sale.second.percentiles();
            self.latency = (found.p50, found.p99);
            sale.second.clear();
        }
        self.next = if self.picture.is_some() { now + FRAME } else { self.next_second };
        self.draw(now, sale, pid)
    }

    /// The last picture, below which the rest is printed.
    pub(super) fn finish(&mut self, now: u64, sale: &mut Sale, pid: u32) -> Result<(), Failure> {
        self.draw(now, sale, Some(pid))?;
        self.picture = None;
        Ok(())
    }

    /// No `pid` while the server is down.
    fn draw(&mut self, now: u64, sale: &Sale, pid: Option<u32>) -> Result<(), Failure> {
        let rate = self.rates.last().copied().unwrap_or(0);
        let (p50, p99) = (short_time(self.latency.0), short_time(self.latency.1));
        let (look, counts, seconds) = (sale.look(), sale.counts, sale.elapsed(now) / SECOND);
        let n = |n: u64| thousands(n);
        let Some(picture) = &mut self.picture else {
            let state = if pid.is_none() { " server=down" } else { "" };
            let arrived = sale.arrived();
            return say(&format!(
                "t={seconds}s arrived={arrived} left={} holds={} sold={} released={} forgotten={} refused={} waiting={} \
                 rate={rate}/s p50={p50} p99={p99}{state}",
                look.available,
                look.reserved,
                counts.sold,
                counts.released,
                counts.forgotten + counts.expired,
                counts.refused,
                sale.waiting()
            ));
        };
        let units = sale.units();
        let server =
            pid.map_or_else(|| "down, starting again".to_owned(), |pid| format!("pid {pid}   (kill -9 {pid})"));
        let row = |name: &str, value: u64| format!("{name:<10} {} {}", gauge(value, units, WIDTH), thousands(value));
        let mut lines = vec![
            format!("server     {server}"),
            row("left", look.available),
            row("held", look.reserved),
            row("sold", look.captured),
            format!(
                "buyers     {} came, {} refused, {} changed their mind, {} forgot",
                n(u64::from(sale.arrived())),
                n(counts.refused),
                n(counts.released),
                n(counts.forgotten + counts.expired)
            ),
            format!("rate       {} {}/s", sparkline(&self.rates, WIDTH), n(rate)),
            format!("latency    p50 {p50}   p99 {p99}   {} waiting   {seconds} s", n(sale.waiting() as u64)),
        ];
        lines.extend(self.notes.iter().map(|note| format!("  {note}")));
        Ok(picture.draw(&mut io::stdout().lock(), &lines)?)
    }
}

/// What to try, now that everything is there.
pub(super) fn invitation(resp: SocketAddr, pid: u32, sale: &Sale, directory: &Path) -> String {
    let (port, sku, buyer) = (resp.port(), sale.sku(), sale.id(0));
    let data = crate::child::data(directory);
    format!(
        "\nthe server goes on; try it with redis-cli (Ctrl-C ends everything):\n\
         \x20 redis-cli -3 -p {port} ITEM {sku}\n\
         \x20 redis-cli -3 -p {port} RESERVATION {buyer}\n\
         \x20 redis-cli -3 -p {port} RECEIVE {sku} 10 ID '*'\n\
         \x20 redis-cli -3 -p {port} RESERVE mine 60000 1 {sku} 1 FOR me\n\
         \x20 redis-cli -3 -p {port} CAPTURE mine\n\
         \x20 kill -9 {pid}\n\
         \x20 sumun verify --data {}",
        data.display()
    )
}
