//! The report as a table for people.

use std::fmt;

use super::{Report, elsewhere::Elsewhere};
use crate::{fleet::Totals, local::Lists, recorder::Percentiles};

/// Width of what a row is about.
const WHAT: usize = 34;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // First, so that nobody reads a figure before it.
        for limit in &self.limits {
            writeln!(f, "{limit}")?;
        }
        writeln!(f, "{}: {} clients, {} keys, {} writes", self.scenario, self.clients, self.keys, self.writes)?;
        writeln!(f)?;
        row(f, "", "typha", if self.floor.is_some() { "plain sockets" } else { "" })?;
        self.cpu(f)?;
        self.latencies(f)?;
        self.memory(f)?;
        self.rest(f)?;
        writeln!(f)?;
        if let Some(ratio) = self.floor_ratio() {
            write!(f, "{ratio:.1} times the floor's CPU; ")?;
        }
        writeln!(f, "{} lost, {} conflated; {}", self.totals.lost, self.totals.conflated, self.streams())?;
        if let Some(Lists { typhas, lists }) = self.upstream {
            writeln!(f, "{lists} lists of the datastore's state by {typhas} typha processes")?;
        }
        for (reason, times) in &self.cut_reasons {
            writeln!(f, "  {times} cut: {reason}")?;
        }
        for verdict in &self.slo {
            writeln!(f, "{verdict}")?;
        }
        Ok(())
    }
}

impl Report {
    fn cpu(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(server) = &self.server else { return Ok(()) };
        if let Some(cpu) = server.cpu_us_per_client_update {
            let floor = self.floor.as_ref().map(|floor| format!("{:.2} us", floor.cpu_us_per_client_update));
            row(f, "server CPU per client-update", &format!("{cpu:.2} us"), &floor.unwrap_or_default())?;
        }
        row(f, "server CPU per client", &format!("{:.2} ms", server.cpu_us_per_client / 1000.0), "")?;
        row(f, "server CPU", &format!("{:.2} cores", server.cores), "")
    }

    /// What became of the clients' streams.
    pub(super) fn streams(&self) -> String {
        let Totals { cut, moved, put_off, failed_attempts, resumes, snapshots, snapshots_again, .. } = self.totals;
        let gap = match self.totals.longest_gap.as_millis() {
            0 => String::new(),
            gap_ms => format!("; longest gap {gap_ms} ms"),
        };
        format!(
            "{cut} cut, {moved} moved, {put_off} put off, {failed_attempts} failed attempts, {resumes} resumes, {snapshots} snapshots \
             ({snapshots_again} again){gap}"
        )
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let floor = self.floor.as_ref().map(|floor| floor.latency_ms);
        let storm = self.settings.phases.contains(&crate::scenario::Phase::Storm);
        let (sync_floor, latency_floor) = if storm { (floor, None) } else { (None, floor) };
        if self.latency_ms.count > 0 {
            percentiles(f, "latency", &self.latency_ms, latency_floor)?;
        }
        if let Some(stalled) = &self.stalled_latency_ms {
            percentiles(f, "latency of held clients", stalled, None)?;
        }
        if let Some(in_sync) = &self.in_sync_ms {
            percentiles(f, "in sync after", in_sync, sync_floor)?;
        }
        if self.totals.upstream_age_ms > 0 {
            row(f, "oldest view clients were told of", &format!("{} ms", self.totals.upstream_age_ms), "")?;
        }
        Ok(())
    }

    fn memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.server {
            row(f, "server RSS", &format!("{:.1} MB", server.rss_kb as f64 / 1024.0), "")?;
            row(f, "server RSS per client", &format!("{:.1} KB", server.rss_kb_per_client), "")?;
        }
        row(f, "bytes received by clients", &format!("{:.1} MB", self.bytes as f64 / 1e6), "")?;
        row(f, "harness RSS per client", &format!("{:.1} KB", self.harness.rss_kb_per_client), "")
    }

    /// Who else kept the machine busy.
    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "harness CPU", &format!("{:.2} cores", self.harness.cores), "")?;
        for (what, cores) in self.elsewhere.iter().flat_map(Elsewhere::rows) {
            row(f, what, &format!("{cores:.2} cores"), "")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, ours: &str, floor: &str) -> fmt::Result {
    writeln!(f, "{}", format!("{what:<WHAT$}{ours:>12}{floor:>16}").trim_end())
}

fn percentiles(f: &mut fmt::Formatter<'_>, what: &str, ours: &Percentiles, floor: Option<Percentiles>) -> fmt::Result {
    let floor = floor.map(|floor| [floor.p50, floor.p90, floor.p99, floor.max]);
    for (place, (name, ours)) in
        [("p50", ours.p50), ("p90", ours.p90), ("p99", ours.p99), ("max", ours.max)].into_iter().enumerate()
    {
        let floor = floor.map(|floor| format!("{:.1} ms", floor[place])).unwrap_or_default();
        row(f, &format!("{what} {name}"), &format!("{ours:.1} ms"), &floor)?;
    }
    Ok(())
}
