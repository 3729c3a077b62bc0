//! The dataplane as enforcement sees it: one [`Kernel`], that of the network namespace this process runs in.

use std::{future::Future, time::Duration};

use anyhow::Context as _;
use dataplane::{Config, Dataplane};
use felix_client::sync::Failure;
use model::intent::Delta;

use crate::enforcement::{Kernel, Outcome};

/// This node's kernel.
pub(crate) struct NodeKernel {
    dataplane: Dataplane,
    /// Interfaces that were missing at the last apply, so that each is told once.
    waiting: Vec<std::sync::Arc<str>>,
}

impl NodeKernel {
    /// Opens it; writes nothing. The kernel is compared with what it should be every `resync_interval`.
    pub(crate) fn open(resync_interval: Duration) -> anyhow::Result<Self> {
        let config = Config { resync_interval, ..Config::default() };
        let dataplane = Dataplane::new(config).context("cannot reach the kernel")?;
        Ok(Self { dataplane, waiting: Vec::new() })
    }
}

impl Kernel for NodeKernel {
    fn take(&mut self, delta: &Delta) {
        self.dataplane.update(delta);
        // The agent hands out nothing before it has the whole state.
        self.dataplane.set_in_sync();
    }

    async fn apply(&mut self) -> Outcome {
        match self.dataplane.apply().await {
            Ok(applied) => {
                for interface in applied.waiting.iter().filter(|name| !self.waiting.contains(name)) {
                    tracing::info!(%interface, "not there yet; its rules are in force, its routes follow");
                }
                self.waiting = applied.waiting;
                tracing::debug!(rules = applied.rule_changes, routes = applied.route_changes, "programmed the kernel");
                let failures = applied.failures.into_iter();
                let failures =
                    failures.map(|failure| Failure { object: failure.object.to_string(), reason: failure.reason });
                Outcome { failures: failures.collect(), broken: None }
            }
            Err(error) => Outcome { failures: Vec::new(), broken: Some(format!("{:#}", anyhow::Error::from(error))) },
        }
    }

    fn disturbed(&mut self) -> impl Future<Output = ()> + Send {
        self.dataplane.changed()
    }
}
