//! Steady writes, whatever becomes of the datastore: one that fails is tried again until it is done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use datastore_adapters::{EtcdConfig, EtcdStore, Store as _};
use model::Version;
use tokio::{
    runtime::Runtime,
    sync::Mutex,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::slots::{self, SLOTS};

/// A datastore that takes longer than this is down.
const WRITE_LIMIT: Duration = Duration::from_secs(2);
/// Between two attempts at a write.
const RETRY: Duration = Duration::from_millis(100);
/// From etcd's start until it takes writes.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Below etcd's limit of operations.
const TRANSACTION: usize = 100;

/// The writer. Dropping it ends it.
pub(crate) struct Writer {
    store: EtcdStore,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    /// Held while a write is under way; who holds it otherwise keeps things still.
    writing: Mutex<()>,
    newest: AtomicU64,
    writes: AtomicU64,
}

impl Writer {
    /// Fills every slot, then begins to write.
    pub(crate) fn start(runtime: &Runtime, endpoint: String, rate: u32, epoch: Instant) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let store = on(runtime, connect(endpoint, epoch, Arc::clone(&shared)))?;
        let mut task = JoinSet::new();
        let writing = write(store.clone(), Arc::clone(&shared), rate, epoch);
        task.spawn_on(writing, runtime.handle());
        Ok(Self { store, shared, _task: task })
    }

    /// The revision of the newest write.
    pub(crate) fn newest(&self) -> Version {
        self.shared.newest.load(Ordering::Relaxed)
    }

    /// How many writes are done.
    pub(crate) fn writes(&self) -> u64 {
        self.shared.writes.load(Ordering::Relaxed)
    }

    /// Writes nothing while `check` looks at what the datastore holds: each slot's revision, and its own.
    pub(crate) fn standing_still<T>(
        &self,
        runtime: &Runtime,
        check: impl FnOnce(&std::collections::BTreeMap<u32, Version>, Version) -> Result<T>,
    ) -> Result<T> {
        let _still = runtime.block_on(self.shared.writing.lock());
        let store = self.store.clone();
        let listing = on(runtime, async move {
            let list = store.list(model::Kind::GlobalNetworkSet, None);
            timeout(CONNECT_LIMIT, list).await.context("the datastore does not answer")?.context("listing")
        })?;
        let slots = listing.items.iter().filter_map(|item| Some((slots::slot(item.key.name())?, item.revision)));
        check(&slots.collect(), self.newest())
    }
}

/// Runs on the runtime's own threads, which live in the clients' namespace.
fn on<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    runtime.block_on(runtime.spawn(work)).context("a task failed")?
}

async fn connect(endpoint: String, epoch: Instant, shared: Arc<Shared>) -> Result<EtcdStore> {
    let deadline = Instant::now() + CONNECT_LIMIT;
    let store = loop {
        let config = EtcdConfig { endpoints: vec![endpoint.clone()], ..EtcdConfig::default() };
        match EtcdStore::connect(config).await {
            Ok(store) => break store,
            Err(error) if Instant::now() > deadline => return Err(error).context("etcd does not take writes"),
            Err(_) => sleep(RETRY).await,
        }
    };
    let all: Vec<u32> = (0..SLOTS).collect();
    for slots in all.chunks(TRANSACTION) {
        let writes = slots.iter().map(|slot| slots::put(*slot, epoch.elapsed())).collect();
        let revision = store.transact(writes).await.context("the first writes")?;
        shared.newest.fetch_max(revision, Ordering::Relaxed);
    }
    Ok(store)
}

async fn write(store: EtcdStore, shared: Arc<Shared>, rate: u32, epoch: Instant) {
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        ticks.tick().await;
        let _writing = shared.writing.lock().await;
        loop {
            let (_, write) = slots::write(number, epoch.elapsed());
            if let Ok(Ok(revision)) = timeout(WRITE_LIMIT, store.transact(vec![write])).await {
                shared.newest.fetch_max(revision, Ordering::Relaxed);
                shared.writes.fetch_add(1, Ordering::Relaxed);
                break;
            }
            sleep(RETRY).await;
        }
    }
}
