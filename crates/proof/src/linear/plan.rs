//! What the clients of a history ask: few keys, the same for all of them, so that they meet. Groups of keys have nothing
//! in common, so that a history falls into parts. What an id stands for follows from the id, most of the time, so that
//! the same is asked twice by different clients, and sometimes something else under the same id.
//!
//! From a seed alone. Never here: clocks, sockets.

use sumun_auditor::generate::Random;

const GROUPS: u64 = 3;
const SKUS: [&str; 2] = ["a", "b"];
/// So many ids are in use at a time; they move on with a client's progress.
const IDS: u64 = 5;
const OPERATIONS_AN_ID: u64 = 3;
const HOLDERS: u64 = 8;
const PARTS: u64 = 4;
const LIMIT: u64 = 12;
const STOCK: u64 = 30;
const PIPELINE_MAX: u64 = 4;
const LONG_MS: u64 = 3_600_000;

/// What must be there before the clients come, a group a pipeline.
pub(super) fn stock() -> Vec<Vec<String>> {
    let group = |group| {
        let receipts = SKUS.iter().map(move |sku| format!("RECEIVE {group}{sku} {STOCK} ID begin"));
        std::iter::once(format!("CONFIGURE {group}b LIMIT {LIMIT}")).chain(receipts).collect()
    };
    (0..GROUPS).map(group).collect()
}

/// Reads of all that clients may have touched, a group a pipeline.
pub(super) fn reads(operations: u64) -> Vec<Vec<String>> {
    let last = operations / OPERATIONS_AN_ID + IDS;
    let group = |group| {
        let items = SKUS.iter().map(move |sku| format!("ITEM {group}{sku}"));
        items.chain((0..=last).map(move |id| format!("RESERVATION {group}r{id}"))).collect()
    };
    (0..GROUPS).map(group).collect()
}

/// One client's next commands, sent together: `done` of its operations are behind it.
pub(super) fn pipeline(random: &mut Random, done: u64, left: u64, short_lives: bool) -> Vec<String> {
    let group = random.below(GROUPS);
    let count = if random.chance(60) { 1 } else { 2 + random.below(PIPELINE_MAX - 1) };
    (0..count.min(left)).map(|n| command(random, group, done + n, short_lives)).collect()
}

fn command(random: &mut Random, group: u64, done: u64, short_lives: bool) -> String {
    let id = done / OPERATIONS_AN_ID + random.below(IDS);
    let name = format!("{group}r{id}");
    match random.below(100) {
        0..40 => reserve(random, group, id, short_lives),
        40..48 => format!("CAPTURE {name}"),
        48..60 => part(random, "CAPTURE", group, id),
        60..63 => format!("RELEASE {name}"),
        63..69 => part(random, "RELEASE", group, id),
        69..71 => format!("RETURN {name} ID whole"),
        71..76 => part(random, "RETURN", group, id),
        76..81 => format!("EXTEND {name} {}", ttl_ms(random, short_lives && random.clone().chance(70))),
        81..91 => format!("ITEM {group}{}", SKUS[usize::from(random.chance(50))]),
        91..98 => format!("RESERVATION {name}"),
        _ => receive(random, group, id),
    }
}

fn ttl_ms(random: &mut Random, short: bool) -> u64 {
    if short { 1 + random.below(40) } else { LONG_MS + random.below(1_000) }
}

fn reserve(random: &mut Random, group: u64, id: u64, short_lives: bool) -> String {
    let mut fixed = Random::new(group << 32 | id);
    let ttl = ttl_ms(random, short_lives && id.is_multiple_of(2));
    let content = if random.chance(12) { &mut *random } else { &mut fixed };
    let mut lines = vec![("a", 1 + content.below(4)), ("b", 1 + content.below(3))];
    match content.below(3) {
        0 => {}
        1 => lines.truncate(1),
        _ => drop(lines.remove(0)),
    }
    let capture = if content.chance(15) { " CAPTURE" } else { "" };
    let holder = (id / 10 + content.below(2)) % HOLDERS;
    // Lines are a multiset: their order is no other content.
    if random.chance(50) {
        lines.reverse();
    }
    let lines: Vec<String> = lines.iter().map(|(sku, quantity)| format!("{group}{sku} {quantity}")).collect();
    format!("RESERVE {group}r{id} {ttl} {} {} FOR h{group}{holder}{capture}", lines.len(), lines.join(" "))
}

fn part(random: &mut Random, verb: &str, group: u64, id: u64) -> String {
    let part = random.below(PARTS);
    let mut fixed = Random::new(part << 48 | group << 32 | id);
    let content = if random.chance(12) { random } else { &mut fixed };
    let lines = match content.below(5) {
        0 => format!("2 {group}a 1 {group}b 1"),
        1 => format!("1 {group}a 2"),
        2 | 3 => format!("1 {group}a 1"),
        _ => format!("1 {group}b 1"),
    };
    format!("{verb} {group}r{id} {lines} ID p{part}")
}

fn receive(random: &mut Random, group: u64, id: u64) -> String {
    let sku = SKUS[usize::from(random.chance(50))];
    let quantity = if random.chance(12) { 1 + random.below(4) } else { 2 + id % 4 };
    format!("RECEIVE {group}{sku} {quantity} ID m{id}")
}
