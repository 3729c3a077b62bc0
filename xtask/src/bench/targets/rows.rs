//! The targets, row by row, and where each figure comes from.

use super::Found;

/// A target.
pub(super) struct Row {
    pub(super) what: &'static str,
    /// What the real Typha took, where it was measured.
    pub(super) calico: &'static str,
    pub(super) bounds: &'static [Bound],
}

/// A figure that is to be at most so much.
pub(super) struct Bound {
    /// Behind the number.
    pub(super) unit: &'static str,
    pub(super) must: f64,
    pub(super) stretch: Option<f64>,
    /// Whether the worst round counts, not the median.
    is_worst: bool,
    /// The figure of one round.
    read: fn(&Found) -> Option<f64>,
}

impl Bound {
    pub(super) fn shown(&self, bound: f64) -> String {
        format!("<= {bound} {}", self.unit)
    }

    pub(super) fn measured(&self, rounds: &[Found]) -> String {
        let (Some(it), figures) = (self.figure(rounds), self.figures(rounds)) else { return "not measured".to_owned() };
        match figures.as_deref() {
            Some([least, .., most]) if !self.is_worst => format!("{it:.2} {} ({least:.2} to {most:.2})", self.unit),
            _ => format!("{it:.2} {}", self.unit),
        }
    }

    pub(super) fn verdict(&self, rounds: &[Found], bound: f64) -> &'static str {
        match self.figure(rounds) {
            None => "not measured",
            Some(measured) if measured <= bound => "met",
            Some(_) => "missed",
        }
    }

    /// What is judged: of two in the middle the higher one.
    fn figure(&self, rounds: &[Found]) -> Option<f64> {
        let figures = self.figures(rounds)?;
        if self.is_worst { figures.last().copied() } else { figures.get(figures.len() / 2).copied() }
    }

    /// The figures of all rounds in order of size, where each has one.
    fn figures(&self, rounds: &[Found]) -> Option<Vec<f64>> {
        let mut figures: Vec<_> = rounds.iter().map(self.read).collect::<Option<_>>()?;
        figures.sort_unstable_by(f64::total_cmp);
        Some(figures)
    }
}

const fn bound(unit: &'static str, must: f64, stretch: Option<f64>, read: fn(&Found) -> Option<f64>) -> Bound {
    Bound { unit, must, stretch, is_worst: false, read }
}

/// Something that is not to happen in any round.
const fn never(unit: &'static str, read: fn(&Found) -> Option<f64>) -> Bound {
    Bound { unit, must: 0.0, stretch: None, is_worst: true, read }
}

const CPU: &str = "/server/cpu_us_per_client_update";
const CPU_PER_CLIENT: &str = "/server/cpu_us_per_client";
const P50: &str = "/latency_ms/p50";
const P99: &str = "/latency_ms/p99";

/// The state of the `stalled` runs: 20,000 keys of about 350 bytes.
const STALLED_STATE_MB: f64 = 20_000.0 * 350.0 / 1e6;

/// Streams that ended, and updates that never came.
fn cut_or_lost(found: &Found, run: &str) -> Option<f64> {
    Some(found.number(run, "/cut")? + found.number(run, "/lost")?)
}

/// Clients that a storm did not bring in sync, and streams that ended.
fn left_out(found: &Found, run: &str) -> Option<f64> {
    let in_sync = found.number(run, "/in_sync_ms/count")?;
    Some(found.number(run, "/clients")? - in_sync + found.number(run, "/cut")?)
}

/// Snapshots beyond each client's first.
fn more_snapshots(found: &Found, run: &str) -> Option<f64> {
    Some(found.number(run, "/snapshots")? - found.number(run, "/clients")?)
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "server CPU per client-update, 1,000 clients, one update per write",
        calico: "34.6 us",
        bounds: &[
            bound("us", 13.0, Some(10.0), |found| found.number("single", CPU)),
            bound("times the floor", f64::INFINITY, Some(1.5), |found| {
                let ratio = found.number("single", CPU)? / found.number("single", "/floor/cpu_us_per_client_update")?;
                // In a run so short that the floor took not even a tick there is no ratio.
                Some(ratio).filter(|ratio| ratio.is_finite())
            }),
        ],
    },
    Row {
        what: "the same, transactions of 20",
        calico: "2.35 us",
        bounds: &[bound("us", 0.8, Some(0.55), |found| found.number("transactions", CPU))],
    },
    Row {
        what: "delta latency, 1,000 clients, 10 writes/s",
        calico: "23.6 / 59.7 ms",
        bounds: &[
            bound("ms p50", 9.0, Some(6.0), |found| found.number("single", P50)),
            bound("ms p99", 20.0, Some(13.0), |found| found.number("single", P99)),
        ],
    },
    Row {
        what: "1,000 clients, 200 writes/s in transactions of 20",
        calico: "118 / 323 ms",
        bounds: &[
            bound("ms p50", 25.0, Some(12.0), |found| found.number("transactions", P50)),
            bound("ms p99", 60.0, Some(25.0), |found| found.number("transactions", P99)),
        ],
    },
    Row {
        what: "1,000 updates/s to 1,000 clients for 60 s",
        calico: "",
        bounds: &[
            bound("cores", 1.0, Some(0.6), |found| found.number("flood", "/server/cores")),
            bound("ms p99", 100.0, None, |found| found.number("flood", P99)),
            never("lost or cut", |found| cut_or_lost(found, "flood")),
        ],
    },
    Row {
        what: "200 clients x 100,000 keys at once",
        calico: "8.8 ms a client; all cut after 60 s, none in sync after 150 s",
        bounds: &[
            bound("ms server CPU a client", 4.0, Some(2.0), |found| {
                Some(found.number("storm-100k", CPU_PER_CLIENT)? / 1000.0)
            }),
            never("cut or not in sync", |found| left_out(found, "storm-100k")),
        ],
    },
    Row {
        what: "500 clients x 500,000 keys, cold",
        calico: "",
        bounds: &[
            bound("s server CPU", 15.0, Some(10.0), |found| {
                Some(found.number("storm-500k", CPU_PER_CLIENT)? * found.number("storm-500k", "/clients")? / 1e6)
            }),
            never("cut or not in sync", |found| left_out(found, "storm-500k")),
        ],
    },
    Row {
        what: "server memory per idle client; after 60,000 updates to each",
        calico: "201 KB; 400 KB",
        bounds: &[
            bound("KB idle", 30.0, Some(16.0), |found| found.number("idle", "/server/rss_kb_per_client")),
            bound("KB after", 30.0, Some(16.0), |found| found.number("flood", "/server/rss_kb_per_client")),
        ],
    },
    Row {
        what: "server RSS with 100,000 keys",
        calico: "558 MB",
        bounds: &[bound("MB", 150.0, Some(100.0), |found| Some(found.number("state", "/server/rss_kb")? / 1024.0))],
    },
    Row {
        what: "1,000 clients reconnecting within the window, full TLS handshakes",
        calico: "",
        bounds: &[
            bound("ms until all are current", 1000.0, None, |found| found.number("reconnect", "/in_sync_ms/max")),
            bound("us server CPU each", 500.0, None, |found| found.number("reconnect", CPU_PER_CLIENT)),
            never("snapshots", |found| more_snapshots(found, "reconnect")),
        ],
    },
    Row {
        what: "the same with TLS resumption",
        calico: "",
        bounds: &[
            bound("ms until all are current", 1000.0, None, |found| found.number("reconnect-tls", "/in_sync_ms/max")),
            bound("us server CPU each", 300.0, Some(250.0), |found| found.number("reconnect-tls", CPU_PER_CLIENT)),
            never("snapshots", |found| more_snapshots(found, "reconnect-tls")),
        ],
    },
    Row {
        what: "10 % of clients stalled",
        calico: "",
        bounds: &[
            bound("% more p99 for the others", 10.0, None, |found| {
                Some((found.number("stalled", P99)? / found.number("none-stalled", P99)? - 1.0) * 100.0)
            }),
            bound("times the state in extra memory", 1.0, None, |found| {
                let extra_mb = found.grown_rss_mb("stalled")? - found.grown_rss_mb("none-stalled")?;
                Some(extra_mb.max(0.0) / STALLED_STATE_MB)
            }),
        ],
    },
];
