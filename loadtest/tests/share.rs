//! Several processes that share a run: two real ones, against a deployment that is somebody else's.

#![allow(dead_code, reason = "not every file needs all of what they share")]

mod fake;
mod schema;

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use self::fake::{Fake, Faults};

const RUN: [&str; 11] =
    ["fanout", "--clients", "5", "--keys", "20", "--rate", "20", "--transaction", "2", "--seconds", "2"];

fn read(file: &Path) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

/// The command for one share, with its report in a file.
fn share(fake: &Fake, which: &str, file: &Path) -> Command {
    let mut command = fake.command(&[&RUN[..], &["--share", which]].concat());
    command.arg("--json").arg(file).stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_account_for_all_updates_of_a_run() -> anyhow::Result<()> {
    let fake = Fake::start(Faults { lost: vec![38, 70], ..Faults::default() }).await?;
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let mut commands = [share(&fake, "2/2", &file("b.json")), share(&fake, "1/2", &file("a.json"))];
    let shares = tokio::task::spawn_blocking(move || -> std::io::Result<_> {
        let [second, first] = &mut commands;
        let (second, first) = (second.spawn()?, first.spawn()?);
        Ok((first.wait_with_output()?, second.wait_with_output()?))
    });
    let (first, second) = shares.await??;
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((first.status.code(), second.status.code()), (Some(1), Some(1)), "{}{}", said(&first), said(&second));

    let (a, b) = (read(&file("a.json"))?, read(&file("b.json"))?);
    // 80 writes; 38 is replaced by 58, 70 is the last of its slot.
    for (report, clients) in [(&a, 2), (&b, 3)] {
        assert_eq!(schema::misfits(report), Vec::<String>::new());
        assert_eq!((&report["clients"], &report["writes"]), (&json!(clients), &json!(80)), "{report:#}");
        assert_eq!(report["delivered"], 78 * clients, "{report:#}");
        assert_eq!((&report["conflated"], &report["lost"]), (&json!(clients), &json!(clients)), "{report:#}");
    }
    assert_eq!(fake.left_behind().await?, 0, "whoever writes tidies up when all are done");
    merges(&file("a.json"), &file("b.json"))
}

fn merges(a: &Path, b: &Path) -> anyhow::Result<()> {
    let merge = |files: &[&Path], json: &Path| {
        let program = env!("CARGO_BIN_EXE_loadtest");
        Command::new(program).arg("merge").args(files).args(["--slo", "p50<=60s", "--json"]).arg(json).output()
    };
    let merged = a.with_file_name("merged.json");
    // In any order.
    let output = merge(&[b, a], &merged)?;
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("5 client-updates were lost"), "{err}");
    let (report, a_report, b_report) = (read(&merged)?, read(a)?, read(b)?);
    assert_eq!(schema::misfits(&report), Vec::<String>::new());
    assert_eq!((&report["clients"], &report["delivered"], &report["lost"]), (&json!(5), &json!(390), &json!(5)));
    assert_eq!(report["latency_ms"]["count"], 390);
    let max = |report: &Value| report["latency_ms"]["max"].as_f64().unwrap_or_default();
    assert!((max(&report) - max(&a_report).max(max(&b_report))).abs() < f64::EPSILON, "{report:#}");
    assert_eq!(report["slo"][0]["is_met"], true, "{report:#}");

    let output = merge(&[a], &merged)?;
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("share 1/2 where 1/1 should be"), "{err}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_with_other_settings_are_refused() -> anyhow::Result<()> {
    let fake = Fake::start(Faults::default()).await?;
    let folder = tempfile::tempdir()?;
    let mut second = share(&fake, "2/2", &folder.path().join("b.json"));
    let mut first = fake.command(&["fanout", "--clients", "9", "--share", "1/2"]);
    first.stderr(std::process::Stdio::piped());
    let outputs = tokio::task::spawn_blocking(move || -> std::io::Result<_> {
        let mut second = second.spawn()?;
        let first = first.spawn()?.wait_with_output()?;
        // It waits for a first share that fits, which does not come.
        second.kill()?;
        second.wait()?;
        Ok(first)
    });
    let first = outputs.await??;
    let err = String::from_utf8_lossy(&first.stderr);
    assert!(!first.status.success() && err.contains("share 2/2 runs another scenario or other settings"), "{err}");
    Ok(())
}
