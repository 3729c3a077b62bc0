//! What a run writes, and how a client knows what it received: which write, of which slot, intended when.
//!
//! Writes are numbered from 1 and go round robin over slots. A value carries its number and its intended time, so that
//! whoever receives it needs no other record to know how late it is and what it replaces; a deletion's are computed
//! from the key, whose name is used once. Nothing is sent here.

mod churn;
mod sets;
mod stamp;

use std::{sync::OnceLock, time::Duration};

use datastore_adapters::Write;
use model::{Key, Kind};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub(crate) use self::stamp::Stamp;
use crate::{clock::Clock, schedule::Schedule};

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
    /// Tells intended times in a way that other processes understand.
    clock: Clock,
    /// Set when writing begins.
    schedule: OnceLock<Schedule>,
}

impl Workload {
    /// Nothing is written yet.
    pub(crate) fn new(content: Content, keys: u32, transaction: u32) -> Self {
        Self { content, keys, transaction, clock: Clock::now(), schedule: OnceLock::new() }
    }

    /// What intended times are told by.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Fixes when writes are intended; the first caller decides.
    pub(crate) fn begin(&self, schedule: Schedule) -> Schedule {
        *self.schedule.get_or_init(|| schedule)
    }

    /// How many writes are intended for now or earlier.
    pub(crate) fn due(&self, now: Instant) -> u64 {
        self.schedule.get().map_or(0, |schedule| schedule.due(now) * u64::from(self.transaction))
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

    /// The write of this number.
    pub(crate) fn write(&self, number: u32, intended: Duration) -> Write {
        let (slot, stamp) = (self.slot(number), Stamp { number, intended });
        match self.content {
            Content::Sets => Write::Put(sets::key(slot), sets::value(slot, stamp)),
            Content::Churn => churn::write(slot, (number - 1) / self.slots(), stamp),
        }
    }

    /// The key of the write of this number; `None` for 0.
    pub(crate) fn key(&self, number: u32) -> Option<Key> {
        let (Write::Put(key, _) | Write::Delete(key)) = (number > 0).then(|| self.write(number, Duration::ZERO))?;
        Some(key)
    }

    /// Which write an entry is of; `None` for what is not of this run.
    pub(crate) fn read(&self, key: &str, value: Option<&[u8]>) -> Option<Stamp> {
        let is_ours = |slot: &u32| *slot < self.slots();
        match (self.content, value) {
            (Content::Sets, value) => {
                sets::index(key).filter(is_ours)?;
                stamp::read(value?)
            }
            (Content::Churn, Some(value)) => {
                churn::slot(key).filter(is_ours)?;
                stamp::read(value)
            }
            (Content::Churn, None) => {
                let (slot, visit) = churn::deletion(key).filter(|(slot, _)| is_ours(slot))?;
                let number = visit * self.slots() + slot + 1;
                let transaction = u64::from((number - 1) / self.transaction);
                let intended = self.clock.since_unix(self.schedule.get()?.intended(transaction));
                Some(Stamp { number, intended })
            }
        }
    }

    /// The slot that a write is of.
    pub(crate) fn slot(&self, number: u32) -> u32 {
        (number - 1) % self.slots()
    }

    /// Whether no later write stands for this one, because its key is not written again: it must arrive itself.
    pub(crate) fn is_irreplaceable(&self, number: u32) -> bool {
        self.content == Content::Churn && churn::is_deletion(self.slot(number), (number - 1) / self.slots())
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
