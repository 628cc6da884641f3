//! An event as `log dump` shows it to people. The CloudEvent of the HTTP interface is `sumun_feed::CloudEvents`.

use crate::units::Moment;
use sumun_wire::{Event, EventData, LogEvent, Subject};

fn subject(event: &Event) -> Option<&str> {
    match event.subject() {
        Subject::Log => None,
        Subject::Sku(name) | Subject::Reservation(name) => Some(name),
    }
}

/// `sequence time type subject` and what was moved.
pub(crate) fn line(event: &Event) -> String {
    let mut text = format!("{} {} {}", event.sequence.0, Moment(event.time.0), event.kind());
    if let Some(subject) = subject(event) {
        text.push_str(&format!(" {subject}"));
    }
    match &event.data {
        EventData::Log(LogEvent::Opened { retention_ms, .. } | LogEvent::Time { retention_ms, .. }) => {
            text.push_str(&format!(" retention_ms={retention_ms}"));
        }
        EventData::Item(data) => {
            push(&mut text, "movement", data.movement.as_deref());
            push(&mut text, "reason", data.reason.as_deref());
        }
        EventData::Reservation(data) => {
            text.push_str(&format!(" version={} state={}", data.version, data.state.word()));
            push(&mut text, "holder", data.holder.as_deref());
            push(&mut text, "id", data.part.as_deref());
        }
    }
    for line in event.lines() {
        let lot = line.lot.as_deref().map(|lot| format!("@{lot}")).unwrap_or_default();
        let (on_hand, reserved, available) = (line.on_hand, line.reserved, line.available);
        text.push_str(&format!(
            " {}{lot}{:+} (on_hand={on_hand} reserved={reserved} available={available})",
            line.sku, line.quantity
        ));
    }
    if let Some(trace) = &event.trace {
        text.push_str(&format!(" traceparent={trace}"));
    }
    text
}

fn push(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text.push_str(&format!(" {name}={value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sumun_wire::{EventLine, ReservationEvent, Sequence, State, Timestamp, Trace, Verb};

    fn held() -> Event {
        let line = EventLine {
            sku: "a".into(),
            lot: None,
            quantity: 2,
            version: 3,
            previous: Some(Sequence(6)),
            on_hand: 10,
            reserved: 2,
            available: 8,
            received: 10,
            removed: 0,
            returned: 0,
            captured: 0,
            lot_figures: None,
        };
        let data = ReservationEvent {
            verb: Verb::Held,
            reservation: "r1".into(),
            created_at: Timestamp(1_777_604_400_500),
            version: 1,
            state: State::Held,
            ended: None,
            tombstone: false,
            holder: Some("h".into()),
            complete: false,
            expires_at: None,
            needed_until: None,
            part: None,
            lines: vec![line],
        };
        Event {
            sequence: Sequence(7),
            time: Timestamp(1_777_604_400_500),
            trace: None,
            data: EventData::Reservation(Box::new(data)),
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let expected = "7 2026-05-01T03:00:00.500Z reservation.held r1 version=1 state=held holder=h a+2 (on_hand=10 reserved=2 available=8)";
        assert_eq!(line(&held()), expected);
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let traced = Event { trace: Trace::read(traceparent.as_bytes()), ..held() };
        assert_eq!(line(&traced), format!("{expected} traceparent={traceparent}"));
    }
}
