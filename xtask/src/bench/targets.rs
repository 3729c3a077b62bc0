//! The table of targets: what a fan-out is to cost at most, and what it costs here.

mod rows;
mod runs;

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Result;
use serde_json::{Value, json};

use self::{
    rows::{Bound, ROWS, Row},
    runs::{RUNS, Run},
};
use super::{Options, markdown, ours::Ours, shell_line, write};

/// All runs' reports by their names; a run that failed has none.
pub(super) struct Found {
    reports: BTreeMap<&'static str, Value>,
}

impl Found {
    /// A run's figure.
    pub(super) fn number(&self, run: &str, pointer: &str) -> Option<f64> {
        self.reports.get(run)?.pointer(pointer)?.as_f64()
    }

    /// How much memory the server took on top, at its most, while it was measured. What it has before differs from run to
    /// run by what clients that connect leave behind.
    pub(super) fn grown_rss_mb(&self, run: &str) -> Option<f64> {
        let samples = self.reports.get(run)?["samples"].as_array()?;
        let rss_kb = || samples.iter().filter_map(|sample| sample["server_rss_kb"].as_f64());
        Some((rss_kb().reduce(f64::max)? - rss_kb().next()?) / 1024.0)
    }
}

/// Makes all runs and prints the table.
pub(super) fn run(ours: &Ours, options: &Options) -> Result<ExitCode> {
    let (mut found, mut failed) = (Found { reports: BTreeMap::new() }, Vec::new());
    for Run { name, scenario, options } in RUNS {
        let line = shell_line(scenario, options);
        eprintln!("==> {line}");
        match ours.run(scenario, options) {
            Ok(report) => drop(found.reports.insert(name, report)),
            Err(error) => failed.push(format!("`{line}` failed: {error:#}")),
        }
    }
    println!("{}\n{}", render(&found), commands(&found));
    for note in failed.iter().chain(&limits(&found)) {
        println!("- {note}");
    }
    if let Some(file) = &options.json {
        write(file, &json!({ "runs": found.reports, "failed": failed }))?;
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn render(found: &Found) -> String {
    let heading = ["what", "measured", "must", "stretch", "Calico Typha v3.31"].map(str::to_owned);
    markdown::table(heading, ROWS.iter().map(|row| cells(row, found)))
}

fn cells(row: &Row, found: &Found) -> [String; 5] {
    let each = |cell: &dyn Fn(&Bound) -> String| {
        let cells: Vec<_> = row.bounds.iter().map(cell).filter(|cell| !cell.is_empty()).collect();
        cells.join("; ")
    };
    let judged = |bound: &Bound, limit: f64| format!("{}: {}", bound.shown(limit), bound.verdict(found, limit));
    [
        row.what.to_owned(),
        each(&|bound| bound.measured(found)),
        each(&|bound| if bound.must.is_finite() { judged(bound, bound.must) } else { String::new() }),
        each(&|bound| bound.stretch.map_or_else(String::new, |stretch| judged(bound, stretch))),
        row.calico.to_owned(),
    ]
}

/// What was run, so that each figure can be had again by itself.
fn commands(found: &Found) -> String {
    let heading = ["run", "command", "others, cores"].map(str::to_owned);
    let rows = RUNS.iter().map(|run| {
        let others = found.number(run.name, "/elsewhere/others_cores");
        let others = others.map_or_else(|| "failed".to_owned(), |cores| format!("{cores:.2}"));
        [run.name.to_owned(), format!("`{}`", shell_line(run.scenario, run.options)), others]
    });
    markdown::table(heading, rows)
}

/// What stood in the way of runs, as their reports say.
fn limits(found: &Found) -> Vec<String> {
    let of = |(name, report): (&&str, &Value)| {
        let limits = report["limits"].as_array().cloned().unwrap_or_default();
        limits.iter().filter_map(Value::as_str).map(|limit| format!("{name}: {limit}")).collect::<Vec<_>>()
    };
    found.reports.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cpu: f64) -> Found {
        let report = json!({
            "server": { "cpu_us_per_client_update": cpu },
            "floor": { "cpu_us_per_client_update": 6.0 },
            "limits": ["the machine was not quiet"],
        });
        Found { reports: BTreeMap::from([("single", report)]) }
    }

    #[test]
    fn rows_read_runs_that_are_made_of_scenarios_that_exist() {
        for name in rows::RUN_NAMES {
            let run = RUNS.iter().find(|run| run.name == *name).unwrap();
            let file = crate::run::root().join(format!("loadtest/scenarios/{}.yaml", run.scenario));
            assert!(file.is_file(), "{name} is of the scenario {}, which is not there", run.scenario);
        }
        assert_eq!(rows::RUN_NAMES.len(), RUNS.len());
    }

    #[test]
    fn a_figure_is_judged_by_its_bounds() {
        let row = |cpu| cells(&ROWS[0], &found(cpu)).join(" | ");
        assert!(row(9.0).contains("9.00 us; 1.50 times the floor | <= 13 us: met | <= 10 us: met; <= 1.5"));
        assert!(row(12.0).contains("<= 13 us: met | <= 10 us: missed; <= 1.5 times the floor: missed"));
        assert!(row(14.0).contains("<= 13 us: missed | <= 10 us: missed"));
    }

    #[test]
    fn memory_counts_from_where_a_run_began() {
        let samples = [46.0, 48.0, 47.0].map(|mb| json!({ "server_rss_kb": mb * 1024.0 }));
        let found = Found { reports: BTreeMap::from([("stalled", json!({ "samples": samples }))]) };
        assert_eq!((found.grown_rss_mb("stalled"), found.grown_rss_mb("none-stalled")), (Some(2.0), None));
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let table = render(&found(9.0));
        let row = table.lines().find(|line| line.contains("server RSS with")).unwrap();
        assert!(row.contains("not measured") && !row.contains(": met"), "{row}");
        assert_eq!(limits(&found(9.0)), ["single: the machine was not quiet"]);
        assert_eq!(commands(&found(9.0)).matches("| failed |").count(), RUNS.len());
    }
}
