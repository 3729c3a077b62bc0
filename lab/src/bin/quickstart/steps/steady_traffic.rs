//! Traffic that runs while something dies: what is allowed must lose nothing, what is forbidden must get nothing.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use lab::net::{
    probe::Probe,
    traffic::{Flow, FlowKind, Tally},
};

use crate::{cluster::Cluster, narration::say};

/// How long traffic runs before and after the event, so that the event falls into the middle of it.
const MARGIN: Duration = Duration::from_secs(1);

/// Allowed flows; together they start and end on every node, cross the fabric and stay on a node.
const ALLOWED: [(&str, &str, FlowKind); 5] = [
    ("shop/frontend-1", "shop/api-2", FlowKind::Stream(9000)),
    ("shop/frontend-2", "shop/api-1", FlowKind::Probes(Probe::Tcp(9000))),
    ("shop/api-1", "shop/database-1", FlowKind::Probes(Probe::Tcp(5432))),
    ("shop/database-1", "monitoring/collector", FlowKind::Probes(Probe::Udp(8125))),
    ("monitoring/collector", "shop/frontend-2", FlowKind::Probes(Probe::Ping)),
];

/// Forbidden flows, one towards each node.
const FORBIDDEN: [(&str, &str, FlowKind); 3] = [
    ("scanner", "shop/frontend-1", FlowKind::Probes(Probe::Tcp(8080))),
    ("clients/browser", "shop/api-1", FlowKind::Probes(Probe::Tcp(9000))),
    ("playground/intruder", "shop/api-2", FlowKind::Probes(Probe::Ping)),
];

/// All flows, running.
pub(crate) struct SteadyTraffic {
    allowed: Vec<(String, Flow)>,
    forbidden: Vec<(String, Flow)>,
}

impl SteadyTraffic {
    /// Starts all flows, and lets them run for a while.
    pub(crate) fn start(cluster: &Cluster) -> Result<Self> {
        let start = |(from, to, kind): (&str, &str, FlowKind)| {
            let pod = cluster.lab.pod(from).with_context(|| format!("no pod {from}"))?;
            let flow = Flow::start(pod, cluster.address_of(to)?, kind)?;
            Ok((format!("{from} -> {to}, {kind:?}"), flow))
        };
        let allowed = ALLOWED.into_iter().map(start).collect::<Result<_>>()?;
        let forbidden = FORBIDDEN.into_iter().map(start).collect::<Result<_>>()?;
        thread::sleep(MARGIN);
        Ok(Self { allowed, forbidden })
    }

    /// Lets all flows run for a while longer and stops them; fails where one lost or leaked a packet.
    pub(crate) fn finish(self) -> Result<()> {
        thread::sleep(MARGIN);
        self.allowed.iter().chain(&self.forbidden).for_each(|(_, flow)| flow.wind_down());
        let allowed = stop(self.allowed)?;
        let forbidden = stop(self.forbidden)?;
        let lost: Vec<_> = allowed.iter().filter(|(_, tally)| tally.lost() > 0 || tally.sent == 0).collect();
        if !lost.is_empty() {
            bail!("packets of allowed flows were lost: {lost:?}");
        }
        let leaked: Vec<_> = forbidden.iter().filter(|(_, tally)| tally.answered > 0).collect();
        if !leaked.is_empty() {
            bail!("packets of forbidden flows were answered: {leaked:?}");
        }
        let sum = |tallies: &[(String, Tally)]| tallies.iter().map(|(_, tally)| tally.sent).sum::<u64>();
        say!(
            "  Meanwhile {} packets that may pass: none lost. {} that may not: none passed.",
            sum(&allowed),
            sum(&forbidden)
        );
        Ok(())
    }
}

fn stop(flows: Vec<(String, Flow)>) -> Result<Vec<(String, Tally)>> {
    flows.into_iter().map(|(description, flow)| Ok((description, flow.stop()?))).collect()
}
