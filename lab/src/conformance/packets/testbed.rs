//! The laboratory that one case runs in: three nodes with a dataplane each, and the case's pods.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use dataplane::{Config, Dataplane};
use ipnet::{IpNet, Ipv4Net};
use model::intent::Delta;
use tokio::runtime::{self, Runtime};

use crate::{
    conformance::{
        CellProtocol, Pod, Step,
        objects::{NODES, node_of},
    },
    net::{self, Lab, Listen},
};

/// Nodes live in the prefix for carriers' own networks, where cases have no pods.
const FABRIC: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(100, 64, 0, 1), 24);

/// Nodes, pods and dataplanes.
pub(super) struct Testbed {
    /// Each in its node's namespace, with nothing else in the kernel to make it wait.
    dataplanes: BTreeMap<&'static str, Dataplane>,
    /// Drives the dataplanes.
    runtime: Runtime,
    /// Nodes and pods.
    lab: Lab,
    /// The case's pods as they are wired now.
    pods: Vec<Pod>,
}

impl Testbed {
    /// Nodes without pods, each with an empty dataplane.
    pub(super) fn new() -> Result<Self> {
        let mut lab = Lab::with_fabric_address(FABRIC.into())?;
        let mut dataplanes = BTreeMap::new();
        for (name, address) in NODES.into_iter().zip(FABRIC.hosts().skip(1)) {
            let address = IpNet::new(address.into(), FABRIC.prefix_len())?;
            let node = lab.add_node(name, address)?;
            let dataplane = node.netns().run(|| Ok(Dataplane::new(Config::default())))?;
            dataplanes.insert(name, dataplane.with_context(|| format!("the dataplane of {name}"))?);
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { dataplanes, runtime, lab, pods: Vec::new() })
    }

    /// Adds and removes pods until they are those of the step.
    pub(super) fn wire(&mut self, step: &Step) -> Result<()> {
        let is_same = |a: &Pod, b: &Pod| a.full_name() == b.full_name() && a.ip == b.ip;
        for gone in self.pods.iter().filter(|old| !step.pods.iter().any(|pod| is_same(old, pod))) {
            self.lab.remove_pod(&gone.full_name());
        }
        for pod in step.pods.iter().filter(|pod| !self.pods.iter().any(|old| is_same(old, pod))) {
            let wired = self.lab.add_pod(node_of(pod), &pod.namespace, &pod.name, &[pod.ip])?;
            wired.listen(&listens(pod))?;
        }
        self.pods.clone_from(&step.pods);
        Ok(())
    }

    /// Has every node enforce what changed for it.
    pub(super) fn enforce(&mut self, deltas: &BTreeMap<Arc<str>, Delta>) -> Result<()> {
        for (node, dataplane) in &mut self.dataplanes {
            if let Some(delta) = deltas.get(*node) {
                dataplane.update(delta);
            }
            dataplane.set_in_sync();
            let applied = self.runtime.block_on(dataplane.apply()).with_context(|| format!("the kernel of {node}"))?;
            ensure!(applied.failures.is_empty(), "{node} does not enforce {:?}", applied.failures);
            ensure!(applied.waiting.is_empty(), "{node} misses the interfaces {:?}", applied.waiting);
        }
        Ok(())
    }

    /// A pod by `namespace/name`.
    pub(super) fn pod(&self, full_name: &str) -> Result<&net::Pod> {
        self.lab.pod(full_name).with_context(|| format!("a cell names {full_name}, which is no pod"))
    }
}

fn listens(pod: &Pod) -> Vec<Listen> {
    let ports: BTreeSet<Listen> = pod
        .ports
        .iter()
        .filter_map(|port| match port.protocol {
            CellProtocol::Tcp => Some(Listen::Tcp(port.number)),
            CellProtocol::Udp => Some(Listen::Udp(port.number)),
            CellProtocol::Sctp => None,
        })
        .collect();
    ports.into_iter().collect()
}
