//! What a process shows to Prometheus, as a table for its documentation.

use std::collections::BTreeMap;

/// What is known of a metric.
#[derive(Default)]
struct Metric<'a> {
    kind: &'a str,
    help: &'a str,
    /// The names of its labels, as far as a sample shows them.
    labels: Vec<&'a str>,
}

/// A row for each metric of an OpenMetrics exposition: the name of its samples, its type, its labels and its meaning.
pub fn metrics_table(exposition: &str) -> String {
    let mut metrics = BTreeMap::<&str, Metric<'_>>::new();
    for line in exposition.lines() {
        match line.splitn(4, ' ').collect::<Vec<_>>().as_slice() {
            ["#", "HELP", name, help] => metrics.entry(name).or_default().help = help,
            ["#", "TYPE", name, kind] => metrics.entry(name).or_default().kind = kind,
            _ => add_labels(&mut metrics, line),
        }
    }
    let head = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    metrics.iter().fold(head, |text, (name, metric)| text + &row(name, metric))
}

fn add_labels<'a>(metrics: &mut BTreeMap<&'a str, Metric<'a>>, sample: &'a str) {
    let Some((name, rest)) = sample.split_once('{') else { return };
    let Some(metric) = metrics.get_mut(name.strip_suffix("_total").unwrap_or(name)) else { return };
    let Some((labels, _)) = rest.rsplit_once('}') else { return };
    for label in labels.split(',').filter_map(|label| label.split('=').next()) {
        if !metric.labels.contains(&label) {
            metric.labels.push(label);
        }
    }
}

fn row(name: &str, Metric { kind, help, labels }: &Metric<'_>) -> String {
    let suffix = if *kind == "counter" { "_total" } else { "" };
    let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
    // Prometheus' client ends each help text with a full stop.
    let help = help.trim_end_matches('.');
    format!("| `{name}{suffix}` | {kind} | {} | {help} |\n", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_row() {
        let text = "# HELP a_keys Keys that exist.\n# TYPE a_keys gauge\na_keys 3\n\
                    # HELP a_rejections Turned away.\n# TYPE a_rejections counter\n\
                    a_rejections_total{reason=\"x\",node=\"y\"} 1\na_rejections_total{reason=\"z\",node=\"y\"} 1\n# EOF\n";
        assert_eq!(
            metrics_table(text),
            "| metric | type | labels | meaning |\n|---|---|---|---|\n\
             | `a_keys` | gauge |  | Keys that exist |\n\
             | `a_rejections_total` | counter | `reason`, `node` | Turned away |\n"
        );
    }
}
