//! The caps of the contract: what is longer, larger or more is refused, never truncated.

/// Greatest quantity, and greatest figure of an item: 2^53 − 1, exact in every client's number type.
pub const QUANTITY_MAX: u64 = (1 << 53) - 1;
/// Ids, skus, holders, lots, locations and reasons, in bytes of UTF-8. The shortest has one.
pub const NAME_BYTES_MAX: usize = 128;
pub const LINES_MAX: usize = 64;
/// Lots with units that one item may have.
pub const LOTS_PER_ITEM_MAX: usize = 1_024;
/// Lots that one reservation may take, counted once a line.
pub const TAKEN_PER_RESERVATION_MAX: usize = 1_024;
/// Captures, releases and returns of one reservation that are kept by id: so many of each.
pub const PARTS_PER_RESERVATION_MAX: usize = 1_024;
pub const TTL_MS_MIN: u64 = 1;
pub const TTL_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Unix milliseconds of the end of the year 9999: the last instant that RFC 3339 can write.
pub const TIMESTAMP_MAX: u64 = 253_402_300_799_999;
pub const METADATA_BYTES_MAX: usize = 16 * 1_024;
pub const JSON_DEPTH_MAX: usize = 32;
/// Reservations whose id begins so belong to flows: clients may read them and nothing else.
pub const FLOW_PREFIX: &str = "run:";
