//! A pod arrives: nothing passes until its manifest is in, then everything that policies say.

use anyhow::{Result, bail};
use lab::net::probe::{self, Attempt, PATIENCE, Probe};

use crate::{
    cluster::Cluster,
    examples::Examples,
    expected::Policies,
    matrix::{self, Show},
    narration::{chapter, say},
    steps::enforcement::{Apply, WatchedPair},
};

/// Adds the pod as the CNI plugin would, then its manifest as a user would.
pub(crate) fn run(cluster: &mut Cluster, examples: &Examples) -> Result<()> {
    let pod = &examples.arrival;
    let name = pod.full_name();
    chapter(&format!("A pod arrives: {name} on {}", pod.node));
    cluster.add_pod(pod)?;
    expect_silence(cluster, &name)?;
    say!("  Its interface is up, but no agent knows it yet: it can reach nobody.");

    let watched = vec![
        WatchedPair::start(cluster, "shop/frontend-2", &name, Probe::Tcp(9000))?,
        WatchedPair::start(cluster, &name, "shop/database-1", Probe::Tcp(5432))?,
    ];
    let apply = Apply::run(cluster, &examples.arriving_pod)?;
    let enforced = apply.wait_until_enforced(cluster)?;
    say!("  cattailctl apply -f deploy/examples/steps/arriving-pod.yaml: revision {}.", enforced.revision);
    apply.tell(cluster, &enforced, watched)?;
    matrix::check(cluster, examples, Policies::Changed, Show::Summary)
}

fn expect_silence(cluster: &Cluster, name: &str) -> Result<()> {
    let Some(from) = cluster.lab.pod(name) else { bail!("no pod {name}") };
    let to = cluster.address_of("shop/database-1")?;
    let attempts = [Probe::Tcp(5432), Probe::Ping].map(|probe| Attempt { from, to, probe });
    let outcomes = probe::run(&attempts, PATIENCE)?;
    if outcomes.iter().any(|outcome| outcome.is_answered()) {
        bail!("{name} reached shop/database-1 before any agent knew it: {outcomes:?}");
    }
    Ok(())
}
