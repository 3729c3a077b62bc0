//! The run: keys, clients, writes by the schedule, the account, the floor.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use datastore_adapters::{EtcdConfig, EtcdStore, Store, Write};
use felix_client::sync::Config;
use pki::Peers;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    fleet::Fleet,
    floor,
    local::{Local, TYPHA_CN},
    process::{self, Usage},
    recorder::Recorder,
    report::{Harness, Report, Server},
    scenario::Scenario,
    schedule::Schedule,
    workload::{self, Stamp},
};

/// Keys in each transaction that prepares the datastore: below etcd's limit of 128.
const SEED_TRANSACTION: u32 = 100;
/// Time for every client to connect and take the snapshot.
const CONNECT_LIMIT: Duration = Duration::from_mins(2);
/// Time for the last write to reach every client.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);
/// After the snapshot, before the first write: what connecting left behind is not measured.
const SETTLE: Duration = Duration::from_secs(1);

/// Runs a scenario and its floor.
pub(crate) async fn run(name: &str, scenario: &Scenario) -> Result<Report> {
    let load_average = process::load_average()?;
    eprintln!("Starting cattail-store and typha ...");
    let mut local = Local::start().await?;
    let etcd = EtcdConfig { endpoints: vec![local.store_url.clone()], ..EtcdConfig::default() };
    let store = EtcdStore::connect(etcd).await?;
    let seeded = seed(&store, scenario.keys).await?;

    eprintln!("Connecting {} clients ...", scenario.clients);
    let rss_kb_before = Usage::of(local.typha_pid())?.rss_kb;
    let epoch = Instant::now();
    let recorder = Arc::new(Recorder::new()?);
    let tls = pki::load_client(&local.client_files, &Peers::common_name(TYPHA_CN))?;
    let config = Config::new([local.typha_address.to_string()], Arc::new(tls));
    let mut fleet = Fleet::start(config, scenario.clients, scenario.written_keys(), epoch, &recorder);
    fleet.reach(seeded, CONNECT_LIMIT).await.with_context(|| format!("logs: {}", local.logs().display()))?;
    sleep(SETTLE).await;

    eprintln!("Writing for {:.0} s ...", scenario.seconds);
    let (server_before, own_before, bytes_before) =
        (Usage::of(local.typha_pid())?, Usage::own()?, fleet.received_bytes());
    let started = Instant::now();
    let mut last_writes = vec![0; scenario.written_keys() as usize];
    let last = write(&store, scenario, epoch, &mut last_writes).await?;
    fleet.reach(last, DRAIN_LIMIT).await?;
    local.check_alive()?;
    let (server_after, own_after) = (Usage::of(local.typha_pid())?, Usage::own()?);
    let (seconds, bytes) = (started.elapsed().as_secs_f64(), fleet.received_bytes() - bytes_before);

    let totals = fleet.totals(scenario.writes(), &last_writes);
    let client_updates = scenario.writes() as f64 * f64::from(scenario.clients);
    drop((fleet, local));
    eprintln!("Running the floor ...");
    let batches = scenario.transactions() * u64::from(scenario.clients);
    let floor = floor::run(scenario, (bytes / batches) as usize).await.context("the floor")?;
    Ok(Report {
        scenario: name.to_owned(),
        clients: scenario.clients,
        keys: scenario.keys,
        writes: scenario.writes(),
        lost: totals.lost,
        conflated: totals.conflated,
        cut: totals.cut,
        bytes,
        server: Server {
            cpu_us_per_client_update: server_after.cpu_us_since(&server_before) as f64 / client_updates,
            rss_kb: server_after.rss_kb,
            rss_kb_per_client: server_after.rss_kb.saturating_sub(rss_kb_before) as f64 / f64::from(scenario.clients),
        },
        latency_ms: recorder.percentiles(),
        harness: Harness {
            cores: own_after.cpu_us_since(&own_before) as f64 / 1e6 / seconds,
            rss_kb: own_after.rss_kb,
        },
        floor,
        load_average,
    })
}

/// Writes every key once; the revision after which all exist.
async fn seed(store: &EtcdStore, keys: u32) -> Result<u64> {
    let stamp = Stamp { number: 0, intended: Duration::ZERO };
    let mut revision = 0;
    for first in (0..keys).step_by(SEED_TRANSACTION as usize) {
        let indexes = first..keys.min(first + SEED_TRANSACTION);
        let writes = indexes.map(|index| Write::Put(workload::key(index), workload::value(index, stamp))).collect();
        revision = store.transact(writes).await?;
    }
    Ok(revision)
}

/// Writes by the schedule; the revision of the last write. Each key's last write is noted in `last_writes`.
async fn write(store: &EtcdStore, scenario: &Scenario, epoch: Instant, last_writes: &mut [u32]) -> Result<u64> {
    let schedule = Schedule::new(Instant::now(), scenario.rate);
    let (mut number, mut revision) = (0_u32, 0);
    for transaction in 0..scenario.transactions() {
        let at = schedule.intended(transaction);
        sleep_until(at).await;
        let intended = at.duration_since(epoch);
        let mut writes = Vec::with_capacity(scenario.transaction as usize);
        for _ in 0..scenario.transaction {
            let index = number % scenario.written_keys();
            number += 1;
            last_writes[index as usize] = number;
            writes.push(Write::Put(workload::key(index), workload::value(index, Stamp { number, intended })));
        }
        revision = store.transact(writes).await?;
    }
    Ok(revision)
}
