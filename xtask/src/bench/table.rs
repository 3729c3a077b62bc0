//! Both sides of a case as a table: what each measured, and the other's as a multiple of ours.

use anyhow::Result;
use serde_json::Value;

use super::case::Case;

/// From so many cores on, a load program that shares a small machine with its server is what updates wait for.
const BUSY_CORES: f64 = 0.9;

/// A row: what it says, where it stands in a report, what to divide it by, and its unit.
struct Row(&'static str, &'static str, f64, &'static str);

const ROWS: &[Row] = &[
    Row("server CPU per client-update", "/server/cpu_us_per_client_update", 1.0, "us"),
    Row("server CPU per client", "/server/cpu_us_per_client", 1e3, "ms"),
    Row("server RSS", "/server/rss_kb", 1024.0, "MB"),
    Row("server RSS per client", "/server/rss_kb_per_client", 1.0, "KB"),
    Row("latency p50", "/latency_ms/p50", 1.0, "ms"),
    Row("latency p90", "/latency_ms/p90", 1.0, "ms"),
    Row("latency p99", "/latency_ms/p99", 1.0, "ms"),
    Row("latency max", "/latency_ms/max", 1.0, "ms"),
    Row("time to be in sync, p50", "/in_sync_ms/p50", 1.0, "ms"),
    Row("time to be in sync, max", "/in_sync_ms/max", 1.0, "ms"),
    Row("load program's CPU", "/harness/cores", 1.0, "cores"),
];

/// Counts, for which a ratio would say nothing.
const COUNTS: &[(&str, &str)] =
    &[("delivered", "/delivered"), ("conflated", "/conflated"), ("lost", "/lost"), ("streams cut", "/cut")];

/// The table of a case.
pub(super) fn render(case: &Case, ours: &Result<Value>, peer: Option<&Result<Value>>) -> String {
    let mut text = format!("{}: {}\n", case.name, case.about);
    text += &heading("Cattail", ours);
    text += &peer.map_or_else(String::new, |peer| heading("Calico", peer));
    let (ours, peer) = (ours.as_ref().ok(), peer.and_then(|peer| peer.as_ref().ok()));
    text += &line("", "Cattail", "Calico", "Calico/Cattail");
    for Row(what, pointer, divisor, unit) in ROWS {
        let (mine, theirs) = (number(ours, pointer), number(peer, pointer));
        if mine.or(theirs).is_some() {
            let shown =
                |number: Option<f64>| number.map_or_else(String::new, |it| format!("{:.2} {unit}", it / divisor));
            text += &line(what, &shown(mine), &shown(theirs), &ratio(mine, theirs));
        }
    }
    for (what, pointer) in COUNTS {
        let shown = |number: Option<f64>| number.map_or_else(String::new, |it| it.to_string());
        text += &line(what, &shown(number(ours, pointer)), &shown(number(peer, pointer)), "");
    }
    text
}

fn heading(side: &str, report: &Result<Value>) -> String {
    match report {
        Ok(report) => {
            format!(
                "{side:<8} {} clients, {} keys, {} writes, {:.1} s, load average {:.2}\n",
                report["clients"],
                report["keys"],
                report["writes"],
                report["seconds"].as_f64().unwrap_or_default(),
                report["load_average"].as_f64().unwrap_or_default()
            ) + &limit(side, report)
        }
        Err(error) => format!("{side:<8} failed: {error:#}\n"),
    }
}

/// Why a side's latencies are not to be taken for its server's; nothing where they may be.
fn limit(side: &str, report: &Value) -> String {
    let cores = report.pointer("/harness/cores").and_then(Value::as_f64).unwrap_or_default();
    if cores < BUSY_CORES {
        return String::new();
    }
    format!(
        "{side:<8} its load program kept {cores:.2} cores busy: the latencies are the clients' rather than the server's\n"
    )
}

fn line(what: &str, ours: &str, peer: &str, ratio: &str) -> String {
    format!("{what:<30}{ours:>16}{peer:>16}{ratio:>16}\n")
}

/// A report's number; `None` where it is not there, or is of latencies and none was recorded.
fn number(report: Option<&Value>, pointer: &str) -> Option<f64> {
    let report = report?;
    let group = pointer.rsplit_once('/').map_or("", |(group, _)| group);
    let is_empty = report.pointer(group)?.get("count").is_some_and(|count| count == 0);
    if is_empty { None } else { report.pointer(pointer)?.as_f64() }
}

fn ratio(ours: Option<f64>, peer: Option<f64>) -> String {
    let both = ours.zip(peer).filter(|(ours, _)| *ours > 0.0);
    both.map_or_else(String::new, |(ours, peer)| format!("{:.2}", peer / ours))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use serde_json::json;

    use super::*;

    const CASE: Case = Case { name: "fanout", about: "steady", scenario: "fanout", transaction: None };

    fn report(cpu: f64, latencies: u32) -> Value {
        json!({
            "clients": 10, "keys": 5, "writes": 3, "seconds": 1.0, "load_average": 0.5, "lost": 0,
            "server": { "cpu_us_per_client_update": cpu },
            "latency_ms": { "count": latencies, "p50": 7.0 },
        })
    }

    #[test]
    fn the_peer_is_a_multiple_of_ours() {
        let table = render(&CASE, &Ok(report(2.0, 1)), Some(&Ok(report(30.0, 1))));
        let row = table.lines().find(|line| line.starts_with("server CPU per client-update")).unwrap();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[4..], ["2.00", "us", "30.00", "us", "15.00"]);
    }

    #[test]
    fn what_was_not_recorded_is_not_shown_as_nothing() {
        let table = render(&CASE, &Ok(report(2.0, 0)), None);
        assert!(!table.contains("latency p50"), "{table}");
        assert!(table.contains("lost"), "{table}");
    }

    #[test]
    fn a_load_program_that_is_the_limit_is_named() {
        let mut busy = report(2.0, 1);
        busy["harness"] = json!({ "cores": 1.5 });
        let table = render(&CASE, &Ok(report(2.0, 1)), Some(&Ok(busy)));
        assert!(table.contains("Calico   its load program kept 1.50 cores busy"), "{table}");
        assert!(!table.contains("Cattail  its load program"), "{table}");
    }

    #[test]
    fn a_side_that_failed_says_so() {
        let table = render(&CASE, &Ok(report(2.0, 1)), Some(&Err(anyhow!("it was cut"))));
        assert!(table.contains("Calico   failed: it was cut"), "{table}");
        assert!(table.contains("2.00 us"), "{table}");
    }
}
