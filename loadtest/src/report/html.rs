//! The report as one page that needs nothing else: no script, no font, no address to fetch from.

mod bars;
mod lines;
mod scale;

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    time::{Duration, UNIX_EPOCH},
};

use self::{
    bars::{Bars, Row},
    lines::{Lines, Series},
};
use super::{Report, elsewhere::Elsewhere};
use crate::sampler::Sample;

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> fmt::Result {
    let name = Escaped(&report.scenario);
    writeln!(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(page, "<meta name=\"color-scheme\" content=\"light dark\">")?;
    writeln!(page, "<title>Cattail loadtest: {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>")?;
    header(page, report)?;
    tiles(page, report)?;
    writeln!(page, "<div class=\"plots\">")?;
    plots(page, report)?;
    facts(page, report)?;
    writeln!(page, "</div>\n</main>\n</body>\n</html>")
}

fn header(page: &mut String, report: &Report) -> fmt::Result {
    writeln!(page, "<header>\n<p class=\"kind\">Cattail loadtest</p>\n<h1>{}</h1>", Escaped(&report.scenario))?;
    writeln!(
        page,
        "<p>{} clients, {} keys, {} writes in {:.1} s</p>\n</header>",
        report.clients, report.keys, report.writes, report.seconds
    )?;
    for limit in &report.limits {
        writeln!(page, "<p class=\"limit\">{}</p>", Escaped(limit))?;
    }
    for verdict in &report.slo {
        let class = if verdict.is_met { "met" } else { "missed" };
        writeln!(page, "<p class=\"{class}\">{}</p>", Escaped(&verdict.to_string()))?;
    }
    Ok(())
}

fn tiles(page: &mut String, report: &Report) -> fmt::Result {
    writeln!(page, "<div class=\"tiles\">")?;
    let mut tile = |value: String, what: &str, note: String| {
        writeln!(page, "<div><b>{value}</b><span>{what}</span><small>{note}</small></div>")
    };
    let floor = report.floor.as_ref();
    first_tile(&mut tile, report, floor.map(|floor| floor.latency_ms.p99))?;
    if let Some(server) = &report.server {
        if let Some(cpu) = server.cpu_us_per_client_update {
            let ratio = report.floor_ratio().map(|ratio| format!("{ratio:.1} times plain sockets"));
            tile(format!("{cpu:.2} µs"), "server CPU per client-update", ratio.unwrap_or_default())?;
        } else {
            tile(format!("{:.3}", server.cores), "server cores", "on average".to_owned())?;
        }
        let total = format!("{:.1} MB in all", server.rss_kb as f64 / 1024.0);
        tile(format!("{:.1} KB", server.rss_kb_per_client), "server memory per client", total)?;
    }
    let fate = format!("{} delivered, {} conflated", report.totals.delivered, report.totals.conflated);
    tile(report.totals.lost.to_string(), "client-updates lost", fate)?;
    writeln!(page, "</div>")
}

/// The first tile is what the scenario is about: time until in sync, or latency.
fn first_tile(
    tile: &mut impl FnMut(String, &str, String) -> fmt::Result,
    report: &Report,
    floor_p99: Option<f64>,
) -> fmt::Result {
    if let Some(in_sync) = report.in_sync_ms {
        return tile(
            format!("{:.0} ms", in_sync.max),
            "until all are in sync",
            format!("half after {:.0} ms", in_sync.p50),
        );
    }
    if report.latency_ms.count == 0 {
        return tile(report.clients.to_string(), "clients connected", format!("{:.1} s of silence", report.seconds));
    }
    let note = floor_p99.map(|p99| format!("plain sockets {p99:.1} ms")).unwrap_or_default();
    tile(format!("{:.1} ms", report.latency_ms.p99), "p99 latency", note)
}

fn plots(page: &mut String, report: &Report) -> fmt::Result {
    let samples = &report.samples;
    let arrived = |read: fn(&Sample) -> f64| {
        samples.iter().map(|sample| (sample.at_s, (sample.arrived > 0).then(|| read(sample)))).collect::<Vec<_>>()
    };
    let always =
        |read: fn(&Sample) -> f64| samples.iter().map(|sample| (sample.at_s, Some(read(sample)))).collect::<Vec<_>>();
    if report.latency_ms.count > 0 {
        let series = vec![
            Series { name: "p50", points: arrived(|sample| sample.p50_ms) },
            Series { name: "p99", points: arrived(|sample| sample.p99_ms) },
            Series { name: "max", points: arrived(|sample| sample.max_ms) },
        ];
        write!(page, "{}", Lines { title: "Latency", unit: "ms", series })?;
    }
    percentiles(page, report)?;
    let mut cpu = vec![Series { name: "harness", points: always(|sample| sample.harness_cores) }];
    let mut memory = vec![Series { name: "harness", points: always(|sample| sample.harness_rss_kb as f64 / 1024.0) }];
    if report.server.is_some() {
        cpu.insert(0, Series { name: "server", points: always(|sample| sample.server_cores) });
        memory.insert(0, Series { name: "server", points: always(|sample| sample.server_rss_kb as f64 / 1024.0) });
    }
    cpu.push(Series { name: "others", points: always(|sample| sample.others_cores) });
    write!(page, "{}", Lines { title: "CPU", unit: "cores", series: cpu })?;
    write!(page, "{}", Lines { title: "Memory", unit: "MB", series: memory })?;
    let series = vec![Series { name: "all clients", points: rates(samples) }];
    write!(page, "{}", Lines { title: "Received", unit: "MB/s", series })
}

/// Megabytes a second of each stretch.
fn rates(samples: &[Sample]) -> Vec<(f64, Option<f64>)> {
    let mut before = 0.0;
    let rate = |sample: &Sample| {
        let seconds = sample.at_s - std::mem::replace(&mut before, sample.at_s);
        (sample.at_s, (seconds > 0.0).then(|| sample.bytes as f64 / 1e6 / seconds))
    };
    samples.iter().map(rate).collect()
}

fn percentiles(page: &mut String, report: &Report) -> fmt::Result {
    let (title, ours) = match report.in_sync_ms {
        Some(in_sync) => ("In sync after", in_sync),
        None if report.latency_ms.count > 0 => ("Latency percentiles", report.latency_ms),
        None => return Ok(()),
    };
    // Plain sockets carry the same bytes as writes do, but for a storm, where they carry its snapshot.
    let is_same = report.in_sync_ms.is_none() || report.writes == 0;
    let floor = report.floor.as_ref().filter(|_| is_same).map(|floor| floor.latency_ms);
    let row = |name, ours: f64, floor: Option<f64>| Row { name, ours, floor };
    let rows = vec![
        row("p50", ours.p50, floor.map(|floor| floor.p50)),
        row("p90", ours.p90, floor.map(|floor| floor.p90)),
        row("p99", ours.p99, floor.map(|floor| floor.p99)),
        row("p99.9", ours.p999, floor.map(|floor| floor.p999)),
        row("max", ours.max, floor.map(|floor| floor.max)),
    ];
    write!(page, "{}", Bars { title, unit: "ms", rows })
}

fn facts(page: &mut String, report: &Report) -> fmt::Result {
    let build = if report.machine.is_release_build { "release build" } else { "debug build" };
    let begun = UNIX_EPOCH + Duration::from_secs(report.started_unix_s);
    let facts = [
        ("Begun", httpdate::fmt_http_date(begun)),
        ("Machine", format!("{}, {} cores, Linux {}", report.machine.cpu, report.machine.cores, report.machine.kernel)),
        ("Program", format!("loadtest {}, {build}", report.version)),
        ("Other CPU time", other_cpu(report)),
        ("Schedule", schedule(report)),
        ("Streams", report.streams()),
        ("Streams were cut because", cut_reasons(&report.cut_reasons)),
        ("Oldest view clients were told of", format!("{} ms", report.totals.upstream_age_ms)),
        (
            "Harness",
            format!("{:.2} cores, {:.1} KB per client", report.harness.cores, report.harness.rss_kb_per_client),
        ),
    ];
    writeln!(page, "<div class=\"facts\">\n<table>")?;
    for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(page, "<tr><th>{name}</th><td>{}</td></tr>", Escaped(&value))?;
    }
    writeln!(page, "</table>\n</div>")
}

/// Nothing where none was.
fn cut_reasons(counted: &BTreeMap<String, u64>) -> String {
    let reasons = counted.iter().map(|(reason, times)| format!("{times} times: {reason}"));
    reasons.collect::<Vec<_>>().join("; ")
}

fn other_cpu(report: &Report) -> String {
    let rows = report.elsewhere.iter().flat_map(Elsewhere::rows);
    let told: Vec<String> = rows.map(|(what, cores)| format!("{what} {cores:.2} cores")).collect();
    if told.is_empty() { "not known".to_owned() } else { told.join(", ") }
}

fn schedule(report: &Report) -> String {
    let settings = &report.settings;
    if report.writes == 0 {
        return "nothing was written".to_owned();
    }
    format!(
        "{} transactions/s of {} keys, {} at a time, for {} s",
        settings.rate, settings.transaction, settings.burst, settings.seconds
    )
}

/// Text that cannot be taken for markup.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_with_how_often_it_came() {
        let counted = BTreeMap::from([("the peer hung up".to_owned(), 3), ("silence".to_owned(), 1)]);
        assert_eq!(cut_reasons(&counted), "1 times: silence; 3 times: the peer hung up");
        assert_eq!(cut_reasons(&BTreeMap::new()), "", "a row of nothing is left out");
    }
}
