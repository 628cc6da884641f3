//! Commands that own their words, printable as one line of text, so that a failing history can be read and kept.

use std::fmt;
use sumun_wire::{
    Adjust, Allocation, Command, Configure, Extend, Kind, Limit, Line, Part, PartLine, Receive, Reserve, Timestamp,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartVerb {
    Capture,
    Release,
    Return,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedLine {
    pub sku: String,
    pub quantity: u64,
    pub lot: Option<String>,
    pub location: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedCommand {
    Configure {
        sku: String,
        kind: Option<Kind>,
        safety_stock: u64,
        backorder_limit: u64,
        limit: Option<Limit>,
        allocation: Allocation,
        metadata: Option<String>,
    },
    Remove {
        sku: String,
    },
    Receive {
        sku: String,
        quantity: u64,
        movement: Option<String>,
        lot: Option<String>,
        expires_at: Option<Timestamp>,
        location: Option<String>,
    },
    Adjust {
        sku: String,
        delta: i64,
        reason: String,
        movement: Option<String>,
        lot: Option<String>,
    },
    Reserve {
        reservation: String,
        ttl_ms: Option<u64>,
        lines: Vec<OwnedLine>,
        holder: Option<String>,
        needed_until: Option<Timestamp>,
        capture: bool,
    },
    Part {
        verb: PartVerb,
        reservation: String,
        id: Option<String>,
        lines: Option<Vec<(String, u64)>>,
    },
    Extend {
        reservation: String,
        ttl_ms: u64,
    },
    Reservation {
        id: String,
    },
    Item {
        sku: String,
    },
    Holder {
        sku: String,
        holder: String,
    },
}

impl OwnedCommand {
    pub fn as_command(&self) -> Command<'_> {
        match self {
            OwnedCommand::Configure { sku, kind, safety_stock, backorder_limit, limit, allocation, metadata } => {
                Command::Configure(Configure {
                    sku,
                    kind: *kind,
                    safety_stock: *safety_stock,
                    backorder_limit: *backorder_limit,
                    limit: *limit,
                    allocation: *allocation,
                    metadata: metadata.as_deref(),
                })
            }
            OwnedCommand::Remove { sku } => Command::Remove { sku },
            OwnedCommand::Receive { sku, quantity, movement, lot, expires_at, location } => Command::Receive(Receive {
                sku,
                quantity: *quantity,
                movement: movement.as_deref(),
                lot: lot.as_deref(),
                expires_at: *expires_at,
                location: location.as_deref(),
            }),
            OwnedCommand::Adjust { sku, delta, reason, movement, lot } => Command::Adjust(Adjust {
                sku,
                delta: *delta,
                reason,
                movement: movement.as_deref(),
                lot: lot.as_deref(),
            }),
            OwnedCommand::Reserve { reservation, ttl_ms, lines, holder, needed_until, capture } => {
                Command::Reserve(Reserve {
                    reservation,
                    ttl_ms: *ttl_ms,
                    lines: lines.iter().map(OwnedLine::as_line).collect(),
                    holder: holder.as_deref(),
                    needed_until: *needed_until,
                    capture: *capture,
                })
            }
            OwnedCommand::Part { verb, reservation, id, lines } => {
                let lines = lines
                    .as_ref()
                    .map(|lines| lines.iter().map(|(sku, quantity)| PartLine { sku, quantity: *quantity }).collect());
                let part = Part { reservation, id: id.as_deref(), lines };
                match verb {
                    PartVerb::Capture => Command::Capture(part),
                    PartVerb::Release => Command::Release(part),
                    PartVerb::Return => Command::Return(part),
                }
            }
            OwnedCommand::Extend { reservation, ttl_ms } => Command::Extend(Extend { reservation, ttl_ms: *ttl_ms }),
            OwnedCommand::Reservation { id } => Command::Reservation { id },
            OwnedCommand::Item { sku } => Command::Item { sku },
            OwnedCommand::Holder { sku, holder } => Command::Holder { sku, holder },
        }
    }
}

impl OwnedLine {
    fn as_line(&self) -> Line<'_> {
        Line { sku: &self.sku, quantity: self.quantity, lot: self.lot.as_deref(), location: self.location.as_deref() }
    }
}

impl From<&Command<'_>> for OwnedCommand {
    fn from(command: &Command<'_>) -> OwnedCommand {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let part = |verb, c: &Part<'_>| OwnedCommand::Part {
            verb,
            reservation: c.reservation.to_owned(),
            id: owned(c.id),
            lines: c.lines.as_ref().map(|l| l.iter().map(|l| (l.sku.to_owned(), l.quantity)).collect()),
        };
        match command {
            Command::Configure(c) => OwnedCommand::Configure {
                sku: c.sku.to_owned(),
                kind: c.kind,
                safety_stock: c.safety_stock,
                backorder_limit: c.backorder_limit,
                limit: c.limit,
                allocation: c.allocation,
                metadata: owned(c.metadata),
            },
            Command::Remove { sku } => OwnedCommand::Remove { sku: (*sku).to_owned() },
            Command::Receive(c) => OwnedCommand::Receive {
                sku: c.sku.to_owned(),
                quantity: c.quantity,
                movement: owned(c.movement),
                lot: owned(c.lot),
                expires_at: c.expires_at,
                location: owned(c.location),
            },
            Command::Adjust(c) => OwnedCommand::Adjust {
                sku: c.sku.to_owned(),
                delta: c.delta,
                reason: c.reason.to_owned(),
                movement: owned(c.movement),
                lot: owned(c.lot),
            },
            Command::Reserve(c) => OwnedCommand::Reserve {
                reservation: c.reservation.to_owned(),
                ttl_ms: c.ttl_ms,
                lines: c.lines.iter().map(OwnedLine::from).collect(),
                holder: owned(c.holder),
                needed_until: c.needed_until,
                capture: c.capture,
            },
            Command::Capture(c) => part(PartVerb::Capture, c),
            Command::Release(c) => part(PartVerb::Release, c),
            Command::Return(c) => part(PartVerb::Return, c),
            Command::Extend(c) => OwnedCommand::Extend { reservation: c.reservation.to_owned(), ttl_ms: c.ttl_ms },
            Command::Reservation { id } => OwnedCommand::Reservation { id: (*id).to_owned() },
            Command::Item { sku } => OwnedCommand::Item { sku: (*sku).to_owned() },
            Command::Holder { sku, holder } => {
                OwnedCommand::Holder { sku: (*sku).to_owned(), holder: (*holder).to_owned() }
            }
        }
    }
}

impl From<&Line<'_>> for OwnedLine {
    fn from(line: &Line<'_>) -> OwnedLine {
        OwnedLine {
            sku: line.sku.to_owned(),
            quantity: line.quantity,
            lot: line.lot.map(str::to_owned),
            location: line.location.map(str::to_owned),
        }
    }
}

/// A word as it stands, or in quotes with escapes when it would not read back.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if plain { f.write_str(self.0) } else { write!(f, "\"{}\"", self.0.escape_default()) }
    }
}

/// The words of RESP (`REMOVE`, `HOLDER` and a ttl of `-` besides).
impl fmt::Display for OwnedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnedCommand::Configure { sku, kind, safety_stock, backorder_limit, limit, allocation, metadata } => {
                write!(f, "CONFIGURE {}", Word(sku))?;
                kind.map_or(Ok(()), |kind| write!(f, " KIND {}", kind.word()))?;
                if *safety_stock > 0 {
                    write!(f, " SAFETY {safety_stock}")?;
                }
                if *backorder_limit > 0 {
                    write!(f, " BACKORDER {backorder_limit}")?;
                }
                if let Some(limit) = limit {
                    write!(f, " LIMIT {}", limit.quantity)?;
                    limit.window_ms.map_or(Ok(()), |window| write!(f, " WINDOW {window}"))?;
                }
                if *allocation == Allocation::Fifo {
                    f.write_str(" ALLOCATION fifo")?;
                }
                option(f, "METADATA", metadata.as_deref())
            }
            OwnedCommand::Remove { sku } => write!(f, "REMOVE {}", Word(sku)),
            OwnedCommand::Receive { sku, quantity, movement, lot, expires_at, location } => {
                write!(f, "RECEIVE {} {quantity}", Word(sku))?;
                option(f, "ID", movement.as_deref())?;
                option(f, "LOT", lot.as_deref())?;
                expires_at.map_or(Ok(()), |at| write!(f, " EXPIRES {}", at.0))?;
                option(f, "AT", location.as_deref())
            }
            OwnedCommand::Adjust { sku, delta, reason, movement, lot } => {
                write!(f, "ADJUST {} {delta} REASON {}", Word(sku), Word(reason))?;
                option(f, "ID", movement.as_deref())?;
                option(f, "LOT", lot.as_deref())
            }
            OwnedCommand::Reserve { .. } => self.write_reserve(f),
            OwnedCommand::Part { verb, reservation, id, lines } => {
                let verb = match verb {
                    PartVerb::Capture => "CAPTURE",
                    PartVerb::Release => "RELEASE",
                    PartVerb::Return => "RETURN",
                };
                write!(f, "{verb} {}", Word(reservation))?;
                if let Some(lines) = lines {
                    write!(f, " {}", lines.len())?;
                    lines.iter().try_for_each(|(sku, quantity)| write!(f, " {} {quantity}", Word(sku)))?;
                }
                option(f, "ID", id.as_deref())
            }
            OwnedCommand::Extend { reservation, ttl_ms } => write!(f, "EXTEND {} {ttl_ms}", Word(reservation)),
            OwnedCommand::Reservation { id } => write!(f, "RESERVATION {}", Word(id)),
            OwnedCommand::Item { sku } => write!(f, "ITEM {}", Word(sku)),
            OwnedCommand::Holder { sku, holder } => write!(f, "HOLDER {} {}", Word(sku), Word(holder)),
        }
    }
}

impl OwnedCommand {
    fn write_reserve(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OwnedCommand::Reserve { reservation, ttl_ms, lines, holder, needed_until, capture } = self else {
            return Ok(());
        };
        let ttl = ttl_ms.map_or("-".to_owned(), |ttl_ms| ttl_ms.to_string());
        write!(f, "RESERVE {} {ttl} {}", Word(reservation), lines.len())?;
        lines.iter().try_for_each(|line| write!(f, " {} {}", Word(&line.sku), line.quantity))?;
        option(f, "FOR", holder.as_deref())?;
        needed_until.map_or(Ok(()), |at| write!(f, " UNTIL {}", at.0))?;
        for (word, names) in [
            ("LOT", lines.iter().map(|l| &l.lot).collect::<Vec<_>>()),
            ("AT", lines.iter().map(|l| &l.location).collect()),
        ] {
            for (l, name) in names.into_iter().enumerate() {
                name.as_ref().map_or(Ok(()), |name| write!(f, " {word} {} {}", l + 1, Word(name)))?;
            }
        }
        if *capture { f.write_str(" CAPTURE") } else { Ok(()) }
    }
}

fn option(f: &mut fmt::Formatter<'_>, word: &str, text: Option<&str>) -> fmt::Result {
    text.map_or(Ok(()), |text| write!(f, " {word} {}", Word(text)))
}
