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
use tokio_util::sync::CancellationToken;

use crate::{scenario::Scenario, schedule::Schedule, workload::Workload};

/// Transactions that are under way at a time where only speed matters. Etcd commits them together.
const UNDER_WAY: usize = 8;
/// Between two lines about keys that are written before a run.
const PROGRESS: Duration = Duration::from_secs(5);

/// A writer that runs beside what else happens. Dropping it ends it.
#[derive(Default)]
pub(crate) struct Writer {
    task: JoinSet<Result<Written>>,
    /// The revision of the newest write so far.
    newest: Arc<AtomicU64>,
    /// Ends it between two transactions.
    stop: CancellationToken,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// How many writes: all of the scenario's, unless it was stopped.
    pub(crate) writes: u64,
    /// How long after its intended time a transaction ever began: the datastore, or we, were too slow.
    pub(crate) behind: Duration,
}

impl Writer {
    /// Begins to write.
    pub(crate) fn start(&mut self, store: EtcdStore, workload: Arc<Workload>, schedule: Schedule, scenario: &Scenario) {
        let (newest, stop) = (Arc::clone(&self.newest), self.stop.clone());
        let (transactions, transaction) = (scenario.transactions(), scenario.transaction);
        self.task.spawn(async move {
            let mut written = Written::default();
            for index in 0..transactions {
                let at = schedule.intended(index);
                if stop.run_until_cancelled(sleep_until(at)).await.is_none() {
                    break;
                }
                written.behind = written.behind.max(at.elapsed());
                let intended = workload.clock().since_unix(at);
                let first = index as u32 * transaction + 1;
                let writes = (first..first + transaction).map(|number| workload.write(number, intended));
                newest.fetch_max(store.transact(writes.collect()).await?, Ordering::Relaxed);
                written.writes += u64::from(transaction);
            }
            Ok(written)
        });
    }

    /// Begins no further transaction.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
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

/// Does writes as fast as the datastore takes them, in no particular order; the last one's revision, 0 where there are
/// none.
pub(crate) async fn write_all(store: &EtcdStore, writes: impl Iterator<Item = Write>) -> Result<Version> {
    /// Below etcd's limit of 128 operations, and with values as ours far below its 1.5 MiB.
    const TRANSACTION: usize = 100;
    let (mut under_way, mut revision, mut writes) = (JoinSet::new(), 0, writes.peekable());
    let (mut done, started, mut next_line) = (0, Instant::now(), Instant::now() + PROGRESS);
    loop {
        while under_way.len() < UNDER_WAY && writes.peek().is_some() {
            let (store, writes) = (store.clone(), writes.by_ref().take(TRANSACTION).collect::<Vec<_>>());
            let keys = writes.len();
            under_way.spawn(async move { store.transact(writes).await.map(|revision| (keys, revision)) });
        }
        let Some(finished) = under_way.join_next().await else { return Ok(revision) };
        let (keys, at) = finished.context("a write panicked")??;
        (done, revision) = (done + keys, revision.max(at));
        if Instant::now() > next_line {
            next_line += PROGRESS;
            eprintln!("  {:6.1} s  {done} keys", started.elapsed().as_secs_f64());
        }
    }
}
