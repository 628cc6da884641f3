//! Every bound of the comparison: how long anything is waited for, what makes a round count.

/// Part of the machine's processor time that processes other than ours may take, before a measurement and during it:
/// past it the round is void.
pub(super) const OTHERS_MAX: f64 = 0.08;
/// How long the machine is looked at before a round of a row, and in quick mode.
pub(super) const LOOK_MS: u64 = 1_000;
pub(super) const LOOK_QUICK_MS: u64 = 50;
/// How long a round waits for a quiet machine.
pub(super) const PATIENCE_MS: u64 = 60_000;
/// Rounds of a row that are tried, of those that have to count.
pub(super) const TRIES: usize = 2;
/// Part of the reservations made that must have ended within a round.
pub(super) const ENDED_MIN: f64 = 0.1;
/// Of a hundred reservations of a short load, those that are held so briefly that they end within it, and how long; the
/// latter is scaled with the load. The others outlast it.
pub(super) const ENDING: u64 = 20;
pub(super) const ENDING_MS: u64 = 200;
pub(super) const ENDING_MS_MIN: u64 = 20;
/// From so many seconds on a load is a long one: all of its reservations end, after so long.
pub(super) const LONG_S: f64 = 60.0;
pub(super) const LONG_MS: u64 = 5_000;
/// Rounds that a judgement needs.
pub(super) const ROUNDS_MIN: usize = 5;

/// A peer answers this long after its start, or it has failed.
pub(super) const START_MS: u64 = 10_000;
/// Ports that are tried: one that was free may be taken when it is wanted.
pub(super) const PORTS_TRIED: usize = 5;
/// What a generator may take besides the load itself: preparing items, its last answers, asking again.
pub(super) const GENERATOR_MS: u64 = 120_000;

/// Items of all scenarios but the hot one, as `sumun bench` has them.
pub(super) const ITEMS: u64 = 10_000;
/// How long a sync takes at least on the slow disk.
pub(super) const SLOW_SYNC_US: u64 = 1_000;
/// The bare sync: bytes of one write, and of the file that is filled before.
pub(super) const SYNC_BYTES: usize = 128;
pub(super) const SYNC_FILE_BYTES: u64 = 64 << 20;

/// Of the memory row: connections that say nothing, those that read nothing, and commands that each of these sends.
pub(super) const IDLE: usize = 9_999;
pub(super) const READERS: usize = 64;
pub(super) const ASKED: usize = 1_000;
/// Reservations that end.
pub(super) const ENDS: u64 = 10_000_000;
/// How long memory may take to settle, and how long the last ends may.
pub(super) const SETTLE_MS: u64 = 2_000;
pub(super) const FALL_MS: u64 = 20_000;
pub(super) const ENDS_MS: u64 = 300_000;
