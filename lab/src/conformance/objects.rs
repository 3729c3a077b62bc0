//! The Kubernetes objects that make up a step, as users would have written them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use model::{Key, Kind};
use serde_json::{Value, json};

use super::{
    Step,
    case::{CellProtocol, Pod},
};

/// The nodes that pods are spread over.
pub(super) const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// Every pod runs under the service account that Kubernetes gives those who name none.
const SERVICE_ACCOUNT: &str = "default";

/// Objects by key.
pub(super) type Objects = BTreeMap<Key, Value>;

/// All objects of a step.
pub(super) fn objects(step: &Step) -> Result<Objects> {
    let mut objects = Objects::new();
    for (namespace, labels) in &step.namespaces {
        let metadata = json!({ "name": namespace, "labels": labels });
        objects.insert(Key::global(Kind::Namespace, namespace.as_str()), json!({ "metadata": metadata }));
        let metadata = json!({ "namespace": namespace, "name": SERVICE_ACCOUNT });
        let key = Key::namespaced(Kind::ServiceAccount, namespace.as_str(), SERVICE_ACCOUNT);
        objects.insert(key, json!({ "metadata": metadata }));
    }
    for pod in &step.pods {
        objects.insert(pod_key(pod), pod_object(pod));
    }
    for policy in &step.policies {
        objects.insert(policy_key(policy)?, policy.clone());
    }
    Ok(objects)
}

/// A pod's key.
pub(super) fn pod_key(pod: &Pod) -> Key {
    Key::namespaced(Kind::Pod, pod.namespace.as_str(), pod.name.as_str())
}

/// The node that hosts a pod. It follows from the pod's name, so that no pod moves when others come and go.
pub(super) fn node_of(pod: &Pod) -> &'static str {
    let sum: usize = pod.full_name().bytes().map(usize::from).sum();
    NODES[sum % NODES.len()]
}

fn pod_object(pod: &Pod) -> Value {
    let ports: Vec<Value> = pod
        .ports
        .iter()
        .map(|port| {
            let protocol = match port.protocol {
                CellProtocol::Tcp => "TCP",
                CellProtocol::Udp => "UDP",
                CellProtocol::Sctp => "SCTP",
            };
            json!({ "name": port.name, "protocol": protocol, "containerPort": port.number })
        })
        .collect();
    json!({
        "metadata": { "namespace": pod.namespace, "name": pod.name, "labels": pod.labels },
        "spec": {
            "nodeName": node_of(pod),
            "serviceAccountName": SERVICE_ACCOUNT,
            "containers": [{ "name": "main", "ports": ports }],
        },
        "status": { "phase": "Running", "podIP": pod.ip, "podIPs": [{ "ip": pod.ip }] },
    })
}

fn policy_key(policy: &Value) -> Result<Key> {
    let metadata = &policy["metadata"];
    let name = metadata["name"].as_str().context("a policy has no metadata.name")?;
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    Ok(Key::namespaced(Kind::KubernetesNetworkPolicy, namespace, name))
}
