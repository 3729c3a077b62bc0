//! The clients: hundreds in this process, on threads that live in a network namespace of their own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use felix_client::sync::{Client, Config, Event, Metrics};
use model::Version;
use pki::{ClientTls, Files, Peers};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinSet, time::Instant};

use anyhow::{Context as _, Result};

use crate::{
    account::{Account, Window},
    authority::TYPHA_CN,
    deployment::CERTIFICATES_EVERY,
};

/// What a client may be ahead of its account.
const EVENTS: usize = 16;

/// All clients. Dropping it ends them.
pub(crate) struct Fleet {
    accounts: Vec<Arc<Mutex<Account>>>,
    metrics: Metrics,
    _tasks: JoinSet<()>,
}

impl Fleet {
    /// Starts clients on a runtime.
    pub(crate) fn start(
        runtime: &Runtime,
        clients: usize,
        servers: &[String],
        files: &Files,
        epoch: Instant,
    ) -> Result<Self> {
        let config = Arc::new(config(servers, files)?);
        let mut tasks = JoinSet::new();
        let accounts: Vec<_> = (0..clients).map(|_| Arc::new(Mutex::new(Account::new(epoch)))).collect();
        for (number, account) in accounts.iter().enumerate() {
            let account = Arc::clone(account);
            let (client, _reporter) = Client::new(Arc::clone(&config), format!("client-{number:04}"));
            let (events, told) = mpsc::channel(EVENTS);
            tasks.spawn_on(client.run(events), runtime.handle());
            tasks.spawn_on(keep(account, told), runtime.handle());
        }
        Ok(Self { accounts, metrics: config.metrics.clone(), _tasks: tasks })
    }

    /// From now on a new fault is counted.
    pub(crate) fn begin(&self) {
        self.accounts.iter().for_each(|account| locked(account).begin());
    }

    /// What happened to each client since then.
    pub(crate) fn windows(&self) -> Vec<Window> {
        self.accounts.iter().map(|account| locked(account).window.clone()).collect()
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.metrics.received_bytes()
    }

    /// How many clients have no stream, or do not have everything up to a revision.
    pub(crate) fn behind(&self, revision: Version) -> usize {
        let is_behind = |account: &Account| account.server.is_none() || account.revision < revision;
        self.accounts.iter().filter(|account| is_behind(&locked(account))).count()
    }

    /// How many clients have their stream from a replica.
    pub(crate) fn at(&self, server: &str) -> usize {
        self.accounts.iter().filter(|account| locked(account).server.as_deref() == Some(server)).count()
    }

    /// Why some client's last stream ended.
    pub(crate) fn a_trouble(&self) -> String {
        let mut troubles = self.accounts.iter().map(|account| locked(account).last_trouble.clone());
        troubles.find(|trouble| !trouble.is_empty()).unwrap_or_else(|| "no stream has ended".to_owned())
    }

    /// Fails unless every client holds exactly this state and never went back.
    pub(crate) fn check(&self, state: &BTreeMap<u32, Version>) -> Result<()> {
        for (number, account) in self.accounts.iter().enumerate() {
            let account = locked(account);
            anyhow::ensure!(account.went_back == 0, "client {number} went back {} times", account.went_back);
            if let Some(difference) = account.differs_from(state) {
                anyhow::bail!("client {number}, at revision {}: {difference}", account.revision);
            }
        }
        Ok(())
    }
}

async fn keep(account: Arc<Mutex<Account>>, mut told: mpsc::Receiver<Event>) {
    while let Some(event) = told.recv().await {
        locked(&account).take(&event);
    }
}

/// What a client of these files is told.
pub(crate) fn config(servers: &[String], files: &Files) -> Result<Config> {
    let tls = ClientTls::client(files.clone(), Peers::common_name(TYPHA_CN)).context("the clients' certificate")?;
    let servers: Vec<Arc<str>> = servers.iter().map(|server| server.as_str().into()).collect();
    Ok(Config { certificates_every: CERTIFICATES_EVERY, ..Config::new(servers, tls) })
}

fn locked(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
