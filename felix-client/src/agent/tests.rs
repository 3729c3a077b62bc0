//! From events to intents, without a network: what the dataplane is given, and when.

use std::time::{Duration, Instant};

use bytes::Bytes;
use model::{
    Key, Kind, Update,
    intent::{Delta, NodeIntent},
};
use tokio::time;

use super::*;
use crate::sync::{Disconnect, Reporter as Reports, Updates};

/// Far more than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// From this age on a view is old.
const OLD: Duration = Duration::from_secs(15);

struct Bench {
    events: mpsc::Sender<Event>,
    intents: mpsc::Receiver<Intent>,
    status: watch::Receiver<Status>,
    /// What a dataplane would have by now.
    enforced: NodeIntent,
    _task: JoinSet<()>,
}

impl Bench {
    fn new() -> Self {
        Self::of_patience(PATIENCE * 100)
    }

    /// Of an agent that waits so long for a first state that is not old.
    fn of_patience(patience: Duration) -> Self {
        let (events, event_receiver) = mpsc::channel(EVENT_QUEUE);
        let (intent_sender, intents) = mpsc::channel(INTENT_QUEUE);
        let (chronicle, status) = Chronicle::new();
        let mut task = JoinSet::new();
        let (journeys, _) = Journeys::new("node-1", Reports::to_nobody());
        let threshold = Threshold::new(OLD, patience);
        task.spawn(think(Brain::new("node-1"), threshold, journeys, event_receiver, intent_sender, chronicle));
        Self { events, intents, status, enforced: NodeIntent::default(), _task: task }
    }

    async fn updates(&self, revision: u64, updates: impl IntoIterator<Item = (Key, Option<&str>)>) {
        self.updates_of_age(Duration::ZERO, revision, updates).await;
    }

    async fn updates_of_age(
        &self,
        upstream_age: Duration,
        revision: u64,
        updates: impl IntoIterator<Item = (Key, Option<&str>)>,
    ) {
        let updates = updates
            .into_iter()
            .map(|(key, value)| Update { key, value: value.map(|json| Bytes::from(json.to_owned())), revision })
            .collect();
        let updates = Updates { revision, updates, upstream_age, snapshot: false, journeys: Vec::new() };
        self.events.send(Event::Updates(updates)).await.unwrap();
    }

    async fn intent(&mut self) -> Intent {
        let intent = time::timeout(PATIENCE, self.intents.recv()).await.expect("in time").expect("the brain lives");
        self.enforced.apply(&intent.delta);
        intent
    }
}

fn endpoint() -> (Key, Option<&'static str>) {
    let json = r#"{"metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"orchestrator": "k8s", "node": "node-1", "interfaceName": "cali1", "ipNetworks": ["10.0.0.1/32"]}}"#;
    (Key::namespaced(Kind::WorkloadEndpoint, "shop", "web"), Some(json))
}

fn policy_key() -> Key {
    Key::namespaced(Kind::NetworkPolicy, "shop", "allow-web")
}

const POLICY: &str = r#"{"metadata": {"name": "allow-web", "namespace": "shop"},
    "spec": {"selector": "app == 'web'", "ingress": [{"action": "Allow", "protocol": "TCP"}]}}"#;

fn policy_is_enforced(enforced: &NodeIntent) -> bool {
    enforced.policies.keys().any(|id| id.to_string() == policy_key().to_string())
}

#[tokio::test]
async fn a_policy_becomes_intent() {
    let mut bench = Bench::new();
    bench.updates(5, [endpoint(), (policy_key(), Some(POLICY))]).await;
    let intent = bench.intent().await;
    assert_eq!(intent.revision, 5);
    assert!(intent.rejected.is_empty(), "{:?}", intent.rejected);
    assert_eq!(bench.enforced.endpoints.len(), 1);
    assert!(policy_is_enforced(&bench.enforced));

    bench.updates(6, [(policy_key(), None)]).await;
    assert_eq!(bench.intent().await.revision, 6);
    assert!(!policy_is_enforced(&bench.enforced));
}

#[tokio::test]
async fn nothing_comes_before_the_whole_state_nor_from_connections_alone() {
    let mut bench = Bench::new();
    let address: Arc<str> = "typha:5473".into();
    let (zone, found_by, is_spare) = (None, address.clone(), false);
    let replica = sync::Replica { address: address.clone(), zone, found_by, is_spare };
    let choice = sync::Choice { replica, rank: 1, of: 1, cause: sync::Cause::Start }.into();
    let connected =
        Event::Connected { server: "a".into(), address: address.clone(), mode: sync::Mode::Snapshot, choice };
    bench.events.send(connected).await.unwrap();
    bench.events.send(Event::ServerNotInSync).await.unwrap();
    let gone = Event::Disconnected { reason: Disconnect::Closed { address }, retry_in: Duration::ZERO };
    bench.events.send(gone).await.unwrap();
    bench.updates(1, []).await;
    let first = bench.intent().await;
    assert_eq!((first.revision, first.delta), (1, Delta::default()));
    assert!(bench.intents.try_recv().is_err());
    let status = bench.status.borrow().clone();
    assert_eq!(status.connected, None);
    assert!(status.last_error.unwrap().contains("typha:5473"));
}

#[tokio::test]
async fn the_view_that_is_gone_by_ages_while_nobody_tells_of_it() {
    let bench = Bench::new();
    let now = Instant::now();
    assert_eq!(bench.status.borrow().upstream_age(now), None, "nothing was told yet");
    bench.updates(1, []).await;
    let mut status = bench.status.clone();
    let status = status.wait_for(|status| status.revision == Some(1)).await.unwrap();
    let (age, hour) = (status.upstream_age(now).unwrap(), Duration::from_hours(1));
    assert!(age < PATIENCE && status.upstream_age(now + hour).unwrap() > hour / 2, "{age:?}");
}

/// As after a restart, where the kernel enforces what the agent's former life left there.
#[tokio::test]
async fn the_first_state_is_not_enforced_while_it_is_old_and_a_fresh_one_may_come() {
    let mut bench = Bench::new();
    bench.updates_of_age(OLD, 3, [endpoint(), (policy_key(), None)]).await;
    bench.status.wait_for(|status| status.revision == Some(3)).await.unwrap();
    assert!(bench.intents.try_recv().is_err(), "it is old");
    bench.updates(5, [(policy_key(), Some(POLICY))]).await;
    assert_eq!(bench.intent().await.revision, 5);
    assert!(policy_is_enforced(&bench.enforced));
    // From then on what comes is later, however old it is.
    bench.updates_of_age(OLD * 2, 6, []).await;
    assert_eq!(bench.intent().await.revision, 6);
}

#[tokio::test]
async fn where_no_view_is_fresh_the_first_state_is_enforced_all_the_same() {
    let patience = Duration::from_millis(50);
    let (mut bench, began) = (Bench::of_patience(patience), Instant::now());
    bench.updates_of_age(OLD, 3, [endpoint()]).await;
    assert_eq!(bench.intent().await.revision, 3);
    assert!(began.elapsed() >= patience);
}

#[tokio::test]
async fn a_busy_dataplane_gets_the_sum_of_what_it_missed() {
    let mut bench = Bench::new();
    bench.updates(1, [endpoint()]).await;
    bench.status.wait_for(|status| status.revision == Some(1)).await.unwrap();
    for revision in 2..=20 {
        let value = (revision % 2 == 0).then_some(POLICY);
        bench.updates(revision, [(policy_key(), value)]).await;
    }
    bench.status.wait_for(|status| status.revision == Some(20)).await.unwrap();
    let mut intents = 0;
    while bench.intent().await.revision < 20 {
        intents += 1;
    }
    assert!(intents < 4, "{intents} intents were queued for a busy dataplane");
    assert!(policy_is_enforced(&bench.enforced));
}

#[tokio::test]
async fn a_checkpoint_without_news_moves_the_revision_only() {
    let mut bench = Bench::new();
    bench.updates(1, [endpoint()]).await;
    bench.intent().await;
    bench.updates(1, []).await;
    bench.updates(2, []).await;
    let intent = bench.intent().await;
    assert_eq!((intent.revision, intent.delta), (2, Delta::default()));
}

/// As a repair does, and a datastore that was restored from its own snapshot.
#[tokio::test]
async fn what_changes_at_a_revision_that_was_told_already_is_told_too() {
    let mut bench = Bench::new();
    bench.updates(5, [endpoint()]).await;
    bench.intent().await;
    bench.updates(5, [(policy_key(), Some(POLICY))]).await;
    assert_eq!(bench.intent().await.revision, 5);
    assert!(policy_is_enforced(&bench.enforced));
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_fails_closed() {
    let mut bench = Bench::new();
    let broken = r#"{"spec": {"selector": "app == 'web'", "ingress": [{"action": "Perhaps"}]}}"#;
    bench.updates(1, [endpoint(), (policy_key(), Some(broken))]).await;
    let intent = bench.intent().await;
    assert_eq!(intent.rejected[0].key, policy_key());
    assert!(intent.rejected[0].reason.contains("Perhaps"), "{}", intent.rejected[0].reason);
    let endpoint = bench.enforced.endpoints.values().next().unwrap();
    assert!(!endpoint.ingress.is_empty() && !endpoint.egress.is_empty(), "denied in both directions: {endpoint:?}");
    assert_eq!(bench.status.borrow().rejected.len(), 1);

    bench.updates(2, [(policy_key(), Some(POLICY))]).await;
    assert!(bench.intent().await.rejected.is_empty());
}
