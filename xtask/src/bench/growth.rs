//! What the same writes cost with more clients, and with more keys.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Options, markdown, ours::Ours, shell_line, write};

/// Clients and keys of each run.
const SIZES: &[(&str, &str)] =
    &[("100", "1000"), ("1000", "1000"), ("5000", "1000"), ("100", "100000"), ("100", "500000")];

/// A column: its heading, where it stands in a report, and what to divide it by.
struct Column(&'static str, &'static str, f64);

const COLUMNS: [Column; 7] = [
    Column("server CPU per client-update, us", "/server/cpu_us_per_client_update", 1.0),
    Column("server CPU, cores", "/server/cores", 1.0),
    Column("server RSS, MB", "/server/rss_kb", 1024.0),
    Column("latency p50, ms", "/latency_ms/p50", 1.0),
    Column("latency p99, ms", "/latency_ms/p99", 1.0),
    Column("load program, cores", "/harness/cores", 1.0),
    Column("others, cores", "/elsewhere/others_cores", 1.0),
];

/// Makes all runs and prints the table.
pub(super) fn run(ours: &Ours, options: &Options) -> Result<ExitCode> {
    let (mut reports, mut rows, mut all_well) = (Vec::new(), Vec::new(), true);
    for (clients, keys) in SIZES {
        let settings = ["--clients", *clients, "--keys", *keys, "--no-floor"];
        let line = shell_line("fanout", &settings);
        eprintln!("==> {line}");
        match ours.run("fanout", &settings) {
            Ok(report) => {
                rows.push(cells(clients, keys, &report));
                reports.push(report);
            }
            Err(error) => {
                println!("`{line}` failed: {error:#}");
                all_well = false;
            }
        }
    }
    println!("{}", markdown::table(heading(), rows));
    if let Some(file) = &options.json {
        write(file, &json!({ "runs": reports }))?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn heading() -> [String; 9] {
    std::array::from_fn(|place| match place {
        0 => "clients".to_owned(),
        1 => "keys".to_owned(),
        _ => COLUMNS[place - 2].0.to_owned(),
    })
}

fn cells(clients: &str, keys: &str, report: &Value) -> [String; 9] {
    let figure = |Column(_, pointer, divisor): &Column| {
        let number = report.pointer(pointer).and_then(Value::as_f64);
        number.map_or_else(String::new, |number| format!("{:.2}", number / divisor))
    };
    std::array::from_fn(|place| match place {
        0 => clients.to_owned(),
        1 => keys.to_owned(),
        _ => figure(&COLUMNS[place - 2]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_its_figure_or_nothing() {
        let cells = cells("100", "1000", &json!({ "server": { "rss_kb": 2048 }, "latency_ms": { "p50": 7.0 } }));
        assert_eq!(cells, ["100", "1000", "", "", "2.00", "7.00", "", "", ""]);
        assert_eq!(heading()[4], "server RSS, MB");
    }
}
