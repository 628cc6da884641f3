//! An event as `log dump` shows it: a line for people, or the CloudEvent of the HTTP interface.

use crate::units::Moment;
use serde_json::{Map, Value, json};
use sumun_log::LogId;
use sumun_wire::{Event, EventData, EventLine, ItemEvent, LogEvent, ReservationEvent, Subject, Timestamp};

fn subject(event: &Event) -> Option<&str> {
    match event.subject() {
        Subject::Log => None,
        Subject::Sku(name) | Subject::Reservation(name) => Some(name),
    }
}

fn time(at: Timestamp) -> Value {
    Value::from(Moment(at.0).to_string())
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
    text
}

fn push(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text.push_str(&format!(" {name}={value}"));
    }
}

/// On one line.
pub(crate) fn cloud_event(event: &Event, log: LogId, shard: u32) -> String {
    let mut data = match &event.data {
        EventData::Log(
            LogEvent::Opened { retention_ms, log_retention_ms } | LogEvent::Time { retention_ms, log_retention_ms },
        ) => object(json!({ "retention_ms": retention_ms, "log_retention_ms": log_retention_ms })),
        EventData::Item(data) => item(data),
        EventData::Reservation(data) => reservation(data),
    };
    if !matches!(event.data, EventData::Log(_)) {
        data.insert("lines".to_owned(), event.lines().iter().map(lines).collect());
    }
    let mut whole = object(json!({
        "specversion": "1.0",
        "id": format!("{shard}/{}", event.sequence.0),
        "source": format!("/sumun/{log}"),
        "type": event.kind(),
        "time": time(event.time),
        "sequence": event.sequence.0,
        "datacontenttype": "application/json",
        "data": data,
    }));
    if let Some(subject) = subject(event) {
        whole.insert("subject".to_owned(), subject.into());
    }
    Value::Object(whole).to_string()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn item(data: &ItemEvent) -> Map<String, Value> {
    let mut map = object(json!({ "sku": data.sku.as_str(), "kind": data.kind.word() }));
    if let Some(movement) = &data.movement {
        map.insert("movement".to_owned(), movement.as_str().into());
    }
    if let Some(reason) = &data.reason {
        map.insert("reason".to_owned(), reason.as_str().into());
    }
    if let Some(settings) = &data.settings {
        let limit = settings.limit.map(|limit| json!({ "quantity": limit.quantity, "window_ms": limit.window_ms }));
        let metadata =
            settings.metadata.as_ref().map(|text| serde_json::from_str(text).unwrap_or(Value::from(text.as_str())));
        let value = json!({
            "kind": data.kind.word(),
            "safety_stock": settings.safety_stock,
            "backorder_limit": settings.backorder_limit,
            "limit": limit,
            "allocation": settings.allocation.word(),
            "metadata": metadata,
        });
        map.insert("settings".to_owned(), value);
    }
    map
}

fn reservation(data: &ReservationEvent) -> Map<String, Value> {
    object(json!({
        "reservation": data.reservation.as_str(),
        "created_at": time(data.created_at),
        "version": data.version,
        "state": data.state.word(),
        "ended": data.ended.map(sumun_wire::Ended::word),
        "tombstone": data.tombstone,
        "holder": data.holder.as_deref(),
        "complete": data.complete,
        "expires_at": data.expires_at.map(time),
        "needed_until": data.needed_until.map(time),
        "id": data.part.as_deref(),
    }))
}

fn lines(line: &EventLine) -> Value {
    let mut map = object(json!({
        "sku": line.sku.as_str(),
        "lot": line.lot.as_deref(),
        "quantity": line.quantity,
        "version": line.version,
        "previous": line.previous.map(|sequence| sequence.0),
        "on_hand": line.on_hand,
        "reserved": line.reserved,
        "available": line.available,
        "received": line.received,
        "removed": line.removed,
        "returned": line.returned,
        "captured": line.captured,
    }));
    if let Some(lot) = &line.lot_figures {
        map.insert("lot_on_hand".to_owned(), lot.on_hand.into());
        map.insert("lot_reserved".to_owned(), lot.reserved.into());
        map.insert("lot_expires_at".to_owned(), lot.expires_at.map_or(Value::Null, time));
        map.insert("lot_location".to_owned(), lot.location.as_deref().into());
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sumun_wire::{Sequence, State, Verb};

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
            data: EventData::Reservation(Box::new(data)),
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let expected = "7 2026-05-01T03:00:00.500Z reservation.held r1 version=1 state=held holder=h a+2 (on_hand=10 reserved=2 available=8)";
        assert_eq!(line(&held()), expected);
    }

    #[test]
    fn json_is_the_cloud_event_of_http() {
        let text = cloud_event(&held(), LogId([0xab; 16]), 0);
        assert!(!text.contains('\n'));
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["id"], "0/7");
        assert_eq!(value["source"], format!("/sumun/{}", "ab".repeat(16)));
        assert_eq!((&value["type"], &value["subject"]), (&json!("reservation.held"), &json!("r1")));
        assert_eq!(value["time"], "2026-05-01T03:00:00.500Z");
        assert_eq!(value["data"]["lines"][0]["previous"], 6);
        assert_eq!(value["data"]["complete"], false);
    }
}
