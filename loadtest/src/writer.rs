//! Writes by the schedule, whatever becomes of it. Knows no client and records no latency.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use datastore_adapters::{EtcdStore, Store, Write};
use model::Version;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{scenario::Scenario, schedule::Schedule, workload::Workload};

/// A writer that runs beside what else happens. Dropping it ends it.
#[derive(Default)]
pub(crate) struct Writer {
    task: JoinSet<Result<Written>>,
    /// The revision of the newest write so far.
    newest: Arc<AtomicU64>,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// The number of the last write of each slot.
    pub(crate) last_writes: Vec<u32>,
    /// How long after its intended time a transaction ever began: the datastore, or we, were too slow.
    pub(crate) behind: Duration,
}

impl Writer {
    /// Begins to write.
    pub(crate) fn start(&mut self, store: EtcdStore, workload: Arc<Workload>, scenario: &Scenario) {
        let schedule = workload.begin(Schedule::new(Instant::now(), scenario.rate, scenario.burst));
        let newest = Arc::clone(&self.newest);
        let (transactions, transaction) = (scenario.transactions(), scenario.transaction);
        self.task.spawn(async move {
            let mut written = Written { last_writes: vec![0; workload.slots() as usize], behind: Duration::ZERO };
            for index in 0..transactions {
                let at = schedule.intended(index);
                sleep_until(at).await;
                written.behind = written.behind.max(at.elapsed());
                let intended = at.duration_since(workload.epoch());
                let first = index as u32 * transaction + 1;
                let writes = (first..first + transaction).map(|number| {
                    let (slot, write) = workload.write(number, intended);
                    written.last_writes[slot as usize] = number;
                    write
                });
                newest.fetch_max(store.transact(writes.collect()).await?, Ordering::Relaxed);
            }
            Ok(written)
        });
    }

    /// The revision of the newest write so far; 0 before any.
    pub(crate) fn newest(&self) -> Version {
        self.newest.load(Ordering::Relaxed)
    }

    /// Waits until everything is written; `None` where nothing is.
    pub(crate) async fn finish(&mut self) -> Result<Option<Written>> {
        let Some(finished) = self.task.join_next().await else { return Ok(None) };
        Ok(Some(finished.context("the writer panicked")?.context("the datastore refused a write")?))
    }
}

/// Does writes as fast as the datastore takes them; the last one's revision, 0 where there are none.
pub(crate) async fn write_all(store: &EtcdStore, writes: impl Iterator<Item = Write>) -> Result<Version> {
    /// Below etcd's limit of 128.
    const TRANSACTION: usize = 100;
    let (mut revision, mut writes) = (0, writes.peekable());
    while writes.peek().is_some() {
        revision = store.transact(writes.by_ref().take(TRANSACTION).collect()).await?;
    }
    Ok(revision)
}
