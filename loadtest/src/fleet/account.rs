//! What one client received: every update is delivered, conflated into a later one of its key, or lost.
//!
//! Writes are numbered, and typha hands them out in their order but for snapshots; therefore the highest number and one
//! bit for each slot say which of the last writes arrived, in a hundredth of the memory that their numbers would take.

use std::{sync::Arc, time::Duration};

use felix_client::sync::{Disconnect, LightEvent, Mode};
use model::Version;
use tokio::time::Instant;

use super::{Recorders, Totals, slots::Slots};
use crate::{
    recorder::Recorder,
    workload::{Stamp, Workload},
};

/// The account of one client.
pub(super) struct Account {
    /// The client's number, for the recorders.
    number: usize,
    workload: Arc<Workload>,
    recorders: Arc<Recorders>,
    /// Whether the client is one of those that stop reading, whose latencies are kept apart.
    pub(super) is_stalled: bool,
    /// Whether a snapshot is coming: what it does not mention is gone.
    in_snapshot: bool,
    /// Up to which revision everything has come; 0 before the first checkpoint in sync.
    revision: Version,
    /// What the client is to reach, and since when.
    goal: Option<(Version, Instant)>,
    /// The highest number received; 0 before any.
    newest: u32,
    /// Of each slot, whether its last write up to `newest` arrived itself.
    arrived: Slots,
    /// Writes below `newest` that have not arrived and that no other stands for.
    owed: Vec<u32>,
    /// Whether there is a stream.
    is_connected: bool,
    /// Since when there was none, or not everything that was missed.
    away_since: Option<Instant>,
    /// Intended times of writes that await their checkpoint, on whichever stream it comes.
    pending: Vec<Duration>,
    /// How old the server's view ever was, as it said.
    upstream_age: Duration,
    totals: Totals,
    /// Why the last stream or attempt ended.
    last_trouble: Option<String>,
}

impl Account {
    /// Nothing received yet.
    pub(super) fn new(number: usize, workload: Arc<Workload>, recorders: Arc<Recorders>) -> Self {
        let arrived = Slots::all(workload.slots());
        Self {
            number,
            workload,
            recorders,
            is_stalled: false,
            in_snapshot: true,
            revision: 0,
            goal: None,
            newest: 0,
            arrived,
            owed: Vec::new(),
            is_connected: false,
            away_since: None,
            pending: Vec::new(),
            upstream_age: Duration::ZERO,
            totals: Totals::default(),
            last_trouble: None,
        }
    }

    /// Up to which revision everything has come.
    pub(super) fn revision(&self) -> Version {
        self.revision
    }

    /// Records how long after `since` the client has everything up to a revision that it does not have.
    pub(super) fn expect(&mut self, revision: Version, since: Instant) {
        self.goal = (self.revision < revision).then_some((revision, since));
    }

    /// Why the last stream or attempt ended.
    pub(super) fn last_trouble(&self) -> Option<&str> {
        self.last_trouble.as_deref()
    }

    /// Takes note of an event.
    pub(super) fn take(&mut self, event: &LightEvent<'_>) {
        match event {
            LightEvent::Connected { mode, .. } => self.connected(*mode),
            LightEvent::Entry { key, value, .. } => {
                if let Some(stamp) = self.workload.read(key, value.map(|value| &**value)) {
                    self.arrived(stamp);
                }
            }
            LightEvent::Checkpoint { revision, upstream_age, in_sync } => {
                self.upstream_age = self.upstream_age.max(*upstream_age);
                if *in_sync {
                    self.checkpoint(*revision);
                }
            }
            LightEvent::Disconnected { reason, .. } => self.disconnected(reason),
        }
    }

    fn disconnected(&mut self, reason: &Disconnect) {
        let words = reason.to_string();
        match reason {
            Disconnect::PutOff { .. } => self.totals.put_off += 1,
            Disconnect::GoAway { .. } | Disconnect::Referred { .. } | Disconnect::Stale { .. } => {
                self.totals.moved += 1;
            }
            _ if self.is_connected => {
                self.totals.cut += 1;
                self.recorders.troubles.note(&words);
            }
            _ => self.totals.failed_attempts += 1,
        }
        self.last_trouble = Some(words);
        self.is_connected = false;
        // Who never had anything misses nothing.
        if self.revision > 0 {
            self.away_since.get_or_insert_with(Instant::now);
        }
    }

    fn connected(&mut self, mode: Mode) {
        // A client that moves has its next stream before it leaves the last.
        self.totals.moved += u64::from(std::mem::replace(&mut self.is_connected, true));
        self.in_snapshot = mode == Mode::Snapshot;
        match mode {
            Mode::Resume => self.totals.resumes += 1,
            Mode::Snapshot => {
                self.totals.snapshots += 1;
                self.totals.snapshots_again += u64::from(self.revision > 0);
                self.owed.clear();
            }
        }
    }

    fn arrived(&mut self, stamp: Stamp) {
        let number = stamp.number;
        if number > self.newest {
            (self.newest + 1..number).for_each(|skipped| self.skip(skipped));
            self.newest = number;
            self.arrived.set(self.workload.slot(number), true);
        } else if let Some(found) = self.owed.iter().position(|owed| *owed == number) {
            self.owed.swap_remove(found);
            if self.is_last(number) {
                self.arrived.set(self.workload.slot(number), true);
            }
        } else if number > 0 && self.is_last(number) && !self.arrived.get(self.workload.slot(number)) {
            self.arrived.set(self.workload.slot(number), true);
        } else {
            // Repeated after a reconnect, or from before the run.
            return;
        }
        self.totals.delivered += 1;
        self.pending.push(stamp.intended);
    }

    /// Notes that a later write came before this one.
    fn skip(&mut self, number: u32) {
        self.arrived.set(self.workload.slot(number), false);
        // A snapshot says what is; what is not in it needs no deletion.
        if !self.in_snapshot && self.workload.is_irreplaceable(number) {
            self.owed.push(number);
        }
    }

    /// Whether no later write up to the newest is of the same slot.
    fn is_last(&self, number: u32) -> bool {
        u64::from(number) + u64::from(self.workload.slots()) > u64::from(self.newest)
    }

    fn checkpoint(&mut self, revision: Version) {
        self.revision = revision;
        self.in_snapshot = false;
        if let Some(since) = self.away_since.take() {
            self.totals.longest_gap = self.totals.longest_gap.max(since.elapsed());
        }
        let now = self.workload.clock().since_unix(Instant::now());
        let recorder: &Recorder = if self.is_stalled { &self.recorders.stalled } else { &self.recorders.latency };
        // What was written together was intended for one moment.
        for together in self.pending.chunk_by(PartialEq::eq) {
            recorder.record(self.number, now.saturating_sub(together[0]), together.len() as u64);
        }
        self.pending.clear();
        if let Some((_, since)) = self.goal.take_if(|(goal, _)| *goal <= revision) {
            self.recorders.in_sync.record(self.number, since.elapsed(), 1);
        }
    }

    /// Adds this client's part to what all clients received of so many writes.
    pub(super) fn add_to(&self, totals: &mut Totals, writes: u64) {
        let lost = (1..=writes as u32).rev().take_while(|number| self.may_be_lost(*number, writes));
        let lost = lost.filter(|number| self.is_lost(*number, writes)).count() + self.owed.len();
        let (lost, missing) = (lost as u64, writes.saturating_sub(self.totals.delivered));
        *totals += Totals {
            lost,
            conflated: missing.saturating_sub(lost),
            upstream_age_ms: self.upstream_age.as_millis() as u64,
            ..self.totals
        };
    }

    /// Whether it is among the last of all slots, or later than whatever arrived.
    fn may_be_lost(&self, number: u32, writes: u64) -> bool {
        number > self.newest || u64::from(number) + u64::from(self.workload.slots()) > writes
    }

    /// Whether it has not arrived and no later one stands for it. Those that are owed are counted by themselves.
    fn is_lost(&self, number: u32, writes: u64) -> bool {
        let is_last = u64::from(number) + u64::from(self.workload.slots()) > writes;
        if number > self.newest {
            return is_last || self.workload.is_irreplaceable(number);
        }
        is_last && !self.arrived.get(self.workload.slot(number)) && !self.owed.contains(&number)
    }
}

#[cfg(test)]
mod tests;
