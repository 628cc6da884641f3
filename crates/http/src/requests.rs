//! What is asked: bodies as their types, and commands out of them.

use crate::json::{AllocationWord, Count, KindWord, Lines, Metadata, Object, Signed, Text, Time};
use crate::problem::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use sumun_server::{Shows, Wants};
use sumun_wire::{Adjust, Command, Configure, Extend, Limit, Line, Part, PartLine, Receive, Reserve};

/// Settings of an item, all at once: what is absent or null takes its default; `kind` stays as it was.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemSettings {
    #[serde(default)]
    kind: Option<KindWord>,
    #[serde(default)]
    safety_stock: Option<Count>,
    #[serde(default)]
    backorder_limit: Option<Count>,
    #[serde(default)]
    limit: Option<Object<HolderLimit>>,
    #[serde(default)]
    allocation: Option<AllocationWord>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

/// What one holder may hold and have captured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HolderLimit {
    quantity: Count,
    /// Captured quantities count for so long; without it, for ever.
    #[serde(default)]
    window_ms: Option<Count>,
}

/// A receipt: on_hand grows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipt {
    /// Makes sending again safe; `Idempotency-Key` may stand in for it.
    #[serde(default)]
    id: Option<Text>,
    quantity: Count,
    #[serde(default)]
    lot: Option<Text>,
    #[serde(default)]
    expires_at: Option<Time>,
    #[serde(default)]
    location: Option<Text>,
}

/// An adjustment: on_hand changes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adjustment {
    /// Makes sending again safe; `Idempotency-Key` may stand in for it.
    #[serde(default)]
    id: Option<Text>,
    /// Signed, not 0.
    delta: Signed,
    reason: Text,
    #[serde(default)]
    lot: Option<Text>,
}

/// Quantities claimed together, all lines or none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReservation {
    /// `Idempotency-Key` may stand in for it.
    #[serde(default)]
    id: Option<Text>,
    #[serde(default)]
    holder: Option<Text>,
    /// 1 ms to 30 days; none together with `capture`.
    #[serde(default)]
    ttl_ms: Option<Count>,
    #[serde(default)]
    needed_until: Option<Time>,
    /// Captured in the same step.
    #[serde(default)]
    capture: Option<bool>,
    lines: Lines<NewLine>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLine {
    sku: Text,
    quantity: Count,
    #[serde(default)]
    lot: Option<Text>,
    #[serde(default)]
    location: Option<Text>,
}

/// Of a capture, release or return: the whole, or with `lines` a part, which needs an id.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartOf {
    /// `Idempotency-Key` may stand in for it.
    #[serde(default)]
    id: Option<Text>,
    #[serde(default)]
    lines: Option<Lines<NewPartLine>>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPartLine {
    sku: Text,
    quantity: Count,
}

/// `expires_at` becomes the later of what it was and now + ttl.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extension {
    pub(crate) ttl_ms: Count,
}

/// A body that has an id, which a header may stand in for.
pub(crate) trait HasId {
    fn id(&mut self) -> &mut Option<Text>;
    /// Whether it cannot do without.
    fn needs_id(&self) -> bool;

    fn settle_id(&mut self, key: Option<Text>) -> Result<(), Problem> {
        if let Some(key) = key {
            match self.id() {
                Some(id) if *id != key => {
                    return Err(Problem::invalid("id", "is another than the Idempotency-Key's"));
                }
                id => *id = Some(key),
            }
        }
        let needs_id = self.needs_id();
        match self.id() {
            Some(id) => no_star("id", id.as_str()),
            None if needs_id => Err(Problem::invalid(
                "id",
                "is required, in the body or as `Idempotency-Key`: it makes sending again safe",
            )),
            None => Ok(()),
        }
    }
}

/// `*` asks RESP for a fresh id; it is none.
pub(crate) fn no_star(field: &str, id: &str) -> Result<(), Problem> {
    if id == "*" { Err(Problem::invalid(field, "must not be `*`")) } else { Ok(()) }
}

macro_rules! has_id {
    ($($body:ty: $needs:literal),*) => {
        $(impl HasId for $body {
            fn id(&mut self) -> &mut Option<Text> {
                &mut self.id
            }
            fn needs_id(&self) -> bool {
                $needs
            }
        })*
    };
}
has_id!(Receipt: true, Adjustment: true, NewReservation: true, PartOf: false);

impl ItemSettings {
    pub(crate) fn check(&self) -> Result<(), Problem> {
        self.metadata.as_ref().map_or(Ok(()), Metadata::check)
    }
}

impl NewReservation {
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.capture == Some(true) && self.ttl_ms.is_some() {
            return Err(Problem::invalid("ttl_ms", "is not used with `capture`: leave it out"));
        }
        Ok(())
    }
}

impl NewLine {
    fn line(&self) -> Line<'_> {
        Line {
            sku: self.sku.as_str(),
            quantity: self.quantity.0,
            lot: str_of(&self.lot),
            location: str_of(&self.location),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartVerb {
    Capture,
    Release,
    Return,
}

/// A question to the ledger, with all that it needs.
#[derive(Debug)]
pub(crate) enum Wish {
    Configure { sku: String, settings: Box<ItemSettings> },
    Remove { sku: String },
    Receive { sku: String, receipt: Receipt },
    Adjust { sku: String, adjustment: Adjustment },
    Reserve(NewReservation),
    Part { verb: PartVerb, reservation: String, part: PartOf },
    Extend { reservation: String, ttl_ms: u64 },
    Item { sku: String },
    Holder { sku: String, holder: String },
    Reservation { id: String },
    Reservations { sku: Option<String>, holder: Option<String>, after: Option<String>, limit: usize },
    Items { prefix: String, after: Option<String>, limit: usize },
    TheseItems { skus: Vec<String>, limit: usize },
    Report,
}

fn str_of(text: &Option<Text>) -> Option<&str> {
    text.as_ref().map(Text::as_str)
}

impl Wish {
    pub(crate) fn wants(&self) -> Wants<'_> {
        let decide = |command, shows| Wants::Decide { command, shows };
        match self {
            Wish::Configure { sku, settings } => decide(configure(sku, settings), Shows::Item),
            Wish::Remove { sku } => decide(Command::Remove { sku }, Shows::Nothing),
            Wish::Receive { sku, receipt } => decide(receive(sku, receipt), Shows::Item),
            Wish::Adjust { sku, adjustment } => decide(adjust(sku, adjustment), Shows::Item),
            Wish::Reserve(body) => decide(reserve(body), Shows::Reservation),
            Wish::Part { verb, reservation, part } => decide(self::part(*verb, reservation, part), Shows::Reservation),
            Wish::Extend { reservation, ttl_ms } => {
                decide(Command::Extend(Extend { reservation, ttl_ms: *ttl_ms }), Shows::Reservation)
            }
            Wish::Item { sku } => decide(Command::Item { sku }, Shows::Nothing),
            Wish::Holder { sku, holder } => decide(Command::Holder { sku, holder }, Shows::Nothing),
            Wish::Reservation { id } => decide(Command::Reservation { id }, Shows::Nothing),
            Wish::Reservations { sku, holder, after, limit } => Wants::Reservations {
                sku: sku.as_deref(),
                holder: holder.as_deref(),
                after: after.as_deref(),
                limit: *limit,
            },
            Wish::Items { prefix, after, limit } => Wants::Items { prefix, after: after.as_deref(), limit: *limit },
            Wish::TheseItems { skus, limit } => Wants::TheseItems { skus, limit: *limit },
            Wish::Report => Wants::Report,
        }
    }

    /// What it keeps in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let more = match self {
            Wish::Configure { settings, .. } => settings.metadata.as_ref().map_or(0, |metadata| metadata.text().len()),
            Wish::Reserve(body) => body.lines.0.len() * size_of::<NewLine>(),
            Wish::Part { part, .. } => part.lines.as_ref().map_or(0, |lines| lines.0.len() * size_of::<NewPartLine>()),
            Wish::TheseItems { skus, .. } => skus.iter().map(|sku| size_of::<String>() + sku.len()).sum(),
            Wish::Remove { .. }
            | Wish::Receive { .. }
            | Wish::Adjust { .. }
            | Wish::Extend { .. }
            | Wish::Item { .. }
            | Wish::Holder { .. }
            | Wish::Reservation { .. }
            | Wish::Reservations { .. }
            | Wish::Items { .. }
            | Wish::Report => 0,
        };
        size_of::<Wish>() + 256 + more
    }
}

fn configure<'a>(sku: &'a str, settings: &'a ItemSettings) -> Command<'a> {
    let limit = settings
        .limit
        .as_ref()
        .map(|Object(limit)| Limit { quantity: limit.quantity.0, window_ms: limit.window_ms.map(|Count(ms)| ms) });
    Command::Configure(Configure {
        sku,
        kind: settings.kind.map(|KindWord(kind)| kind),
        safety_stock: settings.safety_stock.map_or(0, |Count(count)| count),
        backorder_limit: settings.backorder_limit.map_or(0, |Count(count)| count),
        limit,
        allocation: settings.allocation.map_or_else(Default::default, |AllocationWord(allocation)| allocation),
        metadata: settings.metadata.as_ref().map(Metadata::text),
    })
}

fn receive<'a>(sku: &'a str, receipt: &'a Receipt) -> Command<'a> {
    Command::Receive(Receive {
        sku,
        quantity: receipt.quantity.0,
        movement: str_of(&receipt.id),
        lot: str_of(&receipt.lot),
        expires_at: receipt.expires_at.map(|Time(at)| at),
        location: str_of(&receipt.location),
    })
}

fn adjust<'a>(sku: &'a str, adjustment: &'a Adjustment) -> Command<'a> {
    Command::Adjust(Adjust {
        sku,
        delta: adjustment.delta.0,
        reason: adjustment.reason.as_str(),
        movement: str_of(&adjustment.id),
        lot: str_of(&adjustment.lot),
    })
}

fn reserve(body: &NewReservation) -> Command<'_> {
    Command::Reserve(Reserve {
        reservation: str_of(&body.id).unwrap_or_default(),
        ttl_ms: body.ttl_ms.map(|Count(ms)| ms),
        lines: body.lines.0.iter().map(NewLine::line).collect(),
        holder: str_of(&body.holder),
        needed_until: body.needed_until.map(|Time(at)| at),
        capture: body.capture.unwrap_or_default(),
    })
}

fn part<'a>(verb: PartVerb, reservation: &'a str, part: &'a PartOf) -> Command<'a> {
    let lines = part.lines.as_ref().map(|Lines(lines)| {
        lines.iter().map(|line| PartLine { sku: line.sku.as_str(), quantity: line.quantity.0 }).collect()
    });
    let part = Part { reservation, id: str_of(&part.id), lines };
    match verb {
        PartVerb::Capture => Command::Capture(part),
        PartVerb::Release => Command::Release(part),
        PartVerb::Return => Command::Return(part),
    }
}
