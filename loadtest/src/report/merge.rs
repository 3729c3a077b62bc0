//! One report of the reports of processes that shared a run.
//!
//! Counts and CPU are added, and so are histograms, which loses nothing. Of samples, counts are added and latencies are
//! those of the process where they were highest: percentiles of a stretch cannot be added.

use anyhow::{Context as _, Result, bail};

use super::{Elsewhere, Harness, Histograms, Percentiles, Report};
use crate::{recorder::Histogram, sampler::Sample, scenario::Scenario};

/// Merges the reports of all shares of one run.
pub(crate) fn merge(mut reports: Vec<Report>) -> Result<Report> {
    reports.sort_by_key(|report| report.shared.map(|part| part.share));
    check(&reports)?;
    let mut reports = reports.into_iter();
    let mut whole = reports.next().context("there is no report")?;
    whole.limits = named_limits(&whole);
    for part in reports {
        add(&mut whole, part);
    }
    let Histograms { latency, stalled_latency, in_sync } = &whole.histograms_us;
    let some = |histogram: &Histogram| Some(histogram.percentiles()).filter(|found: &Percentiles| found.count > 0);
    whole.latency_ms = latency.percentiles();
    whole.stalled_latency_ms = some(stalled_latency);
    whole.in_sync_ms = some(in_sync);
    whole.shared = None;
    Ok(whole)
}

fn check(sorted: &[Report]) -> Result<()> {
    let mut start = None;
    for (number, report) in (1_usize..).zip(sorted) {
        let Some(part) = report.shared else { bail!("a report of {} is not of a share of a run", report.scenario) };
        let expected = format!("{number}/{}", sorted.len());
        if part.share.to_string() != expected {
            bail!(
                "there is a report of share {} where {expected} should be; give each share's report once",
                part.share
            );
        }
        if *start.get_or_insert(part.start_unix_us) != part.start_unix_us {
            bail!("share {} is of another run than share 1/{}", part.share, sorted.len());
        }
    }
    Ok(())
}

/// Says whose limits these are.
fn named_limits(report: &Report) -> Vec<String> {
    let whose = report.shared.map(|part| format!("Share {}: ", part.share)).unwrap_or_default();
    report.limits.iter().map(|limit| format!("{whose}{limit}")).collect()
}

fn add(whole: &mut Report, part: Report) {
    whole.limits.extend(named_limits(&part));
    whole.harness = both(&whole.harness, whole.clients, &part.harness, part.clients);
    whole.elsewhere = [whole.elsewhere, part.elsewhere].into_iter().flatten().reduce(Elsewhere::most);
    whole.clients += part.clients;
    whole.settings = Scenario { clients: whole.clients, ..whole.settings.clone() };
    whole.totals += part.totals;
    for (reason, times) in part.cut_reasons {
        *whole.cut_reasons.entry(reason).or_default() += times;
    }
    whole.bytes += part.bytes;
    whole.seconds = whole.seconds.max(part.seconds);
    whole.load_average = whole.load_average.max(part.load_average);
    whole.is_interrupted |= part.is_interrupted;
    whole.histograms_us.latency += &part.histograms_us.latency;
    whole.histograms_us.stalled_latency += &part.histograms_us.stalled_latency;
    whole.histograms_us.in_sync += &part.histograms_us.in_sync;
    add_samples(&mut whole.samples, part.samples);
}

fn both(a: &Harness, a_clients: u32, b: &Harness, b_clients: u32) -> Harness {
    let (weight_a, weight_b) = (f64::from(a_clients), f64::from(b_clients));
    let per_client = a.rss_kb_per_client * weight_a + b.rss_kb_per_client * weight_b;
    Harness {
        cores: a.cores + b.cores,
        rss_kb: a.rss_kb + b.rss_kb,
        rss_kb_per_client: per_client / (weight_a + weight_b),
        writer_behind_ms: a.writer_behind_ms.max(b.writer_behind_ms),
    }
}

/// All began at the same moment, so that stretches of the same number are of the same time.
fn add_samples(whole: &mut Vec<Sample>, part: Vec<Sample>) {
    if part.len() > whole.len() {
        whole.resize(part.len(), Sample::default());
    }
    for (sum, sample) in whole.iter_mut().zip(part) {
        sum.at_s = sum.at_s.max(sample.at_s);
        sum.arrived += sample.arrived;
        sum.p50_ms = sum.p50_ms.max(sample.p50_ms);
        sum.p99_ms = sum.p99_ms.max(sample.p99_ms);
        sum.max_ms = sum.max_ms.max(sample.max_ms);
        sum.harness_cores += sample.harness_cores;
        sum.harness_rss_kb += sample.harness_rss_kb;
        sum.others_cores = sum.others_cores.max(sample.others_cores);
        sum.bytes += sample.bytes;
    }
}
