//! What one client received: every update is delivered, conflated into a later one of its key, or lost.

use std::{sync::Arc, time::Duration};

use felix_client::sync::LightEvent;
use model::Version;
use tokio::time::Instant;

use super::Totals;
use crate::{recorder::Recorder, workload};

/// The account of one client.
pub(super) struct Account {
    /// The client's number, for the recorder.
    number: usize,
    /// What intended times count from.
    epoch: Instant,
    recorder: Arc<Recorder>,
    /// Up to which revision everything has come; 0 before the first checkpoint in sync.
    revision: Version,
    /// The last write received of each key, by the key's index; 0 before any.
    last_writes: Vec<u32>,
    /// Intended times of writes that await their checkpoint.
    pending: Vec<Duration>,
    /// Writes received.
    delivered: u64,
    /// Streams that ended.
    cut: u64,
    /// Why the last one did.
    last_trouble: Option<String>,
}

impl Account {
    /// Nothing received yet.
    pub(super) fn new(number: usize, written_keys: u32, epoch: Instant, recorder: Arc<Recorder>) -> Self {
        Self {
            number,
            epoch,
            recorder,
            revision: 0,
            last_writes: vec![0; written_keys as usize],
            pending: Vec::new(),
            delivered: 0,
            cut: 0,
            last_trouble: None,
        }
    }

    /// Up to which revision everything has come.
    pub(super) fn revision(&self) -> Version {
        self.revision
    }

    /// Why the last stream ended.
    pub(super) fn last_trouble(&self) -> Option<&str> {
        self.last_trouble.as_deref()
    }

    /// Takes note of an event.
    pub(super) fn take(&mut self, event: &LightEvent<'_>) {
        match event {
            LightEvent::Connected { .. } => self.pending.clear(),
            LightEvent::Entry { key, value, .. } => self.entry(key, value.map(|value| &**value)),
            LightEvent::Checkpoint { revision, in_sync: true, .. } => self.checkpoint(*revision),
            LightEvent::Checkpoint { in_sync: false, .. } => {}
            LightEvent::Disconnected { reason, .. } => {
                self.cut += 1;
                self.last_trouble = Some(reason.to_string());
            }
        }
    }

    fn entry(&mut self, key: &str, value: Option<&[u8]>) {
        let Some((index, stamp)) = workload::index(key).zip(value.and_then(workload::stamp)) else { return };
        let Some(last) = self.last_writes.get_mut(index as usize) else { return };
        // Repeated after a reconnect, or from before the run.
        if stamp.number <= *last {
            return;
        }
        *last = stamp.number;
        self.delivered += 1;
        self.pending.push(stamp.intended);
    }

    fn checkpoint(&mut self, revision: Version) {
        self.revision = revision;
        let now = self.epoch.elapsed();
        for intended in self.pending.drain(..) {
            self.recorder.record(self.number, now.saturating_sub(intended));
        }
    }

    /// Adds this client's part to what all clients received.
    pub(super) fn add_to(&self, totals: &mut Totals, writes: u64, last_writes: &[u32]) {
        let behind = self.last_writes.iter().zip(last_writes).filter(|(have, want)| have < want).count() as u64;
        let missing = writes.saturating_sub(self.delivered);
        totals.delivered += self.delivered;
        // A key that is not at its last write has lost at least that one; the others' gaps were filled by later writes.
        totals.lost += behind;
        totals.conflated += missing.saturating_sub(behind);
        totals.cut += self.cut;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::workload::{Stamp, key, value};

    fn receive(account: &mut Account, index: u32, number: u32) {
        let value: Bytes = value(index, Stamp { number, intended: Duration::ZERO });
        let key = key(index).to_string();
        account.take(&LightEvent::Entry { key: &key, value: Some(&value), revision: u64::from(number) });
    }

    #[test]
    fn every_update_is_delivered_conflated_or_lost() {
        let recorder = Arc::new(Recorder::new().unwrap());
        let mut account = Account::new(0, 2, Instant::now(), recorder);
        // Writes 1, 3, 5 went to key 0 and 2, 4 to key 1; 1 and 2 came, 3 was conflated into 5, 4 was lost.
        receive(&mut account, 0, 1);
        receive(&mut account, 1, 2);
        receive(&mut account, 0, 5);
        receive(&mut account, 0, 5);
        let mut totals = Totals::default();
        account.add_to(&mut totals, 5, &[5, 4]);
        assert_eq!(totals, Totals { delivered: 3, conflated: 1, lost: 1, cut: 0 });
    }
}
