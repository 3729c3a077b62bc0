//! Starting the datastore, both typhas and the agents, in the order of the data's journey.

use anyhow::Result;

use crate::{
    admin,
    cluster::{Cluster, felix_on},
    examples::Examples,
    narration::{chapter, say},
    typha_pair,
};

/// Starts everything and waits until every agent has found a typha.
pub(crate) fn run(cluster: &mut Cluster, examples: &Examples) -> Result<()> {
    chapter("A cluster on this machine");
    say!(
        "  {} nodes and {} pods, each a network namespace of its own, joined by veth pairs;",
        examples.nodes.len(),
        examples.pods.len()
    );
    say!("  {} hosts outside the cluster stand for the internet.", examples.expected.outside.len());

    cluster.start_store()?;
    say!("  cattail-store runs: the datastore, in a file, answering like etcd.");

    let replicas: Vec<_> = cluster.typhas().collect();
    for (name, _) in &replicas {
        cluster.start_typha(name)?;
    }
    for (name, admin) in replicas {
        cluster.wait_until(&format!("{name} to be ready"), |_| admin::get(admin, "/readyz").map(Some))?;
        say!("  {name} runs: it holds a copy of the datastore and tells agents what changes, over mutual TLS.");
    }

    for node in &examples.nodes {
        cluster.start_felix(&node.name)?;
    }
    let homes = cluster.wait_until("every agent to find a typha", |cluster| {
        let homes = typha_pair::homes(cluster);
        Ok((homes.len() == examples.nodes.len()).then_some(homes))
    })?;
    for (node, typha) in homes {
        say!("  {} runs inside that node and listens to {typha}.", felix_on(&node));
    }
    Ok(())
}
