//! What a run found: JSON whose field names are kept (`report.schema.json` describes them).

pub(crate) mod compare;
mod elsewhere;
pub(crate) mod html;
mod limits;
mod machine;
pub(crate) mod merge;
pub(crate) mod slo;
pub(crate) mod spread;
mod table;

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use self::{elsewhere::Elsewhere, machine::Machine, slo::Verdict};
use crate::{
    fleet::Totals,
    floor::Floor,
    local::Lists,
    recorder::{Histogram, Percentiles},
    sampler::Sample,
    scenario::Scenario,
    share::Part,
    stage::Findings,
};

/// The report of one run. Field names are an interface: programs read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The scenario's name.
    pub(crate) scenario: String,
    /// Clients, each with a stream of its own.
    pub(crate) clients: u32,
    /// Keys that existed before the clients connected.
    pub(crate) keys: u32,
    /// Keys written while the run was measured.
    pub(crate) writes: u64,
    /// What all clients together received.
    #[serde(flatten)]
    pub(crate) totals: Totals,
    /// Why streams were cut, in the clients' words, and how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) cut_reasons: BTreeMap<String, u64>,
    /// Bytes of payload that all clients received while the run was measured.
    pub(crate) bytes: u64,
    /// How long the measured part took.
    pub(crate) seconds: f64,
    /// The typha processes together; absent where they are not ours to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<Server>,
    /// How often typha listed the datastore's whole state, since the deployment was started; absent where it is not ours to
    /// ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<Lists>,
    /// From a write's intended time to the client's checkpoint, of clients that read all the time.
    pub(crate) latency_ms: Percentiles,
    /// The same of clients that were stalled or away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stalled_latency_ms: Option<Percentiles>,
    /// From the beginning of a storm until a client has everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_sync_ms: Option<Percentiles>,
    /// The latencies themselves, microseconds and how often each was found: what percentiles are made of.
    #[serde(default)]
    pub(crate) histograms_us: Histograms,
    /// This process: where it is near a whole core, it and not the server may be the limit.
    pub(crate) harness: Harness,
    /// Who else used the machine while the run was measured; absent in reports of versions that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) elsewhere: Option<Elsewhere>,
    /// Plain sockets with the same bytes, right after; absent where nothing was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<Floor>,
    /// Which part of a run that several processes shared; absent where this is the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shared: Option<Part>,
    /// Whether a signal ended the run early.
    #[serde(default)]
    pub(crate) is_interrupted: bool,
    /// The machine's one-minute load average when the run began. It decays over minutes: what ran just before shows in it.
    pub(crate) load_average: f64,
    /// Why figures here are not to be taken at their word; empty on a good day.
    pub(crate) limits: Vec<String>,
    /// What was asked for by `--slo`, and whether it was met.
    pub(crate) slo: Vec<Verdict>,
    /// What was measured on.
    pub(crate) machine: Machine,
    /// The program's version.
    pub(crate) version: String,
    /// When the run began, seconds since the Unix epoch.
    pub(crate) started_unix_s: u64,
    /// The scenario as it was run.
    pub(crate) settings: Scenario,
    /// Readings while it ran.
    pub(crate) samples: Vec<Sample>,
}

/// All latencies of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Histograms {
    /// Of clients that read all the time.
    pub(crate) latency: Histogram,
    /// Of clients that were stalled or away.
    pub(crate) stalled_latency: Histogram,
    /// Of clients that were brought in sync.
    pub(crate) in_sync: Histogram,
}

/// The typha processes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// CPU time for each update and client, microseconds; absent where nothing was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us_per_client_update: Option<f64>,
    /// CPU time for each client, microseconds, over the whole measured part.
    pub(crate) cpu_us_per_client: f64,
    /// Cores kept busy, on average.
    pub(crate) cores: f64,
    /// Resident memory at the end, kilobytes.
    pub(crate) rss_kb: u64,
    /// What each client added to it, kilobytes: from before they connected until the end.
    pub(crate) rss_kb_per_client: f64,
}

/// This process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Harness {
    /// Cores that it kept busy while the run was measured.
    pub(crate) cores: f64,
    /// Resident memory at the end, kilobytes.
    pub(crate) rss_kb: u64,
    /// What each client added to it, kilobytes.
    pub(crate) rss_kb_per_client: f64,
    /// How long after its intended time a transaction ever began, milliseconds.
    pub(crate) writer_behind_ms: f64,
}

/// What was known before the run.
pub(crate) struct Beginning {
    pub(crate) name: String,
    pub(crate) load_average: f64,
    pub(crate) started_unix_s: u64,
}

impl Beginning {
    /// Now, for a scenario of this name.
    pub(crate) fn now(name: &str) -> anyhow::Result<Self> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let load_average = crate::process::load_average()?;
        Ok(Self { name: name.to_owned(), load_average, started_unix_s: since_epoch.as_secs() })
    }
}

impl Report {
    /// The report of findings.
    pub(crate) fn new(beginning: Beginning, scenario: &Scenario, found: Findings, floor: Option<Floor>) -> Self {
        let Findings {
            measures,
            is_interrupted,
            shared,
            lists,
            writes,
            totals,
            latency,
            stalled,
            in_sync,
            cut_reasons,
            behind,
        } = found;
        let clients = f64::from(scenario.clients);
        let updates = client_updates(scenario, writes);
        let server = measures.server.map(|server| Server {
            cpu_us_per_client_update: (updates > 0.0).then(|| server.cpu_us as f64 / updates),
            cpu_us_per_client: server.cpu_us as f64 / clients,
            cores: server.cpu_us as f64 / 1e6 / measures.seconds,
            rss_kb: server.rss_kb,
            rss_kb_per_client: server.rss_kb_more as f64 / clients,
        });
        let harness = Harness {
            cores: measures.own.cpu_us as f64 / 1e6 / measures.seconds,
            rss_kb: measures.own.rss_kb,
            rss_kb_per_client: measures.own.rss_kb_more as f64 / clients,
            writer_behind_ms: behind.as_secs_f64() * 1000.0,
        };
        let machine = Machine::this();
        let some = |histogram: &Histogram| Some(histogram.percentiles()).filter(|percentiles| percentiles.count > 0);
        let elsewhere = Elsewhere::new(&measures.spent, measures.seconds);
        let mut limits = limits::limits(machine.cores, server.as_ref(), &harness, &elsewhere);
        if is_interrupted {
            limits.insert(
                0,
                format!("Interrupted after {:.0} s: figures are of the part that was run.", measures.seconds),
            );
        }
        Self {
            scenario: beginning.name,
            clients: scenario.clients,
            keys: scenario.keys,
            writes,
            totals,
            cut_reasons,
            bytes: measures.bytes,
            seconds: measures.seconds,
            limits,
            server,
            upstream: lists,
            latency_ms: latency.percentiles(),
            stalled_latency_ms: some(&stalled),
            in_sync_ms: some(&in_sync),
            histograms_us: Histograms { latency, stalled_latency: stalled, in_sync },
            harness,
            elsewhere: Some(elsewhere),
            floor,
            shared,
            is_interrupted,
            load_average: beginning.load_average,
            slo: Vec::new(),
            machine,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_s: beginning.started_unix_s,
            settings: scenario.clone(),
            samples: measures.samples,
        }
    }

    /// The server's CPU as a multiple of the floor's.
    pub(crate) fn floor_ratio(&self) -> Option<f64> {
        let ours = self.server.as_ref()?.cpu_us_per_client_update?;
        let floor = self.floor.as_ref()?.cpu_us_per_client_update;
        (floor > 0.0).then(|| ours / floor)
    }
}

/// Updates times clients: of so many writes, or of the snapshot where there are none but a storm.
pub(crate) fn client_updates(scenario: &Scenario, writes: u64) -> f64 {
    let storm = scenario.phases.contains(&crate::scenario::Phase::Storm);
    let updates = if writes == 0 && storm { f64::from(scenario.keys) } else { writes as f64 };
    updates * f64::from(scenario.clients)
}
