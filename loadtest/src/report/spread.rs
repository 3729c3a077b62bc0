//! How far apart the figures of runs of the same thing are.

use std::fmt::Write as _;

use super::{
    Report,
    compare::{METRICS, NOISE_PERCENT},
};

/// A table; nothing for a single run.
pub(crate) fn spread(reports: &[Report]) -> String {
    let mut text = String::new();
    let [first, _, ..] = reports else { return text };
    let _ =
        writeln!(text, "\n{} runs of {}: lowest, highest, and how far apart they are", reports.len(), first.scenario);
    for metric in METRICS {
        let found: Vec<f64> = reports.iter().filter_map(metric.read).collect();
        let (low, high) = found.iter().fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(*it), high.max(*it)));
        let percent = apart(low, high);
        if found.len() == reports.len() && high > 0.0 {
            let verdict = if metric.is_cpu() && percent > NOISE_PERCENT { "more than 10 %" } else { "" };
            let name = format!("{} {}", metric.name, metric.unit);
            let line = format!("{name:<26}{low:>14.2}{high:>14.2}{percent:>9.1}% {verdict}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// In percent of the mean.
fn apart(low: f64, high: f64) -> f64 {
    if low + high > 0.0 { (high - low) / f64::midpoint(low, high) * 100.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_relative_to_the_mean() {
        assert!((apart(9.5, 10.5) - 10.0).abs() < 1e-9);
        assert!(apart(0.0, 0.0).abs() < 1e-9);
    }
}
