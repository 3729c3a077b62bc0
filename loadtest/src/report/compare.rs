//! Two reports side by side, figure by figure.

use std::fmt::Write as _;

use super::Report;

/// Two runs on a quiet machine agree within this.
pub(super) const NOISE_PERCENT: f64 = 10.0;

/// A figure of a report.
pub(crate) struct Metric {
    /// Its name, for objectives.
    pub(crate) name: &'static str,
    /// Its unit; empty for counts.
    pub(crate) unit: &'static str,
    /// Whether less is better.
    is_cost: bool,
    /// Where it stands.
    pub(crate) read: fn(&Report) -> Option<f64>,
}

impl Metric {
    /// Whether it is of a process's CPU time, which is what two runs are to agree on.
    pub(super) fn is_cpu(&self) -> bool {
        matches!(self.name, "cpu_per_update" | "cpu_per_client" | "server_cores")
    }
}

const fn cost(name: &'static str, unit: &'static str, read: fn(&Report) -> Option<f64>) -> Metric {
    Metric { name, unit, is_cost: true, read }
}

/// Every figure that can be compared or asked for.
pub(crate) const METRICS: &[Metric] = &[
    cost("p50", "ms", |report| latency(report, |p| p.p50)),
    cost("p90", "ms", |report| latency(report, |p| p.p90)),
    cost("p99", "ms", |report| latency(report, |p| p.p99)),
    cost("p999", "ms", |report| latency(report, |p| p.p999)),
    cost("max", "ms", |report| latency(report, |p| p.max)),
    cost("in_sync_p99", "ms", |report| report.in_sync_ms.map(|in_sync| in_sync.p99)),
    cost("in_sync_max", "ms", |report| report.in_sync_ms.map(|in_sync| in_sync.max)),
    cost("cpu_per_update", "us", |report| report.server.as_ref()?.cpu_us_per_client_update),
    cost("cpu_per_client", "us", |report| Some(report.server.as_ref()?.cpu_us_per_client)),
    cost("server_cores", "", |report| Some(report.server.as_ref()?.cores)),
    cost("rss", "KB", |report| Some(report.server.as_ref()?.rss_kb as f64)),
    cost("rss_per_client", "KB", |report| Some(report.server.as_ref()?.rss_kb_per_client)),
    cost("harness_rss_per_client", "KB", |report| Some(report.harness.rss_kb_per_client)),
    cost("floor_ratio", "", Report::floor_ratio),
    cost("bytes", "", |report| Some(report.bytes as f64)),
    Metric { name: "delivered", unit: "", is_cost: false, read: |report| Some(report.totals.delivered as f64) },
    cost("conflated", "", |report| Some(report.totals.conflated as f64)),
    cost("lost", "", |report| Some(report.totals.lost as f64)),
    cost("cut", "", |report| Some(report.totals.cut as f64)),
    cost("put_off", "", |report| Some(report.totals.put_off as f64)),
    cost("failed_attempts", "", |report| Some(report.totals.failed_attempts as f64)),
    cost("snapshots", "", |report| Some(report.totals.snapshots as f64)),
    cost("snapshots_again", "", |report| Some(report.totals.snapshots_again as f64)),
    cost("upstream_lists", "", |report| Some(report.upstream?.lists as f64)),
    cost("longest_gap", "ms", |report| Some(report.totals.longest_gap.as_millis() as f64)),
];

fn latency(report: &Report, read: impl Fn(&crate::recorder::Percentiles) -> f64) -> Option<f64> {
    (report.latency_ms.count > 0).then(|| read(&report.latency_ms))
}

/// A comparison: text, and what became worse by more than a tolerance.
pub(crate) struct Comparison {
    pub(crate) text: String,
    pub(crate) worse: Vec<&'static str>,
}

/// Compares two reports. What became worse by more than `tolerance` percent is named.
pub(crate) fn compare(before: &Report, after: &Report, tolerance: Option<f64>) -> Comparison {
    let (mut text, mut worse) = (String::new(), Vec::new());
    for (side, report) in [("A", before), ("B", after)] {
        for limit in &report.limits {
            let _ = writeln!(text, "{side}: {limit}");
        }
    }
    if let Some(difference) = different_settings(before, after) {
        let _ = writeln!(text, "These are not the same run: {difference}.");
    }
    let _ = writeln!(text, "{:<26}{:>14}{:>14}{:>10}", "", "A", "B", "change");
    for metric in METRICS {
        let (Some(a), Some(b)) = ((metric.read)(before), (metric.read)(after)) else { continue };
        let change = percent(a, b);
        let bad = if metric.is_cost { change } else { -change };
        let verdict = match bad {
            bad if bad.abs() <= tolerance.unwrap_or(NOISE_PERCENT) => "",
            bad if bad > 0.0 => "worse",
            _ => "better",
        };
        if verdict == "worse" {
            worse.push(metric.name);
        }
        let name = format!("{} {}", metric.name, metric.unit);
        let _ = writeln!(text, "{}", format!("{name:<26}{a:>14.2}{b:>14.2}{change:>+9.1}% {verdict}").trim_end());
    }
    Comparison { text, worse }
}

/// How much more B is, in percent of A; anything instead of nothing counts as twice as much.
fn percent(a: f64, b: f64) -> f64 {
    match (a, b) {
        (0.0, 0.0) => 0.0,
        (0.0, _) => 100.0,
        (a, b) => (b - a) / a * 100.0,
    }
}

fn different_settings(a: &Report, b: &Report) -> Option<String> {
    if a.scenario != b.scenario {
        return Some(format!("A ran {}, B {}", a.scenario, b.scenario));
    }
    if a.settings != b.settings {
        return Some(format!("{} had other settings", a.scenario));
    }
    (a.machine != b.machine).then(|| "they ran on different machines or builds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_relative_and_nothing_can_become_something() {
        let change = |a, b| format!("{:+.0}", percent(a, b));
        let changes = [change(10.0, 15.0), change(10.0, 5.0), change(0.0, 0.0), change(0.0, 3.0)];
        assert_eq!(changes, ["+50", "-50", "+0", "+100"]);
    }
}
