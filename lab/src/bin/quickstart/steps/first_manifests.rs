//! The shop's manifests go in; packets must do what they say.

use anyhow::Result;

use crate::{
    agents,
    cluster::Cluster,
    examples::Examples,
    expected::Policies,
    matrix::{self, Show},
    narration::{chapter, say},
    steps::enforcement::Apply,
};

/// Applies the shop and measures the whole matrix.
pub(crate) fn run(cluster: &mut Cluster, examples: &Examples) -> Result<()> {
    chapter("Manifests in: a three-tier shop that denies by default");
    let apply = Apply::run(cluster, &examples.shop)?;
    let counted = apply.printed.lines().filter(|line| !line.trim().is_empty()).count();
    let revision = apply.wait_until_enforced(cluster)?.revision;
    say!("  cattailctl apply -f deploy/examples/shop: {counted} resources, up to revision {revision}.");
    agents::expect_nothing_rejected(cluster)?;
    say!("  All nodes report that their kernels enforce revision {revision}.");

    chapter("Packets: who can reach whom");
    matrix::check(cluster, examples, Policies::Start, Show::Table)
}
