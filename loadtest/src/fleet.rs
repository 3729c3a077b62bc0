//! Many clients in this process, each speaking as felix does, and the account of what each of them received.

mod account;
mod configs;
mod progress;
mod readers;
mod reins;
mod sever;
mod slots;
mod totals;
mod troubles;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use felix_client::sync::LightClient;
use model::Version;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use self::{account::Account, progress::Progress, readers::Readers, reins::Reins, troubles::Troubles};
pub(crate) use self::{configs::Configs, totals::Totals};
use crate::{recorder::Recorder, workload::Workload};

/// Between two looks at all clients.
const POLL: Duration = Duration::from_millis(50);
/// Between two looks at how many more may connect: at ten times this a second, so many hundreds do.
const REFILL: Duration = Duration::from_millis(10);

/// What clients record.
#[derive(Default)]
pub(crate) struct Recorders {
    /// From a write's intended time to its checkpoint, of clients that read all the time.
    pub(crate) latency: Recorder,
    /// The same of clients that stopped reading for a while.
    pub(crate) stalled: Recorder,
    /// From a storm's start until a client has everything.
    pub(crate) in_sync: Recorder,
    /// Why streams were cut.
    pub(crate) troubles: Troubles,
}

/// The clients of a run. Dropping it ends them.
pub(crate) struct Fleet {
    configs: Configs,
    workload: Arc<Workload>,
    recorders: Arc<Recorders>,
    /// The number of the first client, where others are another process's.
    first: u32,
    accounts: Vec<Arc<Mutex<Account>>>,
    reins: watch::Sender<Reins>,
    tasks: JoinSet<()>,
    /// Where they run. After them, so that they end first.
    readers: Readers,
    /// Where those run that come while others are served: in truth they are other machines, whose handshakes are in
    /// nobody's way.
    crowd: Option<Readers>,
}

impl Fleet {
    /// No clients yet; the first is to have this number.
    pub(crate) fn new(
        configs: Configs,
        first: u32,
        workload: &Arc<Workload>,
        recorders: &Arc<Recorders>,
    ) -> Result<Self> {
        Ok(Self {
            configs,
            workload: Arc::clone(workload),
            recorders: Arc::clone(recorders),
            first,
            accounts: Vec::new(),
            reins: watch::Sender::default(),
            tasks: JoinSet::new(),
            readers: Readers::start("clients")?,
            crowd: None,
        })
    }

    /// Starts clients and waits until all are at a revision: no more than `at_once` of them without it at a time, or all
    /// at once, which is a storm and recorded. Latencies of those who come in a storm are kept apart from those of
    /// clients that are there already.
    pub(crate) async fn launch(
        &mut self,
        clients: u32,
        at_once: Option<u32>,
        revision: Version,
        limit: Duration,
    ) -> Result<()> {
        let (since, deadline) = (Instant::now(), Instant::now() + limit);
        let storm = at_once.is_none().then_some((revision, since));
        if at_once.is_none() && !self.accounts.is_empty() {
            self.crowd = Some(Readers::start("crowd")?);
        }
        let mut progress = Progress::new(clients);
        while self.accounts.len() < clients as usize && Instant::now() < deadline {
            let open = self.behind(revision, 0) as u32;
            let room = at_once.map_or(u32::MAX, |at_once| at_once.saturating_sub(open));
            (0..room.min(clients - self.accounts.len() as u32)).for_each(|_| self.start(storm));
            progress.show(self.accounts.len() - open as usize, || self.trouble());
            if self.accounts.len() < clients as usize {
                sleep(REFILL).await;
            }
        }
        self.wait(revision, deadline, 0, progress).await
    }

    fn start(&mut self, storm: Option<(Version, Instant)>) {
        let number = self.accounts.len();
        let mut account = Account::new(number, Arc::clone(&self.workload), Arc::clone(&self.recorders));
        account.is_stalled = self.crowd.is_some();
        if let Some((revision, since)) = storm {
            account.expect(revision, since);
        }
        let account = Arc::new(Mutex::new(account));
        let name = format!("loadtest-{:05}", self.first as usize + number);
        let own = Arc::clone(&account);
        let (client, _reporter) = LightClient::new(self.configs.next(), name, move |event| {
            locked(&own).take(&event);
        });
        let readers = self.crowd.as_ref().unwrap_or(&self.readers);
        self.tasks.spawn_on(reins::run(client.run(), number, self.reins.subscribe()), readers.of(number));
        self.accounts.push(account);
    }

    /// Waits until every client from number `first` on has everything up to a revision.
    pub(crate) async fn reach(&mut self, revision: Version, limit: Duration, first: usize) -> Result<()> {
        let progress = Progress::new((self.accounts.len() - first) as u32);
        self.wait(revision, Instant::now() + limit, first, progress).await
    }

    async fn wait(&mut self, revision: Version, deadline: Instant, first: usize, mut progress: Progress) -> Result<()> {
        let clients = self.accounts.len() - first;
        loop {
            let behind = self.behind(revision, first);
            progress.show(clients - behind, || self.trouble());
            if behind == 0 {
                return Ok(());
            }
            if let Some(ended) = self.tasks.try_join_next() {
                bail!("a client ended: {ended:?}");
            }
            if Instant::now() > deadline {
                let limit = progress.elapsed();
                bail!(
                    "{behind} of {clients} clients are not at revision {revision} after {limit:.0?}; {}",
                    self.trouble().unwrap_or_else(|| "no stream was cut".to_owned())
                );
            }
            sleep(POLL).await;
        }
    }

    /// How many clients from number `first` on are not at a revision.
    fn behind(&self, revision: Version, first: usize) -> usize {
        self.accounts[first..].iter().filter(|account| locked(account).revision() < revision).count()
    }

    /// Why a stream or an attempt ended, if any did.
    fn trouble(&self) -> Option<String> {
        self.accounts.iter().find_map(|account| locked(account).last_trouble().map(str::to_owned))
    }

    /// From now on, records how long each client takes until it has everything up to a revision.
    pub(crate) fn expect(&self, revision: Version) {
        let since = Instant::now();
        self.accounts.iter().for_each(|account| locked(account).expect(revision, since));
    }

    /// The first `clients` clients read nothing until [`Self::release`]; their latencies are kept apart from now on.
    pub(crate) fn stall(&self, clients: usize) {
        self.keep_apart(clients);
        self.reins.send_replace(Reins { clients, every: None });
    }

    /// The first `clients` clients run only so often until [`Self::release`]; likewise.
    pub(crate) fn slow_down(&self, clients: usize, every: Duration) {
        self.keep_apart(clients);
        self.reins.send_replace(Reins { clients, every: Some(every) });
    }

    fn keep_apart(&self, clients: usize) {
        self.accounts.iter().take(clients).for_each(|account| locked(account).is_stalled = true);
    }

    /// Cuts every connection and keeps the clients away until [`Self::release`].
    pub(crate) fn disconnect(&self) -> Result<usize> {
        self.stall(self.accounts.len());
        sever::sever(self.configs.servers())
    }

    /// All clients read again, as fast as they can.
    pub(crate) fn release(&self) {
        self.reins.send_replace(Reins::default());
    }

    /// What arrived, where so many writes were done in all.
    pub(crate) fn totals(&self, writes: u64) -> Totals {
        let mut totals = Totals::default();
        for account in &self.accounts {
            locked(account).add_to(&mut totals, writes);
        }
        totals
    }

    /// Counts the bytes of messages that all clients received so far.
    pub(crate) fn received_bytes(&self) -> impl Fn() -> u64 + Send + use<> {
        let metrics = self.configs.metrics();
        move || metrics.received_bytes()
    }
}

fn locked(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
