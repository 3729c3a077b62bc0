//! One policy changes; all three kernels must follow, and we say how fast.

use anyhow::Result;
use lab::net::probe::Probe;

use crate::{
    cluster::Cluster,
    examples::Examples,
    expected::Policies,
    matrix::{self, Show},
    narration::{chapter, say},
    steps::enforcement::{Apply, WatchedPair},
};

/// Pairs that the change lets talk, one on each node.
const OPENED: [(&str, Probe); 3] = [
    ("shop/frontend-1", Probe::Tcp(9200)),
    ("shop/frontend-2", Probe::Tcp(9200)),
    ("shop/database-1", Probe::Tcp(9187)),
];

/// Applies the change while packets knock at the doors that it opens.
pub(crate) fn run(cluster: &mut Cluster, examples: &Examples) -> Result<()> {
    chapter("A policy changes: the collector may fetch figures from the whole shop");
    let knock = |(to, probe)| WatchedPair::start(cluster, "monitoring/collector", to, probe);
    let watched = OPENED.into_iter().map(knock).collect::<Result<Vec<_>>>()?;
    let apply = Apply::run(cluster, &examples.policy_change)?;
    let enforced = apply.wait_until_enforced(cluster)?;
    say!("  cattailctl apply -f deploy/examples/steps/policy-change.yaml: revision {}.", enforced.revision);
    apply.tell(cluster, &enforced, watched)?;
    matrix::check(cluster, examples, Policies::Changed, Show::Summary)
}
