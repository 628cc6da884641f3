//! A client's connection, by RESP2, RESP3 or HTTP: commands in the words of RESP whatever it speaks, answers as RESP's
//! values. HTTP answers with whole records, which are judged whole.

use crate::support::http::Reply;
use crate::support::resp::encoded;
use crate::support::{Connection, Value, Web};
use crate::ways;
use serde_json::Value as Json;
use std::io;
use std::net::SocketAddr;
use sumun_auditor::OwnedCommand;
use sumun_wire::{Answer, Timestamp};

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) resp: SocketAddr,
    pub(super) http: SocketAddr,
}

#[derive(Debug)]
pub(super) enum Line {
    Resp(Connection),
    Http(Web),
}

impl Line {
    /// Clients take turns: RESP2, RESP3, HTTP.
    pub(super) fn open(address: Address, client: u64) -> io::Result<Line> {
        Ok(match client % 3 {
            0 => Line::Resp(Connection::open(address.resp)?),
            1 => {
                let mut connection = Connection::open(address.resp)?;
                connection.say("HELLO 3")?;
                Line::Resp(connection)
            }
            _ => Line::Http(Web::open(address.http)?),
        })
    }

    /// Sends all of them, in one go.
    pub(super) fn send(&mut self, commands: &[String]) -> io::Result<()> {
        match self {
            Line::Resp(connection) => {
                let bytes: Vec<u8> = commands.iter().flat_map(|command| encoded(command)).collect();
                connection.send(&bytes)
            }
            Line::Http(web) => {
                let request = |command: &String| ways::request(&owned(command)?).ok_or_else(|| wrong(command));
                let requests = commands.iter().map(request).collect::<io::Result<Vec<_>>>()?;
                requests.iter().try_for_each(|request| ways::put(web, request, &[]))
            }
        }
    }

    /// The answer to the oldest command that has none.
    pub(super) fn read(&mut self, command: &str) -> io::Result<Value> {
        match self {
            Line::Resp(connection) => connection.read(),
            Line::Http(web) => {
                let reply = web.read()?;
                let heard = ways::hear_http(&owned(command)?, &reply);
                value(&heard.map_err(|why| wrong(&format!("{command}: {why}")))?, &reply)
            }
        }
    }
}

/// As HTTP has it: a capture at once takes no ttl there, and none is used.
fn owned(command: &str) -> io::Result<OwnedCommand> {
    let mut owned: OwnedCommand = command.parse().map_err(|_| wrong(command))?;
    if let OwnedCommand::Reserve { ttl_ms, capture: true, .. } = &mut owned {
        *ttl_ms = None;
    }
    Ok(owned)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn value(heard: &ways::Heard, reply: &Reply) -> io::Result<Value> {
    match heard {
        ways::Heard::Problem(refusal) => Ok(Value::Error(refusal.to_string())),
        ways::Heard::Read(Answer::Item(None) | Answer::Reservation(None)) => Ok(Value::Null),
        ways::Heard::Record { replayed, .. } => {
            let mut record = from_json("", &reply.json()?);
            if let Value::Map(entries) = &mut record {
                entries.push(("replayed".to_owned(), Value::Integer(i64::from(*replayed))));
            }
            Ok(record)
        }
        ways::Heard::Read(_) => Ok(from_json("", &reply.json()?)),
        ways::Heard::Available(_) | ways::Heard::Outcome { .. } | ways::Heard::Gone { .. } | ways::Heard::Error(_) => {
            Err(wrong("HTTP has no such answer"))
        }
    }
}

/// As RESP would say it: yes and no as 1 and 0, times as numbers.
fn from_json(name: &str, json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Integer(i64::from(*flag)),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Text(number.to_string()), Value::Integer),
        Json::String(text) => {
            let is_time = name.ends_with("_at") || name == "needed_until";
            let at = Timestamp::from_rfc3339(text).filter(|_| is_time).and_then(|at| i64::try_from(at.0).ok());
            at.map_or_else(|| Value::Text(text.clone()), Value::Integer)
        }
        Json::Array(rows) => Value::Array(rows.iter().map(|row| from_json("", row)).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (name.clone(), from_json(name, value))).collect())
        }
    }
}
