//! Cells decided without packets: what calc's intents say at the sender and at the receiver.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use calc::verdict::{Direction, Packet, Transport, Verdict, evaluate};
use model::intent::EndpointId;

use super::{
    Case, Cell, Connectivity, Failure, Pod, Step, Tally,
    case::CellPort,
    cluster::Cluster,
    objects::{node_of, pod_key},
};

/// Packets come from a port that no policy speaks of.
const SOURCE_PORT: u16 = 40_000;

/// Decides every cell of every step of a case.
pub fn run(case: &Case) -> Result<Tally> {
    let mut cluster = Cluster::new();
    let mut tally = Tally::default();
    for (index, step) in case.steps.iter().enumerate() {
        let place = || format!("case {}, step {}", case.index, index + 1);
        cluster.advance(step).with_context(place)?;
        let pods = pods_by_name(step);
        for cell in &step.expected {
            let failures = check(&cluster, &pods, cell).with_context(place)?;
            tally.count(failures.into_iter().map(|what| Failure { step: index + 1, what }));
        }
    }
    Ok(tally)
}

/// Pods by the name that cells use.
pub(super) fn pods_by_name(step: &Step) -> BTreeMap<String, &Pod> {
    step.pods.iter().map(|pod| (pod.full_name(), pod)).collect()
}

/// Both ends of a cell, and the number of its port.
pub(super) fn resolve<'a>(pods: &BTreeMap<String, &'a Pod>, cell: &Cell) -> Result<(&'a Pod, &'a Pod, u16)> {
    let find = |name: &str| pods.get(name).copied().with_context(|| format!("a cell names {name}, which is no pod"));
    let (from, to) = (find(&cell.from)?, find(&cell.to)?);
    let port = match &cell.port {
        CellPort::Number(number) => *number,
        CellPort::Name(name) => {
            let named = to.ports.iter().find(|port| port.name == *name && port.protocol == cell.protocol);
            named.with_context(|| format!("a cell names port {name}, which {} does not serve", cell.to))?.number
        }
    };
    Ok((from, to, port))
}

/// What disagrees, in words.
fn check(cluster: &Cluster, pods: &BTreeMap<String, &Pod>, cell: &Cell) -> Result<Vec<String>> {
    let (from, to, port) = resolve(pods, cell)?;
    let packet = Packet {
        source: from.ip,
        destination: to.ip,
        protocol: cell.protocol.number(),
        transport: Transport::Ports { source: SOURCE_PORT, destination: port },
    };
    let egress = decide(cluster, from, Direction::Egress, &packet)?;
    let ingress = decide(cluster, to, Direction::Ingress, &packet)?;
    let mut failures = Vec::new();
    for (what, expected, allowed) in [
        ("ingress", cell.ingress, ingress.allowed),
        ("egress", cell.egress, egress.allowed),
        ("combined", cell.combined, ingress.allowed && egress.allowed),
    ] {
        if expected != Connectivity::when(allowed) {
            failures.push(format!(
                "{} -> {} {} {port}: {what} must be {expected}; egress {egress}; ingress {ingress}",
                cell.from,
                cell.to,
                cell.protocol.number(),
            ));
        }
    }
    Ok(failures)
}

fn decide(cluster: &Cluster, pod: &Pod, direction: Direction, packet: &Packet) -> Result<Verdict> {
    let node = node_of(pod);
    let intent = cluster.intent(node).with_context(|| format!("calc has nothing for {node}"))?;
    Ok(evaluate(intent, &EndpointId(pod_key(pod).to_string().into()), direction, packet))
}
