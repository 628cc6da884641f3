//! A command in the words of each interface, where that one has words for it: RESP knows no deletion and no holder, takes
//! `*` for a movement of its own and always has a ttl; HTTP's paths hold no empty name, and its times end with year 9999.

use crate::support::http::segment;
use serde_json::{Map, Value as Json, json};
use sumun_auditor::{OwnedCommand, OwnedLine, PartVerb};
use sumun_wire::limits::TIMESTAMP_MAX;
use sumun_wire::{Allocation, Timestamp};

/// A request of HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Map<String, Json>>,
}

/// The words of RESP. `None`: it has none for this.
pub(crate) fn resp(command: &OwnedCommand) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut say = |texts: &[&str]| words.extend(texts.iter().map(|text| (*text).to_owned()));
    match command {
        OwnedCommand::Configure { sku, kind, safety_stock, backorder_limit, limit, allocation, metadata } => {
            say(&["CONFIGURE", sku]);
            kind.iter().for_each(|kind| say(&["KIND", kind.word()]));
            for (word, quantity) in [("SAFETY", safety_stock), ("BACKORDER", backorder_limit)] {
                if *quantity > 0 {
                    say(&[word, &quantity.to_string()]);
                }
            }
            if let Some(limit) = limit {
                say(&["LIMIT", &limit.quantity.to_string()]);
                limit.window_ms.iter().for_each(|window| say(&["WINDOW", &window.to_string()]));
            }
            if *allocation != Allocation::Fefo {
                say(&["allocation", allocation.word()]);
            }
            metadata.iter().for_each(|text| say(&["METADATA", text]));
        }
        OwnedCommand::Receive { sku, quantity, movement, lot, expires_at, location } => {
            say(&["RECEIVE", sku, &quantity.to_string()]);
            movement.iter().for_each(|id| say(&["ID", id]));
            lot.iter().for_each(|lot| say(&["LOT", lot]));
            expires_at.iter().for_each(|at| say(&["EXPIRES", &at.0.to_string()]));
            location.iter().for_each(|at| say(&["AT", at]));
            if movement.as_deref() == Some("*") {
                return None;
            }
        }
        OwnedCommand::Adjust { sku, delta, reason, movement, lot } => {
            say(&["ADJUST", sku, &delta.to_string(), "REASON", reason]);
            movement.iter().for_each(|id| say(&["ID", id]));
            lot.iter().for_each(|lot| say(&["LOT", lot]));
            if movement.as_deref() == Some("*") {
                return None;
            }
        }
        OwnedCommand::Reserve { reservation, ttl_ms, lines, holder, needed_until, capture } => {
            let ttl = ttl_ms.or(capture.then_some(0))?;
            say(&["RESERVE", reservation, &ttl.to_string(), &lines.len().to_string()]);
            lines.iter().for_each(|line| say(&[&line.sku, &line.quantity.to_string()]));
            holder.iter().for_each(|holder| say(&["FOR", holder]));
            needed_until.iter().for_each(|at| say(&["UNTIL", &at.0.to_string()]));
            for (place, OwnedLine { lot, location, .. }) in lines.iter().enumerate() {
                let place = (place + 1).to_string();
                lot.iter().for_each(|lot| say(&["LOT", &place, lot]));
                location.iter().for_each(|at| say(&["AT", &place, at]));
            }
            if *capture {
                say(&["CAPTURE"]);
            }
        }
        OwnedCommand::Part { verb, reservation, id, lines } => {
            let word = match verb {
                PartVerb::Capture => "CAPTURE",
                PartVerb::Release => "RELEASE",
                PartVerb::Return => "RETURN",
            };
            say(&[word, reservation]);
            if let Some(lines) = lines {
                say(&[&lines.len().to_string()]);
                lines.iter().for_each(|(sku, quantity)| say(&[sku, &quantity.to_string()]));
            }
            id.iter().for_each(|id| say(&["ID", id]));
        }
        OwnedCommand::Extend { reservation, ttl_ms } => say(&["EXTEND", reservation, &ttl_ms.to_string()]),
        OwnedCommand::Reservation { id } => say(&["RESERVATION", id]),
        OwnedCommand::Item { sku } => say(&["ITEM", sku]),
        OwnedCommand::Remove { .. } | OwnedCommand::Holder { .. } => return None,
    }
    Some(words)
}

/// The request of HTTP. `None`: it cannot be said there.
pub(crate) fn http(command: &OwnedCommand) -> Option<Request> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Json| drop(body.insert(name.to_owned(), value));
    let (method, path) = match command {
        OwnedCommand::Configure { sku, kind, safety_stock, backorder_limit, limit, allocation, metadata } => {
            kind.iter().for_each(|kind| put("kind", kind.word().into()));
            put("safety_stock", (*safety_stock).into());
            put("backorder_limit", (*backorder_limit).into());
            if let Some(limit) = limit {
                let window = limit.window_ms.map(|window| json!({ "quantity": limit.quantity, "window_ms": window }));
                put("limit", window.unwrap_or_else(|| json!({ "quantity": limit.quantity })));
            }
            put("allocation", allocation.word().into());
            if let Some(text) = metadata {
                put("metadata", serde_json::from_str(text).ok()?);
            }
            ("PUT", item(sku, "")?)
        }
        OwnedCommand::Remove { sku } => return bare("DELETE", item(sku, "")?),
        OwnedCommand::Item { sku } => return bare("GET", item(sku, "")?),
        OwnedCommand::Holder { sku, holder } => {
            return bare("GET", item(sku, &format!("/holders/{}", name(holder)?))?);
        }
        OwnedCommand::Reservation { id } => return bare("GET", reservation_path(id, "")?),
        OwnedCommand::Receive { sku, quantity, movement, lot, expires_at, location } => {
            movement.iter().for_each(|id| put("id", id.as_str().into()));
            put("quantity", (*quantity).into());
            lot.iter().for_each(|lot| put("lot", lot.as_str().into()));
            if let Some(at) = expires_at {
                put("expires_at", time(*at)?);
            }
            location.iter().for_each(|at| put("location", at.as_str().into()));
            ("POST", item(sku, "/receipts")?)
        }
        OwnedCommand::Adjust { sku, delta, reason, movement, lot } => {
            movement.iter().for_each(|id| put("id", id.as_str().into()));
            put("delta", (*delta).into());
            put("reason", reason.as_str().into());
            lot.iter().for_each(|lot| put("lot", lot.as_str().into()));
            ("POST", item(sku, "/adjustments")?)
        }
        OwnedCommand::Reserve { reservation, ttl_ms, lines, holder, needed_until, capture } => {
            if *capture && ttl_ms.is_some() {
                return None;
            }
            put("id", reservation.as_str().into());
            ttl_ms.iter().for_each(|ttl| put("ttl_ms", (*ttl).into()));
            put("lines", lines.iter().map(line).collect());
            holder.iter().for_each(|holder| put("holder", holder.as_str().into()));
            if let Some(at) = needed_until {
                put("needed_until", time(*at)?);
            }
            if *capture {
                put("capture", true.into());
            }
            ("POST", "/v1/reservations".to_owned())
        }
        OwnedCommand::Part { verb, reservation, id, lines } => {
            id.iter().for_each(|id| put("id", id.as_str().into()));
            if let Some(lines) = lines {
                let line = |(sku, quantity): &(String, u64)| json!({ "sku": sku, "quantity": quantity });
                put("lines", lines.iter().map(line).collect());
            }
            let word = match verb {
                PartVerb::Capture => "/capture",
                PartVerb::Release => "/release",
                PartVerb::Return => "/return",
            };
            ("POST", reservation_path(reservation, word)?)
        }
        OwnedCommand::Extend { reservation, ttl_ms } => {
            put("ttl_ms", (*ttl_ms).into());
            ("POST", reservation_path(reservation, "/extend")?)
        }
    };
    Some(Request { method, path, body: Some(body) })
}

fn bare(method: &'static str, path: String) -> Option<Request> {
    Some(Request { method, path, body: None })
}

fn line(line: &OwnedLine) -> Json {
    let mut out = json!({ "sku": line.sku, "quantity": line.quantity });
    for (name, value) in [("lot", &line.lot), ("location", &line.location)] {
        if let Some(value) = value {
            out[name] = value.as_str().into();
        }
    }
    out
}

/// A name as part of a path: dots alone would be steps of it.
fn name(text: &str) -> Option<String> {
    (!["", ".", ".."].contains(&text)).then(|| segment(text))
}

fn item(sku: &str, behind: &str) -> Option<String> {
    Some(format!("/v1/items/{}{behind}", name(sku)?))
}

fn reservation_path(id: &str, behind: &str) -> Option<String> {
    Some(format!("/v1/reservations/{}{behind}", name(id)?))
}

fn time(at: Timestamp) -> Option<Json> {
    let text = (at.0 <= TIMESTAMP_MAX).then(|| at.rfc3339())?;
    Some(String::from_utf8_lossy(&text).into_owned().into())
}
