//! Short scripts for what chance alone seldom meets: skus that are gone, figures at their cap, many lots.

use super::Generator;
use crate::owned::{OwnedCommand, OwnedLine, PartVerb};
use sumun_wire::limits::QUANTITY_MAX;
use sumun_wire::{Allocation, Kind, Timestamp};

fn receive(sku: &str, quantity: u64, movement: &str) -> OwnedCommand {
    OwnedCommand::Receive {
        sku: sku.to_owned(),
        quantity,
        movement: Some(movement.to_owned()),
        lot: None,
        expires_at: None,
        location: None,
    }
}

fn adjust(sku: &str, delta: i64, movement: &str) -> OwnedCommand {
    OwnedCommand::Adjust {
        sku: sku.to_owned(),
        delta,
        reason: "end".to_owned(),
        movement: Some(movement.to_owned()),
        lot: None,
    }
}

fn configure(sku: &str, kind: Option<Kind>, backorder_limit: u64) -> OwnedCommand {
    OwnedCommand::Configure {
        sku: sku.to_owned(),
        kind,
        safety_stock: 0,
        backorder_limit,
        limit: None,
        allocation: Allocation::Fefo,
        metadata: None,
    }
}

fn reserve(id: &str, lines: &[(&str, u64)], capture: bool) -> OwnedCommand {
    let line = |(sku, quantity): &(&str, u64)| OwnedLine {
        sku: (*sku).to_owned(),
        quantity: *quantity,
        ..OwnedLine::default()
    };
    OwnedCommand::Reserve {
        reservation: id.to_owned(),
        ttl_ms: (!capture).then_some(86_400_000),
        lines: lines.iter().map(line).collect(),
        holder: None,
        needed_until: None,
        capture,
    }
}

fn part(verb: PartVerb, reservation: &str, id: &str, lines: Option<&[(&str, u64)]>) -> OwnedCommand {
    OwnedCommand::Part {
        verb,
        reservation: reservation.to_owned(),
        id: Some(id.to_owned()),
        lines: lines.map(|lines| lines.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect()),
    }
}

fn at_once(commands: Vec<OwnedCommand>) -> Vec<(u64, OwnedCommand)> {
    commands.into_iter().map(|command| (0, command)).collect()
}

impl Generator {
    /// The first command of a script; the others follow one a step.
    pub(super) fn recipe(&mut self, now: Timestamp) -> OwnedCommand {
        let commands = match self.random.below(7) {
            0 => at_once(self.gone_while_open()),
            1 => at_once(self.gone_after_capture()),
            2 => at_once(self.at_the_cap()),
            3 => at_once(self.lots_that_end(now)),
            _ => self.a_life(),
        };
        self.script.extend(commands);
        self.script.pop_front().expect("a recipe has a first command").1
    }

    /// Parts of every verb, each sent again while held and after every end.
    fn a_life(&mut self) -> Vec<(u64, OwnedCommand)> {
        let (a, r) = (self.fresh("sku"), self.fresh("r"));
        let capture = part(PartVerb::Capture, &r, "p1", Some(&[(&a, 2)]));
        let release = part(PartVerb::Release, &r, "p1", Some(&[(&a, 1)]));
        let returned = part(PartVerb::Return, &r, "p1", Some(&[(&a, 1)]));
        let all_returned = part(PartVerb::Return, &r, "p2", None);
        let other = [PartVerb::Capture, PartVerb::Release, PartVerb::Return].map(|verb| part(verb, &r, "p1", None));
        let foreign = *self.random.pick(&[PartVerb::Capture, PartVerb::Release, PartVerb::Return]);
        let mut parts = vec![release];
        if self.random.chance(75) {
            parts.extend([capture, returned, all_returned]);
        }
        let mut life = vec![receive(&a, 9, "m1"), reserve(&r, &[(&a, 2), (&a, 3)], false)];
        for one in &parts {
            life.extend([one.clone(), one.clone()]);
        }
        life.push(part(foreign, &r, "p9", Some(&[("bread", 1)])));
        life.push(OwnedCommand::Extend { reservation: r.clone(), ttl_ms: 86_400_001 });
        let mut life = at_once(life);
        let (wait_ms, end) = match self.random.below(3) {
            0 => (0, part(PartVerb::Capture, &r, "p5", None)),
            1 => (0, part(PartVerb::Release, &r, "p5", None)),
            _ => (86_400_000 + self.random.below(3), OwnedCommand::Reservation { id: r.clone() }),
        };
        life.extend([(wait_ms, end.clone()), (0, end)]);
        life.extend(at_once(parts));
        life.extend(at_once(other.to_vec()));
        life
    }

    /// A sku whose line was given back, and which is removed while its reservation is open.
    fn gone_while_open(&mut self) -> Vec<OwnedCommand> {
        let (a, b, r) = (self.fresh("sku"), self.fresh("sku"), self.fresh("r"));
        vec![
            receive(&a, 3, "m1"),
            receive(&b, 3, "m1"),
            reserve(&r, &[(&a, 2), (&b, 2)], false),
            part(PartVerb::Release, &r, "p1", Some(&[(&a, 2)])),
            adjust(&a, -3, "m2"),
            OwnedCommand::Remove { sku: a.clone() },
            part(PartVerb::Capture, &r, "p2", Some(&[(&a, 1)])),
            part(PartVerb::Release, &r, "p3", Some(&[(&b, 1), (&a, 1)])),
            part(PartVerb::Return, &r, "p4", None),
            adjust(&a, -3, "m2"),
            adjust(&a, 1, "m9"),
            part(PartVerb::Capture, &r, "p5", None),
            receive(&a, 1, "m3"),
            part(PartVerb::Return, &r, "p6", None),
        ]
    }

    fn gone_after_capture(&mut self) -> Vec<OwnedCommand> {
        let (a, b, r) = (self.fresh("sku"), self.fresh("sku"), self.fresh("r"));
        let kind = self.random.chance(50).then_some(Kind::Points);
        vec![
            configure(&a, kind, 0),
            receive(&a, 3, "m1"),
            receive(&b, 3, "m1"),
            reserve(&r, &[(&a, 3), (&b, 2)], true),
            OwnedCommand::Remove { sku: a.clone() },
            OwnedCommand::Remove { sku: b.clone() },
            part(PartVerb::Return, &r, "p1", Some(&[(&a, 1)])),
            part(PartVerb::Return, &r, "p2", None),
            part(PartVerb::Return, &r, "p3", Some(&[(&b, 1)])),
            OwnedCommand::Item { sku: a.clone() },
            OwnedCommand::Holder { sku: a.clone(), holder: "ann".to_owned() },
            receive(&a, 3, "m1"),
            configure(&a, None, 0),
            part(PartVerb::Return, &r, "p4", None),
            part(PartVerb::Return, &r, "p5", None),
        ]
    }

    /// Figures at 2^53 − 1.
    fn at_the_cap(&mut self) -> Vec<OwnedCommand> {
        let (a, r, s) = (self.fresh("sku"), self.fresh("r"), self.fresh("r"));
        let t = self.fresh("r");
        vec![
            receive(&a, QUANTITY_MAX - 1, "m1"),
            configure(&a, None, 1),
            configure(&a, None, 2),
            receive(&a, 1, "m2"),
            adjust(&a, 1, "m3"),
            configure(&a, None, 0),
            adjust(&a, 1, "m4"),
            reserve(&r, &[(&a, QUANTITY_MAX - 3)], true),
            part(PartVerb::Return, &r, "p1", None),
            reserve(&s, &[(&a, 4)], false),
            reserve(&s, &[(&a, 4)], true),
            reserve(&t, &[(&a, 2), (&a, 1)], false),
            part(PartVerb::Capture, &t, "p1", None),
            part(PartVerb::Return, &t, "p1", None),
        ]
    }

    /// Lots of one item that end one after the other, some held, some captured and given back late.
    fn lots_that_end(&mut self, now: Timestamp) -> Vec<OwnedCommand> {
        let (a, r, s) = (self.fresh("sku"), self.fresh("r"), self.fresh("r"));
        let lot = |n: u64, quantity: u64, expires_at: Option<Timestamp>| OwnedCommand::Receive {
            sku: a.clone(),
            quantity,
            movement: Some(format!("m{n}")),
            lot: Some(format!("lot{n}")),
            expires_at,
            location: None,
        };
        vec![
            lot(1, 3, Some(Timestamp(now.0 + 3))),
            lot(2, 2, Some(Timestamp(now.0 + 3))),
            lot(3, 2, Some(Timestamp(now.0 + 40))),
            lot(4, 2, Some(now)),
            receive(&a, 2, "m5"),
            reserve(&r, &[(&a, 2), (&a, 2)], false),
            part(PartVerb::Capture, &r, "p1", Some(&[(&a, 3)])),
            reserve(&s, &[(&a, 4)], true),
            OwnedCommand::Item { sku: a.clone() },
            part(PartVerb::Return, &r, "p1", Some(&[(&a, 2)])),
            part(PartVerb::Return, &s, "p1", Some(&[(&a, 3)])),
            adjust(&a, -2, "m6"),
            OwnedCommand::Item { sku: a },
            part(PartVerb::Release, &r, "p2", None),
        ]
    }
}
