//! The examples folder: which nodes and pods the laboratory must have, and which files the steps apply.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use ipnet::IpNet;
use lab::net::Listen;
use serde_json::Value;

use crate::expected::Expected;

/// What the quickstart reads before it starts.
#[derive(Debug)]
pub(crate) struct Examples {
    /// Manifests of the cluster and the shop.
    pub(crate) shop: PathBuf,
    /// The shop team's policies, as they are at first.
    pub(crate) shop_policies: PathBuf,
    /// A change to one of them.
    pub(crate) policy_change: PathBuf,
    /// A pod that comes later.
    pub(crate) arriving_pod: PathBuf,
    /// Nodes of the manifests.
    pub(crate) nodes: Vec<NodeExample>,
    /// Pods of the manifests.
    pub(crate) pods: Vec<PodExample>,
    /// The pod that comes later.
    pub(crate) arrival: PodExample,
    /// Who may reach whom.
    pub(crate) expected: Expected,
}

/// A node, as far as a namespace can be one.
#[derive(Clone, Debug)]
pub(crate) struct NodeExample {
    pub(crate) name: String,
    pub(crate) address: IpNet,
}

/// A pod, as far as a namespace can be one.
#[derive(Clone, Debug)]
pub(crate) struct PodExample {
    pub(crate) node: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) listen: Vec<Listen>,
}

impl PodExample {
    /// `namespace/name`, as the expected matrix names it.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Examples {
    /// Reads the folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("reading the examples in {}", folder.display()))?;
        let shop = folder.join("shop");
        let arriving_pod = folder.join("steps/arriving-pod.yaml");
        let documents = documents_of_folder(&shop)?;
        let arrivals = pods(&documents_of_file(&arriving_pod)?)?;
        let Some(arrival) = arrivals.into_iter().next() else { bail!("{}: no Pod in it", arriving_pod.display()) };
        Ok(Self {
            shop_policies: shop.join("40-kubernetes-policies.yaml"),
            policy_change: folder.join("steps/policy-change.yaml"),
            nodes: nodes(&documents)?,
            pods: pods(&documents)?,
            expected: Expected::read(&folder.join("expected.yaml"))?,
            shop,
            arriving_pod,
            arrival,
        })
    }
}

fn documents_of_folder(folder: &Path) -> Result<Vec<Value>> {
    let listing = || format!("listing {}", folder.display());
    let entries: Result<Vec<PathBuf>, _> =
        fs::read_dir(folder).with_context(listing)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = entries.with_context(listing)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let documents: Result<Vec<Vec<Value>>> = files.iter().map(|file| documents_of_file(file)).collect();
    Ok(documents?.concat())
}

fn documents_of_file(file: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("reading {}", file.display()))
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    documents.iter().filter(move |document| document["kind"] == kind)
}

fn nodes(documents: &[Value]) -> Result<Vec<NodeExample>> {
    of_kind(documents, "Node")
        .map(|node| {
            let name = text(node, "/metadata/name")?.to_owned();
            let address = text(node, "/spec/bgp/ipv4Address")?;
            let address = address.parse().with_context(|| format!("node {name}: spec.bgp.ipv4Address {address:?}"))?;
            Ok(NodeExample { name, address })
        })
        .collect()
}

fn pods(documents: &[Value]) -> Result<Vec<PodExample>> {
    of_kind(documents, "Pod")
        .map(|pod| {
            let name = text(pod, "/metadata/name")?.to_owned();
            let address = text(pod, "/status/podIP")?;
            Ok(PodExample {
                node: text(pod, "/spec/nodeName")?.to_owned(),
                namespace: text(pod, "/metadata/namespace")?.to_owned(),
                address: address.parse().with_context(|| format!("pod {name}: status.podIP {address:?}"))?,
                listen: ports(pod).with_context(|| format!("pod {name}: ports of its first container"))?,
                name,
            })
        })
        .collect()
}

fn ports(pod: &Value) -> Result<Vec<Listen>> {
    let Some(ports) = pod.pointer("/spec/containers/0/ports").and_then(Value::as_array) else { return Ok(Vec::new()) };
    ports
        .iter()
        .map(|port| {
            let number = port["containerPort"].as_u64().and_then(|number| u16::try_from(number).ok());
            match (port["protocol"].as_str(), number) {
                (Some("UDP"), Some(number)) => Ok(Listen::Udp(number)),
                (Some("TCP") | None, Some(number)) => Ok(Listen::Tcp(number)),
                _ => bail!("{port} is neither a TCP nor a UDP port"),
            }
        })
        .collect()
}

fn text<'a>(document: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = document.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("{} has no {}", document["kind"], pointer.trim_start_matches('/').replace('/', ".")))
}

#[cfg(test)]
mod tests;
