//! What a run found: JSON whose field names are kept, and a table.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{floor::Floor, recorder::Percentiles};

/// Above this many runnable processes per core before the run, the machine was not quiet.
const QUIET_LOAD_PER_CORE: f64 = 0.5;

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
    /// Client-updates that never arrived, neither themselves nor conflated into a later one.
    pub(crate) lost: u64,
    /// Client-updates that arrived conflated into a later one of the same key.
    pub(crate) conflated: u64,
    /// Streams that ended before the run did.
    pub(crate) cut: u64,
    /// Bytes of payload that all clients received while the run was measured.
    pub(crate) bytes: u64,
    /// The typha process.
    pub(crate) server: Server,
    /// From a write's intended time to the client's verified checkpoint.
    pub(crate) latency_ms: Percentiles,
    /// This process: where it is near a whole core, it and not the server may be the limit.
    pub(crate) harness: Harness,
    /// Plain sockets with the same bytes, right after.
    pub(crate) floor: Floor,
    /// The machine's one-minute load average when the run began.
    pub(crate) load_average: f64,
}

/// The typha process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// CPU time for each update and client, microseconds.
    pub(crate) cpu_us_per_client_update: f64,
    /// Resident memory at the end, kilobytes.
    pub(crate) rss_kb: u64,
    /// What each client added to it, kilobytes: from before they connected until the end.
    pub(crate) rss_kb_per_client: f64,
}

/// This process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Harness {
    /// Cores that it kept busy while the run was measured.
    pub(crate) cores: f64,
    /// Resident memory at the end, kilobytes.
    pub(crate) rss_kb: u64,
}

impl Report {
    /// The server's CPU as a multiple of the floor's.
    fn floor_ratio(&self) -> f64 {
        self.server.cpu_us_per_client_update / self.floor.cpu_us_per_client_update
    }

    fn is_quiet(&self) -> bool {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        self.load_average <= QUIET_LOAD_PER_CORE * cores
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_quiet() {
            writeln!(
                f,
                "The machine was not quiet (load average {:.2}): take no figure here at its word.",
                self.load_average
            )?;
        }
        writeln!(f, "{}: {} clients, {} keys, {} writes", self.scenario, self.clients, self.keys, self.writes)?;
        writeln!(f)?;
        let row = |f: &mut fmt::Formatter<'_>, what: &str, ours: String, floor: String| {
            writeln!(f, "{what:<34}{ours:>12}{floor:>16}")
        };
        row(f, "", "typha".into(), "plain sockets".into())?;
        let (cpu, floor_cpu) = (self.server.cpu_us_per_client_update, self.floor.cpu_us_per_client_update);
        row(f, "server CPU per client-update", format!("{cpu:.2} us"), format!("{floor_cpu:.2} us"))?;
        let latencies = [
            ("latency p50", self.latency_ms.p50, self.floor.latency_ms.p50),
            ("latency p90", self.latency_ms.p90, self.floor.latency_ms.p90),
            ("latency p99", self.latency_ms.p99, self.floor.latency_ms.p99),
            ("latency max", self.latency_ms.max, self.floor.latency_ms.max),
        ];
        for (what, ours, floor) in latencies {
            row(f, what, format!("{ours:.1} ms"), format!("{floor:.1} ms"))?;
        }
        row(f, "server RSS", format!("{:.1} MB", self.server.rss_kb as f64 / 1024.0), String::new())?;
        row(f, "server RSS per client", format!("{:.1} KB", self.server.rss_kb_per_client), String::new())?;
        row(f, "bytes received by clients", format!("{:.1} MB", self.bytes as f64 / 1e6), String::new())?;
        row(f, "harness CPU", format!("{:.2} cores", self.harness.cores), String::new())?;
        writeln!(f)?;
        writeln!(
            f,
            "{:.1} times the floor's CPU; {} lost, {} conflated, {} cut; load average {:.2}",
            self.floor_ratio(),
            self.lost,
            self.conflated,
            self.cut,
            self.load_average
        )
    }
}
