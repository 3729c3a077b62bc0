//! The whole path but for the kernel: what a user writes goes in at the source, and what the node must enforce comes
//! out of the agent, through the real typha and the real protocol.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use datastore_adapters::SourceEvent;
use felix_client::{
    agent::{Agent, Intent},
    sync,
};
use model::{
    Key, Kind, Update, Version,
    intent::{Attachment, EndpointToHostAction, NodeConfig, NodeIntent, PolicyId},
};
use pki::{
    Peers,
    development::{Authority, Request},
};
use tokio::{sync::mpsc, time};
use typha::{MemorySource, Server, clients::Point};

/// Far more than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const WEB: &str = r#"{"metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {"orchestrator": "k8s", "node": "node-1", "interfaceName": "cali1", "ipNetworks": ["10.0.0.1/32"],
    "profiles": ["kns.shop"]}}"#;

const CLIENT: &str = r#"{"metadata": {"name": "client", "namespace": "shop", "labels": {"app": "client"}},
    "spec": {"orchestrator": "k8s", "node": "node-2", "interfaceName": "cali2", "ipNetworks": ["10.0.1.1/32"],
    "profiles": ["kns.shop"]}}"#;

const PROFILE: &str = r#"{"metadata": {"name": "kns.shop"},
    "spec": {"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}}"#;

const POLICY: &str = r#"{"metadata": {"name": "clients-only", "namespace": "shop"}, "spec": {"selector": "app == 'web'",
    "ingress": [{"action": "Allow", "protocol": "TCP", "source": {"selector": "app == 'client'"},
    "destination": {"ports": [8080]}}]}}"#;

fn policy() -> Key {
    Key::namespaced(Kind::NetworkPolicy, "shop", "clients-only")
}

fn update(key: Key, json: Option<&'static str>, revision: Version) -> Update {
    Update { key, value: json.map(|json| Bytes::from_static(json.as_bytes())), revision }
}

/// A datastore of one, a typha, and one node's agent.
struct Path {
    source: mpsc::Sender<SourceEvent>,
    agent: Agent,
    enforced: NodeIntent,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Path {
    async fn new(items: Vec<Update>, revision: Version) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("test CA").unwrap();
        let files = |name: &str| authority.write(folder.path(), name, &Request::named(name)).unwrap();
        let (source, memory) = MemorySource::new(100);
        source.send(SourceEvent::Init { datastore_id: 7 }).await.unwrap();
        source.send(SourceEvent::InitItems(items)).await.unwrap();
        source.send(SourceEvent::InitDone { revision }).await.unwrap();
        let config = typha::Config {
            name: "typha-a".to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: None,
            admin_peers: Vec::new(),
            files: files("typha"),
            peers: Peers::common_name("felix"),
            limits: typha::Limits::default(),
        };
        let server = Server::start(config, memory).await.unwrap();
        let tls = pki::load_client(&files("felix"), &Peers::common_name("typha")).unwrap();
        let config = sync::Config::new([server.address().to_string()], Arc::new(tls));
        let agent = Agent::start(Arc::new(config), "node-1");
        Self { source, agent, enforced: NodeIntent::default(), server, _folder: folder }
    }

    async fn write(&self, revision: Version, key: Key, json: Option<&'static str>) {
        let updates = vec![update(key, json, revision)];
        self.source.send(SourceEvent::Apply { revision, updates }).await.unwrap();
    }

    /// Follows intents until a revision is reached; returns the one that reached it.
    async fn reach(&mut self, revision: Version) -> Intent {
        loop {
            let intent = time::timeout(PATIENCE, self.agent.next()).await.expect("in time").expect("the agent lives");
            self.enforced.apply(&intent.delta);
            if intent.revision >= revision {
                return intent;
            }
        }
    }
}

async fn shop() -> Path {
    let items = vec![
        update(Key::namespaced(Kind::WorkloadEndpoint, "shop", "web"), Some(WEB), 1),
        update(Key::namespaced(Kind::WorkloadEndpoint, "shop", "client"), Some(CLIENT), 2),
        update(Key::global(Kind::Profile, "kns.shop"), Some(PROFILE), 3),
    ];
    let mut path = Path::new(items, 3).await;
    path.reach(3).await;
    path
}

#[tokio::test]
async fn a_policy_reaches_the_node_and_leaves_it() {
    let mut path = shop().await;
    let endpoint = path.enforced.endpoints.values().next().expect("the local endpoint").clone();
    assert!(matches!(&endpoint.attachment, Attachment::Workload { interface, .. } if &**interface == "cali1"));
    assert_eq!(path.enforced.endpoints.len(), 1, "the other node's endpoint is not ours");
    assert!(endpoint.ingress.is_empty(), "no policy, so its profile decides");

    path.write(4, policy(), Some(POLICY)).await;
    path.reach(4).await;
    let id = PolicyId::from(policy().to_string().as_str());
    let endpoint = path.enforced.endpoints.values().next().unwrap().clone();
    assert_eq!(endpoint.ingress[0].policies, std::slice::from_ref(&id));
    let allow = &path.enforced.policies[&id].ingress[0];
    assert_eq!(path.enforced.ip_sets.len(), 1, "the clients' addresses: {allow:?}");

    path.write(5, policy(), None).await;
    path.reach(5).await;
    assert!(path.enforced.policies.is_empty() && path.enforced.ip_sets.is_empty());
}

#[tokio::test]
async fn an_endpoint_elsewhere_changes_a_set_here() {
    let mut path = shop().await;
    path.write(4, policy(), Some(POLICY)).await;
    path.reach(4).await;
    let members = |path: &Path| path.enforced.ip_sets.values().map(|set| set.members.len()).sum::<usize>();
    assert_eq!(members(&path), 1);
    path.write(5, Key::namespaced(Kind::WorkloadEndpoint, "shop", "client"), None).await;
    path.reach(5).await;
    assert_eq!(members(&path), 0);
}

#[tokio::test]
async fn a_policy_that_breaks_stays_in_force_as_it_was_and_is_named() {
    let mut path = shop().await;
    path.write(4, policy(), Some(POLICY)).await;
    path.reach(4).await;
    let before = path.enforced.clone();
    path.write(5, policy(), Some(r#"{"spec": {"selector": "app == 'web'", "ingress": [{"action": "Maybe"}]}}"#)).await;
    let intent = path.reach(5).await;
    assert_eq!(path.enforced, before);
    assert_eq!(intent.rejected.iter().map(|each| each.key.clone()).collect::<Vec<_>>(), [policy()]);
}

#[tokio::test]
async fn settings_reach_the_node_and_leave_it() {
    let mut path = shop().await;
    let settings = |name: &str| Key::global(Kind::FelixConfiguration, name);
    let of_all = r#"{"spec": {"defaultEndpointToHostAction": "Accept", "logPrefix": "all"}}"#;
    path.write(4, settings("default"), Some(of_all)).await;
    path.write(5, settings("node.node-1"), Some(r#"{"spec": {"logPrefix": "node-1"}}"#)).await;
    path.write(6, settings("node.node-2"), Some(r#"{"spec": {"logPrefix": "node-2"}}"#)).await;
    path.reach(6).await;
    assert_eq!(path.enforced.config.endpoint_to_host_action, EndpointToHostAction::Accept);
    assert_eq!(path.enforced.config.log_prefix, "node-1");

    path.write(7, settings("default"), Some(r#"{"spec": {"defaultEndpointToHostAction": "Perhaps"}}"#)).await;
    let intent = path.reach(7).await;
    assert_eq!(intent.rejected[0].key, settings("default"));
    assert_eq!(path.enforced.config.endpoint_to_host_action, EndpointToHostAction::Accept, "the last sound ones hold");

    path.write(8, settings("default"), None).await;
    path.write(9, settings("node.node-1"), None).await;
    path.reach(9).await;
    assert_eq!(path.enforced.config, NodeConfig::default());
}

/// A watch that left something out, and a list that found it: the revision is the same before and after.
#[tokio::test]
async fn what_the_datastore_told_late_reaches_a_node_that_was_there_already() {
    let mut path = shop().await;
    path.write(3, policy(), Some(POLICY)).await;
    path.reach(3).await;
    assert!(path.enforced.policies.contains_key(&PolicyId::from(policy().to_string().as_str())));
}

#[tokio::test]
async fn what_is_enforced_is_told_to_typha() {
    let path = shop().await;
    let applied_at = std::time::SystemTime::now();
    path.agent.reporter().report(sync::Report { applied_revision: 3, applied_at, failures: Vec::new() });
    let deadline = time::Instant::now() + PATIENCE;
    let written = Point::last_change(&path.server.board().load().view);
    while path.server.clients().acks(written, std::time::Instant::now()).applied != 1 {
        assert!(time::Instant::now() < deadline, "the report did not arrive");
        time::sleep(Duration::from_millis(5)).await;
    }
}
