//! The program as a user runs it, small: real store, real typha, real clients, real floor.

use std::process::{Command, Output};

use serde_json::Value;

fn loadtest(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_loadtest");
    Command::new(program).args(args).output().unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
}

#[test]
fn a_small_fanout_accounts_for_every_update() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("fanout.json");
    let run = ["run", "fanout", "--clients", "5", "--keys", "50", "--rate", "20", "--transaction", "2"];
    let output = loadtest(&[&run[..], &["--seconds", "1", "--json", json.to_str().unwrap()]].concat());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");

    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["scenario"], "fanout");
    assert_eq!(report["clients"], 5);
    assert_eq!(report["keys"], 50);
    assert_eq!(report["writes"], 40);
    assert_eq!(report["lost"], 0, "{report:#}");
    assert_eq!(report["cut"], 0, "{report:#}");
    for field in [
        "/server/cpu_us_per_client_update",
        "/server/rss_kb",
        "/server/rss_kb_per_client",
        "/latency_ms/p50",
        "/latency_ms/p90",
        "/latency_ms/p99",
        "/latency_ms/max",
        "/floor/cpu_us_per_client_update",
        "/floor/latency_ms/p50",
        "/load_average",
    ] {
        assert!(report.pointer(field).is_some_and(Value::is_number), "{field} in {report:#}");
    }
    assert!(report["bytes"].as_u64().unwrap() > 40 * 5 * 300, "{report:#}");
    assert!(out.contains("plain sockets"), "{out}");
}

#[test]
fn scenarios_are_listed() {
    let output = loadtest(&["run", "--list"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("fanout"));
}

#[test]
fn a_mistyped_scenario_is_named_with_the_right_ones() {
    let output = loadtest(&["run", "fan-out"]);
    assert!(!output.status.success());
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("fan-out") && err.contains("there is: fanout"), "{err}");
}
