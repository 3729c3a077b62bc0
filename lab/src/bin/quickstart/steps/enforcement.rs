//! A change and its way into the kernels: when it was asked for, and when each node enforced it.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use lab::net::{
    Watch,
    probe::{Attempt, Probe},
};

use crate::{
    agents,
    cluster::Cluster,
    narration::{ms, say},
    typha_pair,
};

/// How often a watched pair is tried; the error of what it measures.
const WATCH_INTERVAL: Duration = Duration::from_millis(2);

/// How long a watched pair may stay silent.
const WATCH_PATIENCE: Duration = Duration::from_secs(30);

/// One run of `cattailctl apply`.
pub(crate) struct Apply {
    /// What it printed.
    pub(crate) printed: String,
    /// When it was started, on both clocks.
    started: Instant,
    started_unix: Duration,
    /// How long it ran; the write happens near the end of that.
    took: Duration,
}

/// When a change was enforced, counted from the start of `cattailctl`.
pub(crate) struct Enforced {
    /// The revision of the change.
    pub(crate) revision: u64,
    /// By node.
    nodes: BTreeMap<String, Duration>,
}

impl Apply {
    /// Applies a file or folder.
    pub(crate) fn run(cluster: &Cluster, path: &Path) -> Result<Self> {
        let started_unix = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?;
        let started = Instant::now();
        let printed = cluster.control.apply(path)?;
        Ok(Self { printed, started, started_unix, took: started.elapsed() })
    }

    /// Waits until all nodes have reported the newest revision of the datastore.
    pub(crate) fn wait_until_enforced(&self, cluster: &mut Cluster) -> Result<Enforced> {
        let revision = cluster.newest_revision()?;
        let nodes = typha_pair::wait_until_enforced(cluster, revision)?;
        let since_start = |at_ms: u64| Duration::from_millis(at_ms).saturating_sub(self.started_unix);
        let nodes = nodes.into_iter().map(|(node, at_ms)| (node, since_start(at_ms))).collect();
        Ok(Enforced { revision, nodes })
    }

    /// Tells when each node enforced it and when the first packets passed.
    pub(crate) fn tell(&self, cluster: &Cluster, enforced: &Enforced, watched: Vec<WatchedPair>) -> Result<()> {
        say!("  The command took {} itself. Counted from the moment it was started:", ms(self.took));
        for (node, after) in &enforced.nodes {
            let apply_ms = agents::ask(cluster, node)?.apply_ms;
            say!(
                "    {node}: enforced after {}, {}; nftables and routes took {apply_ms:.1} ms",
                ms(*after),
                self.since_return(*after)
            );
        }
        for pair in watched {
            let answered = pair.watch.answered_at()?;
            let answered = answered.with_context(|| format!("{}: no packet ever passed", pair.description))?;
            let after = answered.saturating_duration_since(self.started);
            say!("    {}: first answer after {}, {}", pair.description, ms(after), self.since_return(after));
        }
        Ok(())
    }

    /// The write happens shortly before the command returns, so this is close to the time that the cluster needed.
    fn since_return(&self, after_start: Duration) -> String {
        match after_start.checked_sub(self.took) {
            Some(after_return) => format!("{} after the command returned", ms(after_return)),
            None => "before the command returned".to_owned(),
        }
    }
}

/// A pair of pods that is tried all the time until a packet passes.
pub(crate) struct WatchedPair {
    description: String,
    watch: Watch,
}

impl WatchedPair {
    /// Starts to try.
    pub(crate) fn start(cluster: &Cluster, from: &str, to: &str, probe: Probe) -> Result<Self> {
        let pod = cluster.lab.pod(from).with_context(|| format!("no pod {from}"))?;
        let node = cluster.lab.pod(to).and_then(|pod| pod.node()).unwrap_or("outside");
        let attempt = Attempt { from: pod, to: cluster.address_of(to)?, probe };
        let watch = Watch::start(attempt, WATCH_INTERVAL, WATCH_PATIENCE)?;
        Ok(Self { description: format!("{from} -> {to} on {node}, {probe}"), watch })
    }
}
