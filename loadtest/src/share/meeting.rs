//! Where the processes of a run meet: in the datastore that they write to. The first leads: it writes, and says when all
//! begin; the others follow; it deletes everything when all are done.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use datastore_adapters::{EtcdStore, Store as _, Write};
use model::Version;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Share,
    word::{Step, Word, key},
};
use crate::{clock::Clock, scenario::Scenario};

/// Between two looks at what others told.
const POLL: Duration = Duration::from_millis(200);
/// Who waits says so again after this.
const REPEAT: Duration = Duration::from_secs(1);
/// What is older was told by a process that has ended; clocks of several machines may differ by less.
const FRESH: Duration = Duration::from_secs(15);
/// From when the last process is ready until all begin: above what the others need to hear of it.
const LEAD: Duration = Duration::from_secs(2);
/// Between two lines about who is waited for.
const PROGRESS: Duration = Duration::from_secs(5);
/// Time for people to start every process, and for each to connect its clients.
const GATHER_LIMIT: Duration = Duration::from_mins(10);

/// One process at the meeting.
pub(crate) struct Meeting {
    share: Share,
    store: EtcdStore,
    /// What the whole run does.
    scenario: Scenario,
    clock: Clock,
    /// When all began, microseconds since the Unix epoch: the run's name. Set by [`Self::begin`].
    start_unix_us: u64,
}

impl Meeting {
    pub(crate) fn new(share: Share, store: EtcdStore, scenario: Scenario, clock: Clock) -> Self {
        Self { share, store, scenario, clock, start_unix_us: 0 }
    }

    /// This process's share.
    pub(crate) fn share(&self) -> Share {
        self.share
    }

    /// When all began, microseconds since the Unix epoch.
    pub(crate) fn start_unix_us(&self) -> u64 {
        self.start_unix_us
    }

    /// Waits until all processes are ready, and then for the moment at which all begin. The leader's `revision` is what
    /// clients must have; all are told.
    pub(crate) async fn begin(&mut self, revision: Version) -> Result<Version> {
        let (deadline, mut next_line) = (Instant::now() + GATHER_LIMIT, Instant::now());
        let (start_unix_us, revision) = loop {
            self.tell(Step::Ready).await?;
            let missing = if self.share.leads() { self.not_ready().await? } else { vec![self.share.leader()] };
            if missing.is_empty() {
                let start = self.clock.since_unix(Instant::now() + LEAD).as_micros() as u64;
                self.tell(Step::Begin { start_unix_us: start, revision }).await?;
                break (start, revision);
            }
            if let Some(Step::Begin { start_unix_us, revision }) = self.heard(self.share.leader(), true).await? {
                break (start_unix_us, revision);
            }
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            if Instant::now() > deadline {
                bail!("shares {} did not come in {GATHER_LIMIT:?}", missing.join(", "));
            }
            if Instant::now() >= next_line {
                next_line += PROGRESS;
                eprintln!("  share {} is ready and waits for {}", self.share, missing.join(", "));
            }
            sleep(REPEAT).await;
        };
        self.start_unix_us = start_unix_us;
        sleep_until(self.clock.instant(Duration::from_micros(start_unix_us))).await;
        Ok(revision)
    }

    async fn not_ready(&self) -> Result<Vec<Share>> {
        let mut missing = Vec::new();
        for other in self.share.others() {
            if self.heard(other, true).await? != Some(Step::Ready) {
                missing.push(other);
            }
        }
        Ok(missing)
    }

    /// The leader tells what was written.
    pub(crate) async fn tell_written(&self, writes: u64, revision: Version) -> Result<()> {
        self.tell(Step::Written { writes, revision }).await
    }

    /// How many keys the leader wrote, and up to which revision, once it has.
    pub(crate) async fn written(&self, limit: Duration) -> Result<(u64, Version)> {
        let deadline = Instant::now() + limit;
        loop {
            match self.heard(self.share.leader(), false).await? {
                Some(Step::Written { writes, revision }) => return Ok((writes, revision)),
                None | Some(Step::Done) => bail!("share {} ended without a word", self.share.leader()),
                _ if Instant::now() > deadline => bail!("share {} does not end writing", self.share.leader()),
                _ => sleep(POLL).await,
            }
        }
    }

    /// Says that this process needs nothing more; the leader waits until all have said so, or may be dead.
    pub(crate) async fn leave(&self, limit: Duration) -> Result<()> {
        if !self.share.leads() {
            return self.tell(Step::Done).await;
        }
        let deadline = Instant::now() + limit;
        for other in self.share.others() {
            while self.heard(other, false).await? != Some(Step::Done) {
                if Instant::now() > deadline {
                    eprintln!("  share {other} did not say that it is done; not waiting any longer");
                    return Ok(());
                }
                sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// What is to be deleted when all is over.
    pub(crate) fn traces(&self) -> impl Iterator<Item = Write> {
        self.share.others().chain([self.share]).map(|share| Write::Delete(key(share)))
    }

    async fn tell(&self, step: Step) -> Result<()> {
        let told_unix_ms = self.now().as_millis() as u64;
        let word = Word { step, scenario: self.scenario.clone(), told_unix_ms };
        let write = Write::Put(key(self.share), word.value(self.share)?);
        self.store.transact(vec![write]).await.context("cannot tell the other shares")?;
        Ok(())
    }

    /// What another process told, unless that was long ago and it is to be fresh.
    async fn heard(&self, other: Share, is_fresh: bool) -> Result<Option<Step>> {
        let stored = self.store.get(&key(other)).await.context("cannot hear the other shares")?;
        let Some(word) = stored.and_then(|stored| Word::read(&stored.value)) else { return Ok(None) };
        let told = Duration::from_millis(word.told_unix_ms);
        if is_fresh && self.now().abs_diff(told) > FRESH {
            return Ok(None);
        }
        if word.scenario != self.scenario {
            bail!("share {other} runs another scenario or other settings than share {}", self.share);
        }
        Ok(Some(word.step))
    }

    fn now(&self) -> Duration {
        self.clock.since_unix(Instant::now())
    }
}
