//! What is shown: records as documents, with the contract's names, times in `Z` with milliseconds, null where something
//! is absent. The types that serve are those that `/openapi.json` describes.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use sumun_wire::limits::QUANTITY_MAX;
use sumun_wire::{
    Allocation, Ended, HolderRecord, ItemRecord, Kind, LotRow, Name, ReservationLine, ReservationRecord, State, Taken,
    Timestamp,
};

/// A time as it leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At(Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.0.rfc3339()).expect("digits and marks are ASCII"))
    }
}

impl JsonSchema for At {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "At".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "In `Z`, with milliseconds" })
    }
}

/// Serialises each element of a slice as its view, without a list in between.
struct Each<'a, T>(&'a [T]);

macro_rules! each {
    ($of:ty, $view:ident) => {
        impl Serialize for Each<'_, $of> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().map($view::of))
            }
        }
        impl JsonSchema for Each<'_, $of> {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($view).into()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let one = generator.subschema_for::<$view<'_>>();
                json_schema!({ "type": "array", "items": one })
            }
        }
    };
}

each!(LotRow, LotView);
each!(ReservationLine, LineView);
each!(Taken, TakenView);
each!(ItemRecord, ItemView);
each!(ReservationRecord, ReservationView);

/// A word of a few, as it leaves.
#[derive(Clone, Copy)]
struct Word<T>(T);

macro_rules! word {
    ($of:ty, $all:expr) => {
        impl Serialize for Word<$of> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.word())
            }
        }
        impl JsonSchema for Word<$of> {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($of).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": $all.map(|one| one.word()) })
            }
        }
    };
}

word!(Kind, [Kind::Stock, Kind::Points]);
word!(Allocation, [Allocation::Fefo, Allocation::Fifo]);
word!(State, [State::Held, State::Captured, State::PartiallyCaptured, State::Released, State::Expired]);
word!(Ended, [Ended::Captured, Ended::Released, Ended::Expired]);

fn any_json(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "description": "The JSON that was set, or null" })
}
fn figure(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": QUANTITY_MAX })
}

/// An item: quantities, lots, settings.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Item")]
pub(crate) struct ItemView<'a> {
    sku: &'a str,
    kind: Word<Kind>,
    /// Negative only by captured backorders.
    on_hand: i64,
    #[schemars(schema_with = "figure")]
    reserved: u64,
    #[schemars(schema_with = "figure")]
    available: u64,
    #[schemars(schema_with = "figure")]
    received: u64,
    #[schemars(schema_with = "figure")]
    removed: u64,
    #[schemars(schema_with = "figure")]
    returned: u64,
    #[schemars(schema_with = "figure")]
    captured: u64,
    /// on_hand of lots that have ended.
    #[schemars(schema_with = "figure")]
    expired: u64,
    #[schemars(schema_with = "figure")]
    safety_stock: u64,
    #[schemars(schema_with = "figure")]
    backorder_limit: u64,
    limit: Option<LimitView>,
    allocation: Word<Allocation>,
    #[schemars(schema_with = "any_json")]
    metadata: Option<&'a RawValue>,
    /// Those with units; for an item with lots, units without lot are a row whose `lot` is null.
    lots: Each<'a, LotRow>,
    #[schemars(schema_with = "figure")]
    version: u64,
    #[schemars(schema_with = "figure")]
    sequence: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ItemLimit")]
struct LimitView {
    #[schemars(schema_with = "figure")]
    quantity: u64,
    window_ms: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Lot")]
struct LotView<'a> {
    lot: Option<&'a str>,
    location: Option<&'a str>,
    on_hand: i64,
    #[schemars(schema_with = "figure")]
    reserved: u64,
    expires_at: Option<At>,
}

impl<'a> LotView<'a> {
    fn of(row: &'a LotRow) -> LotView<'a> {
        let LotRow { lot, location, on_hand, reserved, expires_at } = row;
        LotView {
            lot: name(lot.as_ref()),
            location: name(location.as_ref()),
            on_hand: *on_hand,
            reserved: *reserved,
            expires_at: expires_at.map(At),
        }
    }
}

fn name(name: Option<&Name>) -> Option<&str> {
    name.map(Name::as_str)
}

impl<'a> ItemView<'a> {
    pub(crate) fn of(record: &'a ItemRecord) -> ItemView<'a> {
        // Every field is named, so that a new one cannot be left out of what is shown.
        let ItemRecord { sku, kind, on_hand, reserved, available, received, removed, returned, captured, .. } = record;
        let ItemRecord { expired, settings, lots, version, sequence, .. } = record;
        // It was checked when it was set; a text that came to be none is left out.
        let metadata = settings.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok());
        ItemView {
            sku,
            kind: Word(*kind),
            on_hand: *on_hand,
            reserved: *reserved,
            available: *available,
            received: *received,
            removed: *removed,
            returned: *returned,
            captured: *captured,
            expired: *expired,
            safety_stock: settings.safety_stock,
            backorder_limit: settings.backorder_limit,
            limit: settings.limit.map(|limit| LimitView { quantity: limit.quantity, window_ms: limit.window_ms }),
            allocation: Word(settings.allocation),
            metadata,
            lots: Each(lots),
            version: *version,
            sequence: sequence.0,
        }
    }
}

/// A reservation: who holds what, until when, and what became of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reservation")]
pub(crate) struct ReservationView<'a> {
    id: &'a str,
    state: Word<State>,
    /// How the last rest went; null while held.
    ended: Option<Word<Ended>>,
    /// Released before it came.
    tombstone: bool,
    holder: Option<&'a str>,
    created_at: At,
    expires_at: Option<At>,
    needed_until: Option<At>,
    lines: Each<'a, ReservationLine>,
    #[schemars(schema_with = "figure")]
    version: u64,
    #[schemars(schema_with = "figure")]
    sequence: u64,
}

impl<'a> ReservationView<'a> {
    pub(crate) fn of(record: &'a ReservationRecord) -> ReservationView<'a> {
        let ReservationRecord { id, state, ended, tombstone, holder, created_at, expires_at, .. } = record;
        let ReservationRecord { needed_until, lines, version, sequence, .. } = record;
        ReservationView {
            id,
            state: Word(*state),
            ended: ended.map(Word),
            tombstone: *tombstone,
            holder: name(holder.as_ref()),
            created_at: At(*created_at),
            expires_at: expires_at.map(At),
            needed_until: needed_until.map(At),
            lines: Each(lines),
            version: *version,
            sequence: sequence.0,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReservationLine")]
struct LineView<'a> {
    sku: &'a str,
    #[schemars(schema_with = "figure")]
    quantity: u64,
    #[schemars(schema_with = "figure")]
    captured: u64,
    #[schemars(schema_with = "figure")]
    released: u64,
    #[schemars(schema_with = "figure")]
    expired: u64,
    #[schemars(schema_with = "figure")]
    returned: u64,
    lot: Option<&'a str>,
    location: Option<&'a str>,
    /// In the order taken.
    taken: Each<'a, Taken>,
}

impl<'a> LineView<'a> {
    fn of(line: &'a ReservationLine) -> LineView<'a> {
        let ReservationLine { sku, quantity, captured, released, expired, returned, lot, location, taken } = line;
        LineView {
            sku,
            quantity: *quantity,
            captured: *captured,
            released: *released,
            expired: *expired,
            returned: *returned,
            lot: name(lot.as_ref()),
            location: name(location.as_ref()),
            taken: Each(taken),
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Taken")]
struct TakenView<'a> {
    lot: Option<&'a str>,
    #[schemars(schema_with = "figure")]
    quantity: u64,
}

impl<'a> TakenView<'a> {
    fn of(taken: &'a Taken) -> TakenView<'a> {
        TakenView { lot: name(taken.lot.as_ref()), quantity: taken.quantity }
    }
}

/// What a holder may still have of an item.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Holder")]
pub(crate) struct HolderView {
    #[schemars(schema_with = "figure")]
    held: u64,
    /// What counts towards the limit: what is held, and captured less returned within the limit's window.
    #[schemars(schema_with = "figure")]
    counted: u64,
    /// Null: the item has no limit.
    left: Option<u64>,
    /// When the oldest counted quantity stops counting; null: nothing will by time alone.
    next_free_at: Option<At>,
}

impl HolderView {
    pub(crate) fn of(record: &HolderRecord) -> HolderView {
        let HolderRecord { held, counted, left, next_free_at } = *record;
        HolderView { held, counted: held + counted, left, next_free_at: next_free_at.map(At) }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ItemPage")]
pub(crate) struct ItemPage<'a> {
    items: Each<'a, ItemRecord>,
    /// Opaque; null on the last page.
    next: Option<String>,
}

impl<'a> ItemPage<'a> {
    pub(crate) fn of(records: &'a [ItemRecord], next: Option<String>) -> ItemPage<'a> {
        ItemPage { items: Each(records), next }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReservationPage")]
pub(crate) struct ReservationPage<'a> {
    reservations: Each<'a, ReservationRecord>,
    /// Opaque; null on the last page.
    next: Option<String>,
}

impl<'a> ReservationPage<'a> {
    pub(crate) fn of(records: &'a [ReservationRecord], next: Option<String>) -> ReservationPage<'a> {
        ReservationPage { reservations: Each(records), next }
    }
}
