//! A mirror's tables beside what the server shows: every item's figures and lots, every reservation's last state.

use super::follow::all;
use super::tables::{Figures, Item, Tables};
use crate::support::http::segment;
use crate::support::{Server, Web};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::io;

/// What differs, each in words. `names`: reservations that were asked for, whatever came of them.
pub(super) fn differences(server: &Server, tables: &Tables, names: &BTreeSet<String>) -> io::Result<Vec<String>> {
    let mut web = server.web()?;
    let mut found = Vec::new();
    let shown: BTreeSet<String> =
        all(&mut web, "items")?.iter().filter_map(|item| item["sku"].as_str().map(str::to_owned)).collect();
    let kept: BTreeSet<String> =
        tables.items.iter().filter(|(_, item)| !item.gone).map(|(sku, _)| sku.clone()).collect();
    for sku in shown.symmetric_difference(&kept) {
        found.push(format!("item {sku} is known to one of them alone"));
    }
    for sku in shown.intersection(&kept) {
        let record = get(&mut web, &format!("/v1/items/{}", segment(sku)))?;
        match record {
            Some(record) => found.extend(item(sku, &tables.items[sku], &record)),
            None => found.push(format!("item {sku} is listed, and not there")),
        }
    }
    for id in names.iter().chain(tables.reservations.keys().filter(|id| !names.contains(*id))) {
        let record = get(&mut web, &format!("/v1/reservations/{}", segment(id)))?;
        let known = tables.reservations.get(id);
        let is = record.map(|record| {
            json!([record["version"], record["state"], record["tombstone"], record["holder"], record["expires_at"]])
        });
        let was =
            known.map(|known| json!([known.version, known.state, known.tombstone, known.holder, known.expires_at]));
        // One that had ended before all was read anew: no event that is left speaks of it.
        if is != was && (was.is_some() || tables.read_whole == 0) {
            found.push(format!("reservation {id} is {is:?}, and in the mirror {was:?}"));
        }
    }
    Ok(found)
}

fn get(web: &mut Web, path: &str) -> io::Result<Option<Json>> {
    let reply = web.get(path)?;
    match reply.head.status {
        200 => reply.json().map(Some),
        404 => Ok(None),
        other => Err(io::Error::other(format!("{path} was answered with {other}"))),
    }
}

fn item(sku: &str, kept: &Item, record: &Json) -> Option<String> {
    let Figures { on_hand, reserved, available, received, removed, returned, captured } = kept.figures;
    let was = json!([kept.version, kept.sequence, on_hand, reserved, available, received, removed, returned, captured]);
    let names =
        ["version", "sequence", "on_hand", "reserved", "available", "received", "removed", "returned", "captured"];
    let is: Json = names.iter().map(|name| record[*name].clone()).collect();
    if is != was {
        return Some(format!("item {sku} is {is}, and in the mirror {was}"));
    }
    let (was, is) = (kept_lots(kept), shown_lots(record));
    (is != was).then(|| format!("lots of {sku} are {is:?}, and in the mirror {was:?}"))
}

/// Lots with units; what is in none last, where an item has lots.
fn kept_lots(item: &Item) -> BTreeSet<String> {
    let rows = item.lots.iter().map(|(name, lot)| {
        (json!([name, lot.on_hand, lot.reserved, lot.expires_at, lot.location]), lot.on_hand, lot.reserved)
    });
    let in_lots =
        item.lots.values().fold((0, 0), |(on_hand, reserved), lot| (on_hand + lot.on_hand, reserved + lot.reserved));
    let (on_hand, reserved) = (item.figures.on_hand - in_lots.0, item.figures.reserved.saturating_sub(in_lots.1));
    let rest = (!item.lots.is_empty()).then(|| (json!([null, on_hand, reserved, null, null]), on_hand, reserved));
    let with_units = rows.chain(rest).filter(|(_, on_hand, reserved)| *on_hand != 0 || *reserved != 0);
    with_units.map(|(row, ..)| row.to_string()).collect()
}

fn shown_lots(record: &Json) -> BTreeSet<String> {
    let rows = record["lots"].as_array().map(Vec::as_slice).unwrap_or_default();
    let with_units = rows.iter().filter(|row| row["on_hand"] != json!(0) || row["reserved"] != json!(0));
    let names = ["lot", "on_hand", "reserved", "expires_at", "location"];
    with_units.map(|row| names.iter().map(|name| row[*name].clone()).collect::<Json>().to_string()).collect()
}
