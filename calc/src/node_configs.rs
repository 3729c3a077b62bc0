//! FelixConfigurations into the settings of each node: `default` for all, `node.NAME` laid over it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{intent::NodeConfig, resource::FelixConfigurationSpec};

use crate::{graph::Nodes, output::Output};

/// The settings of all nodes are by this name.
const OF_ALL: &str = "default";

/// The settings of one node are by this and the node's name.
const OF_NODE: &str = "node.";

/// Settings as they are given, and as nodes were told.
pub(crate) struct NodeConfigs {
    wanted: Nodes,
    /// For all nodes and for wanted ones, by the resource's name.
    given: BTreeMap<String, FelixConfigurationSpec>,
    /// What wanted nodes have, where it is not the default.
    told: BTreeMap<Arc<str>, NodeConfig>,
    /// Whether `given` changed since the last [`Self::publish`].
    changed: bool,
}

impl NodeConfigs {
    pub(crate) fn new(wanted: Nodes) -> Self {
        Self { wanted, given: BTreeMap::new(), told: BTreeMap::new(), changed: false }
    }

    /// Why settings of this name are not honoured, where they are not.
    pub(crate) fn check(name: &str, spec: &FelixConfigurationSpec) -> Result<(), String> {
        if is_chosen_by_name(name) || spec.node_selector.is_none() {
            return Ok(());
        }
        Err("spec.nodeSelector: settings for selected nodes are not honoured yet; name them node.NAME instead"
            .to_owned())
    }

    /// Takes settings in, or out.
    pub(crate) fn set(&mut self, name: &str, spec: Option<FelixConfigurationSpec>) {
        let is_ours = name == OF_ALL || name.strip_prefix(OF_NODE).is_some_and(|node| self.wanted.want(node));
        if !is_ours {
            return;
        }
        self.changed = true;
        match spec {
            Some(spec) => self.given.insert(name.to_owned(), spec),
            None => self.given.remove(name),
        };
    }

    /// Whether settings of this name are in force.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Tells wanted nodes what changed for them. `existing` are those that are known by what they host or are.
    pub(crate) fn publish(&mut self, existing: &BTreeSet<Arc<str>>, existing_changed: bool, output: &mut Output) {
        if !std::mem::take(&mut self.changed) && !existing_changed {
            return;
        }
        let told = std::mem::take(&mut self.told);
        for node in self.nodes(existing) {
            let config = self.resolve(&node);
            if told.get(&node).map_or(config != NodeConfig::default(), |told| *told != config) {
                output.delta(&node).config = Some(config.clone());
            }
            if config != NodeConfig::default() {
                self.told.insert(node, config);
            }
        }
        for node in told.keys().filter(|node| !self.told.contains_key(*node)) {
            output.delta(node).config = Some(NodeConfig::default());
        }
    }

    /// Who has settings: who exists, who has settings of its own, and who alone is asked about.
    fn nodes(&self, existing: &BTreeSet<Arc<str>>) -> BTreeSet<Arc<str>> {
        let own = self.given.keys().filter_map(|name| Some(Arc::from(name.strip_prefix(OF_NODE)?)));
        let mut nodes: BTreeSet<_> = existing.iter().cloned().chain(own).collect();
        if let Nodes::One(node) = &self.wanted {
            nodes.insert(node.clone());
        }
        nodes
    }

    fn resolve(&self, node: &str) -> NodeConfig {
        let mut config = NodeConfig::default();
        let names = [OF_ALL.to_owned(), format!("{OF_NODE}{node}")];
        for spec in names.iter().filter_map(|name| self.given.get(name)) {
            spec.lay_over(&mut config);
        }
        config
    }
}

fn is_chosen_by_name(name: &str) -> bool {
    name == OF_ALL || name.starts_with(OF_NODE)
}
