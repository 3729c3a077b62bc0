//! The alerts that are shipped: each says what to do, and asks only for what a process really tells.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use harness::{Certificates, Typha, admin};
use serde::Deserialize;

/// What Prometheus adds to each series by itself.
const TARGET_LABELS: [&str; 2] = ["instance", "job"];

/// A file of rules, as far as ours go. A field that Prometheus does not know is refused here as there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    #[serde(rename = "alert")]
    name: String,
    expr: String,
    #[serde(rename = "for")]
    lasts: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    runbook: String,
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn rules() -> anyhow::Result<Rules> {
    Ok(serde_saphyr::from_str(&fs::read_to_string(project("deploy/prometheus/alerts.yaml"))?)?)
}

/// The names in a text that could be metrics of ours.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("typha_") || word.starts_with("felix_")).collect()
}

/// The labels that an annotation inserts.
fn inserted(text: &str) -> BTreeSet<&str> {
    let inserted = text.split("$labels.").skip(1);
    inserted.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()).collect()
}

/// The labels of each metric, by the document that both processes' tests hold true.
fn documented() -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let document = fs::read_to_string(project("docs/metrics.md"))?;
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(|cell| cell.replace(['`', ' '], "")).collect();
        let labels = cells.get(3).context("a row without labels")?;
        Ok((cells[1].clone(), labels.split(',').map(str::to_owned).collect()))
    })
    .collect()
}

#[tokio::test]
async fn every_series_of_an_alert_is_one_that_a_process_tells() -> anyhow::Result<()> {
    let typha = Typha::start(&Certificates::new()?, "a").await?;
    let (_, exposition) = admin::get(typha.server.admin_address().expect("it has one"), "/metrics").await?;
    let documented = documented()?;
    for alert in rules()?.groups.iter().flat_map(|group| &group.rules) {
        let named = metrics(&alert.expr);
        ensure!(!named.is_empty(), "{} asks for nothing of ours", alert.name);
        let mut labels: Vec<&str> = TARGET_LABELS.into();
        for metric in named {
            let own = documented.get(metric).with_context(|| format!("{}: no process tells {metric}", alert.name))?;
            labels.extend(own.iter().map(String::as_str));
            let name = metric.strip_suffix("_total").unwrap_or(metric);
            let is_told = !metric.starts_with("typha_") || exposition.contains(&format!("# TYPE {name} "));
            ensure!(is_told, "{}: typha does not tell {metric}", alert.name);
        }
        for text in [&alert.annotations.summary, &alert.annotations.runbook] {
            let unknown: Vec<_> = inserted(text).into_iter().filter(|label| !labels.contains(label)).collect();
            ensure!(unknown.is_empty(), "{} inserts {unknown:?}, which its series do not have", alert.name);
        }
    }
    Ok(())
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() -> anyhow::Result<()> {
    let (mut names, rules) = (BTreeSet::new(), rules()?);
    for group in &rules.groups {
        for Alert { name, expr, lasts, labels, annotations } in &group.rules {
            ensure!(name.to_lowercase().starts_with(&group.name) && names.insert(name), "{name}: name");
            ensure!(["warning", "critical"].map(str::to_owned).contains(&labels["severity"]), "{name}: severity");
            ensure!(expr.matches('(').count() == expr.matches(')').count(), "{name}: {expr}");
            let number = lasts.as_deref().map(|lasts| lasts.trim_end_matches(['m', 'h']).parse::<u32>());
            ensure!(number.is_none_or(|number| number.is_ok()), "{name}: {lasts:?}");
            ensure!(!annotations.summary.is_empty() && !annotations.summary.ends_with('.'), "{name}: summary");
            ensure!(annotations.runbook.len() > 40 && annotations.runbook.ends_with('.'), "{name}: runbook");
        }
    }
    ensure!(names.len() > 10, "{names:?}");
    Ok(())
}

/// Prometheus' own judgement where it is installed; what is asked of the file above holds without it.
#[test]
fn prometheus_takes_the_file() -> anyhow::Result<()> {
    match Command::new("promtool").args(["check", "rules"]).arg(project("deploy/prometheus/alerts.yaml")).output() {
        Ok(output) => ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("promtool is not asked: {error}; install it: sudo apt-get install prometheus"),
    }
    Ok(())
}
