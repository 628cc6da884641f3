//! By what an event is led back to the command that asked for it.

use sumun_auditor::{OwnedCommand, PartVerb};
use sumun_wire::{Event, EventData, Name, Verb};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Reserve(Name),
    Part(PartVerb, Name, Option<Name>),
    /// The reservation and the ttl.
    Extend(Name, u64),
    /// The sku and the movement.
    Movement(Name, Name),
    /// The sku and the settings' metadata.
    Settings(Name, Name),
}

impl Key {
    /// `None`: time made it, or it came with the receipt after it.
    pub(super) fn of_event(event: &Event) -> Option<Key> {
        match &event.data {
            EventData::Log(_) => None,
            EventData::Item(data) => match data.verb {
                Verb::Configured => {
                    let number = data.settings.as_ref()?.metadata.as_deref()?;
                    Some(Key::Settings(data.sku.clone(), number.into()))
                }
                Verb::Received | Verb::Adjusted => Some(Key::Movement(data.sku.clone(), data.movement.clone()?)),
                Verb::Removed
                | Verb::LotExpired
                | Verb::Held
                | Verb::Captured
                | Verb::Released
                | Verb::Expired
                | Verb::Extended
                | Verb::Returned => None,
            },
            EventData::Reservation(data) => {
                let id = data.reservation.clone();
                let part = |verb| Some(Key::Part(verb, id.clone(), data.part.clone()));
                match data.verb {
                    Verb::Held => Some(Key::Reserve(id)),
                    Verb::Captured if data.version == 1 => Some(Key::Reserve(id)),
                    Verb::Captured => part(PartVerb::Capture),
                    Verb::Released => part(PartVerb::Release),
                    Verb::Returned => part(PartVerb::Return),
                    Verb::Extended => Some(Key::Extend(id, data.expires_at?.0.checked_sub(event.time.0)?)),
                    Verb::Expired
                    | Verb::Configured
                    | Verb::Removed
                    | Verb::Received
                    | Verb::Adjusted
                    | Verb::LotExpired => None,
                }
            }
        }
    }

    /// `None`: it can make no event of its own.
    pub(super) fn of_command(command: &OwnedCommand) -> Option<Key> {
        let name = |text: &String| Name::from(text.as_str());
        match command {
            OwnedCommand::Configure { sku, metadata, .. } => Some(Key::Settings(name(sku), name(metadata.as_ref()?))),
            OwnedCommand::Receive { sku, movement, .. } | OwnedCommand::Adjust { sku, movement, .. } => {
                Some(Key::Movement(name(sku), name(movement.as_ref()?)))
            }
            OwnedCommand::Reserve { reservation, .. } => Some(Key::Reserve(name(reservation))),
            OwnedCommand::Part { verb, reservation, id, .. } => {
                Some(Key::Part(*verb, name(reservation), id.as_ref().map(name)))
            }
            OwnedCommand::Extend { reservation, ttl_ms } => Some(Key::Extend(name(reservation), *ttl_ms)),
            OwnedCommand::Remove { .. }
            | OwnedCommand::Reservation { .. }
            | OwnedCommand::Item { .. }
            | OwnedCommand::Holder { .. } => None,
        }
    }
}

/// The reservation that a command names.
pub(crate) fn reservation(command: &OwnedCommand) -> Option<&str> {
    match command {
        OwnedCommand::Reserve { reservation, .. }
        | OwnedCommand::Part { reservation, .. }
        | OwnedCommand::Extend { reservation, .. }
        | OwnedCommand::Reservation { id: reservation } => Some(reservation),
        OwnedCommand::Configure { .. }
        | OwnedCommand::Remove { .. }
        | OwnedCommand::Receive { .. }
        | OwnedCommand::Adjust { .. }
        | OwnedCommand::Item { .. }
        | OwnedCommand::Holder { .. } => None,
    }
}
