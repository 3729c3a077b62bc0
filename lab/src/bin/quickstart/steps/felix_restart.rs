//! An agent dies and comes back: the kernel goes on enforcing without it, and nothing flickers when it returns.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};

use crate::{
    cluster::{Cluster, felix_on},
    examples::Examples,
    expected::Policies,
    matrix::{self, Show},
    narration::{chapter, ms, say},
    steps::steady_traffic::SteadyTraffic,
    typha_pair,
};

/// The node whose agent dies: most of the steady traffic passes through it.
const NODE: &str = "node-2";

/// How long the node is left without an agent.
const ABSENCE: Duration = Duration::from_secs(1);

/// Kills the agent, waits, starts it again, and waits until it has reconciled the kernel.
pub(crate) fn run(cluster: &mut Cluster, examples: &Examples) -> Result<()> {
    chapter(&format!("The agent on {NODE} is killed and starts again"));
    let traffic = SteadyTraffic::start(cluster)?;
    cluster.kill(&felix_on(NODE))?;
    thread::sleep(ABSENCE);
    say!("  {} is gone (kill -9) for {}; its kernel goes on without it.", felix_on(NODE), ms(ABSENCE));

    let restarted = Instant::now();
    let restarted_unix = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?;
    cluster.start_felix(NODE)?;
    cluster.wait_until("the agent to report again", |cluster| {
        let reported = |client: typha_pair::Client| {
            client.node == NODE
                && client.applied_at_unix_ms.is_some_and(|at| u128::from(at) >= restarted_unix.as_millis())
        };
        Ok(cluster.typhas().flat_map(|(_, admin)| typha_pair::clients_of(admin)).any(reported).then_some(()))
    })?;
    say!(
        "  It is back: {} after its start it has read the kernel, corrected it and reported.",
        ms(restarted.elapsed())
    );
    traffic.finish()?;
    matrix::check(cluster, examples, Policies::Start, Show::Summary)
}
