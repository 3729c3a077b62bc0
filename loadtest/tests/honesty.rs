//! The harness itself, held against a server whose delay, losses and stalls are known: it must report exactly these.

#![allow(dead_code, reason = "not every file needs all of what they share")]

mod fake;

use std::time::Duration;

use self::fake::{Fake, Faults};

/// Five clients, 200 writes over four seconds; each of 100 keys is written twice, two seconds apart.
const RUN: [&str; 13] = [
    "fanout",
    "--clients",
    "5",
    "--keys",
    "100",
    "--rate",
    "50",
    "--transaction",
    "1",
    "--seconds",
    "4",
    "--slo",
    "delivered>=1",
];
/// A busy machine adds to a latency, and takes nothing away.
const NOISE_MS: f64 = 800.0;

fn number(report: &serde_json::Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap_or_else(|| panic!("{pointer} in {report:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_delay_is_every_latency() -> anyhow::Result<()> {
    let fake = Fake::start(Faults { delay: Duration::from_millis(300), ..Faults::default() }).await?;
    let (output, report) = fake.run(&RUN).await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((&report["delivered"], &report["lost"]), (&1000.into(), &0.into()), "{report:#}");
    let p50 = number(&report, "/latency_ms/p50");
    assert!((300.0..300.0 + NOISE_MS).contains(&p50), "{p50}");
    assert_eq!(fake.left_behind().await?, 0, "a deployment in the field is left as it was found");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_of_one_second_is_one_second() -> anyhow::Result<()> {
    let fake = Fake::start(Faults { stall: Some((60, Duration::from_secs(1))), ..Faults::default() }).await?;
    let (_, report) = fake.run(&RUN).await?;
    // Fifty of 200 writes were intended while nothing came: a quarter is late, by up to a second.
    let (p50, p90, p99, max) = (
        number(&report, "/latency_ms/p50"),
        number(&report, "/latency_ms/p90"),
        number(&report, "/latency_ms/p99"),
        number(&report, "/latency_ms/max"),
    );
    assert!((1000.0..1000.0 + NOISE_MS).contains(&max), "{report:#}");
    // The 98 latest of 100: at 50 writes a second, the second write waits 20 ms less.
    assert!((960.0..=max).contains(&p99), "{report:#}");
    assert!((540.0..=p99).contains(&p90), "{report:#}");
    assert!(p50 < NOISE_MS, "{report:#}");
    assert_eq!(report["lost"], 0, "{report:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_is_told_from_what_was_replaced() -> anyhow::Result<()> {
    // Write 50 is of a key that is written again by 150; nothing replaces 200.
    let fake = Fake::start(Faults { lost: vec![50, 200], ..Faults::default() }).await?;
    let (output, report) = fake.run(&RUN).await?;
    assert_eq!(report["delivered"], 198 * 5, "{report:#}");
    assert_eq!(report["conflated"], 5, "{report:#}");
    assert_eq!(report["lost"], 5, "{report:#}");
    assert_eq!(output.status.code(), Some(1), "a loss fails the run");
    assert!(String::from_utf8_lossy(&output.stderr).contains("5 client-updates were lost"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_objective_is_the_exit_status() -> anyhow::Result<()> {
    let fake = Fake::start(Faults { delay: Duration::from_millis(200), ..Faults::default() }).await?;
    let short = ["fanout", "--clients", "2", "--keys", "10", "--rate", "10", "--seconds", "1"];
    let (output, report) = fake.run(&[&short[..], &["--slo", "p50<=100ms", "--slo", "lost<=0"]].concat()).await?;
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(report.pointer("/slo/0/is_met"), Some(&false.into()), "{report:#}");
    assert_eq!(report.pointer("/slo/1/is_met"), Some(&true.into()), "{report:#}");
    Ok(())
}
