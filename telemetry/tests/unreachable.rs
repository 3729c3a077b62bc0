//! A collector that cannot be reached: it is said once, in a log line that a machine can read, and holds nobody up.

use std::{
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use telemetry::{Journey, Logs, Stage, Traces};

/// Names the collector for the process that this test starts of itself.
const ENDPOINT: &str = "TELEMETRY_TEST_ENDPOINT";

/// Exports often, so that it fails often.
const EVERY_MS: &str = "20";

/// The process: makes spans for a while.
#[tokio::test]
async fn make_spans_where_asked() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let traces = Traces { endpoint: Some(&endpoint), ratio: 1.0, service: "typha", instance: "a \"b\"\n" };
    let telemetry = telemetry::start(Logs { json: true, filter: "info" }, traces).expect("it starts");
    for revision in 0..25 {
        let journey = Journey::of(1, revision, ["key"]).expect("all are traced");
        journey.passed(Stage::Publish, "a", SystemTime::now());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tracing::info!(text = "of \"two\"\nlines", "made spans");
    telemetry.shutdown().await;
    tracing::info!("ended");
}

#[tokio::test]
async fn start_without_a_collector_where_asked() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let traces = Traces { endpoint: Some(&endpoint), ..Traces::default() };
    telemetry::start(Logs { json: true, filter: "info" }, traces).expect("it starts").shutdown().await;
}

#[test]
fn an_empty_endpoint_is_none() {
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "start_without_a_collector_where_asked"])
        .env(ENDPOINT, "")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it runs");
    assert!(status.success());
}

#[test]
fn an_unreachable_collector_is_said_once() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "make_spans_where_asked", "--nocapture"])
        .env(ENDPOINT, format!("http://{nobody}"))
        .env("OTEL_BSP_SCHEDULE_DELAY", EVERY_MS)
        .stdout(Stdio::null())
        .output()
        .expect("it runs");
    let log = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{log}");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let said = |words: &str| {
        lines.iter().filter(|line| line["message"].as_str().is_some_and(|message| message.contains(words))).count()
    };
    assert_eq!((said("do not reach the collector"), said("made spans"), said("ended")), (1, 1, 1), "{log}");
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{log}");
    assert!(lines.iter().any(|line| line["text"] == "of \"two\"\nlines"), "{log}");
}
