//! What a collector gets of a journey: identities that every process derives alike, times, attributes; and nothing of
//! revisions that are not sampled.
#![expect(clippy::expect_used, reason = "a test ends where its ground gives way")]

mod collector;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use collector::Collector;
use telemetry::{Journey, Logs, Stage, TraceId, Traces};

const RATIO: f64 = 0.5;

/// A process has one subscriber, so this is one test.
#[tokio::test]
async fn a_journey_is_one_trace_and_half_of_them_are_taken() {
    let collector = Collector::start().await;
    let traces = Traces { endpoint: Some(&collector.endpoint), ratio: RATIO, service: "typha", instance: "typha-a" };
    let telemetry = telemetry::start(Logs { json: true, filter: "info" }, traces).expect("it starts");
    // Other spans and events are nobody's journey, however urgent.
    tracing::error_span!("other").in_scope(|| tracing::info!("an event"));

    let replica: Arc<str> = "typha-a".into();
    let began = SystemTime::now() - Duration::from_secs(3);
    let (mut taken, mut first) = (0, None);
    for revision in 1..=100 {
        let Some(journey) = Journey::of(7, revision, ["Tier/a", "Tier/b"]) else { continue };
        journey.passed(Stage::Publish, "typha-a", began);
        journey.clone().published_by(&replica).passed(Stage::Apply { failures: 2 }, "node-1", began);
        taken += 1;
        first.get_or_insert(revision);
    }
    telemetry.shutdown().await;

    let spans = collector.spans();
    assert!((25..75).contains(&taken), "{taken} of 100");
    assert_eq!(spans.len(), taken * 2, "two of each journey and nothing else");
    let revision = first.expect("some are taken");
    let of_first: Vec<_> =
        spans.iter().filter(|span| span.attribute("cattail.revision") == revision.to_string()).collect();
    let [publish, apply] = of_first.as_slice() else { panic!("{of_first:?}") };
    assert_eq!((publish.name.as_str(), apply.name.as_str()), ("publish", "apply"));
    assert_eq!(publish.trace, TraceId::of(7, revision).to_string());
    assert_eq!((&publish.trace, &publish.id, publish.parent.as_str()), (&apply.trace, &apply.parent, ""));
    assert_eq!(publish.attribute("cattail.keys"), "Tier/a, Tier/b");
    assert_eq!(publish.attribute("cattail.datastore.id"), "7");
    assert_eq!((apply.attribute("cattail.place"), apply.attribute("cattail.failures")), ("node-1", "2"));
    let began_ns = began.duration_since(SystemTime::UNIX_EPOCH).expect("later").as_nanos();
    assert_eq!(u128::from(publish.start_ns), began_ns);
    assert!(publish.end_ns - publish.start_ns >= 3_000_000_000);
    assert!(publish.attributes.keys().all(|name| !name.starts_with("journey.")), "{:?}", publish.attributes);
    assert_eq!(publish.resource["service.name"], "typha");
    assert_eq!(publish.resource["service.instance.id"], "typha-a");
}
