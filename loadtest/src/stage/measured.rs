//! The measured part of a run: readings at its beginning, samples, readings at its end.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::Stage;
use crate::{
    process::Usage,
    sampler::{Reading, Sample, Sampler, Sources, Spent},
    scenario::Phase,
};

/// A storm takes about this long; where its samples end early, there are fewer.
const EXPECTED_STORM: Duration = Duration::from_secs(5);

/// Readings at the beginning.
pub(crate) struct Measured {
    started: Instant,
    reading: Reading,
    bytes: u64,
    sampler: Sampler,
}

/// What was measured.
pub(crate) struct Measures {
    pub(crate) seconds: f64,
    /// The servers, where we see their processes.
    pub(crate) server: Option<Process>,
    pub(crate) own: Process,
    /// Whose the machine's CPU time was.
    pub(crate) spent: Spent,
    /// Bytes of messages that all clients received.
    pub(crate) bytes: u64,
    pub(crate) samples: Vec<Sample>,
}

/// CPU time and memory of one side.
pub(crate) struct Process {
    pub(crate) cpu_us: u64,
    /// Resident memory at the end, kilobytes.
    pub(crate) rss_kb: u64,
    /// How much more that is than before the first client.
    pub(crate) rss_kb_more: u64,
}

impl Measured {
    /// From now on.
    pub(super) fn begin(stage: &Stage<'_>) -> Result<Self> {
        let received_bytes = stage.fleet.received_bytes();
        let bytes = received_bytes();
        let gauges = stage.deployment.gauges();
        let reading = gauges.read()?;
        let received_bytes = Box::new(received_bytes);
        let sources = Sources { recorders: stage.recorders.clone(), gauges, received_bytes };
        Ok(Self { reading, bytes, sampler: Sampler::start(sources, expected_s(stage)), started: Instant::now() })
    }

    /// Until now.
    pub(super) async fn end(self, stage: &Stage<'_>) -> Result<Measures> {
        let (now, begun) = (stage.deployment.gauges().read()?, self.reading);
        let bytes = stage.fleet.received_bytes()() - self.bytes;
        let seconds = self.started.elapsed().as_secs_f64();
        Ok(Measures {
            seconds,
            server: now.server.zip(begun.server).map(|(now, begun)| process(now, begun, stage.server_before)),
            own: process(now.own, begun.own, Some(stage.own_before)),
            spent: now.since(&begun),
            bytes,
            samples: self.sampler.finish().await?,
        })
    }
}

fn process(now: Usage, begun: Usage, before_clients: Option<Usage>) -> Process {
    Process {
        cpu_us: now.cpu_us_since(&begun),
        rss_kb: now.rss_kb,
        rss_kb_more: now.rss_kb.saturating_sub(before_clients.unwrap_or(begun).rss_kb),
    }
}

/// About how long the phases after this one take.
fn expected_s(stage: &Stage<'_>) -> f64 {
    let phases = stage.scenario.phases.iter().skip_while(|phase| **phase != Phase::Measure);
    let seconds = phases.map(|phase| match phase {
        Phase::Write => stage.scenario.seconds,
        Phase::Pause(seconds) if !stage.scenario.is_writing() => *seconds,
        Phase::Storm | Phase::Release => EXPECTED_STORM.as_secs_f64(),
        _ => 0.0,
    });
    seconds.sum()
}
