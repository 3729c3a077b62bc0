//! What each phase does, and how it is undone.

use std::time::Duration;

use anyhow::{Context as _, Result};
use datastore_adapters::{Store as _, Write};
use model::Version;
use tokio::time::{Instant, sleep};

use super::{Measured, Stage};
use crate::{
    process,
    scenario::{Phase, Scenario},
    schedule::Schedule,
    workload::{self, Content},
    writer::{Written, write_all},
};

/// Clients that may be connecting at a time where connecting is not what is measured.
const CONNECTING: u32 = 100;
/// Time for every client to connect and take the snapshot.
const CONNECT_LIMIT: Duration = Duration::from_mins(5);
/// Time for the last write to reach every client.
const DRAIN_LIMIT: Duration = Duration::from_mins(2);

/// How many transactions are written while a slow client has one turn to read.
const SLOWNESS: f64 = 100.0;

/// What a phase is about to do, for whoever watches.
pub(super) fn announce(phase: Phase, scenario: &Scenario) -> String {
    let clients = scenario.clients;
    match phase {
        Phase::Connect => format!("Connecting {clients} clients, {CONNECTING} at a time ..."),
        Phase::Gather(percent) => format!("Connecting {percent} % of {clients} clients, {CONNECTING} at a time ..."),
        Phase::Storm => format!("Connecting all of {clients} clients that are not connected yet, at once ..."),
        Phase::Measure => "Measuring from here ...".to_owned(),
        Phase::Write => {
            let what = if scenario.content == Content::Churn { "churn" } else { "network sets" };
            format!("Writing {what}: {} transactions/s for {:.0} s ...", scenario.rate, scenario.seconds)
        }
        Phase::Arrive => "Waiting until all is written and has arrived ...".to_owned(),
        Phase::Pause(seconds) => format!("Pausing for {seconds} s ..."),
        Phase::Stall(percent) => format!("Stalling {percent} % of the clients ..."),
        Phase::Slow(percent) => format!("Slowing {percent} % of the clients down ..."),
        Phase::Disconnect => "Cutting every connection ...".to_owned(),
        Phase::Bury(keys) => format!("Making and deleting {keys} keys ..."),
        Phase::Release => "Letting all clients go on ...".to_owned(),
        Phase::Restart(_) => format!("Restarting {} replicas one by one ...", scenario.replicas),
        Phase::Cut(seconds) => format!("Cutting a replica off its datastore for {seconds} s ..."),
    }
}

impl Stage<'_> {
    pub(super) async fn run(&mut self, phase: Phase) -> Result<()> {
        let clients = self.scenario.clients;
        match phase {
            Phase::Connect => {
                self.fleet.launch(clients, Some(CONNECTING), self.revision, CONNECT_LIMIT).await?;
                process::give_memory_back();
            }
            Phase::Gather(percent) => {
                let clients = part(clients, percent);
                self.fleet.launch(clients, Some(CONNECTING), self.revision, CONNECT_LIMIT).await?;
                process::give_memory_back();
            }
            Phase::Storm => {
                self.fleet.launch(clients, None, self.revision, CONNECT_LIMIT).await?;
                process::give_memory_back();
            }
            Phase::Measure => {
                if let Some(meeting) = &mut self.meeting {
                    self.revision = meeting.begin(self.revision).await?;
                }
                self.measured = Some(Measured::begin(self)?);
            }
            Phase::Write => {
                if self.leads() {
                    let etcd = self.deployment.etcd().context("there is no datastore to write to")?;
                    self.writer.connect(etcd, self.workload.clone(), self.scenario).await;
                }
                let schedule = Schedule::new(Instant::now(), self.scenario.rate, self.scenario.burst);
                let schedule = self.workload.begin(schedule);
                self.writer.begin(schedule);
            }
            Phase::Arrive => {
                self.finish_writing().await?;
                let newest = self.newest().await?;
                self.fleet.reach(newest, DRAIN_LIMIT, self.held).await?;
            }
            Phase::Pause(seconds) => sleep(Duration::from_secs_f64(seconds)).await,
            Phase::Stall(percent) => {
                self.held = part(clients, percent) as usize;
                self.fleet.stall(self.held);
            }
            Phase::Slow(percent) => {
                self.held = part(clients, percent) as usize;
                self.fleet.slow_down(self.held, Duration::from_secs_f64(SLOWNESS / self.scenario.rate));
            }
            Phase::Disconnect => {
                self.held = clients as usize;
                let severed = self.fleet.disconnect()?;
                eprintln!("  {severed} connections were cut");
            }
            Phase::Bury(keys) => self.bury(keys).await?,
            Phase::Release => {
                self.held = 0;
                let newest = self.newest().await?;
                self.fleet.expect(newest);
                self.fleet.release();
                self.fleet.reach(newest, DRAIN_LIMIT, 0).await?;
                process::give_memory_back();
            }
            Phase::Restart(pause) => self.deployment.local()?.restart(Duration::from_secs_f64(pause)).await?,
            Phase::Cut(seconds) => {
                self.deployment.local()?.cut_off(true);
                sleep(Duration::from_secs_f64(seconds)).await;
                self.deployment.local()?.cut_off(false);
            }
        }
        Ok(())
    }

    /// Undoes what a phase may have left behind, where it did not come to its end either.
    pub(super) fn cleanup(&mut self, phase: Phase) {
        match phase {
            Phase::Write => self.writer = crate::writer::Writer::default(),
            Phase::Stall(_) | Phase::Slow(_) | Phase::Disconnect => self.fleet.release(),
            Phase::Cut(_) => {
                if let Ok(local) = self.deployment.local() {
                    local.cut_off(false);
                }
            }
            _ => {}
        }
    }

    /// Waits until everything is written, whoever writes.
    async fn finish_writing(&mut self) -> Result<()> {
        match (self.writer.finish().await?, &self.meeting) {
            (Some(written), meeting) => {
                self.written = Some(written);
                if let Some(meeting) = meeting {
                    meeting.tell_written(written.writes, self.writer.newest()).await?;
                }
            }
            (None, Some(meeting)) if !meeting.share().leads() && self.scenario.is_writing() => {
                let limit = Duration::from_secs_f64(self.scenario.seconds) + DRAIN_LIMIT;
                let (writes, revision) = meeting.written(limit).await?;
                self.written = Some(Written { writes, behind: Duration::ZERO });
                self.revision = self.revision.max(revision);
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// What clients must have when they have everything.
    async fn newest(&self) -> Result<Version> {
        let known = self.revision.max(self.writer.newest());
        let Some(store) = self.store.as_ref().filter(|_| !self.leads()) else { return Ok(known) };
        // Another process writes: what it wrote last says how far it is.
        let number = self.workload.due(Instant::now()).min(self.scenario.writes());
        let Some(key) = self.workload.key(number as u32) else { return Ok(known) };
        let last = store.get(&key).await.context("cannot read what was written last")?;
        Ok(known.max(last.map_or(0, |stored| stored.revision)))
    }

    async fn bury(&mut self, keys: u32) -> Result<()> {
        let store = self.store.as_ref().context("there is no datastore to write to")?;
        let key = workload::grave;
        write_all(store, (0..keys).map(|index| Write::Put(key(index), "{}".into()))).await?;
        self.revision = write_all(store, (0..keys).map(|index| Write::Delete(key(index)))).await?;
        Ok(())
    }
}

/// So many percent of the clients, rounded up.
fn part(clients: u32, percent: f64) -> u32 {
    (f64::from(clients) * percent / 100.0).ceil() as u32
}
