//! What is said to the server that is measured, and what its replies mean.

use super::web::Web;
use super::workload::{LIMIT, Scenario, Workload};
use crate::caps::PREPARE_PIPELINE;
use crate::client::Client;
use crate::clock;
use crate::failure::Failure;
use crate::load::Scan;
use crate::resp::{self, Value};
use clap::ValueEnum;
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerKind {
    Sumun,
    /// Sumun over HTTP: --server is its HTTP address
    Http,
    /// Redis with the usual Lua script: check the stock, take it, keep the reservation under a key that expires
    Redis,
}

impl PeerKind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            PeerKind::Sumun => "sumun",
            PeerKind::Http => "http",
            PeerKind::Redis => "redis",
        }
    }
}

/// The usual script, in a file of its own: other generators say the same one.
const REDIS_RESERVE: &str = include_str!("reserve.lua");

/// KEYS: the reservation. 1 it is captured, 0 it has expired.
const REDIS_CAPTURE: &str = "\
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[1], 'captured')
return 1";

#[derive(Clone, Debug)]
pub(super) enum Peer {
    Sumun,
    Http(Web),
    Redis { reserve: String, capture: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Done,
    /// The word that says why.
    Refused(&'a [u8]),
}

impl Peer {
    /// Makes the peer ready: scripts, items and their units.
    pub(super) fn prepare(kind: PeerKind, server: SocketAddr, workload: &Workload) -> Result<Peer, Failure> {
        if kind == PeerKind::Http {
            return Web::prepare(server, workload).map(Peer::Http);
        }
        let client = &mut Client::connect(server)?;
        let peer = match kind {
            PeerKind::Sumun | PeerKind::Http => Peer::Sumun,
            PeerKind::Redis if matches!(workload.scenario, Scenario::Holders | Scenario::Lots) => {
                let text = format!("the usual script knows no {}", workload.scenario.word());
                return Err(Failure::Usage(text));
            }
            PeerKind::Redis => {
                Peer::Redis { reserve: load(client, REDIS_RESERVE)?, capture: load(client, REDIS_CAPTURE)? }
            }
        };
        let lots = workload.lots(clock::unix_ms());
        let mut item = 0;
        while item < workload.items {
            let end = workload.items.min(item + PREPARE_PIPELINE as u64);
            let mut out = Vec::new();
            let each: usize = (item..end).map(|item| peer.write_item(&mut out, workload, &lots, item)).sum();
            client.send(&out)?;
            for _ in 0..each {
                if let Value::Error(text) = client.receive()? {
                    return Err(Failure::No(format!("the server refused to prepare the items: {text}")));
                }
            }
            item = end;
        }
        Ok(peer)
    }

    /// Where a reply ends.
    pub(super) const fn scan(&self) -> Scan {
        match self {
            Peer::Http(_) => Web::scan,
            Peer::Sumun | Peer::Redis { .. } => resp::scan,
        }
    }

    /// Says of how many commands it consists.
    fn write_item(&self, out: &mut Vec<u8>, workload: &Workload, lots: &[(u64, u64)], item: u64) -> usize {
        let (sku, units) = (workload.sku(item), workload.units.to_string());
        match self {
            Peer::Sumun => {
                let limit = LIMIT.to_string();
                let limit = if workload.has_holders() { &["LIMIT", &limit][..] } else { &[] };
                resp::command(out, &[&["CONFIGURE", &sku][..], limit].concat());
                for (lot, (units, ends)) in lots.iter().enumerate() {
                    let (units, ends, lot) = (units.to_string(), ends.to_string(), format!("lot-{lot}"));
                    resp::command(out, &["RECEIVE", &sku, &units, "ID", &lot, "LOT", &lot, "EXPIRES", &ends]);
                }
                if lots.is_empty() {
                    resp::command(out, &["RECEIVE", &sku, &units, "ID", "prepared"]);
                }
                1 + lots.len().max(1)
            }
            Peer::Http(_) => unreachable!("these are prepared by themselves"),
            Peer::Redis { .. } => {
                resp::command(out, &["SET", &format!("stock:{sku}"), &units]);
                1
            }
        }
    }

    pub(super) fn write_reserve(&self, out: &mut Vec<u8>, workload: &Workload, n: u64) {
        let (items, lines) = workload.items(n);
        match self {
            Peer::Http(web) => web.write_reserve(out, workload, n),
            Peer::Sumun => {
                let holder = if workload.has_holders() { 2 } else { 0 };
                resp::header(out, 4 + 2 * lines + holder);
                out.extend_from_slice(b"$7\r\nRESERVE\r\n");
                workload.write_id(out, b"", n);
                resp::integer(out, workload.ttl_of(n));
                resp::integer(out, lines as u64);
                for &item in &items[..lines] {
                    workload.write_sku(out, b"", item);
                    out.extend_from_slice(b"$1\r\n1\r\n");
                }
                if holder > 0 {
                    out.extend_from_slice(b"$3\r\nFOR\r\n");
                    workload.write_holder(out, n);
                }
            }
            Peer::Redis { reserve, .. } => {
                resp::header(out, 5 + 2 * lines);
                out.extend_from_slice(b"$7\r\nEVALSHA\r\n");
                resp::bulk(out, reserve.as_bytes());
                resp::integer(out, 1 + lines as u64);
                workload.write_id(out, b"rsv:", n);
                items[..lines].iter().for_each(|&item| workload.write_sku(out, b"stock:", item));
                resp::integer(out, workload.ttl_of(n));
                items[..lines].iter().for_each(|_| out.extend_from_slice(b"$1\r\n1\r\n"));
            }
        }
    }

    pub(super) fn write_capture(&self, out: &mut Vec<u8>, workload: &Workload, n: u64) {
        match self {
            Peer::Http(web) => web.write_capture(out, workload, n),
            Peer::Sumun => {
                out.extend_from_slice(b"*2\r\n$7\r\nCAPTURE\r\n");
                workload.write_id(out, b"", n);
            }
            Peer::Redis { capture, .. } => {
                out.extend_from_slice(b"*4\r\n$7\r\nEVALSHA\r\n");
                resp::bulk(out, capture.as_bytes());
                out.extend_from_slice(b"$1\r\n1\r\n");
                workload.write_id(out, b"rsv:", n);
            }
        }
    }

    pub(super) fn verdict<'a>(&self, reply: &'a [u8]) -> Verdict<'a> {
        if let Peer::Http(_) = self {
            return Web::verdict(reply);
        }
        if let Some(code) = resp::error_code(reply) {
            return Verdict::Refused(code);
        }
        match self {
            Peer::Redis { .. } if reply.starts_with(b":0") => Verdict::Refused(b"INSUFFICIENT"),
            Peer::Redis { .. } if reply.starts_with(b":2") => Verdict::Refused(b"REPLAYED"),
            // Every id of a run is new: an answer that knows it already answers something else.
            Peer::Sumun if resp::field(reply, b"replayed") == Some(b"1") => Verdict::Refused(b"REPLAYED"),
            Peer::Sumun | Peer::Redis { .. } | Peer::Http(_) => Verdict::Done,
        }
    }

    /// In how many nanoseconds a refusal for the moment says to ask again.
    pub(super) fn retry_after_ns(&self, reply: &[u8]) -> Option<u64> {
        let after_ms = match self {
            Peer::Http(_) => Web::retry_after_ms(reply)?,
            Peer::Sumun | Peer::Redis { .. } => {
                let text = std::str::from_utf8(reply.strip_prefix(b"-OVERLOADED retry after ")?).ok()?;
                text.split(' ').next()?.parse().ok()?
            }
        };
        after_ms.checked_mul(1_000_000)
    }
}

fn load(client: &mut Client, script: &str) -> Result<String, Failure> {
    match client.call(&["SCRIPT", "LOAD", script])? {
        Value::Text(sha) => Ok(sha),
        other @ (Value::Null | Value::Integer(_) | Value::Error(_) | Value::Array(_) | Value::Map(_)) => {
            Err(Failure::Usage(format!("the server takes no Lua scripts; is it Redis? {}", crate::show::json(&other))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        let Ok(Some((Value::Array(parts), used))) = resp::parse(&out) else { panic!("not a command: {out:?}") };
        assert_eq!(used, out.len());
        let word = |part: &Value| if let Value::Text(text) = part { text.clone() } else { panic!("{part:?}") };
        parts.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn requests_are_whole_commands() {
        let workload = Workload::new(Scenario::MultiLine, 1, 0xabcd_0123_0000_0000, 3, 10, 500);
        let redis = Peer::Redis { reserve: "RR".to_owned(), capture: "CC".to_owned() };
        let ([a, b, c], _) = workload.items(7);
        let sku = |item| workload.sku(item);
        let (a, b, c) = (sku(a), sku(b), sku(c));
        assert_eq!(
            text(|out| Peer::Sumun.write_reserve(out, &workload, 7)),
            format!("RESERVE rabcd0123-7 500 3 {a} 1 {b} 1 {c} 1")
        );
        assert_eq!(text(|out| Peer::Sumun.write_capture(out, &workload, 7)), "CAPTURE rabcd0123-7");
        assert_eq!(
            text(|out| redis.write_reserve(out, &workload, 7)),
            format!("EVALSHA RR 4 rsv:rabcd0123-7 stock:{a} stock:{b} stock:{c} 500 1 1 1")
        );
        assert_eq!(text(|out| redis.write_capture(out, &workload, 7)), "EVALSHA CC 1 rsv:rabcd0123-7");
    }

    #[test]
    fn holders_and_lots_are_said_as_the_contract_has_them() {
        let workload = Workload::new(Scenario::Holders, 1, 0xabcd_0123_0000_0000, 1, 10, 500);
        let reserve = text(|out| Peer::Sumun.write_reserve(out, &workload, 7));
        assert!(reserve.starts_with("RESERVE rabcd0123-7 500 1 sabcd0123-0 1 FOR h"), "{reserve}");
        let workload = Workload::new(Scenario::Lots, 1, 0xabcd_0123_0000_0000, 1, 10, 500);
        let mut out = Vec::new();
        let commands = Peer::Sumun.write_item(&mut out, &workload, &workload.lots(1_000), 0);
        let mut rest = &out[..];
        for _ in 0..commands {
            let Ok(Some((_, used))) = resp::parse(rest) else { panic!("not a command: {rest:?}") };
            rest = &rest[used..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_refusal_for_the_moment_says_when_to_ask_again() {
        let after = |reply| Peer::Sumun.retry_after_ns(reply);
        assert_eq!(after(b"-OVERLOADED retry after 40 ms\r\n"), Some(40_000_000));
        assert_eq!(after(b"-INSUFFICIENT a wanted 1 available 0\r\n"), None);
        assert_eq!(after(b":1\r\n"), None);
    }

    #[test]
    fn verdicts_are_read_off_the_first_bytes() {
        let redis = Peer::Redis { reserve: String::new(), capture: String::new() };
        assert_eq!(redis.verdict(b":1\r\n"), Verdict::Done);
        assert_eq!(redis.verdict(b":0\r\n"), Verdict::Refused(b"INSUFFICIENT"));
        assert_eq!(Peer::Sumun.verdict(b"-LIMIT a h wanted 1 left 0\r\n"), Verdict::Refused(b"LIMIT"));
        assert_eq!(Peer::Sumun.verdict(b"*4\r\n$5\r\nstate\r\n$4\r\nheld\r\n$8\r\nreplayed\r\n:0\r\n"), Verdict::Done);
        assert_eq!(
            Peer::Sumun.verdict(b"*4\r\n$5\r\nstate\r\n$4\r\nheld\r\n$8\r\nreplayed\r\n:1\r\n"),
            Verdict::Refused(b"REPLAYED")
        );
    }
}
