//! What a run writes, and how a client knows what it received: which write, of which slot, intended when.
//!
//! Writes are numbered from 1 and go round robin over slots. A value carries its number and its intended time, so that
//! whoever receives it needs no other record to know how late it is and what it replaces; a deletion's are computed
//! from the key, whose name is used once. No clock is read here, and nothing is sent.

mod churn;
mod sets;
mod stamp;

use std::{sync::OnceLock, time::Duration};

use datastore_adapters::Write;
use model::{Key, Kind};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub(crate) use self::stamp::Stamp;
use crate::schedule::Schedule;

/// Writes go round robin over this many slots at most, so that each client's account of them stays small.
pub(crate) const SLOTS_MAX: u32 = 1000;

/// The kind of resources that a run writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// GlobalNetworkSets of about 350 bytes, written over and over.
    #[default]
    Sets,
    /// Pods that come and go, and among them network sets and IPAM blocks that change.
    Churn,
}

/// What a run writes.
#[derive(Debug)]
pub(crate) struct Workload {
    content: Content,
    keys: u32,
    /// Writes in each transaction.
    transaction: u32,
    /// What intended times count from.
    epoch: Instant,
    /// Set when writing begins.
    schedule: OnceLock<Schedule>,
}

/// What a client received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) slot: u32,
    pub(crate) stamp: Stamp,
}

impl Workload {
    /// Nothing is written yet.
    pub(crate) fn new(content: Content, keys: u32, transaction: u32, epoch: Instant) -> Self {
        Self { content, keys, transaction, epoch, schedule: OnceLock::new() }
    }

    /// What intended times count from.
    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Fixes when writes are intended; the first caller decides.
    pub(crate) fn begin(&self, schedule: Schedule) -> Schedule {
        *self.schedule.get_or_init(|| schedule)
    }

    /// How many slots are written in turn.
    pub(crate) fn slots(&self) -> u32 {
        self.keys.min(SLOTS_MAX)
    }

    /// What exists before the clients connect, key by key.
    pub(crate) fn seed(&self) -> impl Iterator<Item = Write> {
        (0..self.keys).filter_map(|index| match self.content {
            Content::Churn if index < self.slots() => churn::seed(index),
            _ => Some(Write::Put(sets::key(index), sets::value(index, Stamp::default()))),
        })
    }

    /// The write of this number and the slot that it is of.
    pub(crate) fn write(&self, number: u32, intended: Duration) -> (u32, Write) {
        let (slot, visit) = ((number - 1) % self.slots(), (number - 1) / self.slots());
        let stamp = Stamp { number, intended };
        let write = match self.content {
            Content::Sets => Write::Put(sets::key(slot), sets::value(slot, stamp)),
            Content::Churn => churn::write(slot, visit, stamp),
        };
        (slot, write)
    }

    /// Which write an entry is of; `None` for what is not of this run.
    pub(crate) fn read(&self, key: &str, value: Option<&[u8]>) -> Option<Arrival> {
        match (self.content, value) {
            (Content::Sets, value) => {
                let slot = sets::index(key).filter(|index| *index < self.slots())?;
                Some(Arrival { slot, stamp: stamp::read(value?)? })
            }
            (Content::Churn, Some(value)) => {
                let slot = churn::slot(key).filter(|slot| *slot < self.slots())?;
                Some(Arrival { slot, stamp: stamp::read(value)? })
            }
            (Content::Churn, None) => {
                let (slot, visit) = churn::deletion(key).filter(|(slot, _)| *slot < self.slots())?;
                let number = visit * self.slots() + slot + 1;
                let transaction = u64::from((number - 1) / self.transaction);
                let intended = self.schedule.get()?.intended(transaction).duration_since(self.epoch);
                Some(Arrival { slot, stamp: Stamp { number, intended } })
            }
        }
    }

    /// Writes of a slot between two others that no later write stands for, because their key is not written again:
    /// each must arrive itself.
    pub(crate) fn irreplaceable(&self, slot: u32, after: u32, before: u32) -> impl Iterator<Item = u32> {
        let first_visit = if after == 0 { 0 } else { (after - 1) / self.slots() + 1 };
        let visits = first_visit..(before.max(1) - 1) / self.slots();
        let content = self.content;
        visits
            .filter(move |visit| content == Content::Churn && churn::is_deletion(slot, *visit))
            .map(move |visit| visit * self.slots() + slot + 1)
    }
}

/// A key that no client's account knows, with a name as long as names get: its tombstone takes room.
pub(crate) fn grave(index: u32) -> Key {
    const NAME_BYTES: usize = 220;
    let name = format!("loadtest-grave-{index:07}");
    Key::global(Kind::GlobalNetworkSet, format!("{name}-{}", "x".repeat(NAME_BYTES - name.len())))
}

#[cfg(test)]
mod tests;
