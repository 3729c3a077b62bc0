//! What one client received: every update is delivered, conflated into a later one of its key, or lost.

use std::{sync::Arc, time::Duration};

use felix_client::sync::{LightEvent, Mode};
use model::Version;
use tokio::time::Instant;

use super::{Recorders, Totals};
use crate::{
    recorder::Recorder,
    workload::{Arrival, Workload},
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
    /// The last write received of each slot; 0 before any.
    last_writes: Vec<u32>,
    /// Writes that others of their slot overtook and no other stands for.
    owed: Vec<u32>,
    /// Intended times of writes that await their checkpoint.
    pending: Vec<Duration>,
    /// How old the server's view ever was, as it said.
    upstream_age: Duration,
    totals: Totals,
    /// Why the last stream ended.
    last_trouble: Option<String>,
}

impl Account {
    /// Nothing received yet.
    pub(super) fn new(number: usize, workload: Arc<Workload>, recorders: Arc<Recorders>) -> Self {
        let last_writes = vec![0; workload.slots() as usize];
        Self {
            number,
            workload,
            recorders,
            is_stalled: false,
            in_snapshot: true,
            revision: 0,
            goal: None,
            last_writes,
            owed: Vec::new(),
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

    /// Why the last stream ended.
    pub(super) fn last_trouble(&self) -> Option<&str> {
        self.last_trouble.as_deref()
    }

    /// Takes note of an event.
    pub(super) fn take(&mut self, event: &LightEvent<'_>) {
        match event {
            LightEvent::Connected { mode, .. } => self.connected(*mode),
            LightEvent::Entry { key, value, .. } => {
                if let Some(arrival) = self.workload.read(key, value.map(|value| &**value)) {
                    self.arrived(arrival);
                }
            }
            LightEvent::Checkpoint { revision, upstream_age, in_sync } => {
                self.upstream_age = self.upstream_age.max(*upstream_age);
                if *in_sync {
                    self.checkpoint(*revision);
                }
            }
            LightEvent::Disconnected { reason, .. } => {
                self.totals.cut += 1;
                self.last_trouble = Some(reason.to_string());
            }
        }
    }

    fn connected(&mut self, mode: Mode) {
        self.pending.clear();
        self.in_snapshot = mode == Mode::Snapshot;
        match mode {
            Mode::Resume => self.totals.resumes += 1,
            Mode::Snapshot => {
                self.totals.snapshots += 1;
                self.owed.clear();
            }
        }
    }

    fn arrived(&mut self, Arrival { slot, stamp }: Arrival) {
        let Some(last) = self.last_writes.get_mut(slot as usize) else { return };
        if stamp.number > *last {
            if !self.in_snapshot {
                self.owed.extend(self.workload.irreplaceable(slot, *last, stamp.number));
            }
            *last = stamp.number;
        } else if let Some(found) = self.owed.iter().position(|number| *number == stamp.number) {
            self.owed.swap_remove(found);
        } else {
            // Repeated after a reconnect, or from before the run.
            return;
        }
        self.totals.delivered += 1;
        self.pending.push(stamp.intended);
    }

    fn checkpoint(&mut self, revision: Version) {
        self.revision = revision;
        self.in_snapshot = false;
        let now = self.workload.epoch().elapsed();
        let recorder: &Recorder = if self.is_stalled { &self.recorders.stalled } else { &self.recorders.latency };
        for intended in self.pending.drain(..) {
            recorder.record(self.number, now.saturating_sub(intended));
        }
        if let Some((_, since)) = self.goal.take_if(|(goal, _)| *goal <= revision) {
            self.recorders.in_sync.record(self.number, since.elapsed());
        }
    }

    /// Adds this client's part to what all clients received.
    pub(super) fn add_to(&self, totals: &mut Totals, writes: u64, last_writes: &[u32]) {
        let mut lost = self.owed.len() as u64;
        for (slot, (have, want)) in (0_u32..).zip(self.last_writes.iter().zip(last_writes)) {
            // A slot that is not at its last write has lost at least that one; a later one stands for the others,
            // unless each is of a key of its own.
            if have < want {
                lost += 1 + self.workload.irreplaceable(slot, *have, *want).count() as u64;
            }
        }
        let missing = writes.saturating_sub(self.totals.delivered);
        totals.delivered += self.totals.delivered;
        totals.lost += lost;
        totals.conflated += missing.saturating_sub(lost);
        totals.cut += self.totals.cut;
        totals.resumes += self.totals.resumes;
        totals.snapshots += self.totals.snapshots;
        totals.upstream_age_ms = totals.upstream_age_ms.max(self.upstream_age.as_millis() as u64);
    }
}

#[cfg(test)]
mod tests;
