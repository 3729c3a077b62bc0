//! Everything together: breaks something, waits until all is well, checks that nothing was lost, says what it cost.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use crate::{
    cost::Cost,
    deployment::{CLIENTS, Deployment, TYPHAS},
    fault::Fault,
    fleet::Fleet,
    options::Options,
    wait,
    writer::Writer,
};

/// From the end of a fault until every client has everything. Far more than it takes.
const WELL_LIMIT: Duration = Duration::from_secs(90);
/// A write that was given up may still be done by the datastore, once; then what was listed is not what there is.
const LOOKS: usize = 3;

pub(crate) struct Stage {
    pub(crate) deployment: Deployment,
    pub(crate) fleet: Fleet,
    writer: Writer,
    /// Its threads live in the clients' namespace. Last, so that clients and writer go before it.
    pub(crate) runtime: Runtime,
}

impl Stage {
    /// Starts everything and waits until all clients have everything.
    pub(crate) fn set(options: &Options, workdir: &Path) -> Result<Self> {
        let epoch = Instant::now();
        let deployment = Deployment::start(options, workdir)?;
        let lab = std::sync::Arc::clone(&deployment.lab);
        let enter = move || {
            let entered = lab.node(CLIENTS).map(|node| node.netns().enter());
            assert!(matches!(entered, Some(Ok(()))), "the clients' namespace: {entered:?}");
        };
        let runtime = Builder::new_multi_thread().on_thread_start(enter).enable_all().build().context("a runtime")?;
        let writer = Writer::start(&runtime, Deployment::etcd_endpoint(), options.rate, epoch)?;
        let clients = options.clients();
        let fleet = Fleet::start(&runtime, clients, &Deployment::servers(), &deployment.certificates.felix, epoch)?;
        let mut stage = Self { deployment, fleet, writer, runtime };
        stage.all_well()?;
        Ok(stage)
    }

    /// What a fault costs, from its begin until all is well again.
    pub(crate) fn endure(&mut self, fault: Fault) -> Result<Cost> {
        self.fleet.begin();
        let (started, cpu) = (Instant::now(), self.deployment.cpu());
        let (bytes, writes) = (self.fleet.received_bytes(), self.writer.writes());
        fault.strike(self)?;
        self.works_again()?;
        self.all_well()?;
        let cost = Cost {
            seconds: started.elapsed().as_secs_f64(),
            writes: self.writer.writes() - writes,
            received_bytes: self.fleet.received_bytes() - bytes,
            typha_cpu_seconds: self.deployment.cpu().saturating_sub(cpu).as_secs_f64(),
            ..Cost::of(fault.title(), &self.fleet.windows())
        };
        self.nothing_is_lost()?;
        let cut = cost.clients_cut;
        ensure!(cut == 0 || !fault.cuts_nobody(), "{cut} clients lost their stream, which this must not cost");
        self.deployment.check_alive()?;
        Ok(cost)
    }

    /// Waits until every client has a stream and everything that was written before.
    pub(crate) fn all_well(&mut self) -> Result<()> {
        let newest = self.writer.newest();
        self.until("every client to have everything", WELL_LIMIT, |stage| Ok(stage.fleet.behind(newest) == 0))
    }

    /// Waits until something is written that was not begun before.
    fn works_again(&mut self) -> Result<()> {
        let writes = self.writer.writes();
        self.until("the datastore to take writes", WELL_LIMIT, |stage| Ok(stage.writer.writes() > writes + 1))
    }

    /// Looks again and again until something is so.
    pub(crate) fn until(
        &mut self,
        what: &str,
        limit: Duration,
        is_so: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<()> {
        wait::until(self, what, limit, is_so, |stage| {
            let behind = stage.fleet.behind(stage.writer.newest());
            format!("{behind} clients behind; {}", stage.fleet.a_trouble())
        })
    }

    /// The replica that most clients have their stream from.
    pub(crate) fn busiest(&self) -> &'static str {
        TYPHAS.into_iter().max_by_key(|name| self.fleet.at(name)).unwrap_or(TYPHAS[0])
    }

    fn nothing_is_lost(&mut self) -> Result<()> {
        let Self { fleet, writer, runtime, .. } = self;
        let mut last = Ok(());
        for _ in 0..LOOKS {
            last = writer.standing_still(runtime, |state, newest| {
                let arrived = |fleet: &mut Fleet| Ok(fleet.behind(newest) == 0);
                let behind = |fleet: &Fleet| format!("{} clients behind it", fleet.behind(newest));
                wait::until(fleet, &format!("revision {newest} to arrive"), WELL_LIMIT, arrived, behind)?;
                fleet.check(state)
            });
            if last.is_ok() {
                break;
            }
        }
        last.context("something was lost")
    }

    pub(crate) fn end(&mut self) {
        self.deployment.end();
    }
}
