//! Every bound of the load that the figures are measured under, and what they are held against.

/// Past `--memory` a server may take so much: its code, the store's blocks and buffers, buffers of connections and log,
/// and what the allocator has freed and not given back.
pub(super) const ON_TOP_BYTES: u64 = 256 << 20;

/// Connections of a closed loop, and commands that each has out.
pub(super) const CONNECTIONS: usize = 16;
pub(super) const DEPTH: usize = 64;
/// Connections of an open loop.
pub(super) const OPEN_CONNECTIONS: usize = 8;
/// Commands of an open loop that are out at one time. Past it arrivals are held back, and their latency goes on counting.
pub(super) const IN_FLIGHT_MAX: usize = 1 << 17;
/// What waits to be written on one connection, past which nothing more is put there.
pub(super) const UNSENT_BYTES_MAX: usize = 1 << 20;
/// What one read of a connection takes.
pub(super) const READ_BYTES: usize = 256 << 10;
/// How long a command that was refused for the moment waits before it is asked again.
pub(super) const RETRY_NS: u64 = 40_000_000;
/// A load that hears nothing for so long has failed.
pub(super) const SILENCE_NS: u64 = 60_000_000_000;
/// The longest that a load waits before it looks around again.
pub(super) const LOOK_NS: u64 = 20_000_000;
/// The least that an open loop waits: what falls due meanwhile is sent together.
pub(super) const TICK_NS: u64 = 100_000;

/// Between two looks at what a process takes.
pub(super) const WATCH_MS: u64 = 100;
/// Answers that are asked for again to see that they are the same.
pub(super) const AGAIN: u64 = 2_000;
/// How long a store may take until it has caught up, once there is no load.
pub(super) const CATCH_UP_MS: u64 = 300_000;
