//! A run: the deployment, the datastore, the clients and the writer, and what its phases do to them.

mod measured;
mod phases;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use datastore_adapters::{EtcdStore, Write};
use model::Version;

use self::measured::{Measured, Measures};
use crate::{
    deployment::Deployment,
    fleet::{Configs, Fleet, Recorders, Totals},
    interrupt::Interrupt,
    local::Lists,
    process::Usage,
    recorder::Histogram,
    scenario::{Phase, Scenario},
    share::{Meeting, Part, Shared},
    workload::Workload,
    writer::{Writer, Written, write_all},
};

/// Time for the other processes of a run that is shared to get everything too.
const LEAVE_LIMIT: Duration = Duration::from_mins(2);

/// A run.
pub(crate) struct Stage<'a> {
    scenario: &'a Scenario,
    deployment: Deployment,
    /// None where a deployment in the field is only read.
    store: Option<EtcdStore>,
    workload: Arc<Workload>,
    recorders: Arc<Recorders>,
    fleet: Fleet,
    /// Where the processes of a run that is shared meet.
    meeting: Option<Meeting>,
    writer: Writer,
    /// Set when the writer has finished.
    written: Option<Written>,
    /// What clients must have when they have everything, apart from what the writer writes.
    revision: Version,
    /// How many clients do not read now, or only slowly.
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
    /// Whether it was ended early by a signal.
    pub(crate) is_interrupted: bool,
    /// Which part of a run this was.
    pub(crate) shared: Option<Part>,
    /// Keys that were written.
    pub(crate) writes: u64,
    pub(crate) totals: Totals,
    /// Of clients that read all the time.
    pub(crate) latency: Histogram,
    /// Of clients that did not.
    pub(crate) stalled: Histogram,
    /// Of clients that were brought in sync.
    pub(crate) in_sync: Histogram,
    /// Why streams were cut, and how often.
    pub(crate) cut_reasons: BTreeMap<String, u64>,
    /// How late the writer ever was.
    pub(crate) behind: Duration,
    /// What typha listed, where it is ours to ask.
    pub(crate) lists: Option<Lists>,
}

impl<'a> Stage<'a> {
    /// Makes everything ready but the keys.
    ///
    /// Of a run that is shared, this process does its part.
    pub(crate) async fn set(scenario: &'a Scenario, shared: Option<&Shared>, deployment: Deployment) -> Result<Self> {
        let workload = Arc::new(Workload::new(scenario.content, scenario.keys, scenario.transaction));
        let recorders = Arc::new(Recorders::default());
        let store = match deployment.etcd() {
            Some(etcd) => Some(EtcdStore::connect(etcd).await?),
            None => None,
        };
        let (servers, tls) = deployment.clients()?;
        let first = shared.map_or(0, Shared::first_client);
        let fleet = Fleet::new(Configs::new(servers, tls, scenario), first, &workload, &recorders)?;
        let meeting = shared.zip(store.clone()).map(|(shared, store)| shared.meeting(store, workload.clock()));
        Ok(Self {
            scenario,
            deployment,
            store,
            workload,
            recorders,
            fleet,
            meeting,
            writer: Writer::default(),
            written: None,
            // Whatever there is will do where nothing can be written.
            revision: 1,
            held: 0,
            server_before: None,
            own_before: Usage::own()?,
            measured: None,
        })
    }

    /// Runs the phases and tidies up after those that began, whatever became of them. A run that is interrupted is
    /// brought to a good end early; interrupted again, it is left.
    pub(crate) async fn play(mut self, interrupt: &mut Interrupt) -> Result<Findings> {
        let mut begun: Vec<Phase> = Vec::new();
        let played = match interrupt.or(self.run_all(&mut begun)).await {
            Some(played) => played.map(|()| false),
            None => interrupt.or(self.wind_up()).await.unwrap_or_else(|| bail!("interrupted")).map(|()| true),
        };
        let found = match played {
            Ok(is_interrupted) => self.findings(is_interrupted).await,
            Err(error) => Err(error),
        };
        begun.iter().rev().for_each(|phase| self.cleanup(*phase));
        self.tidy(interrupt).await?;
        found
    }

    async fn run_all(&mut self, begun: &mut Vec<Phase>) -> Result<()> {
        self.seed().await.context("cannot write the keys to begin with")?;
        for phase in &self.scenario.phases {
            eprintln!("{}", phases::announce(*phase, self.scenario));
            begun.push(*phase);
            self.run(*phase).await.with_context(|| format!("phase {phase:?}"))?;
            self.deployment.check_alive()?;
        }
        Ok(())
    }

    /// Writes what exists before the clients do.
    async fn seed(&mut self) -> Result<()> {
        if let Some(store) = self.store.as_ref().filter(|_| self.leads()) {
            eprintln!("Writing {} keys ...", self.scenario.keys);
            self.revision = write_all(store, self.workload.seed()).await?;
        }
        self.server_before = self.deployment.gauges().read()?.server;
        Ok(())
    }

    /// Whether this process writes.
    fn leads(&self) -> bool {
        self.meeting.as_ref().is_none_or(|meeting| meeting.share().leads())
    }

    /// Writes no more, and waits for what was written: the part of the run that was done is a run.
    async fn wind_up(&mut self) -> Result<()> {
        if self.measured.is_none() {
            bail!("interrupted before anything was measured");
        }
        if !self.leads() {
            bail!("interrupted; only the share that writes can end a run early");
        }
        eprintln!("Interrupted: bringing the run to its end ... (again to leave it)");
        self.writer.stop();
        self.fleet.release();
        self.held = 0;
        self.run(Phase::Arrive).await
    }

    async fn findings(&mut self, is_interrupted: bool) -> Result<Findings> {
        let Some(measured) = self.measured.take() else { bail!("no phase began to measure") };
        let measures = measured.end(self).await?;
        let lists = match self.deployment.local() {
            Ok(local) => local.lists().await,
            Err(_) => None,
        };
        let written = self.written.unwrap_or_default();
        Ok(Findings {
            lists,
            measures,
            is_interrupted,
            shared: self.meeting.as_ref().map(Into::into),
            writes: written.writes,
            totals: self.fleet.totals(written.writes),
            latency: self.recorders.latency.histogram(),
            stalled: self.recorders.stalled.histogram(),
            in_sync: self.recorders.in_sync.histogram(),
            cut_reasons: self.recorders.troubles.counts(),
            behind: written.behind,
        })
    }

    /// Leaves a datastore that is not ours as it was found. A local one ends with the run.
    async fn tidy(&self, interrupt: &mut Interrupt) -> Result<()> {
        const LEFT: &str = "keys named loadtest-* are left behind; delete them";
        if let Some(meeting) = &self.meeting {
            interrupt.or(meeting.leave(LEAVE_LIMIT)).await.context("interrupted").flatten().context(LEFT)?;
        }
        let Some(store) = self.store.as_ref().filter(|_| self.deployment.is_to_be_tidied() && self.leads()) else {
            return Ok(());
        };
        eprintln!("Deleting what was written ...");
        let keys = self.workload.seed().map(|write| match write {
            Write::Put(key, _) | Write::Delete(key) => Write::Delete(key),
        });
        let keys = keys.chain(self.meeting.iter().flat_map(Meeting::traces));
        interrupt.or(write_all(store, keys)).await.context("interrupted").flatten().context(LEFT)?;
        Ok(())
    }
}
