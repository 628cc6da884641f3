//! Brings what a store holds up to the end of the log beside it, in memory: what the log's tail touches is read and
//! carried on; the rest stays where it is. Without a store: all that the log tells from its first event on.

use crate::failure::Failure;
use crate::logfile::{LogFile, Next};
use anyhow::anyhow;
use sumun_codec::decode_record;
use sumun_core::{Key, Record, Stage, Staged, State};
use sumun_engine::{Holdings, Shelf};

/// Of records that have ended all are wanted, whatever their age.
const FOR_EVER: u64 = u64::MAX;

/// A state whose unsaved records are all that the log has touched behind the store's P.
pub(crate) fn carry(log: &mut LogFile, mut holdings: Option<&mut Holdings>, seed: u64) -> Result<State, Failure> {
    let mut state = State::new(seed, FOR_EVER);
    let saved = holdings.as_ref().map_or(0, |holdings| holdings.about().saved);
    if let Some(holdings) = holdings.as_deref_mut() {
        let generations = holdings.generations().to_vec();
        state.begin_unfilled(&generations);
        holdings.each(&mut |shelf, record, _| {
            if shelf == Shelf::Open {
                state.install_open(record);
            }
            Ok::<(), Failure>(())
        })?;
        state.begin_at(saved);
    }
    let mut waits = Vec::new();
    log.each_decoded(saved, |event| {
        state.replay(event, &mut waits);
        for key in waits.drain(..) {
            read(&mut state, holdings.as_deref_mut(), &key)?;
            state.apply_late(event, &key);
            state.unpin(&key);
        }
        Ok(Next::Go)
    })?;
    Ok(state)
}

/// Hands over each record that was touched, as it stands at the log's end.
pub(crate) fn drain(
    state: &mut State,
    mut holdings: Option<&mut Holdings>,
    keep: &mut dyn FnMut(&Staged<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        let mut kept = Ok(());
        let stage = state.stage(&mut |staged| kept = keep(staged));
        kept?;
        match stage {
            Stage::Staged => {}
            Stage::Empty => return Ok(()),
            Stage::Unread(key) => {
                read(state, holdings.as_deref_mut(), &key)?;
                state.unpin(&key);
            }
        }
    }
}

fn read(state: &mut State, holdings: Option<&mut Holdings>, key: &Key) -> Result<(), Failure> {
    let values = match holdings {
        Some(holdings) => holdings.read(key)?,
        None => return Err(anyhow!("the log names {key:?} before it begins").into()),
    };
    let records: Result<Vec<Record<'_>>, _> = values.iter().map(|value| decode_record(value)).collect();
    state.install(key, &records.map_err(|error| Failure::No(format!("the store: {key:?} cannot be read: {error}")))?);
    Ok(())
}
