//! What the request alone shows to be wrong: INVALID, before anything is looked up.

use sumun_wire::limits::{
    FLOW_PREFIX, LINES_MAX, METADATA_BYTES_MAX, QUANTITY_MAX, TIMESTAMP_MAX, TTL_MS_MAX, TTL_MS_MIN,
};
use sumun_wire::{
    Adjust, Command, Configure, Extend, Invalid, Part, PartLine, Receive, Refusal, Reserve, Timestamp, text,
};

type Check = Result<(), Invalid>;

pub(crate) fn command(command: &Command<'_>) -> Result<(), Refusal> {
    let check = match command {
        Command::Configure(c) => configure(c),
        Command::Remove { sku } | Command::Item { sku } => name("sku", sku),
        Command::Receive(c) => receive(c),
        Command::Adjust(c) => adjust(c),
        Command::Reserve(c) => reserve(c),
        Command::Capture(c) | Command::Release(c) => part(c, c.lines.is_some()),
        Command::Return(c) => part(c, true),
        Command::Extend(c) => extend(c),
        Command::Reservation { id } => name("reservation", id),
        Command::Holder { sku, holder } => name("sku", sku).and_then(|()| name("holder", holder)),
    };
    check.map_err(|Invalid { field, why }| Refusal::invalid(field, why))
}

fn refuse(field: &'static str, why: &'static str) -> Check {
    Err(Invalid { field, why })
}

fn name(field: &'static str, text: &str) -> Check {
    text::flaw(text).map_or(Ok(()), |why| refuse(field, why))
}

fn optional(field: &'static str, text: Option<&str>) -> Check {
    text.map_or(Ok(()), |text| name(field, text))
}

fn quantity(field: &'static str, quantity: u64) -> Check {
    if (1..=QUANTITY_MAX).contains(&quantity) { Ok(()) } else { refuse(field, "must be 1 to 9007199254740991") }
}

fn ttl(ms: u64) -> Check {
    if (TTL_MS_MIN..=TTL_MS_MAX).contains(&ms) { Ok(()) } else { refuse("ttl_ms", "must be 1 ms to 30 days") }
}

fn time(field: &'static str, time: Option<Timestamp>) -> Check {
    match time {
        Some(Timestamp(ms)) if ms > TIMESTAMP_MAX => refuse(field, "must not be later than the year 9999"),
        Some(_) | None => Ok(()),
    }
}

fn reservation_id(id: &str) -> Check {
    name("reservation", id)?;
    if id.starts_with(FLOW_PREFIX) {
        return refuse("reservation", "ids that begin with `run:` belong to flows");
    }
    Ok(())
}

/// `*` asks RESP for a fresh id, which has replaced it before it gets here.
fn movement(id: Option<&str>) -> Check {
    let Some(id) = id else { return refuse("id", "is required: it makes sending again safe") };
    part_id(id)
}

fn part_id(id: &str) -> Check {
    if id == "*" {
        return refuse("id", "`*` is no id");
    }
    name("id", id)
}

fn configure(c: &Configure<'_>) -> Check {
    name("sku", c.sku)?;
    if c.safety_stock > QUANTITY_MAX {
        return refuse("safety_stock", "must be 0 to 9007199254740991");
    }
    if c.backorder_limit > QUANTITY_MAX {
        return refuse("backorder_limit", "must be 0 to 9007199254740991");
    }
    if let Some(limit) = c.limit {
        quantity("limit", limit.quantity)?;
        limit.window_ms.map_or(Ok(()), |ms| quantity("window_ms", ms))?;
    }
    if c.metadata.is_some_and(|json| json.is_empty() || json.len() > METADATA_BYTES_MAX) {
        return refuse("metadata", "must be JSON of at most 16 KiB");
    }
    Ok(())
}

fn receive(c: &Receive<'_>) -> Check {
    name("sku", c.sku)?;
    quantity("quantity", c.quantity)?;
    movement(c.movement)?;
    optional("lot", c.lot)?;
    optional("location", c.location)?;
    time("expires_at", c.expires_at)?;
    if c.lot.is_none() && (c.expires_at.is_some() || c.location.is_some()) {
        return refuse("lot", "is needed for an expiry or a location");
    }
    Ok(())
}

fn adjust(c: &Adjust<'_>) -> Check {
    name("sku", c.sku)?;
    if c.delta == 0 || c.delta.unsigned_abs() > QUANTITY_MAX {
        return refuse("delta", "must be -9007199254740991 to 9007199254740991, not 0");
    }
    name("reason", c.reason)?;
    movement(c.movement)?;
    optional("lot", c.lot)
}

fn reserve(c: &Reserve<'_>) -> Check {
    reservation_id(c.reservation)?;
    match c.ttl_ms {
        Some(0) | None if c.capture => {}
        Some(ms) => ttl(ms)?,
        None => return refuse("ttl_ms", "must be 1 ms to 30 days"),
    }
    if !(1..=LINES_MAX).contains(&c.lines.len()) {
        return refuse("lines", "must be 1 to 64");
    }
    for line in &c.lines {
        name("sku", line.sku)?;
        quantity("quantity", line.quantity)?;
        optional("lot", line.lot)?;
        optional("location", line.location)?;
    }
    optional("holder", c.holder)?;
    time("needed_until", c.needed_until)
}

fn part(c: &Part<'_>, needs_id: bool) -> Check {
    reservation_id(c.reservation)?;
    match c.id {
        Some(id) => part_id(id)?,
        None if needs_id => return refuse("id", "is required: it makes sending again safe"),
        None => {}
    }
    let Some(lines) = &c.lines else { return Ok(()) };
    if !(1..=LINES_MAX).contains(&lines.len()) {
        return refuse("lines", "must be 1 to 64");
    }
    lines.iter().try_for_each(|PartLine { sku, quantity: amount }| {
        name("sku", sku)?;
        quantity("quantity", *amount)
    })
}

fn extend(c: &Extend<'_>) -> Check {
    reservation_id(c.reservation)?;
    ttl(c.ttl_ms)
}
