//! The program as a user runs it, small: real store, real typha, real clients, real floor.

#![allow(clippy::unwrap_used, reason = "a failure fails the test")]

mod schema;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use pki::{
    Files,
    development::{Authority, Request},
};

use serde_json::{Value, json};
use tempfile::TempDir;

fn loadtest(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest")).args(args).output().unwrap()
}

/// Runs a scenario; what it printed, its report, and the folder with its files.
fn run(args: &[&str]) -> (String, Value, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let files = ["--json", &file("report.json"), "--html", &file("report.html")];
    let output = loadtest(&[&["run"], args, &files].concat());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let report: Value = serde_json::from_slice(&std::fs::read(file("report.json")).unwrap()).unwrap();
    assert_eq!(schema::misfits(&report), Vec::<String>::new());
    assert_eq!(report["lost"], 0, "{report:#}");
    (out.into_owned(), report, folder)
}

#[test]
fn a_small_fanout_accounts_for_every_update() {
    let args = ["fanout", "--clients", "5", "--keys", "50", "--rate", "20", "--transaction", "2", "--seconds", "1"];
    let (out, report, folder) = run(&[&args[..], &["--zstd", "false"]].concat());
    assert_eq!(report["scenario"], "fanout");
    assert_eq!((&report["clients"], &report["keys"], &report["writes"]), (&json!(5), &json!(50), &json!(40)));
    assert_eq!(report["cut"], 0, "{report:#}");
    for field in ["/server/cpu_us_per_client_update", "/server/rss_kb_per_client", "/floor/cpu_us_per_client_update"] {
        assert!(report.pointer(field).is_some_and(Value::is_number), "{field} in {report:#}");
    }
    for field in ["/elsewhere/others_cores", "/elsewhere/datastore_cores"] {
        assert!(report.pointer(field).is_some_and(Value::is_number), "{field} in {report:#}");
    }
    assert!(report["bytes"].as_u64().unwrap() > 40 * 5 * 300, "{report:#}");
    assert!(out.contains("plain sockets"), "{out}");
    is_self_contained(&folder.path().join("report.html"));
    compares_with_itself(&folder.path().join("report.json"));
}

#[test]
fn others_that_use_the_machine_are_told_from_the_run() {
    let mut other = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let output = loadtest(
        &[
            &["run", "fanout", "--clients", "2", "--keys", "10", "--seconds", "3", "--no-floor", "--json"][..],
            &[json.to_str().unwrap()],
        ]
        .concat(),
    );
    other.kill().unwrap();
    other.wait().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.starts_with("The machine was not quiet: others used"), "{out}");
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let cores = |field: &str| report.pointer(field).and_then(Value::as_f64).unwrap();
    assert!(cores("/elsewhere/others_cores") > 0.1, "{report:#}");
    let used = ["/elsewhere/others_cores", "/elsewhere/datastore_cores", "/harness/cores", "/server/cores"].map(cores);
    assert!(used.iter().sum::<f64>() < cores("/machine/cores") * 1.1, "nobody's time counts twice: {used:?}");
}

fn is_self_contained(page: &Path) {
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("prefers-color-scheme: dark"), "{page}");
    assert!(page.contains("<tr><th>Begun</th><td>") && page.contains(" GMT</td>"), "{page}");
    assert!(page.matches("<svg").count() >= 5, "{page}");
    for foreign in ["http:", "https:", "<script", "<link", "url(", "NaN", "inf"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

fn compares_with_itself(report: &Path) {
    let file = report.display().to_string();
    let output = loadtest(&["compare", &file, &file, "--tolerance", "0"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("p99 ms") && !out.contains("worse"), "{out}");

    let mut slower: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    slower["latency_ms"]["p99"] = json!(60_000.0);
    let after = report.with_file_name("slower.json").display().to_string();
    std::fs::write(&after, slower.to_string()).unwrap();
    let output = loadtest(&["compare", &file, &after, "--tolerance", "20"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("p99"), "the figure is named");
}

#[test]
fn clients_that_were_away_briefly_resume() {
    let (_, report, _) = run(&["reconnect", "--clients", "5", "--keys", "50", "--seconds", "1"]);
    let streams = (&report["cut"], &report["resumes"], &report["snapshots"]);
    assert_eq!(streams, (&json!(5), &json!(5), &json!(5)), "{report:#}");
    assert_eq!(report["in_sync_ms"]["count"], 5, "{report:#}");
}

#[test]
fn churn_is_counted_to_the_last_deletion() {
    let (_, report, _) = run(&["churn", "--clients", "3", "--keys", "40", "--seconds", "4"]);
    // Four visits to each of forty slots.
    assert_eq!(report["writes"], 160);
    let arrived = report["delivered"].as_u64().unwrap() + report["conflated"].as_u64().unwrap();
    assert_eq!(arrived, 160 * 3, "{report:#}");
}

#[test]
fn those_that_read_do_not_wait_for_those_that_do_not() {
    let (_, report, _) = run(&["stalled", "--clients", "10", "--keys", "50", "--transaction", "2", "--seconds", "2"]);
    assert_eq!(report["latency_ms"]["count"], 9 * 80, "{report:#}");
    let stalled = report["stalled_latency_ms"]["count"].as_u64().unwrap() + report["conflated"].as_u64().unwrap();
    assert_eq!(stalled, 80, "{report:#}");
    assert_eq!(report["in_sync_ms"]["count"], 1, "{report:#}");
}

#[test]
fn slow_clients_are_told_from_the_others_and_nobody_is_cut() {
    let args = ["slow", "--clients", "10", "--keys", "50", "--rate", "40", "--seconds", "4", "--slo", "cut<=0"];
    let (out, report, _) = run(&args);
    // 160 transactions of 20 keys for eight clients that are not slow, each on its own.
    assert_eq!(report["latency_ms"]["count"], 8 * 3200, "{report:#}");
    let slow = report["stalled_latency_ms"]["count"].as_u64().unwrap();
    assert_eq!(slow + report["conflated"].as_u64().unwrap(), 2 * 3200, "{report:#}");
    let p50 = |group: &str| report[group]["p50"].as_f64().unwrap();
    // They have one turn in two and a half seconds.
    assert!(p50("stalled_latency_ms") > 500.0 && p50("stalled_latency_ms") > p50("latency_ms"), "{report:#}");
    assert_eq!((&report["cut"], &report["in_sync_ms"]["count"]), (&json!(0), &json!(2)), "{report:#}");
    assert!(out.contains("latency of held clients p99") && out.contains("objective cut<=0: met"), "{out}");
}

#[test]
fn a_replica_without_its_datastore_is_late_and_loses_nothing() {
    // No key is written twice, so that no later write stands for one that waited.
    let (_, report, _) = run(&["partition", "--clients", "3", "--keys", "200"]);
    assert_eq!(report["delivered"], 3 * 140, "{report:#}");
    let max = report["latency_ms"]["max"].as_f64().unwrap();
    assert!(max >= 7_500.0, "writes waited for most of eight seconds, not {max} ms");
}

#[test]
fn a_rolling_restart_moves_clients_and_loses_nothing() {
    let (_, report, _) = run(&["rolling", "--clients", "6", "--keys", "50", "--seconds", "4"]);
    assert!(report["resumes"].as_u64().unwrap() >= 6, "{report:#}");
    assert_eq!(report["snapshots"], 6, "only the first streams begin from nothing: {report:#}");
    assert_eq!(report["snapshots_again"], 0, "{report:#}");
    assert_eq!(report["upstream"], json!({ "typhas": 4, "lists": 4 }), "each lists once when it starts: {report:#}");
    assert_eq!(report["cut"], 0, "who is asked to leave is not cut: {report:#}");
    assert!(report["moved"].as_u64().unwrap() >= 6, "{report:#}");
}

#[test]
fn a_storm_is_timed_for_every_client() {
    let (_, report, _) = run(&["snapshot", "--clients", "10", "--keys", "500", "--zstd", "false"]);
    assert_eq!((&report["snapshots"], &report["in_sync_ms"]["count"]), (&json!(10), &json!(10)), "{report:#}");
    assert!(report["bytes"].as_u64().unwrap() > 10 * 500 * 300, "{report:#}");
}

#[test]
fn a_burst_is_intended_for_one_moment() {
    let (_, report, _) = run(&["burst", "--clients", "3", "--keys", "100", "--seconds", "4"]);
    assert_eq!(report["writes"], 20 * 50, "{report:#}");
    let arrived = report["delivered"].as_u64().unwrap() + report["conflated"].as_u64().unwrap();
    assert_eq!(arrived, 20 * 50 * 3, "{report:#}");
}

#[test]
fn clients_that_were_away_for_too_long_begin_anew() {
    let (_, report, _) = run(&["beyond", "--clients", "3", "--keys", "50", "--seconds", "1"]);
    assert_eq!((&report["cut"], &report["in_sync_ms"]["count"]), (&json!(3), &json!(3)), "{report:#}");
    assert_eq!((&report["snapshots"], &report["resumes"]), (&json!(6), &json!(0)), "{report:#}");
    assert_eq!((&report["snapshots_again"], &report["moved"]), (&json!(3), &json!(0)), "{report:#}");
}

/// A scenario of ours with other phases.
fn run_shortened(name: &str, from: &str, to: &str, args: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(format!("{}/scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(text.contains(from), "{text}");
    let file = folder.path().join(format!("{name}.yaml"));
    std::fs::write(&file, text.replace(from, to)).unwrap();
    let (_, report, _) = run(&[&[file.to_str().unwrap()], args].concat());
    report
}

#[test]
fn silence_costs_memory_and_no_updates() {
    let report = run_shortened("idle", "pause: 10", "pause: 1", &["--clients", "20", "--keys", "10"]);
    assert_eq!((&report["writes"], &report["delivered"], &report["cut"]), (&json!(0), &json!(0), &json!(0)));
    assert!(report.pointer("/server/rss_kb_per_client").is_some() && report.get("floor").is_none(), "{report:#}");
    assert!(report["harness"]["rss_kb_per_client"].as_f64().unwrap() > 0.0, "{report:#}");
}

#[test]
fn a_soak_is_churn_for_as_long_as_one_likes() {
    let (_, report, _) = run(&["soak", "--clients", "3", "--keys", "40", "--seconds", "2", "--no-floor"]);
    assert!(report.get("floor").is_none(), "{report:#}");
    assert_eq!((&report["settings"]["content"], &report["writes"]), (&json!("churn"), &json!(20)), "{report:#}");
}

#[test]
fn runs_of_the_same_are_held_against_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.json").display().to_string();
    let small = ["run", "fanout", "--clients", "2", "--keys", "10", "--seconds", "0.5", "--repeat", "2"];
    let output = loadtest(&[&small[..], &["--json", &file]].concat());
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("2 runs of fanout"), "{out}");
    assert!(folder.path().join("out-1.json").is_file() && folder.path().join("out-2.json").is_file());
}

#[test]
fn scenarios_are_listed() {
    let output = loadtest(&["run", "--list"]);
    let out = String::from_utf8_lossy(&output.stdout);
    for name in [
        "fanout",
        "burst",
        "snapshot",
        "storm",
        "reconnect",
        "beyond",
        "stalled",
        "slow",
        "churn",
        "rolling",
        "partition",
        "idle",
        "soak",
    ] {
        assert!(out.lines().any(|line| line.starts_with(name)), "{name} in {out}");
    }
}

#[test]
fn a_mistyped_scenario_is_named_with_the_right_ones() {
    let output = loadtest(&["run", "fan-out"]);
    assert!(!output.status.success());
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("fan-out") && err.contains("there is: fanout"), "{err}");
}

#[test]
fn nothing_is_done_in_the_field_without_a_yes() {
    let field = ["--target", "127.0.0.1:1", "--cert-file", "c", "--key-file", "k", "--ca-file", "a"];
    let output = loadtest(&[&["run", "fanout", "--etcd-endpoints", "http://127.0.0.1:1"], &field[..]].concat());
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && err.contains("nothing was done; add --yes"), "{err}");
    assert!(err.contains("1 transactions/s"), "the safe rate is told: {err}");
}

#[test]
fn a_target_without_a_port_is_refused() {
    let field = ["--target", "127.0.0.1", "--cert-file", "c", "--key-file", "k", "--ca-file", "a"];
    let output = loadtest(&[&["run", "idle"], &field[..]].concat());
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && err.contains("write HOST:PORT"), "{err}");
}

#[test]
fn a_report_is_written_though_nobody_reads_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut run = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    run.args(["run", "fanout", "--clients", "2", "--keys", "20", "--seconds", "1", "--no-floor", "--json"]).arg(&file);
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let report: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(report["lost"], 0);
}

#[test]
fn who_waits_for_clients_that_reach_nobody_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("tests").unwrap();
    let Files { cert, key, ca } = authority.write(folder.path(), "client", &Request::named("typha-client")).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    run.args(["run", "idle", "--clients", "2", "--yes", "--target", "127.0.0.1:1"]);
    run.arg("--cert-file").arg(cert).arg("--key-file").arg(key).arg("--ca-file").arg(ca);
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.take(10).find(|line| line.contains("0 of 2 clients have everything"));
    child.kill().unwrap();
    child.wait().unwrap();
    let told = told.unwrap_or_default();
    assert!(told.contains("cannot connect to typha at 127.0.0.1:1"), "{told}");
}
