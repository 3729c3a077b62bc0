//! Peers that send garbage, too much, too old, or nothing: the client names what happened, keeps what it holds, and is
//! whole again as soon as somebody serves it right.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod scripted_typha;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use felix_client::sync::{Client, Config, Disconnect, Event, Failure, LightClient, LightEvent, Report, Reporter};
use proto::sync::v1::{Batch, GoAway, begin};
use scripted_typha::{Certificates, Reply, ScriptedTypha, begun, cut, framed, in_words, snapshot};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time};

/// Far more than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    events: mpsc::Receiver<Event>,
    reporter: Reporter,
    _task: JoinSet<()>,
}

impl Running {
    fn start(config: Config) -> Self {
        let (client, reporter) = Client::new(Arc::new(config), "node-1");
        let (sender, events) = mpsc::channel(4);
        let mut task = JoinSet::new();
        task.spawn(client.run(sender));
        Self { events, reporter, _task: task }
    }

    async fn next(&mut self) -> Event {
        time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("the client lives")
    }

    async fn expect(&mut self, words: &str) {
        assert_eq!(in_words(&self.next().await), words);
    }

    async fn disconnect(&mut self) -> Disconnect {
        match self.next().await {
            Event::Disconnected { reason, .. } => reason,
            other => panic!("expected a disconnect, got {other:?}"),
        }
    }
}

/// The first subscription gets `first`, the others a good snapshot; the client must name the fault and recover.
async fn fault(first: impl Fn() -> Reply + Send + Sync + 'static) -> (String, Running) {
    let certificates = Certificates::new();
    let typha =
        ScriptedTypha::start(&certificates, move |n, _| if n == 0 { first() } else { Reply::batches(snapshot()) })
            .await;
    let mut client = Running::start(certificates.config(&[&typha.address]));
    let reason = loop {
        if let Event::Disconnected { reason, .. } = client.next().await {
            break reason;
        }
    };
    assert!(reason.to_string().contains(&typha.address), "{reason} does not name the replica");
    client.expect("connected: snapshot").await;
    client.expect("revision 5: Tier/a Tier/b").await;
    (reason.to_string(), client)
}

#[tokio::test]
async fn garbage_is_named() {
    let (reason, _) = fault(|| Reply::raw(b"HTTP/1.1 400 Bad Request\r\n")).await;
    assert!(reason.contains("does not speak gRPC"), "{reason}");
    let (reason, _) = fault(|| Reply::raw(&[0, 0, 0, 0, 3, 0xff, 0xff, 0xff])).await;
    assert!(reason.contains("no batch"), "{reason}");
}

#[tokio::test]
async fn an_oversized_message_is_refused_by_its_prefix() {
    let (reason, _) = fault(|| Reply::raw(&[0, 0x7f, 0xff, 0xff, 0xff])).await;
    assert!(reason.contains("2147483647 bytes") && reason.contains("16777216"), "{reason}");
}

#[tokio::test]
async fn a_message_without_begin_is_refused() {
    let (reason, _) = fault(|| Reply::batches([cut(1, &[], &[])])).await;
    assert!(reason.contains("before it said whether"), "{reason}");
}

#[tokio::test]
async fn a_stream_that_ends_within_a_message_is_named() {
    let half = || Reply { chunks: vec![framed(&snapshot()[1]).split_to(20)], hang: false, status: 200 };
    let (reason, _) = fault(half).await;
    assert!(reason.contains("ended within a message"), "{reason}");
}

#[tokio::test]
async fn another_service_is_no_typha() {
    let (reason, _) =
        fault(|| Reply { chunks: vec![Bytes::from_static(b"not found")], hang: false, status: 404 }).await;
    assert!(reason.contains("no typha") && reason.contains("404"), "{reason}");
}

#[tokio::test]
async fn silence_is_death() {
    let certificates = Certificates::new();
    let typha = ScriptedTypha::start(&certificates, |_, _| Reply::batches(snapshot())).await;
    let silence_limit = Duration::from_millis(200);
    let mut client = Running::start(Config { silence_limit, ..certificates.config(&[&typha.address]) });
    client.expect("connected: snapshot").await;
    client.expect("revision 5: Tier/a Tier/b").await;
    assert!(matches!(client.disconnect().await, Disconnect::Silent { .. }));
    client.expect("connected: snapshot").await;
    assert_eq!(typha.subscriptions()[1].position.as_ref().map(|position| position.revision), Some(5));
}

#[tokio::test]
async fn a_listener_that_never_greets_is_passed_over() {
    let certificates = Certificates::new();
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute_address = mute.local_addr().unwrap().to_string();
    let connect_limit = Duration::from_millis(300);
    let mut alone = Running::start(Config { connect_limit, ..certificates.config(&[&mute_address]) });
    assert!(matches!(alone.disconnect().await, Disconnect::TimedOut { .. }));

    let typha = ScriptedTypha::start(&certificates, |_, _| Reply::batches(snapshot())).await;
    let both = certificates.config(&[&mute_address, &typha.address]);
    let mut client = Running::start(Config { connect_limit, ..both });
    while in_words(&client.next().await) != "revision 5: Tier/a Tier/b" {}
}

#[tokio::test]
async fn damage_is_told_and_a_snapshot_repairs_it_too() {
    let certificates = Certificates::new();
    let typha = ScriptedTypha::start(&certificates, |n, _| {
        let mut batches = snapshot();
        if n == 0 {
            // The server says that a key is there which it never sent.
            batches.push(cut(6, &[("Tier/b", 6)], &[("Tier/a", 2), ("Tier/b", 6), ("Tier/lost", 3)]));
        } else {
            let state = [("Tier/a", 2), ("Tier/b", 6), ("Tier/lost", 3)];
            batches = vec![begun(begin::Mode::Snapshot), cut(6, &state, &state)];
        }
        Reply::batches(batches)
    })
    .await;
    let config = certificates.config(&[&typha.address]);
    let mut client = Running::start(config);
    client.expect("connected: snapshot").await;
    client.expect("revision 5: Tier/a Tier/b").await;
    let reason = client.disconnect().await;
    assert!(reason.to_string().contains("digest mismatch at revision 6"), "{reason}");
    client.expect("connected: snapshot").await;
    client.expect("revision 6: Tier/b Tier/lost").await;
    let position = typha.subscriptions()[1].position.clone().unwrap();
    assert_eq!((position.revision, position.compare, position.ranges.len()), (5, true, 256 * 16));
}

#[tokio::test]
async fn a_replica_that_is_behind_is_left() {
    let certificates = Certificates::new();
    let typha = ScriptedTypha::start(&certificates, |n, _| match n {
        0 => Reply { hang: false, ..Reply::batches(snapshot()) },
        1 => Reply::batches([vec![begun(begin::Mode::Snapshot)], vec![cut(4, &[], &[]); 4]].concat()),
        _ => Reply::batches([
            begun(begin::Mode::Resume),
            cut(7, &[("Tier/c", 7)], &[("Tier/a", 2), ("Tier/b", 5), ("Tier/c", 7)]),
        ]),
    })
    .await;
    let mut client = Running::start(certificates.config(&[&typha.address]));
    client.expect("connected: snapshot").await;
    client.expect("revision 5: Tier/a Tier/b").await;
    client.expect("disconnected: closed").await;
    client.expect("connected: snapshot").await;
    let reason = client.disconnect().await.to_string();
    assert!(reason.contains("revision 4") && reason.contains("never goes back"), "{reason}");
    client.expect("connected: resume").await;
    client.expect("revision 7: Tier/c").await;
}

#[tokio::test]
async fn a_replica_that_serves_and_closes_over_and_over_is_met_less_and_less_often() {
    /// After a first failure no client waits longer.
    const FIRST_WAIT: Duration = Duration::from_millis(100);
    let certificates = Certificates::new();
    let serve_and_close = |_, _: &_| Reply { hang: false, ..Reply::batches(snapshot()) };
    let typha = ScriptedTypha::start(&certificates, serve_and_close).await;
    let mut client = Running::start(certificates.config(&[&typha.address]));
    let deadline = time::Instant::now() + PATIENCE;
    loop {
        assert!(time::Instant::now() < deadline, "{} streams, each at once", typha.subscriptions().len());
        if let Event::Disconnected { retry_in, .. } = client.next().await
            && retry_in > FIRST_WAIT
        {
            return;
        }
    }
}

#[tokio::test]
async fn go_away_moves_the_client_and_keeps_its_position() {
    let certificates = Certificates::new();
    let typha = ScriptedTypha::start(&certificates, |n, _| {
        if n > 0 {
            return Reply::batches([begun(begin::Mode::Resume), cut(5, &[], &[("Tier/a", 2), ("Tier/b", 5)])]);
        }
        let go_away = Some(GoAway { reason: "shutting down".into(), within_ms: 50, ..GoAway::default() });
        Reply::batches(snapshot().into_iter().chain([Batch { go_away, ..Batch::default() }]))
    })
    .await;
    let mut client = Running::start(certificates.config(&[&typha.address]));
    client.expect("connected: snapshot").await;
    client.expect("revision 5: Tier/a Tier/b").await;
    assert!(client.disconnect().await.to_string().contains("shutting down"));
    client.expect("connected: resume").await;
    client.expect("revision 5: ").await;
}

#[tokio::test]
async fn names_in_certificates_are_checked_at_both_ends() {
    let certificates = Certificates::new();
    let impostor = ScriptedTypha::start_as("mallory", &certificates, |_, _| Reply::batches(snapshot())).await;
    let reason = Running::start(certificates.config(&[&impostor.address])).disconnect().await;
    assert!(matches!(reason, Disconnect::Tls { .. }) && reason.to_string().contains("CN=mallory"), "{reason}");

    let typha = ScriptedTypha::start(&certificates, |_, _| Reply::batches(snapshot())).await;
    let reason = Running::start(certificates.config_as("stranger", &[&typha.address])).disconnect().await;
    assert!(matches!(reason, Disconnect::Tls { .. }), "{reason}");

    let other = Certificates::new();
    let reason = Running::start(other.config(&[&typha.address])).disconnect().await;
    assert!(reason.to_string().contains("not signed by our CA"), "{reason}");
}

#[tokio::test]
async fn nobody_listening_is_named() {
    let certificates = Certificates::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let reason = Running::start(certificates.config(&[&address])).disconnect().await;
    assert!(matches!(reason, Disconnect::Unreachable { .. }) && reason.to_string().contains(&address), "{reason}");
}

#[tokio::test]
async fn the_newest_report_arrives_on_every_new_connection() {
    let certificates = Certificates::new();
    let typha = ScriptedTypha::start(&certificates, |n, _| Reply { hang: n > 0, ..Reply::batches(snapshot()) }).await;
    let mut client = Running::start(certificates.config(&[&typha.address]));
    let failures = vec![Failure { object: "Tier/a".into(), reason: "no room".into() }];
    for applied_revision in 1..=5 {
        let applied_at = std::time::UNIX_EPOCH + Duration::from_millis(42);
        client.reporter.report(Report { applied_revision, applied_at, failures: failures.clone() });
    }
    let deadline = time::Instant::now() + PATIENCE;
    while typha.subscriptions().len() < 2 || typha.reports().is_empty() {
        assert!(time::Instant::now() < deadline, "no report in time");
        // Drained, for a client whose events nobody reads does not go on.
        let _ = time::timeout(Duration::from_millis(10), client.events.recv()).await;
    }
    for report in typha.reports() {
        assert_eq!((report.node.as_str(), report.applied_revision, report.applied_at_unix_ms), ("node-1", 5, 42));
        assert_eq!(report.failures[0].object, "Tier/a");
    }
}

/// A light client's first words on how its stream ended.
async fn light_end(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (String, Vec<String>) {
    let certificates = Certificates::new();
    let typha = ScriptedTypha::start(&certificates, move |_, _| reply()).await;
    let (sender, mut ends) = mpsc::unbounded_channel();
    let mut keys = Vec::new();
    let config = Arc::new(certificates.config(&[&typha.address]));
    let (client, _reporter) = LightClient::new(config, "node-1", move |event| match event {
        LightEvent::Entry { key, .. } => keys.push(key.to_owned()),
        LightEvent::Disconnected { reason, .. } => _ = sender.send((reason.to_string(), std::mem::take(&mut keys))),
        _ => {}
    });
    let mut task = JoinSet::new();
    task.spawn(client.run());
    time::timeout(PATIENCE, ends.recv()).await.expect("an end in time").expect("the client lives")
}

#[tokio::test]
async fn light_clients_name_faults_too() {
    let (reason, keys) = light_end(|| Reply { hang: false, ..Reply::batches(snapshot()) }).await;
    assert!(reason.contains("closed the stream"), "{reason}");
    assert_eq!(keys, ["Tier/a", "Tier/b"]);
    let (reason, _) = light_end(|| Reply::raw(b"HTTP/1.1 400 Bad Request\r\n")).await;
    assert!(reason.contains("does not speak gRPC"), "{reason}");
    let (reason, _) = light_end(|| Reply { status: 404, ..Reply::batches([]) }).await;
    assert!(reason.contains("no typha"), "{reason}");
    let half = || Reply { chunks: vec![framed(&snapshot()[1]).split_to(20)], hang: false, status: 200 };
    let (reason, _) = light_end(half).await;
    assert!(reason.contains("ended within a message"), "{reason}");
}

#[tokio::test]
async fn light_clients_report_as_agents_do() {
    let certificates = Certificates::new();
    let typha = ScriptedTypha::start(&certificates, |_, _| Reply::batches(snapshot())).await;
    let config = Arc::new(certificates.config(&[&typha.address]));
    let (client, reporter) = LightClient::new(config, "node-1", |_| {});
    let applied_at = std::time::UNIX_EPOCH;
    reporter.report(Report { applied_revision: 5, applied_at, failures: Vec::new() });
    let mut task = JoinSet::new();
    task.spawn(client.run());
    let deadline = time::Instant::now() + PATIENCE;
    while typha.reports().is_empty() {
        assert!(time::Instant::now() < deadline, "no report in time");
        time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(typha.reports()[0].applied_revision, 5);
    assert_eq!(typha.subscriptions().len(), 1, "the stream goes on beside the report");
}
