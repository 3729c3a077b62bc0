//! Writes by the schedule, whatever becomes of it. Knows no client and records no latency.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use datastore_adapters::{EtcdConfig, EtcdStore, Store, Write};
use model::Version;
use nix::sys::prctl;
use tokio::{
    runtime::Builder,
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    scenario::Scenario,
    schedule::Schedule,
    workload::{self, Workload},
};

/// Transactions that are under way at a time where only speed matters. Etcd commits them together.
const UNDER_WAY: usize = 8;
/// Timers of tokio are late by up to this; the rest of the time to a write the thread sleeps by itself.
const COARSE: Duration = Duration::from_millis(2);
/// Between two lines about keys that are written before a run.
const PROGRESS: Duration = Duration::from_secs(5);

/// A writer that runs beside what else happens, on a thread of its own: among thousands of clients that read, each of its
/// steps would wait for all of theirs, and that would be counted as the server's. Dropping it ends it.
#[derive(Default)]
pub(crate) struct Writer {
    thread: JoinSet<Result<Written>>,
    /// Tells the thread when to begin.
    begin: Option<oneshot::Sender<Schedule>>,
    /// The revision of the newest write so far.
    newest: Arc<AtomicU64>,
    /// Ends it between two transactions.
    stop: CancellationToken,
    /// Ends it at once.
    gone: CancellationToken,
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
    /// Connects to the datastore; nothing is written before [`Self::begin`].
    pub(crate) async fn connect(&mut self, etcd: EtcdConfig, workload: Arc<Workload>, scenario: &Scenario) {
        let ((begin, begun), (connected, is_connected)) = (oneshot::channel(), oneshot::channel());
        let work = Work {
            workload,
            transactions: scenario.transactions(),
            transaction: scenario.transaction,
            newest: Arc::clone(&self.newest),
            stop: self.stop.clone(),
        };
        let gone = self.gone.clone();
        self.thread.spawn_blocking(move || {
            // By itself the kernel lets a sleep last 50 us longer, to join it with others.
            prctl::set_timerslack(1).context("the kernel refuses precise sleep")?;
            let runtime = Builder::new_current_thread().enable_all().build().context("no runtime for the writer")?;
            runtime.block_on(async {
                let store = EtcdStore::connect(etcd).await?;
                // The first request connects; the first write is not to wait for that.
                store.get(&workload::grave(0)).await?;
                let _ = connected.send(());
                let Ok(schedule) = begun.await else { return Ok(Written::default()) };
                gone.run_until_cancelled(work.run(&store, schedule)).await.unwrap_or_else(|| Ok(Written::default()))
            })
        });
        self.begin = Some(begin);
        // If it was not told, finishing says why.
        let _ = is_connected.await;
    }

    /// Begins to write.
    pub(crate) fn begin(&mut self, schedule: Schedule) {
        if let Some(begin) = self.begin.take() {
            // It fails where connecting did, which finishing tells.
            let _ = begin.send(schedule);
        }
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
        let Some(finished) = self.thread.join_next().await else { return Ok(None) };
        Ok(Some(finished.context("the writer panicked")?.context("the datastore refused a write")?))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// What the thread does.
struct Work {
    workload: Arc<Workload>,
    transactions: u64,
    transaction: u32,
    newest: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Work {
    async fn run(self, store: &EtcdStore, schedule: Schedule) -> Result<Written> {
        let mut written = Written::default();
        for index in 0..self.transactions {
            let at = schedule.intended(index);
            let intended = self.workload.clock().since_unix(at);
            let first = index as u32 * self.transaction + 1;
            let numbers = first..first + self.transaction;
            // Made ahead of its time, so that only the datastore's part and typha's are counted.
            let writes = numbers.map(|number| self.workload.write(number, intended)).collect();
            if self.stop.run_until_cancelled(sleep_until(at - COARSE)).await.is_none() {
                break;
            }
            thread::sleep(at.saturating_duration_since(Instant::now()));
            written.behind = written.behind.max(at.elapsed());
            self.newest.fetch_max(store.transact(writes).await?, Ordering::Relaxed);
            written.writes += u64::from(self.transaction);
        }
        Ok(written)
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
