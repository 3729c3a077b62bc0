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

/// What the last column is.
const CALICO: &str = "The last column is not measured here: docs/performance.md says how it came about.";

/// One round: all runs' reports by their names; a run that failed has none.
#[derive(Default)]
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

/// Makes all runs, as many rounds as asked, and prints the table.
pub(super) fn run(ours: &Ours, options: &Options) -> Result<ExitCode> {
    let (mut rounds, mut failed) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        rounds.push(round(ours, &mut failed));
    }
    println!("{}\n{CALICO}\n\n{}", render(&rounds), commands(&rounds));
    for note in failed.iter().chain(&limits(&rounds)) {
        println!("- {note}");
    }
    if let Some(file) = &options.json {
        let reports: Vec<_> = rounds.iter().map(|found| &found.reports).collect();
        write(file, &json!({ "rounds": reports, "failed": failed }))?;
    }
    let missed = missed(&rounds);
    if !missed.is_empty() {
        eprintln!("xtask: {} of what must be reached was not: {}", missed.len(), missed.join("; "));
    }
    Ok(if failed.is_empty() && missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What must be reached and was not, or was not measured.
fn missed(rounds: &[Found]) -> Vec<String> {
    let told = |row: &Row, bound: &Bound| format!("{}, {}", row.what, bound.shown(bound.must));
    let of = |row: &'static Row| row.bounds.iter().map(move |bound| (row, bound));
    let is_missed = |bound: &Bound| bound.must.is_finite() && bound.verdict(rounds, bound.must) != "met";
    ROWS.iter().flat_map(of).filter(|(_, bound)| is_missed(bound)).map(|(row, bound)| told(row, bound)).collect()
}

fn round(ours: &Ours, failed: &mut Vec<String>) -> Found {
    let mut found = Found::default();
    for Run { name, scenario, options } in RUNS {
        let line = shell_line(scenario, options);
        eprintln!("==> {line}");
        match ours.run(scenario, options) {
            Ok(report) => drop(found.reports.insert(name, report)),
            Err(error) => failed.push(format!("`{line}` failed: {error:#}")),
        }
    }
    found
}

fn render(rounds: &[Found]) -> String {
    let heading = ["what", "measured", "must", "stretch", "Calico Typha v3.31, once"].map(str::to_owned);
    markdown::table(heading, ROWS.iter().map(|row| cells(row, rounds)))
}

fn cells(row: &Row, rounds: &[Found]) -> [String; 5] {
    let each = |cell: &dyn Fn(&Bound) -> String| {
        let cells: Vec<_> = row.bounds.iter().map(cell).filter(|cell| !cell.is_empty()).collect();
        cells.join("; ")
    };
    let judged = |bound: &Bound, limit: f64| format!("{}: {}", bound.shown(limit), bound.verdict(rounds, limit));
    [
        row.what.to_owned(),
        each(&|bound| bound.measured(rounds)),
        each(&|bound| if bound.must.is_finite() { judged(bound, bound.must) } else { String::new() }),
        each(&|bound| bound.stretch.map_or_else(String::new, |stretch| judged(bound, stretch))),
        row.calico.to_owned(),
    ]
}

/// What was run, so that each figure can be had again by itself.
fn commands(rounds: &[Found]) -> String {
    let heading = ["run", "command", "others, cores"].map(str::to_owned);
    let rows = RUNS.iter().map(|run| {
        let others = rounds.iter().map(|found| found.number(run.name, "/elsewhere/others_cores"));
        let others = others.collect::<Option<Vec<_>>>().and_then(|cores| cores.into_iter().reduce(f64::max));
        let others = others.map_or_else(|| "failed".to_owned(), |cores| format!("{cores:.2}"));
        [run.name.to_owned(), format!("`{}`", shell_line(run.scenario, run.options)), others]
    });
    markdown::table(heading, rows)
}

/// What stood in the way of runs, as their reports say.
fn limits(rounds: &[Found]) -> Vec<String> {
    let of = |(name, report): (&&str, &Value)| {
        let limits = report["limits"].as_array().cloned().unwrap_or_default();
        limits.iter().filter_map(Value::as_str).map(|limit| format!("{name}: {limit}")).collect::<Vec<_>>()
    };
    rounds.iter().flat_map(|found| &found.reports).flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cpu: f64) -> Found {
        let report = json!({
            "server": { "cpu_us_per_client_update": cpu },
            "floor": { "cpu_us_per_client_update": 6.0 },
            "limits": ["the machine was not quiet"],
        });
        Found { reports: BTreeMap::from([("single", report)]) }
    }

    #[test]
    fn rows_read_what_runs_report_and_runs_are_made_of_scenarios_that_exist() {
        for Run { name, scenario, .. } in RUNS {
            let file = crate::run::root().join(format!("loadtest/scenarios/{scenario}.yaml"));
            assert!(file.is_file(), "{name} is of the scenario {scenario}, which is not there");
        }
        let schema = std::fs::read_to_string(crate::run::root().join("loadtest/report.schema.json")).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let reports = RUNS.iter().map(|run| (run.name, example(&schema, &schema["properties"]))).collect();
        let table = render(&[Found { reports }]);
        assert!(!table.contains("not measured"), "{table}");
    }

    /// A report with a one for each number that the schema names.
    fn example(schema: &Value, properties: &Value) -> Value {
        let resolve = |of: &Value| {
            let target = of["$ref"].as_str().and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
            target.unwrap_or(of).clone()
        };
        let one = |of: &Value| {
            let of = resolve(of);
            match (&of["properties"], &of["items"]) {
                (Value::Object(_), _) => example(schema, &of["properties"]),
                (_, Value::Object(_)) => json!([example(schema, &resolve(&of["items"])["properties"])]),
                _ => json!(1.0),
            }
        };
        properties.as_object().into_iter().flatten().map(|(name, of)| (name.clone(), one(of))).collect()
    }

    #[test]
    fn a_figure_is_judged_by_its_bounds() {
        let row = |cpu| cells(&ROWS[0], &[round(cpu)]).join(" | ");
        assert!(row(9.0).contains("9.00 us; 1.50 times the floor | <= 13 us: met | <= 10 us: met; <= 1.5"));
        assert!(row(12.0).contains("<= 13 us: met | <= 10 us: missed; <= 1.5 times the floor: missed"));
        assert!(row(14.0).contains("<= 13 us: missed | <= 10 us: missed"));
        let is_missed = |cpu| missed(&[round(cpu)]).iter().any(|told| told.ends_with("one update per write, <= 13 us"));
        assert!(is_missed(14.0) && !is_missed(12.0));
    }

    #[test]
    fn the_median_of_rounds_is_judged_and_the_worst_of_what_is_never_to_happen() {
        let rounds = [14.0, 9.0, 12.0].map(round);
        let row = cells(&ROWS[0], &rounds).join(" | ");
        assert!(row.contains("12.00 us (9.00 to 14.00); 2.00 times the floor (1.50 to 2.33) | <= 13 us: met"), "{row}");
        let storm = ROWS.iter().find(|row| row.what.starts_with("200 clients")).unwrap();
        let clients = |cut| json!({ "clients": 200, "in_sync_ms": { "count": 200 }, "cut": cut });
        let rounds = [0, 1, 0].map(|cut| Found { reports: BTreeMap::from([("storm-100k", clients(cut))]) });
        let row = cells(storm, &rounds).join(" | ");
        assert!(row.contains("1.00 cut or not in sync |") && row.contains("<= 0 cut or not in sync: missed"), "{row}");
        let one_failed = [round(9.0), Found::default(), round(9.0)];
        assert!(render(&one_failed).lines().nth(2).unwrap().contains("not measured"));
    }

    #[test]
    fn memory_counts_from_where_a_run_began() {
        let samples = [46.0, 48.0, 47.0].map(|mb| json!({ "server_rss_kb": mb * 1024.0 }));
        let found = Found { reports: BTreeMap::from([("stalled", json!({ "samples": samples }))]) };
        assert_eq!((found.grown_rss_mb("stalled"), found.grown_rss_mb("none-stalled")), (Some(2.0), None));
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let table = render(&[round(9.0)]);
        let row = table.lines().find(|line| line.contains("server RSS with")).unwrap();
        assert!(row.contains("not measured") && !row.contains(": met"), "{row}");
        assert_eq!(limits(&[round(9.0)]), ["single: the machine was not quiet"]);
        assert_eq!(commands(&[round(9.0)]).matches("| failed |").count(), RUNS.len());
    }
}
