//! Requests that are INVALID by themselves: one thing of a good one is spoiled.

use super::Generator;
use crate::owned::{OwnedCommand, OwnedLine, PartVerb};
use sumun_wire::limits::{
    FLOW_PREFIX, LINES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX, QUANTITY_MAX, TIMESTAMP_MAX, TTL_MS_MAX,
};
use sumun_wire::{Limit, Timestamp};

impl Generator {
    fn bad_name(&mut self) -> String {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let bad = ["", ".", "..", "a b", "tab\t", "zero\u{200b}width", "\u{378}", &long];
        (*self.random.pick(&bad)).to_owned()
    }

    fn bad_id(&mut self) -> Option<String> {
        if self.random.chance(30) { Some("*".to_owned()) } else { Some(self.bad_name()) }
    }

    fn bad_quantity(&mut self) -> u64 {
        *self.random.pick(&[0, QUANTITY_MAX + 1, u64::MAX])
    }

    fn bad_reservation(&mut self) -> String {
        if self.random.chance(50) { format!("{FLOW_PREFIX}1") } else { self.bad_name() }
    }

    /// Spoils one thing; now and then it goes well all the same (a name of exactly the length allowed).
    pub(super) fn spoil(&mut self, command: &mut OwnedCommand) {
        let past = Some(Timestamp(TIMESTAMP_MAX + 1));
        let which = self.random.below(6);
        match command {
            OwnedCommand::Configure { sku, safety_stock, backorder_limit, limit, metadata, .. } => match which {
                0 => *sku = self.bad_name(),
                1 => *safety_stock = QUANTITY_MAX + 1,
                2 => *backorder_limit = u64::MAX,
                3 => *limit = Some(Limit { quantity: 0, window_ms: None }),
                4 => *limit = Some(Limit { quantity: 1, window_ms: Some(0) }),
                _ => *metadata = Some(format!("\"{}\"", "m".repeat(METADATA_BYTES_MAX))),
            },
            OwnedCommand::Remove { sku } | OwnedCommand::Item { sku } => *sku = self.bad_name(),
            OwnedCommand::Receive { sku, quantity, movement, lot, expires_at, location } => match which {
                0 => *sku = self.bad_name(),
                1 => *quantity = self.bad_quantity(),
                2 => *movement = None,
                3 => *movement = self.bad_id(),
                4 => (*lot, *expires_at) = (None, Some(Timestamp(1))),
                _ => (*lot, *expires_at, *location) = (Some("l1".to_owned()), past, None),
            },
            OwnedCommand::Adjust { sku, delta, reason, movement, lot } => match which {
                0 => *sku = self.bad_name(),
                1 => *delta = 0,
                2 => *movement = None,
                3 => *reason = self.bad_name(),
                4 => *lot = self.bad_id(),
                _ => *delta = i64::MIN,
            },
            OwnedCommand::Reserve { .. } => self.spoil_reserve(command, which),
            OwnedCommand::Part { verb, reservation, id, lines } => match which {
                0 => *reservation = self.bad_reservation(),
                1 => *id = self.bad_id(),
                2 => *lines = Some(Vec::new()),
                3 => *lines = Some(vec![("apple".to_owned(), 1); LINES_MAX + 1]),
                4 => *lines = Some(vec![("apple".to_owned(), self.bad_quantity())]),
                _ if lines.is_some() || *verb == PartVerb::Return => *id = None,
                _ => *reservation = self.bad_reservation(),
            },
            OwnedCommand::Extend { reservation, ttl_ms } => match which {
                0..3 => *reservation = self.bad_reservation(),
                3 => *ttl_ms = 0,
                _ => *ttl_ms = TTL_MS_MAX + 1,
            },
            OwnedCommand::Reservation { id } => match which {
                0 => *id = format!("{FLOW_PREFIX}1"),
                _ => *id = self.bad_name(),
            },
            OwnedCommand::Holder { sku, holder } => match which {
                0..3 => *sku = self.bad_name(),
                _ => *holder = self.bad_name(),
            },
        }
    }

    fn spoil_reserve(&mut self, command: &mut OwnedCommand, which: u64) {
        let OwnedCommand::Reserve { reservation, ttl_ms, lines, holder, needed_until, capture } = command else {
            return;
        };
        match which {
            0 => *reservation = self.bad_reservation(),
            1 => *ttl_ms = Some(TTL_MS_MAX + 1),
            2 => {
                (*ttl_ms, *capture) = (*self.random.pick(&[None, Some(0)]), false);
            }
            3 => {
                let line = OwnedLine { sku: "apple".to_owned(), quantity: 1, ..OwnedLine::default() };
                *lines = if self.random.chance(50) { Vec::new() } else { vec![line; LINES_MAX + 1] };
            }
            4 => {
                let (quantity, name) = (self.bad_quantity(), self.bad_name());
                let which = self.random.below(4);
                if let Some(line) = lines.first_mut() {
                    match which {
                        0 => line.sku = name,
                        1 => line.lot = Some(name),
                        2 => line.location = Some(name),
                        _ => line.quantity = quantity,
                    }
                }
            }
            _ if self.random.chance(50) => *holder = Some(self.bad_name()),
            _ => *needed_until = Some(Timestamp(TIMESTAMP_MAX + 1)),
        }
    }
}
