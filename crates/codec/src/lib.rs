//! Events as bytes, and as they leave Sumun: what joins the core's events to the log and to the world.
//!
//! # Format of an event, version 1
//!
//! A batch is a run of events, each preceded by its length (varint). Numbers are LEB128 varints, signed ones zigzag
//! first; a name is its length and its bytes, an optional name of length 0 is absent; an optional number is 0 when
//! absent, else one more than it is. Sequences are not written: the frame says the first, each event is the next.
//!
//! ```text
//! event      type u8, version u8 (1), time varint, trace, then by type:
//!   log.*          shard, epoch, retention_ms, log_retention_ms
//!   item.*, lot.*  part, reason, settings (configured only), tables
//!   reservation.*  id, version, flags, created (time − created), expires? (− created), needed_until?, holder, part,
//!                  tables
//! trace      there when bit 7 of the type is set, which it may be of what commands make: 16 bytes of id, 8 of span, flags u8;
//!            as `traceparent` has them, so neither is zero, and of the flags two are known
//! flags      state (3 bits), ended (2 bits), tombstone, capture
//! part       id; when present: partial u8, digest 16 bytes little-endian
//! settings   kind u8, allocation u8, counts u8, safety_stock, backorder_limit, limit?, window_ms?, metadata
//! tables     items, lots, moves, named, usages; each a count and its entries
//! item       sku, flags (touched, counted, points, lots), when touched: version, previous (sequence − previous; 0:
//!            none), on_hand signed, reserved, available, received, removed, returned, captured, and with lots
//!            on_hand, reserved, ended_on_hand, ended_reserved
//! lot        item, lot, on_hand, reserved, expires_at?, location, first, ended u8
//! move       line, item, lot (0: none, else place + 1), quantity signed
//! named      line, lot, location
//! usage      item, held, captured
//! ```
//!
//! One meaning has one form, but for a number that is padded: a window stands only with a limit, figures only with
//! `touched`, bits without a meaning are 0. Anything else is refused.
//!
//! An unknown type or a newer version is refused by name. Bytes of older versions are read for ever.
//!
//! Never here: files, clocks, decisions, state.

mod bytes;
mod decode;
mod decoder;
mod encode;
mod outside;
mod record;

pub use decode::{DecodeError, decode, next_event};
pub use decoder::{Decoder, peek};
pub use encode::encode;
pub use outside::outside;
pub use record::{RECORD_VERSION, decode_record, encode_record};

/// The newest version of an event that is written, and read.
pub const EVENT_VERSION: u8 = 1;
