//! The judge of a log by its events alone, fed in order, for `verify` and mirrors. It may begin in the middle: the first
//! kept event of an item or reservation is then its base, and only what follows is proven of it.
//!
//! LOG-2: sequences and versions without gap, `previous` right, time never backwards. STOCK-1, STOCK-2: figures follow
//! from the event before by what was moved. RSV-1, RSV-2: a reservation's life. IDEM-1: no movement, capture, release
//! or return twice. LIMIT-1: from the settings seen. Memory grows with what is kept: one entry an item, a lot, a
//! movement, a reservation.
//!
//! Retention is what the newest `log.opened` or `log.time` said, before any of them what the caller was told. An id, or
//! a lot, may begin anew only when it is forgotten, or was under a retention before; nothing goes on after it is
//! forgotten by the retention that holds. After a retention was raised, both are by the book for what lies between.
//!
//! Never here: commands, answers.

use crate::complaint::{Complaint, wrong};
use crate::forget::RETENTION_MS_DEFAULT;
use std::collections::{BTreeMap, BTreeSet};
use sumun_wire::{
    Event, EventData, EventLine, ItemEvent, Kind, LogEvent, Name, ReservationEvent, Sequence, Settings, Timestamp, Verb,
};

mod keep;
mod life;
mod seen;
use life::Life;
use seen::{Keep, Seen};

/// How much was proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    pub events: u64,
    pub items: u64,
    pub reservations: u64,
    /// Items and reservations that were followed from their first event on.
    pub whole_items: u64,
    pub whole_reservations: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Trail {
    first: Option<Sequence>,
    last: Option<(Sequence, Timestamp)>,
    events: u64,
    retention: Keep,
    items: BTreeMap<Name, Track>,
    lives: BTreeMap<Name, Life>,
    /// What began anew and was captured before, by sku and holder: a limit counts it all the same.
    past: BTreeMap<(Name, Name), Vec<(Timestamp, u64)>>,
    /// Reservations that may count for a holder of an item.
    holders: BTreeMap<(Name, Name), Vec<(Name, Timestamp)>>,
}

/// What is known of one item.
#[derive(Clone, Debug, Default)]
struct Track {
    figures: Figures,
    sequence: Sequence,
    /// Followed from version 1: then all its lots are known, and its units without lot.
    whole: bool,
    settings: Option<Settings>,
    kind: Option<Kind>,
    /// It has or had a limit: new reservations count.
    counting: bool,
    removed: bool,
    lots: BTreeMap<Option<Name>, LotTrack>,
    movements: BTreeMap<Name, Seen>,
}

#[derive(Clone, Debug, Default)]
struct LotTrack {
    on_hand: i64,
    reserved: u64,
    expires_at: Option<Timestamp>,
    location: Option<Name>,
    /// Its end was written, or it was given units after its end.
    ended: bool,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    version: u64,
    on_hand: i128,
    reserved: i128,
    received: i128,
    removed: i128,
    returned: i128,
    captured: i128,
}

/// What an event of this verb does to figures, a unit moved.
#[derive(Clone, Copy, Debug, Default)]
struct Effect {
    received: i128,
    removed: i128,
    returned: i128,
    captured: i128,
    reserved: i128,
}

impl Figures {
    fn of(line: &EventLine) -> Figures {
        Figures {
            version: line.version,
            on_hand: i128::from(line.on_hand),
            reserved: i128::from(line.reserved),
            received: i128::from(line.received),
            removed: i128::from(line.removed),
            returned: i128::from(line.returned),
            captured: i128::from(line.captured),
        }
    }
}

impl Effect {
    /// `begins`: a reserve with capture, which never was reserved.
    fn of(verb: Verb, quantity: i64, begins: bool) -> Effect {
        let q = i128::from(quantity);
        let none = Effect::default();
        match verb {
            Verb::Received => Effect { received: q, ..none },
            Verb::Adjusted => Effect { received: q.max(0), removed: (-q).max(0), ..none },
            Verb::Held => Effect { reserved: q, ..none },
            Verb::Captured if begins => Effect { captured: q, ..none },
            Verb::Captured => Effect { captured: q, reserved: -q, ..none },
            Verb::Released | Verb::Expired => Effect { reserved: -q, ..none },
            Verb::Returned => Effect { returned: q, ..none },
            Verb::Configured | Verb::Removed | Verb::LotExpired | Verb::Extended => none,
        }
    }

    fn on_hand(self) -> i128 {
        self.received - self.removed + self.returned - self.captured
    }
}

impl Trail {
    /// Until the log says its retention: 30 days when it is read from its first event, else unknown.
    pub fn new() -> Trail {
        Trail::default()
    }

    /// The retention until the log says another.
    #[must_use]
    pub fn with_retention(mut self, retention_ms: u64) -> Trail {
        self.retention = Keep::For(retention_ms);
        self
    }

    /// The next event of the log.
    pub fn feed(&mut self, event: &Event) -> Result<(), Complaint> {
        if let Some((sequence, time)) = self.last {
            if event.sequence.0 != sequence.0 + 1 {
                return wrong("LOG-2", Some(event.sequence), format!("it follows {}", sequence.0));
            }
            if event.time < time {
                return wrong("LOG-2", Some(event.sequence), format!("time went back from {}", time.0));
            }
        }
        if *self.first.get_or_insert(event.sequence) == Sequence(1) && self.retention == Keep::Unknown {
            self.retention = Keep::For(RETENTION_MS_DEFAULT);
        }
        self.last = Some((event.sequence, event.time));
        self.events += 1;
        match &event.data {
            EventData::Log(LogEvent::Opened { retention_ms, .. } | LogEvent::Time { retention_ms, .. }) => {
                self.retain(event.time, *retention_ms);
                Ok(())
            }
            EventData::Item(data) => self.item_event(event, data),
            EventData::Reservation(data) => self.reservation_event(event, data),
        }
    }

    /// After the last event: what is reserved is what open reservations hold. Says how much was proven.
    pub fn finish(&self) -> Result<Proven, Complaint> {
        let whole = self.items.values().all(|item| item.whole) && self.lives.values().all(|life| life.whole);
        if whole {
            self.reserved_is_held()?;
        }
        let count = |n: usize| u64::try_from(n).expect("a count fits");
        Ok(Proven {
            events: self.events,
            items: count(self.items.len()),
            reservations: count(self.lives.len()),
            whole_items: count(self.items.values().filter(|item| item.whole).count()),
            whole_reservations: count(self.lives.values().filter(|life| life.whole).count()),
        })
    }

    fn reserved_is_held(&self) -> Result<(), Complaint> {
        let mut held: BTreeMap<(&Name, &Option<Name>), u64> = BTreeMap::new();
        for life in self.lives.values() {
            for ((sku, lot), parts) in &life.parts {
                *held.entry((sku, lot)).or_default() += parts.held();
            }
        }
        for (sku, item) in &self.items {
            for (lot, track) in &item.lots {
                let lines = held.get(&(sku, lot)).copied().unwrap_or(0);
                if lines != track.reserved {
                    let what = format!("`{sku}` {lot:?}: {} reserved, {lines} held", track.reserved);
                    return wrong("STOCK-1", Some(item.sequence), what);
                }
            }
        }
        Ok(())
    }

    fn item_event(&mut self, event: &Event, data: &ItemEvent) -> Result<(), Complaint> {
        let no = |rule, what: String| wrong(rule, Some(event.sequence), what);
        if data.lines.is_empty() || data.lines.iter().any(|line| line.sku != data.sku) {
            return no("event", format!("{} has lines of its own item, and at least one", event.kind()));
        }
        let track = self.items.entry(data.sku.clone()).or_default();
        if track.kind.replace(data.kind).is_some_and(|kind| kind != data.kind) {
            return no("event", format!("`{}` changed its kind", data.sku));
        }
        if let Some(movement) = &data.movement {
            let before = track.movements.insert(movement.clone(), Seen::at(event.time));
            if before.is_some_and(|seen| !self.retention.may_begin(seen, event.time)) {
                return no("IDEM-1", format!("movement `{movement}` of `{}` was applied twice", data.sku));
            }
        }
        match data.verb {
            Verb::Configured => {
                let Some(settings) = &data.settings else { return no("event", "no settings".to_owned()) };
                track.counting |= settings.limit.is_some();
                track.settings = Some(settings.as_ref().clone());
                track.removed = false;
            }
            Verb::Removed => {
                track.removed = true;
                if data.lines.iter().any(|line| line.on_hand != 0 || line.reserved != 0) {
                    return no("event", format!("`{}` was removed with units", data.sku));
                }
            }
            Verb::Received | Verb::Adjusted | Verb::LotExpired => {}
            Verb::Held | Verb::Captured | Verb::Released | Verb::Expired | Verb::Extended | Verb::Returned => {
                return no("event", format!("{} is not an item's", event.kind()));
            }
        }
        let settings_only = matches!(data.verb, Verb::Configured | Verb::Removed);
        for line in &data.lines {
            let sign_is_right = match data.verb {
                Verb::Adjusted => line.quantity != 0,
                Verb::LotExpired => line.quantity >= 0 && line.lot.is_some(),
                Verb::Received => line.quantity > 0,
                Verb::Configured | Verb::Removed => line.quantity == 0 && line.lot.is_none(),
                Verb::Held | Verb::Captured | Verb::Released | Verb::Expired | Verb::Extended | Verb::Returned => false,
            };
            if !sign_is_right || (settings_only && data.lines.len() > 1) {
                return no("event", format!("{} cannot move {} of {:?}", event.kind(), line.quantity, line.lot));
            }
        }
        self.lots_begin_anew(event, data)?;
        self.lines(event, data.verb, false, &data.lines)?;
        self.lots_or_backorders(event, data)?;
        if data.verb == Verb::LotExpired {
            self.lots_end(event, data)?;
        }
        Ok(())
    }

    /// What nobody holds of lots that are due.
    fn lots_end(&self, event: &Event, data: &ItemEvent) -> Result<(), Complaint> {
        for line in &data.lines {
            let Some(lot) = &line.lot_figures else { continue };
            let due = lot.expires_at.is_some_and(|at| at <= event.time);
            if !due || i128::from(line.quantity) != i128::from(lot.on_hand) - i128::from(lot.reserved) {
                return wrong("event", Some(event.sequence), format!("lot {:?} cannot end so", line.lot));
            }
        }
        Ok(())
    }

    /// All lines of an event against the figures before it.
    fn lines(&mut self, event: &Event, verb: Verb, begins: bool, lines: &[EventLine]) -> Result<(), Complaint> {
        let no = |rule, what: String| wrong(rule, Some(event.sequence), what);
        let mut seen = BTreeSet::new();
        for line in lines {
            if !seen.insert((&line.sku, &line.lot)) {
                return no("event", format!("two lines of `{}` {:?}", line.sku, line.lot));
            }
            if line.lot.is_some() != line.lot_figures.is_some() {
                return no("event", format!("figures of lot {:?} of `{}`", line.lot, line.sku));
            }
            let f = Figures::of(line);
            if f.received - f.removed + f.returned - f.captured != f.on_hand {
                return no("STOCK-2", format!("`{}`: the sums do not give on_hand {}", line.sku, line.on_hand));
            }
        }
        for sku in lines.iter().map(|line| &line.sku).collect::<BTreeSet<_>>() {
            let own: Vec<&EventLine> = lines.iter().filter(|line| line.sku == *sku).collect();
            let base = (self.first == Some(event.sequence), self.first);
            let track = self.items.entry(sku.clone()).or_default();
            track.step(event, verb, begins, &own, base)?;
            track.check_available(event, verb, own[0])?;
        }
        Ok(())
    }

    fn reservation_event(&mut self, event: &Event, data: &ReservationEvent) -> Result<(), Complaint> {
        let begins = data.version == 1;
        let mut life = self.lives.remove(&data.reservation).unwrap_or_default();
        if begins {
            self.keep_count(&life);
        }
        life.step(event, data, self.retention, self.first == Some(Sequence(1)))?;
        if begins && matches!(data.verb, Verb::Held | Verb::Captured) {
            self.lots_may_be_taken(event, data)?;
        }
        self.lines(event, data.verb, begins, &data.lines)?;
        self.stamp_lots(event.time, &life);
        if begins {
            self.count(data, &mut life);
        }
        self.lives.insert(data.reservation.clone(), life);
        if begins && matches!(data.verb, Verb::Held | Verb::Captured) { self.limits(event, data) } else { Ok(()) }
    }

    fn lots_may_be_taken(&self, event: &Event, data: &ReservationEvent) -> Result<(), Complaint> {
        for line in &data.lines {
            let removed = self.items.get(&line.sku).is_some_and(|item| item.removed);
            if removed {
                return wrong("STOCK-1", Some(event.sequence), format!("`{}` was removed", line.sku));
            }
            let until = line.lot_figures.as_ref().and_then(|lot| lot.expires_at);
            if until.is_some_and(|at| at <= event.time || data.needed_until.is_some_and(|needed| at <= needed)) {
                let what = format!("lot {:?} of `{}` ends too early to be taken", line.lot, line.sku);
                return wrong("STOCK-1", Some(event.sequence), what);
            }
        }
        Ok(())
    }

    fn count(&mut self, data: &ReservationEvent, life: &mut Life) {
        let Some(holder) = &data.holder else { return };
        for sku in data.lines.iter().map(|line| &line.sku).collect::<BTreeSet<_>>() {
            if self.items.get(sku).is_some_and(|item| item.counting) {
                life.counted.insert(sku.clone());
                let open = self.holders.entry((sku.clone(), holder.clone())).or_default();
                open.push((data.reservation.clone(), data.created_at));
            }
        }
    }

    /// LIMIT-1: what surely counts is not above the limit. What the log no longer has cannot count here.
    fn limits(&mut self, event: &Event, data: &ReservationEvent) -> Result<(), Complaint> {
        let Some(holder) = &data.holder else { return Ok(()) };
        for sku in data.lines.iter().map(|line| &line.sku).collect::<BTreeSet<_>>() {
            let limit = self.items[sku].settings.as_ref().and_then(|settings| settings.limit);
            let Some(limit) = limit else { continue };
            let Some(open) = self.holders.get_mut(&(sku.clone(), holder.clone())) else { continue };
            let lives = &self.lives;
            let begun = |id: &Name, begin: &Timestamp| lives.get(id).filter(|life| life.created_at == *begin);
            open.retain(|(id, begin)| begun(id, begin).is_some_and(|life| life.counts(sku) > 0));
            let mut used = 0;
            for (id, begin) in open.iter() {
                let life = &self.lives[id];
                let young = limit.window_ms.is_none_or(|window| event.time.0 - begin.0 < window);
                used += life.held(sku) + if young { life.captured(sku) } else { 0 };
            }
            for (begin, captured) in self.past.get(&(sku.clone(), holder.clone())).into_iter().flatten() {
                let young = limit.window_ms.is_none_or(|window| event.time.0 - begin.0 < window);
                used += if young { *captured } else { 0 };
            }
            if used > limit.quantity {
                let what = format!("`{holder}` has {used} of `{sku}`, whose limit is {}", limit.quantity);
                return wrong("LIMIT-1", Some(event.sequence), what);
            }
        }
        Ok(())
    }
}

impl Track {
    /// The item's lines of one event against its event before.
    fn step(
        &mut self,
        event: &Event,
        verb: Verb,
        begins: bool,
        own: &[&EventLine],
        (is_first, first): (bool, Option<Sequence>),
    ) -> Result<(), Complaint> {
        let no = |rule, what: String| wrong(rule, Some(event.sequence), what);
        let (sku, after) = (&own[0].sku, Figures::of(own[0]));
        let alike = |l: &&&EventLine| {
            Figures::of(l) == after && l.previous == own[0].previous && l.available == own[0].available
        };
        if own.iter().filter(alike).count() != own.len() {
            return no("event", format!("the lines of `{sku}` differ in the item's figures"));
        }
        let effects: Vec<Effect> = own.iter().map(|line| Effect::of(verb, line.quantity, begins)).collect();
        let known = self.figures.version > 0;
        if known {
            if after.version != self.figures.version + 1 || own[0].previous != Some(self.sequence) {
                let what = format!(
                    "`{sku}` goes from version {} at {} to {}, previous {:?}",
                    self.figures.version, self.sequence.0, after.version, own[0].previous
                );
                return no("LOG-2", what);
            }
        } else {
            let begins_here = after.version == 1 && own[0].previous.is_none();
            let begun = after.version > 1 && own[0].previous.is_some_and(|at| first.is_some_and(|first| at < first));
            if !(begins_here || begun || (is_first && after.version > 1 && own[0].previous.is_some())) {
                let what = format!("`{sku}` begins with version {}, previous {:?}", after.version, own[0].previous);
                return no("LOG-2", what);
            }
            self.whole = begins_here;
        }
        if known || self.whole {
            let sum = |part: fn(Effect) -> i128| effects.iter().map(|effect| part(*effect)).sum::<i128>();
            let before = self.figures;
            let model = Figures {
                version: after.version,
                on_hand: before.on_hand + sum(Effect::on_hand),
                reserved: before.reserved + sum(|e| e.reserved),
                received: before.received + sum(|e| e.received),
                removed: before.removed + sum(|e| e.removed),
                returned: before.returned + sum(|e| e.returned),
                captured: before.captured + sum(|e| e.captured),
            };
            if model != after {
                let what = format!("`{sku}`: what moved gives {model:?}, and it says {after:?}");
                return no("STOCK-2", what);
            }
        }
        self.due_lots_have_ended(event, verb, own)?;
        for (line, effect) in own.iter().zip(&effects) {
            self.lot_step(event, verb, line, *effect)?;
        }
        self.figures = after;
        self.sequence = event.sequence;
        Ok(())
    }

    /// Before any event that touches an item its due lots have ended, all at once.
    fn due_lots_have_ended(&self, event: &Event, verb: Verb, own: &[&EventLine]) -> Result<(), Complaint> {
        for (name, lot) in self.lots.iter().filter(|(_, lot)| lot.expires_at.is_some_and(|at| at <= event.time)) {
            let ends_now = verb == Verb::LotExpired && own.iter().any(|line| line.lot == *name);
            if ends_now && lot.ended {
                return wrong("event", Some(event.sequence), format!("lot {name:?} of `{}` ended twice", own[0].sku));
            }
            if !ends_now && !lot.ended && lot.on_hand > 0 {
                let what = format!("`{}` was touched before its due lot {name:?} had ended", own[0].sku);
                return wrong("ends", Some(event.sequence), what);
            }
        }
        Ok(())
    }

    fn lot_step(&mut self, event: &Event, verb: Verb, line: &EventLine, effect: Effect) -> Result<(), Complaint> {
        let no = |rule, what: String| wrong(rule, Some(event.sequence), what);
        if line.lot.is_none() && !self.whole {
            return Ok(());
        }
        let name = format!("`{}` {:?}", line.sku, line.lot);
        let before = self.lots.get(&line.lot);
        let known = before.is_some() || self.whole;
        let base = before.cloned().unwrap_or_default();
        let on_hand = i128::from(base.on_hand) + effect.on_hand();
        let reserved = i128::from(base.reserved) + effect.reserved;
        let seen = Seen::at(event.time);
        let Some(lot) = &line.lot_figures else {
            if reserved < 0 {
                return no("STOCK-1", format!("{name}: more than was held"));
            }
            let fit = "within the figures of the item, which are at most 2^53 − 1";
            let (on_hand, reserved) = (i64::try_from(on_hand).expect(fit), u64::try_from(reserved).expect(fit));
            self.lots.insert(None, LotTrack { on_hand, reserved, seen, ..LotTrack::default() });
            return Ok(());
        };
        let after = (i128::from(lot.on_hand), i128::from(lot.reserved));
        if after.1 > after.0 {
            return no("STOCK-1", format!("{name}: {} reserved of {}", lot.reserved, lot.on_hand));
        }
        if known && after != (on_hand, reserved) {
            return no("STOCK-2", format!("{name}: what moved gives {on_hand} and {reserved}, it says {after:?}"));
        }
        if self.whole && before.is_none() && verb != Verb::Received {
            return no("event", format!("{name} was never received"));
        }
        if before.is_some_and(|b| b.expires_at != lot.expires_at || b.location != lot.location) {
            return no("event", format!("{name} has another expiry or location than before"));
        }
        let on_hand = i64::try_from(lot.on_hand).unwrap_or(i64::MAX);
        let (expires_at, location) = (lot.expires_at, lot.location.clone());
        let due = expires_at.is_some_and(|at| at <= event.time);
        let ended = verb == Verb::LotExpired || base.ended || (due && on_hand > 0);
        let reserved = lot.reserved;
        self.lots.insert(line.lot.clone(), LotTrack { on_hand, reserved, expires_at, location, ended, seen });
        Ok(())
    }

    /// `available`, where the item is known from its beginning: counts only lots that have not expired.
    fn check_available(&self, event: &Event, verb: Verb, line: &EventLine) -> Result<(), Complaint> {
        let Some(settings) = self.settings.as_ref().filter(|_| self.whole) else { return Ok(()) };
        let live = self.lots.values().filter(|lot| lot.expires_at.is_none_or(|at| at > event.time));
        let free: i128 = live.map(|lot| i128::from(lot.on_hand) - i128::from(lot.reserved)).sum();
        let raw = free - i128::from(settings.safety_stock) + i128::from(settings.backorder_limit);
        let gone = verb == Verb::Removed && line.available == 0;
        if i128::from(line.available) != raw.max(0) && !gone {
            let what = format!("`{}`: {} available, it must be {}", line.sku, line.available, raw.max(0));
            return wrong("STOCK-1", Some(event.sequence), what);
        }
        let taken = matches!(verb, Verb::Held) && raw < 0;
        if taken {
            return wrong("STOCK-1", Some(event.sequence), format!("`{}`: more was taken than available", line.sku));
        }
        Ok(())
    }
}
