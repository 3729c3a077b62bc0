//! A typha dies: its nodes move to the other replica, resume where they were, and nobody notices.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{
    admin, agents,
    cluster::Cluster,
    examples::Examples,
    expected::Policies,
    matrix::{self, Show},
    narration::{chapter, ms, say},
    steps::{enforcement::Apply, steady_traffic::SteadyTraffic},
    typha_pair::clients_of,
};

/// Kills the replica with more nodes, without a warning; then takes the policy change back, to see that changes still
/// arrive and that what was opened closes again.
pub(crate) fn run(cluster: &mut Cluster, examples: &Examples) -> Result<()> {
    chapter("A typha is killed");
    let (victim, survivor) = choose(cluster)?;
    let (survivor_name, survivor_admin) = survivor;
    let moving: Vec<String> = clients_of(victim.1).into_iter().map(|client| client.node).collect();

    let traffic = SteadyTraffic::start(cluster)?;
    let killed_at = Instant::now();
    cluster.kill(victim.0)?;
    cluster.wait_until("all nodes to move to the other typha", |_| {
        Ok((clients_of(survivor_admin).len() == examples.nodes.len()).then_some(()))
    })?;
    say!(
        "  {} is gone (kill -9). Its nodes ({}) are at {survivor_name} after {}.",
        victim.0,
        moving.join(", "),
        ms(killed_at.elapsed())
    );
    for node in &moving {
        agents::expect_resumed(cluster, node, survivor_name)?;
    }
    say!("  {survivor_name} sent no snapshot: they resumed where they were.");

    let apply = Apply::run(cluster, &examples.shop_policies)?;
    let enforced = apply.wait_until_enforced(cluster)?;
    say!("  The policy change is taken back, through the typha that is left: revision {}.", enforced.revision);
    apply.tell(cluster, &enforced, Vec::new())?;
    traffic.finish()?;
    matrix::check(cluster, examples, Policies::Start, Show::Summary)?;

    cluster.start_typha(victim.0)?;
    cluster.wait_until(&format!("{} to be ready again", victim.0), |_| admin::get(victim.1, "/readyz").map(Some))?;
    Ok(())
}

type Replica = (&'static str, std::net::SocketAddr);

/// The replica that is to die, which has nodes, and the one that is to live.
fn choose(cluster: &Cluster) -> Result<(Replica, Replica)> {
    let mut replicas: Vec<Replica> = cluster.typhas().collect();
    replicas.sort_by_key(|(_, admin)| std::cmp::Reverse(clients_of(*admin).len()));
    match replicas[..] {
        [victim, survivor] => Ok((victim, survivor)),
        _ => None.context("this step needs exactly two typhas"),
    }
}
