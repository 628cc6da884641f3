//! A shard on virtual time with as many open reservations as asked for, each of one line with an id of 20 bytes; what
//! every step did is held against the caps as the step closes.

use std::fmt::Write as _;
use sumun_codec::{decode, next_event};
use sumun_core::Event;
use sumun_engine::{Budget, Decided, Shard, caps};
use sumun_wire::{Answer, Command, Line, Lines, Part, Receive, Reserve};

/// Some day in 2026.
pub(crate) const BEGIN_MS: u64 = 1_770_000_000_000;
pub(crate) const SKU: &str = "sku-1";

/// The greatest of what any step has done, and what all of them have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Worst {
    pub(crate) steps: u64,
    pub(crate) commands: u32,
    pub(crate) ends: u32,
    pub(crate) timers: u32,
    pub(crate) moved: usize,
    pub(crate) bytes: usize,
    pub(crate) ends_in_all: u64,
    pub(crate) moved_in_all: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) shard: Shard,
    pub(crate) now: u64,
    pub(crate) worst: Worst,
    event: Event,
    spare: Vec<u8>,
    id: String,
}

impl World {
    /// One item, with units for all.
    pub(crate) fn new() -> World {
        let mut world = World {
            shard: Shard::new(7, 30 * 86_400_000),
            now: BEGIN_MS,
            worst: Worst::default(),
            event: Event::default(),
            spare: Vec::new(),
            id: String::new(),
        };
        assert_eq!(world.shard.state_mut().arm(BEGIN_MS, 0, u32::MAX), None);
        world.begin();
        let receive = Receive { sku: SKU, quantity: 1 << 40, movement: Some("m"), ..Receive::default() };
        assert!(matches!(world.handle(&Command::Receive(receive)), Answer::Available { .. }));
        world.close(|_| {});
        world
    }

    pub(crate) fn begin(&mut self) {
        self.shard.begin(self.now);
        self.shard.end_due(u32::MAX);
    }

    pub(crate) fn handle(&mut self, command: &Command<'_>) -> Answer {
        match self.shard.handle(command, Budget::Open) {
            Decided::Answer(answer) => answer,
            other @ (Decided::Later | Decided::Missing) => panic!("{other:?} of {command:?}"),
        }
    }

    pub(crate) fn reserve(&mut self, number: u64, ttl_ms: u64) -> Answer {
        let id = std::mem::take(&mut self.id);
        let id = name(number, id);
        let answer = self.handle(&reserve(&id, 1, ttl_ms));
        self.id = id;
        answer
    }

    pub(crate) fn capture(&mut self, number: u64) -> Answer {
        let id = name(number, std::mem::take(&mut self.id));
        let answer = self.handle(&Command::Capture(Part { reservation: &id, id: None, lines: None }));
        self.id = id;
        answer
    }

    /// Closes the step: what it did is within every cap. Each of its events is shown.
    pub(crate) fn close(&mut self, mut see: impl FnMut(&Event)) {
        let (work, bytes) = (*self.shard.work(), self.shard.pending_bytes());
        // The fullest sub-table may grow once after the step came to its cap; they fill evenly.
        let table = self.shard.state().counts().reservations / 128 + 64;
        assert!(work.commands <= caps::STEP_COMMANDS, "{work:?}");
        assert!(work.lines <= caps::STEP_LINES + 64, "{work:?}");
        assert!(work.ends <= caps::STEP_ENDS, "{work:?}");
        assert!(work.timers <= caps::STEP_TIMERS, "{work:?}");
        assert!(work.moved <= caps::STEP_MOVED + table, "{work:?}");
        assert!(work.looked <= caps::STEP_LOOKS + 64 * 1_024, "{work:?}");
        assert!(bytes <= caps::STEP_BYTES + caps::EVENT_BYTES_MAX, "{bytes} bytes");
        let worst = &mut self.worst;
        worst.steps += 1;
        worst.commands = worst.commands.max(work.commands);
        worst.ends = worst.ends.max(work.ends);
        worst.timers = worst.timers.max(work.timers);
        worst.moved = worst.moved.max(work.moved);
        worst.bytes = worst.bytes.max(bytes);
        worst.ends_in_all += u64::from(work.ends);
        worst.moved_in_all += work.moved as u64;
        let Some((first, _)) = self.shard.pending() else { return };
        let mut batch = self.shard.take_batch(std::mem::take(&mut self.spare));
        let mut rest = batch.as_slice();
        let mut sequence = first;
        while let Some(bytes) = next_event(&mut rest).expect("a batch holds whole events") {
            decode(bytes, sequence, &mut self.event).expect("what was encoded is decoded");
            see(&self.event);
            sequence += 1;
        }
        batch.clear();
        self.spare = batch;
    }

    /// Reserves numbers `from..until`, in steps as full as they may be.
    pub(crate) fn fill(&mut self, from: u64, until: u64, ttl_ms: impl Fn(u64) -> u64) {
        self.fill_for(from, until, ttl_ms, |_| None);
    }

    /// The same on behalf of holders.
    pub(crate) fn fill_for(
        &mut self,
        from: u64,
        until: u64,
        ttl_ms: impl Fn(u64) -> u64,
        holder: impl Fn(u64) -> Option<String>,
    ) {
        let (mut number, mut id) = (from, std::mem::take(&mut self.id));
        while number < until {
            self.begin();
            while number < until && !self.shard.is_full() {
                id = name(number, id);
                let holder = holder(number);
                let Command::Reserve(command) = reserve(&id, 1, ttl_ms(number)) else { unreachable!("it reserves") };
                let command = Command::Reserve(Reserve { holder: holder.as_deref(), ..command });
                assert!(matches!(self.handle(&command), Answer::Outcome(_)));
                number += 1;
            }
            self.close(|_| {});
        }
        self.id = id;
    }
}

pub(crate) fn reserve(id: &str, quantity: u64, ttl_ms: u64) -> Command<'_> {
    let lines = Lines::from_iter([Line { sku: SKU, quantity, lot: None, location: None }]);
    Command::Reserve(Reserve { reservation: id, ttl_ms: Some(ttl_ms), lines, ..Reserve::default() })
}

/// The id of a number: 20 bytes, without an order of their own. It ends with the number, in hexadecimal.
pub(crate) fn name(number: u64, mut text: String) -> String {
    text.clear();
    write!(text, "{:012x}{number:08x}", mix(number) >> 16).expect("a string takes it");
    text
}

pub(crate) fn number(name: &str) -> u64 {
    u64::from_str_radix(&name[12..], 16).expect("it was made of a number")
}

/// A number that looks like any other (splitmix64).
pub(crate) const fn mix(number: u64) -> u64 {
    let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ a >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ b >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ c >> 31
}
