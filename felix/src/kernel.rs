//! The dataplane as enforcement sees it: one [`Kernel`], that of the network namespace this process runs in.

mod settings;

use std::{future::Future, time::Duration};

use anyhow::Context as _;
use dataplane::{Config, Dataplane};
use felix_client::sync::Failure;
use model::intent::{Delta, NodeConfig};

use self::settings::Written;
use crate::enforcement::{Kernel, Outcome};

/// This node's kernel.
pub(crate) struct NodeKernel {
    dataplane: Dataplane,
    /// What was asked for on the command line comes before what FelixConfiguration asks for.
    resync_interval: Option<Duration>,
    /// Interfaces that were missing at the last apply, so that each is told once.
    waiting: Vec<std::sync::Arc<str>>,
}

impl NodeKernel {
    /// Opens it; writes nothing. The kernel is compared with what it should be every `resync_interval`; without one, as
    /// often as the node's settings say.
    pub(crate) fn open(resync_interval: Option<Duration>) -> anyhow::Result<Self> {
        let default = Config::default();
        let config = Config { resync_interval: resync_interval.or(default.resync_interval), ..default };
        let dataplane = Dataplane::new(config).context("cannot reach the kernel")?;
        Ok(Self { dataplane, resync_interval, waiting: Vec::new() })
    }

    fn configure(&mut self, config: &NodeConfig) {
        let Some(interval) = self.resync_interval else {
            return tracing::info!("the node's settings changed: {}", Written(config));
        };
        let config = NodeConfig { refresh_interval: Some(interval), ..config.clone() };
        tracing::info!("the node's settings changed: {}", Written(&config));
        self.dataplane.update(&Delta { config: Some(config), ..Delta::default() });
    }
}

impl Kernel for NodeKernel {
    fn take(&mut self, delta: &Delta) {
        self.dataplane.update(delta);
        if let Some(config) = &delta.config {
            self.configure(config);
        }
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
