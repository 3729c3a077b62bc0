//! One node with four pods, each with an address of both families, and the dataplane of the node.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use dataplane::{Config, Dataplane};
use ipnet::IpNet;
use lab::net::{
    Lab, Listen, interface_name,
    probe::{self, Attempt, Probe},
};
use model::intent::{Delta, EndpointId, NodeIntent, RouteIntent, SetChange};
use tokio::runtime::{self, Runtime};

/// How many pods there are; they are called by their numbers from 1.
pub(crate) const PODS: usize = 4;

/// What is sent between all of them.
const PROBES: [Probe; 5] = [Probe::Tcp(80), Probe::Tcp(81), Probe::Udp(80), Probe::Udp(53), Probe::Ping];

/// How long an answer may take at first; most of the time of a run is spent on this.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long it may take the second time, on a busy machine.
const SECOND_PATIENCE: Duration = Duration::from_secs(1);

/// How long all links together may take to come into use.
const LINK_DEADLINE: Duration = Duration::from_secs(15);

/// A pod's two addresses.
pub(crate) fn addresses(pod: usize) -> [IpAddr; 2] {
    let address = |text: String| text.parse().expect("an address");
    [address(format!("10.65.0.{pod}")), address(format!("fd65::{pod}"))]
}

/// The name under which intents know a pod.
pub(crate) fn endpoint_id(pod: usize) -> EndpointId {
    EndpointId(format!("Pod/test/{pod}").into())
}

/// The host's end of a pod's link.
pub(crate) fn interface(pod: usize) -> String {
    interface_name("test", &pod.to_string())
}

/// Packets that one pod sends to another.
pub(crate) struct Flow {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) probe: Probe,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}", self.probe, self.source, self.destination)
    }
}

/// The laboratory, and what drives its dataplane.
pub(crate) struct World {
    lab: Lab,
    dataplane: Dataplane,
    runtime: Runtime,
}

impl World {
    /// Made with everything open, and ready when every packet is answered.
    pub(crate) fn new(open: &NodeIntent) -> Result<Self> {
        let mut lab = Lab::new()?;
        let node = lab.add_node("node-1", "172.18.0.11/24".parse()?)?;
        let dataplane = node.netns().run(|| Ok(Dataplane::new(Config::default())))??;
        for pod in 1..=PODS {
            let wired = lab.add_pod("node-1", "test", &pod.to_string(), &addresses(pod))?;
            wired.listen(&[Listen::Tcp(80), Listen::Tcp(81), Listen::Udp(80), Listen::Udp(53)])?;
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let mut world = Self { lab, dataplane, runtime };
        world.enforce(open)?;
        world.wait_until_open()?;
        Ok(world)
    }

    /// The kernel uses a new link's own IPv6 address only after it has looked for others that have it.
    fn wait_until_open(&self) -> Result<()> {
        let flows = flows();
        let attempts: Vec<Attempt<'_>> = flows.iter().map(|flow| self.attempt(flow)).collect();
        let deadline = Instant::now() + LINK_DEADLINE;
        while !answers(&attempts, PATIENCE)?.into_iter().all(|answered| answered) {
            ensure!(Instant::now() < deadline, "pods without policy between them do not reach each other");
        }
        Ok(())
    }

    /// Has the node enforce this and nothing of before: all intents have the same objects.
    pub(crate) fn enforce(&mut self, intent: &NodeIntent) -> Result<()> {
        self.dataplane.update(&everything(intent));
        self.dataplane.set_in_sync();
        let applied = self.runtime.block_on(self.dataplane.apply())?;
        ensure!(applied.failures.is_empty(), "not enforced: {:?}", applied.failures);
        ensure!(applied.waiting.is_empty(), "missing: {:?}", applied.waiting);
        Ok(())
    }

    /// Which of them are answered. What surprises is tried again: an answer may be late, and a connection's ports may
    /// be those of one that an earlier intent allowed.
    pub(crate) fn probe(&self, flows: &[Flow], wanted: &[bool]) -> Result<Vec<bool>> {
        let attempts: Vec<Attempt<'_>> = flows.iter().map(|flow| self.attempt(flow)).collect();
        let mut answered: Vec<bool> = answers(&attempts, PATIENCE)?;
        let surprising: Vec<usize> = (0..flows.len()).filter(|index| answered[*index] != wanted[*index]).collect();
        let again: Vec<Attempt<'_>> = surprising.iter().map(|index| attempts[*index]).collect();
        for (index, answer) in surprising.into_iter().zip(answers(&again, SECOND_PATIENCE)?) {
            answered[index] = answer;
        }
        Ok(answered)
    }

    fn attempt(&self, flow: &Flow) -> Attempt<'_> {
        let from = self.lab.pod(&format!("test/{}", flow.from)).expect("made in `new`");
        Attempt { from, to: flow.destination, probe: flow.probe }
    }
}

/// All packets that are sent.
pub(crate) fn flows() -> Vec<Flow> {
    let pairs = (1..=PODS).flat_map(|from| (1..=PODS).filter(move |to| *to != from).map(move |to| (from, to)));
    let flows = pairs.flat_map(|(from, to)| {
        let families = addresses(from).into_iter().zip(addresses(to));
        families
            .flat_map(move |(source, destination)| PROBES.map(|probe| Flow { from, to, source, destination, probe }))
    });
    flows.collect()
}

fn answers(attempts: &[Attempt<'_>], patience: Duration) -> Result<Vec<bool>> {
    Ok(probe::run(attempts, patience)?.into_iter().map(probe::Outcome::is_answered).collect())
}

fn everything(intent: &NodeIntent) -> Delta {
    let routes = (1..=PODS).flat_map(|pod| {
        addresses(pod).map(|address| {
            let route = RouteIntent::LocalWorkload { interface: interface(pod).into() };
            (IpNet::from(address), Some(route))
        })
    });
    Delta {
        ip_sets: intent.ip_sets.iter().map(|(id, set)| (id.clone(), SetChange::Replace(set.clone()))).collect(),
        policies: intent.policies.iter().map(|(id, policy)| (id.clone(), Some(policy.clone()))).collect(),
        profiles: intent.profiles.iter().map(|(id, profile)| (id.clone(), Some(profile.clone()))).collect(),
        endpoints: intent.endpoints.iter().map(|(id, endpoint)| (id.clone(), Some(endpoint.clone()))).collect(),
        routes: routes.collect(),
        config: Some(intent.config.clone()),
    }
}
