//! What the two typhas say about the nodes: who is where, and what is enforced.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{admin, cluster::Cluster};

/// An agent as typha's page `/clients` shows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Client {
    /// The node's name.
    pub(crate) node: String,
    /// The revision that the agent has reported as enforced.
    #[serde(default)]
    pub(crate) applied_revision: Option<u64>,
    /// When it was, on the node's clock.
    #[serde(default)]
    pub(crate) applied_at_unix_ms: Option<u64>,
    /// What it could not enforce.
    #[serde(default)]
    failures: Vec<Value>,
}

/// The agents of one replica, none where it does not answer.
pub(crate) fn clients_of(admin: SocketAddr) -> Vec<Client> {
    admin::get_json(admin, "/clients").unwrap_or_default()
}

/// Which replica each node is connected to.
pub(crate) fn homes(cluster: &Cluster) -> BTreeMap<String, &'static str> {
    let clients = |(name, admin)| clients_of(admin).into_iter().map(move |client| (client.node, name));
    cluster.typhas().flat_map(clients).collect()
}

/// Waits until every node has reported this revision as enforced; when that was for each, in milliseconds since 1970.
pub(crate) fn wait_until_enforced(cluster: &mut Cluster, revision: u64) -> Result<BTreeMap<String, u64>> {
    let nodes: BTreeSet<String> = cluster.lab.nodes().map(|node| node.name().to_owned()).collect();
    let mut enforced_at = BTreeMap::new();
    cluster.wait_until(&format!("all nodes to enforce revision {revision}"), |cluster| {
        for client in cluster.typhas().flat_map(|(_, admin)| clients_of(admin)) {
            if !client.failures.is_empty() {
                bail!("{} could not enforce everything: {:?}", client.node, client.failures);
            }
            if let (Some(applied), Some(at)) = (client.applied_revision, client.applied_at_unix_ms)
                && applied >= revision
            {
                enforced_at.entry(client.node).or_insert(at);
            }
        }
        Ok(nodes.iter().all(|node| enforced_at.contains_key(node)).then_some(()))
    })?;
    Ok(enforced_at)
}
