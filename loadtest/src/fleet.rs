//! Many clients in this process, each speaking as felix does, and the account of what each of them received.

mod account;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use felix_client::sync::{Config, LightClient};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use self::account::Account;
use crate::recorder::Recorder;

/// Between two looks at all clients.
const POLL: Duration = Duration::from_millis(50);

/// The clients of a run. Dropping it ends them.
pub(crate) struct Fleet {
    config: Arc<Config>,
    accounts: Vec<Arc<Mutex<Account>>>,
    tasks: JoinSet<()>,
}

/// What all clients together received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Client-updates that arrived themselves.
    pub(crate) delivered: u64,
    /// Client-updates that a later one of the same key stands for.
    pub(crate) conflated: u64,
    /// Client-updates that never arrived in either way.
    pub(crate) lost: u64,
    /// Streams that ended.
    pub(crate) cut: u64,
}

impl Fleet {
    /// Starts `clients` clients. Latencies of writes after the epoch go to `recorder`.
    pub(crate) fn start(
        config: Config,
        clients: u32,
        written_keys: u32,
        epoch: Instant,
        recorder: &Arc<Recorder>,
    ) -> Self {
        let config = Arc::new(config);
        let mut tasks = JoinSet::new();
        let mut accounts = Vec::with_capacity(clients as usize);
        for number in 0..clients as usize {
            let account = Arc::new(Mutex::new(Account::new(number, written_keys, epoch, Arc::clone(recorder))));
            let own = Arc::clone(&account);
            let (client, _reporter) =
                LightClient::new(Arc::clone(&config), format!("loadtest-{number:05}"), move |event| {
                    own.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
                });
            tasks.spawn(client.run());
            accounts.push(account);
        }
        Self { config, accounts, tasks }
    }

    /// Waits until every client has everything up to a revision.
    pub(crate) async fn reach(&mut self, revision: u64, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let behind = self.count(|account| account.revision() < revision);
            if behind == 0 {
                return Ok(());
            }
            if let Some(ended) = self.tasks.try_join_next() {
                bail!("a client ended: {ended:?}");
            }
            if Instant::now() > deadline {
                let why = self.accounts.iter().find_map(|account| locked(account).last_trouble().map(str::to_owned));
                let why = why.unwrap_or_else(|| "no stream was cut".to_owned());
                bail!(
                    "{behind} of {} clients are not at revision {revision} after {limit:?}; {why}",
                    self.accounts.len()
                );
            }
            sleep(POLL).await;
        }
    }

    /// What arrived, where `last_writes` has the number of the last write of each key and `writes` were done in all.
    pub(crate) fn totals(&self, writes: u64, last_writes: &[u32]) -> Totals {
        let mut totals = Totals::default();
        for account in &self.accounts {
            locked(account).add_to(&mut totals, writes, last_writes);
        }
        totals
    }

    /// Bytes of messages that all clients received so far.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.config.metrics.received_bytes()
    }

    fn count(&self, what: impl Fn(&Account) -> bool) -> usize {
        self.accounts.iter().filter(|account| what(&locked(account))).count()
    }
}

fn locked(account: &Mutex<Account>) -> std::sync::MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
