//! The way of one key as a collector sees it: through typha's publication to what the agent reports as enforced, in one
//! trace that no message carries.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

#[path = "../../telemetry/tests/collector/mod.rs"]
mod collector;
mod lab;

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use collector::{Collector, Span};
use felix_client::{agent::Agent, sync::Report};
use lab::{Lab, PATIENCE, Replica};
use telemetry::{Logs, TraceId, Traces};
use tokio::time;

/// What the lab's datastore calls itself.
const DATASTORE_ID: u64 = 7;

/// Half of the revisions are traced, so that some are not.
const RATIO: f64 = 0.5;

/// Enforces each intent at once, until a revision.
async fn enforce(agent: &mut Agent, until: u64) {
    loop {
        let intent = time::timeout(PATIENCE, agent.next()).await.expect("in time").expect("the agent lives");
        let report = Report { applied_revision: intent.revision, applied_at: SystemTime::now(), failures: Vec::new() };
        agent.reporter().report(report);
        if intent.revision >= until {
            return;
        }
    }
}

/// Writes one key after the other, each as its own revision that reaches both agents.
async fn write(lab: &mut Lab, typha: &Replica, agents: &mut [Agent; 2], count: u64) {
    for _ in 0..count {
        let key = format!("tier-{}", lab.revision + 1);
        lab.write(&[(&key, Some("{}"))], &[typha]).await;
        let [first, second] = agents;
        tokio::join!(enforce(first, lab.revision), enforce(second, lab.revision));
    }
}

/// A process has one subscriber, so this is one test.
#[tokio::test]
async fn one_trace_shows_the_way_of_one_key() {
    let collector = Collector::start().await;
    let traces = Traces { endpoint: Some(&collector.endpoint), ratio: RATIO, service: "test", instance: "test" };
    let telemetry = telemetry::start(Logs { json: false, filter: "error" }, traces).unwrap();
    let mut lab = Lab::new();
    lab.fill(100).await;
    let typha = lab.replica("typha-a").await;
    let config = Arc::new(lab.config(&[typha.address()]));
    let mut agents = ["node-1", "node-2"].map(|node| Agent::start(Arc::clone(&config), node));
    write(&mut lab, &typha, &mut agents, 20).await;
    telemetry.shutdown().await;

    let mut of_revision = BTreeMap::<u64, Vec<Span>>::new();
    for span in collector.spans() {
        of_revision.entry(span.attribute("cattail.revision").parse().unwrap()).or_default().push(span);
    }
    assert!((1..20).contains(&of_revision.len()), "half of them: {:?}", of_revision.keys());
    assert!(of_revision.keys().all(|revision| *revision > 100), "a snapshot is no journey");
    for (revision, spans) in of_revision {
        check(revision, &spans);
    }
}

/// A publication, and below it what each of the two nodes did, in the order in which it must happen.
fn check(revision: u64, spans: &[Span]) {
    assert_eq!(spans.len(), 7, "{spans:#?}");
    let trace = TraceId::of(DATASTORE_ID, revision).to_string();
    let key = format!("Tier/tier-{revision}");
    assert!(spans.iter().all(|span| span.trace == trace && span.attribute("cattail.keys") == key), "{spans:#?}");
    let publish = spans.iter().find(|span| span.name == "publish").expect("typha's part");
    assert_eq!((publish.attribute("cattail.place"), publish.parent.as_str()), ("typha-a", ""));
    for node in ["node-1", "node-2"] {
        let stage = |name: &str| {
            let mut found = spans.iter().filter(|span| span.name == name && span.attribute("cattail.place") == node);
            found.next().unwrap_or_else(|| panic!("{node} tells of no {name}: {spans:#?}"))
        };
        let way = ["verify", "compute", "apply"].map(stage);
        assert!(way.iter().all(|span| span.parent == publish.id), "{spans:#?}");
        assert!(publish.start_ns <= way[0].start_ns);
        assert!(way.iter().all(|span| span.start_ns <= span.end_ns));
        assert!(way.windows(2).all(|pair| pair[0].end_ns <= pair[1].start_ns), "{way:#?}");
        assert_eq!(way[2].attribute("cattail.failures"), "0");
    }
}
