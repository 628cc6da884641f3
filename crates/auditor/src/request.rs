//! What a request alone shows to be INVALID, before anything is looked up.

use sumun_wire::limits::{
    FLOW_PREFIX, LINES_MAX, METADATA_BYTES_MAX, QUANTITY_MAX, TIMESTAMP_MAX, TTL_MS_MAX, TTL_MS_MIN,
};
use sumun_wire::{Command, Configure, Limit, Part, PartLine, Receive, Reserve, Timestamp, text};

/// The first thing that is wrong with the request itself.
pub(crate) fn flaw(command: &Command<'_>) -> Option<&'static str> {
    let all = match command {
        Command::Configure(c) => configure(c),
        Command::Remove { sku } | Command::Item { sku } => vec![(!name(sku), "sku")],
        Command::Holder { sku, holder } => vec![(!name(sku), "sku"), (!name(holder), "holder")],
        Command::Receive(c) => receive(c),
        Command::Adjust(c) => vec![
            (!name(c.sku), "sku"),
            (c.delta == 0 || c.delta.unsigned_abs() > QUANTITY_MAX, "delta"),
            (!name(c.reason), "reason"),
            (!c.movement.is_some_and(id), "id"),
            (!c.lot.is_none_or(name), "lot"),
        ],
        Command::Reserve(c) => reserve(c),
        Command::Capture(c) | Command::Release(c) => part(c, c.lines.is_some()),
        Command::Return(c) => part(c, true),
        Command::Extend(c) => vec![
            (!own_reservation(c.reservation), "reservation"),
            (!(TTL_MS_MIN..=TTL_MS_MAX).contains(&c.ttl_ms), "ttl_ms"),
        ],
        Command::Reservation { id: reservation } => vec![(!id(reservation), "reservation")],
    };
    all.into_iter().find_map(|(wrong, field)| wrong.then_some(field))
}

fn name(text: &str) -> bool {
    text::flaw(text).is_none()
}

/// `*` stands for a fresh movement id in RESP, and is no id anywhere.
fn id(text: &str) -> bool {
    name(text) && text != "*"
}

fn own_reservation(text: &str) -> bool {
    id(text) && !text.starts_with(FLOW_PREFIX)
}

fn quantity(quantity: u64) -> bool {
    (1..=QUANTITY_MAX).contains(&quantity)
}

fn time(at: Option<Timestamp>) -> bool {
    at.is_none_or(|at| at.0 <= TIMESTAMP_MAX)
}

fn limit(limit: Limit) -> bool {
    quantity(limit.quantity) && limit.window_ms.is_none_or(quantity)
}

fn configure(c: &Configure<'_>) -> Vec<(bool, &'static str)> {
    vec![
        (!name(c.sku), "sku"),
        (c.safety_stock > QUANTITY_MAX, "safety_stock"),
        (c.backorder_limit > QUANTITY_MAX, "backorder_limit"),
        (!c.limit.is_none_or(limit), "limit"),
        (c.metadata.is_some_and(|json| json.len() > METADATA_BYTES_MAX), "metadata"),
    ]
}

fn receive(c: &Receive<'_>) -> Vec<(bool, &'static str)> {
    vec![
        (!name(c.sku), "sku"),
        (!quantity(c.quantity), "quantity"),
        (!c.movement.is_some_and(id), "id"),
        (!c.lot.is_none_or(name), "lot"),
        (!c.location.is_none_or(name), "location"),
        (c.lot.is_none() && (c.expires_at.is_some() || c.location.is_some()), "lot"),
        (!time(c.expires_at), "expires_at"),
    ]
}

fn reserve(c: &Reserve<'_>) -> Vec<(bool, &'static str)> {
    let ttl = match c.ttl_ms {
        None | Some(0) => c.capture,
        Some(ttl_ms) => (TTL_MS_MIN..=TTL_MS_MAX).contains(&ttl_ms),
    };
    let line = |line: &sumun_wire::Line<'_>| {
        name(line.sku) && quantity(line.quantity) && line.lot.is_none_or(name) && line.location.is_none_or(name)
    };
    vec![
        (!own_reservation(c.reservation), "reservation"),
        (!ttl, "ttl_ms"),
        (c.lines.is_empty() || c.lines.len() > LINES_MAX, "lines"),
        (!c.lines.iter().all(line), "lines"),
        (!c.holder.is_none_or(name), "holder"),
        (!time(c.needed_until), "needed_until"),
    ]
}

fn part(c: &Part<'_>, needs_id: bool) -> Vec<(bool, &'static str)> {
    let good = |line: &PartLine<'_>| name(line.sku) && quantity(line.quantity);
    let lines = c.lines.as_ref().is_none_or(|l| !l.is_empty() && l.len() <= LINES_MAX && l.iter().all(good));
    vec![
        (!own_reservation(c.reservation), "reservation"),
        (needs_id && c.id.is_none(), "id"),
        (!c.id.is_none_or(id), "id"),
        (!lines, "lines"),
    ]
}
