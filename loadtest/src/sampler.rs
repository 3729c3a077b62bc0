//! What a run looks like while it runs: readings at even times, for plots and for whoever watches.

mod gauges;
mod reading;

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    gauges::Gauges,
    reading::{Reading, Spent},
};
use crate::fleet::Recorders;

/// A run has about this many samples, so that plots are neither coarse nor crowded.
const SAMPLES: f64 = 120.0;
/// The kernel counts CPU time in ticks of 10 ms; shorter samples would show ticks and no load.
const SHORTEST: Duration = Duration::from_millis(250);
/// Where nobody watches a terminal, a line is printed at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Readings of one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// When the stretch ended, seconds since the measured part began.
    pub(crate) at_s: f64,
    /// Client-updates that arrived in it.
    pub(crate) arrived: u64,
    /// Half of those arrived within this, milliseconds.
    pub(crate) p50_ms: f64,
    /// Ninety-nine of a hundred.
    pub(crate) p99_ms: f64,
    /// All.
    pub(crate) max_ms: f64,
    /// Cores that the servers kept busy.
    pub(crate) server_cores: f64,
    /// The servers' resident memory, kilobytes.
    pub(crate) server_rss_kb: u64,
    /// Cores that this process kept busy.
    pub(crate) harness_cores: f64,
    /// This process's resident memory, kilobytes.
    pub(crate) harness_rss_kb: u64,
    /// Cores that processes kept busy which are none of the run's.
    #[serde(default)]
    pub(crate) others_cores: f64,
    /// Bytes of messages that all clients received in it.
    pub(crate) bytes: u64,
}

/// Where readings come from.
pub(crate) struct Sources {
    pub(crate) recorders: Arc<Recorders>,
    pub(crate) gauges: Gauges,
    pub(crate) received_bytes: Box<dyn Fn() -> u64 + Send>,
}

/// Samples until it is told to stop. Dropping it ends it.
pub(crate) struct Sampler {
    stop: CancellationToken,
    task: JoinSet<Vec<Sample>>,
}

impl Sampler {
    /// Begins to sample a run that is to take about this long.
    pub(crate) fn start(sources: Sources, expected_s: f64) -> Self {
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let every = Duration::from_secs_f64(expected_s / SAMPLES).max(SHORTEST);
        task.spawn(sample(sources, every, stop.clone()));
        Self { stop, task }
    }

    /// Everything sampled.
    pub(crate) async fn finish(mut self) -> Result<Vec<Sample>> {
        self.stop.cancel();
        self.task.join_next().await.context("there is no sampler")?.context("the sampler panicked")
    }
}

async fn sample(sources: Sources, every: Duration, stop: CancellationToken) -> Vec<Sample> {
    let started = Instant::now();
    let mut ticks = interval_at(started + every, every);
    // A late reading is one long stretch, not many empty ones.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = sources.read(started, Reading::default());
    let (mut samples, mut progress) = (Vec::new(), Progress::new());
    loop {
        let is_last = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        let now = sources.read(started, before.spent);
        // A short last stretch would show a fraction of a tick as a load.
        if !is_last || now.at_s - before.at_s > SHORTEST.as_secs_f64() / 2.0 {
            let sample = sources.between(&before, &now);
            progress.show(&sample);
            samples.push(sample);
            before = now;
        }
        if is_last {
            progress.end();
            return samples;
        }
    }
}

/// Counters at one moment.
struct Moment {
    at_s: f64,
    spent: Reading,
    bytes: u64,
}

impl Sources {
    fn read(&self, started: Instant, last: Reading) -> Moment {
        Moment {
            at_s: started.elapsed().as_secs_f64(),
            // Whoever can say why a process has no usage any more checks whether it lives.
            spent: self.gauges.read().unwrap_or(last),
            bytes: (self.received_bytes)(),
        }
    }

    fn between(&self, before: &Moment, now: &Moment) -> Sample {
        let latency = self.recorders.latency.interval();
        let seconds = now.at_s - before.at_s;
        let spent = now.spent.since(&before.spent);
        let cores = |spent: Option<Duration>| spent.unwrap_or_default().as_secs_f64() / seconds;
        Sample {
            at_s: now.at_s,
            arrived: latency.count,
            p50_ms: latency.p50,
            p99_ms: latency.p99,
            max_ms: latency.max,
            server_cores: cores(spent.server),
            server_rss_kb: now.spent.server.map_or(0, |server| server.rss_kb),
            harness_cores: cores(Some(spent.own)),
            harness_rss_kb: now.spent.own.rss_kb,
            others_cores: cores(spent.others),
            bytes: now.bytes - before.bytes,
        }
    }
}

/// Tells whoever watches: one line that changes on a terminal, few lines in a log.
struct Progress {
    is_terminal: bool,
    last: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), last: Instant::now() }
    }

    fn show(&mut self, sample: &Sample) {
        if !self.is_terminal && self.last.elapsed() < LOG_EVERY {
            return;
        }
        self.last = Instant::now();
        let (start, end) = if self.is_terminal { ("\r", "\x1b[K") } else { ("", "\n") };
        eprint!(
            "{start}  {:6.1} s  {:>8} arrived  p50 {:.1} ms  p99 {:.1} ms  server {:.2} cores, {} MB  harness {:.2} cores{end}",
            sample.at_s,
            sample.arrived,
            sample.p50_ms,
            sample.p99_ms,
            sample.server_cores,
            sample.server_rss_kb / 1024,
            sample.harness_cores,
        );
        // A line that cannot be shown is none of the run's business.
        let _ = io::stderr().flush();
    }

    fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }
}
