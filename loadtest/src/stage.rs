//! A run: the deployment, the datastore, the clients and the writer, and what its phases do to them.

mod measured;
mod phases;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use datastore_adapters::{EtcdStore, Write};
use model::Version;
use tokio::time::Instant;

use self::measured::{Measured, Measures};
use crate::{
    deployment::Deployment,
    fleet::{Fleet, Recorders, Totals},
    process::Usage,
    recorder::Percentiles,
    scenario::{Phase, Scenario},
    workload::Workload,
    writer::{Writer, Written, write_all},
};

/// A run.
pub(crate) struct Stage<'a> {
    scenario: &'a Scenario,
    deployment: Deployment,
    /// None where a deployment in the field is only read.
    store: Option<EtcdStore>,
    workload: Arc<Workload>,
    recorders: Arc<Recorders>,
    fleet: Fleet,
    writer: Writer,
    /// Set when the writer has finished.
    written: Option<Written>,
    /// What clients must have when they have everything, apart from what the writer writes.
    revision: Version,
    /// How many clients do not read now.
    held: usize,
    /// Usage before the first client.
    server_before: Option<Usage>,
    own_before: Usage,
    /// Set by the phase that begins measuring.
    measured: Option<Measured>,
}

/// What a run found.
pub(crate) struct Findings {
    pub(crate) measures: Measures,
    pub(crate) totals: Totals,
    /// Of clients that read all the time.
    pub(crate) latency: Percentiles,
    /// Of clients that did not.
    pub(crate) stalled: Percentiles,
    /// Of clients that were brought in sync.
    pub(crate) in_sync: Percentiles,
    /// How late the writer ever was.
    pub(crate) behind: Duration,
}

impl<'a> Stage<'a> {
    /// Makes everything ready for the first phase: the keys exist, no client does.
    pub(crate) async fn set(scenario: &'a Scenario, deployment: Deployment) -> Result<Self> {
        let workload = Workload::new(scenario.content, scenario.keys, scenario.transaction, Instant::now());
        let (workload, recorders) = (Arc::new(workload), Arc::new(Recorders::new()?));
        let store = match deployment.etcd() {
            Some(etcd) => Some(EtcdStore::connect(etcd).await?),
            None => None,
        };
        // Whatever there is will do where nothing can be written.
        let revision = match &store {
            Some(store) => write_all(store, workload.seed()).await.context("cannot write the keys to begin with")?,
            None => 1,
        };
        let fleet = Fleet::new(deployment.client_config()?, &workload, &recorders);
        let server_before = deployment.meter().map(|meter| meter.usage()).transpose()?;
        Ok(Self {
            scenario,
            deployment,
            store,
            workload,
            recorders,
            fleet,
            writer: Writer::default(),
            written: None,
            revision,
            held: 0,
            server_before,
            own_before: Usage::own()?,
            measured: None,
        })
    }

    /// Runs the phases and tidies up after those that began, whatever became of them.
    pub(crate) async fn play(mut self) -> Result<Findings> {
        let mut begun: Vec<Phase> = Vec::new();
        let played = tokio::select! {
            played = self.run_all(&mut begun) => played,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let found = match played {
            Ok(()) => self.findings().await,
            Err(error) => Err(error),
        };
        begun.iter().rev().for_each(|phase| self.cleanup(*phase));
        self.tidy().await?;
        found
    }

    async fn run_all(&mut self, begun: &mut Vec<Phase>) -> Result<()> {
        for phase in &self.scenario.phases {
            eprintln!("{}", phases::announce(*phase, self.scenario));
            begun.push(*phase);
            self.run(*phase).await.with_context(|| format!("phase {phase:?}"))?;
            self.deployment.check_alive()?;
        }
        Ok(())
    }

    async fn findings(&mut self) -> Result<Findings> {
        let Some(measured) = self.measured.take() else { bail!("no phase began to measure") };
        let measures = measured.end(self).await?;
        let written = self.written.clone().unwrap_or_default();
        Ok(Findings {
            measures,
            totals: self.fleet.totals(self.scenario.writes(), &written.last_writes),
            latency: self.recorders.latency.percentiles(),
            stalled: self.recorders.stalled.percentiles(),
            in_sync: self.recorders.in_sync.percentiles(),
            behind: written.behind,
        })
    }

    /// Leaves a datastore in the field as it was found. A local one ends with the run.
    async fn tidy(&self) -> Result<()> {
        let (Deployment::Field(_), Some(store)) = (&self.deployment, &self.store) else { return Ok(()) };
        eprintln!("Deleting what was written ...");
        let keys = self.workload.seed().map(|write| match write {
            Write::Put(key, _) | Write::Delete(key) => Write::Delete(key),
        });
        write_all(store, keys).await.context("keys named loadtest-* are left behind; delete them")?;
        Ok(())
    }
}
