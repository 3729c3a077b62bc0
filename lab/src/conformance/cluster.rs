//! The cluster of one case on its way through its steps: objects in, deltas and intents of all nodes out.
//!
//! Objects take the path that they take in production, without the network in between: projection, parsing, calc.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use calc::{Graph, Input, Nodes};
use model::{
    Key,
    intent::{Delta, NodeIntent},
    kubernetes,
    resource::Resource,
};
use serde_json::{Value, json};

use super::{
    Step,
    objects::{self, Objects},
};

/// The tier of Kubernetes network policies, as a new datastore has it.
const DEFAULT_TIER_ORDER: u32 = 1_000_000;

/// One case's cluster.
pub(super) struct Cluster {
    /// What exists; a step changes what differs from the step before.
    objects: Objects,
    /// One graph for all steps, so that later steps prove that changes are computed right.
    graph: Graph,
    /// The sum of all deltas of each node.
    intents: BTreeMap<Arc<str>, NodeIntent>,
}

impl Cluster {
    /// A cluster with nothing in it but the default tier.
    pub(super) fn new() -> Self {
        let mut graph = Graph::new(Nodes::All);
        let tier = json!({
            "metadata": { "name": "default" },
            "spec": { "order": DEFAULT_TIER_ORDER, "defaultAction": "Deny" },
        });
        let key = Key::global(model::Kind::Tier, "default");
        graph.apply(&key, input(&key, &tier));
        Self { objects: Objects::new(), graph, intents: BTreeMap::new() }
    }

    /// Becomes what the step says, and tells what changed for each node.
    pub(super) fn advance(&mut self, step: &Step) -> Result<BTreeMap<Arc<str>, Delta>> {
        let objects = objects::objects(step)?;
        for key in self.objects.keys().filter(|key| !objects.contains_key(key)) {
            self.graph.apply(key, Input::Absent);
        }
        for (key, object) in objects.iter().filter(|(key, object)| self.objects.get(key) != Some(object)) {
            self.graph.apply(key, input(key, object));
        }
        self.objects = objects;
        let deltas = self.graph.flush();
        for (node, delta) in &deltas {
            self.intents.entry(node.clone()).or_default().apply(delta);
        }
        Ok(deltas)
    }

    /// What a node must enforce.
    pub(super) fn intent(&self, node: &str) -> Option<&NodeIntent> {
        self.intents.get(node)
    }
}

/// What the feed and the agent make of an object: absent where it has no projection, invalid where it is broken.
fn input(key: &Key, object: &Value) -> Input {
    let json = object.to_string().into_bytes();
    let projected = match kubernetes::project(key, &json) {
        Ok(None) => return Input::Absent,
        Ok(Some(projected)) => projected,
        Err(error) => return Input::Invalid { reason: error.to_string(), json: json.into() },
    };
    match Resource::parse(key, &projected) {
        Ok(resource) => Input::Present(resource),
        Err(error) => Input::Invalid { reason: error.to_string(), json: projected },
    }
}
