//! What the agents say about themselves, each asked inside its own node.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    admin,
    cluster::{Cluster, FELIX_ADMIN},
};

/// How a stream begins that carries only what changed.
const RESUMED: &str = "resume";

/// An agent's page `/status`, as far as the steps look at it.
#[derive(Debug, Deserialize)]
pub(crate) struct Agent {
    /// The replica that feeds the agent.
    typha: Option<Feed>,
    /// How long the kernel took to take the last change.
    pub(crate) apply_ms: f64,
    /// Resources that are not enforced as they were written.
    rejected: Vec<Value>,
}

/// The stream that feeds an agent.
#[derive(Debug, Deserialize)]
struct Feed {
    server: String,
    /// `snapshot` or `resume`.
    mode: String,
}

/// Asks the agent of a node.
pub(crate) fn ask(cluster: &Cluster, node: &str) -> Result<Agent> {
    let home = cluster.lab.node(node).with_context(|| format!("{node} is not in the laboratory"))?;
    let admin: SocketAddr = FELIX_ADMIN.parse()?;
    let asked = home.netns().run(|| Ok(admin::get_json(admin, "/status")))?;
    asked.with_context(|| format!("felix on {node}"))
}

/// Fails where an agent does not enforce a resource as it was written.
pub(crate) fn expect_nothing_rejected(cluster: &Cluster) -> Result<()> {
    for node in cluster.lab.nodes() {
        let agent = ask(cluster, node.name())?;
        if !agent.rejected.is_empty() {
            bail!("felix on {} rejects {:?}", node.name(), agent.rejected);
        }
    }
    Ok(())
}

/// Waits until an agent is fed by this replica; fails where it did not go on where it was. The replica knows of its
/// client a moment before the agent knows of its feed.
pub(crate) fn expect_resumed(cluster: &mut Cluster, node: &str, server: &str) -> Result<()> {
    let feed = cluster.wait_until(&format!("felix on {node} to be fed by {server}"), |cluster| {
        Ok(ask(cluster, node)?.typha.filter(|feed| feed.server == server))
    })?;
    if feed.mode != RESUMED {
        bail!("felix on {node} should have resumed at {server}, but got a {}", feed.mode);
    }
    Ok(())
}
