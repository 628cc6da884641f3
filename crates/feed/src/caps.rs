//! Every cap of this crate, in one place.

use std::time::Duration;

/// Events and bytes of text that are kept for followers that are a little behind.
pub const RING_EVENTS_MAX: usize = 8_192;
pub const RING_BYTES_MAX: usize = 8 << 20;
/// Events and bytes that wait for one follower to take them. One event is always taken, however long.
pub const OUTBOX_EVENTS_MAX: usize = 128;
pub const OUTBOX_BYTES_MAX: usize = 64 << 10;
/// Followers at one time.
pub const SUBSCRIBERS_MAX: usize = 4_096;
/// Events of a page, whatever is asked for, and bytes of their text; one event is always given.
pub const PAGE_EVENTS_MAX: usize = 1_000;
pub const PAGE_BYTES_MAX: usize = 4 << 20;
/// What one page with a filter may look at before it gives what it has found.
pub const SCAN_EVENTS_MAX: u64 = 50_000;
pub const SCAN_BYTES_MAX: u64 = 16 << 20;
/// What one page of a history may read; each of its events costs up to a megabyte of looking for it.
pub const HISTORY_BYTES_MAX: u64 = 256 << 20;
/// Events that are read to find the place of a history's cursor that is none of the item's own.
pub const HISTORY_STEPS_MAX: usize = 1_000;
/// Readers of the log at one time; more wait for one of them.
pub const READERS_MAX: usize = 4;
/// What the tail decodes between two looks at who follows, and what a follower takes of the ring at a time.
pub const TURN_EVENTS_MAX: usize = 256;
pub const TURN_BYTES_MAX: usize = 256 << 10;
/// Events that the tail looks at meanwhile, whether somebody wants them or not.
pub const LOOK_EVENTS_MAX: usize = 4_096;
/// How long the tail rests once it has read all there is: a batch of the shard is a few events, and a wake for each costs
/// those who wait for its replies more than reading them does. The first event after a rest without any waits for nothing.
pub const TAIL_REST: Duration = Duration::from_millis(2);
/// Hashes of subjects that are told apart before an event is shown: some for each follower.
pub const INTEREST_SLOTS: usize = 1 << 15;
/// A follower joins the tail when the log is no further than so many events ahead of it.
pub const JOIN_EVENTS_MAX: u64 = 1_024;
/// A frame's buffer that grew beyond this is given back when its reader is.
pub const FRAME_BYTES_KEPT: usize = 1 << 20;
