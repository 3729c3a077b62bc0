//! How a cluster came to be what it is: resources applied, broken and deleted one after another, with flushes in
//! between.
//!
//! Whatever the order, the intent of a node is to be a function of what exists in the end, and of the last good version
//! of what is broken then.

use std::{collections::BTreeMap, fmt, sync::Arc};

use calc::{Graph, Input, Nodes};
use model::{Key, intent::NodeIntent, resource::Resource};
use serde_json::Value;

/// Nodes by name, each with the sum of its deltas.
pub(crate) type Intents = BTreeMap<Arc<str>, NodeIntent>;

/// One change of the cluster.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) value: Written,
    /// Whether intent is asked for after it.
    pub(crate) flushes: bool,
}

impl fmt::Debug for Change {
    /// One line, so that the history of a failure can be read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.key)?;
        match &self.value {
            Written::Good(value) => write!(f, "{value}")?,
            Written::Broken(value) => write!(f, "broken {value}")?,
            Written::Nothing => write!(f, "deleted")?,
        }
        if self.flushes { write!(f, "; flush") } else { Ok(()) }
    }
}

/// What a change leaves under its key.
#[derive(Clone, Debug)]
pub(crate) enum Written {
    Good(Value),
    /// Cannot be read, or not be enforced.
    Broken(Value),
    Nothing,
}

/// What is known of one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The last good version since the key came into being.
    pub(crate) good: Option<Value>,
    /// What is there now, where that is broken.
    pub(crate) broken: Option<Value>,
}

/// What is known of each key once all of it happened.
pub(crate) fn known(history: &[Change]) -> BTreeMap<Key, Known> {
    let mut all: BTreeMap<Key, Known> = BTreeMap::new();
    for Change { key, value, .. } in history {
        match value {
            Written::Good(value) => {
                all.insert(key.clone(), Known { good: Some(value.clone()), broken: None });
            }
            Written::Broken(value) => all.entry(key.clone()).or_default().broken = Some(value.clone()),
            Written::Nothing => {
                all.remove(key);
            }
        }
    }
    all
}

/// The shortest history with the same outcome.
pub(crate) fn shortest(history: &[Change]) -> Vec<Change> {
    let versions = known(history).into_iter().flat_map(|(key, known)| {
        let versions = [known.good.map(Written::Good), known.broken.map(Written::Broken)];
        versions.into_iter().flatten().map(move |value| Change { key: key.clone(), value, flushes: false })
    });
    versions.collect()
}

/// The history as the feed tells it: each value in its v3 projection, deleted where it has none.
pub(crate) fn projected(history: &[Change]) -> Vec<Change> {
    let project = |change: &Change| match &change.value {
        Written::Good(value) => project(&change.key, value).map_or(Written::Nothing, Written::Good),
        Written::Broken(value) => {
            let projection = model::kubernetes::project(&change.key, value.to_string().as_bytes());
            assert!(projection.is_err(), "{value} is broken, and yet projected");
            change.value.clone()
        }
        Written::Nothing => Written::Nothing,
    };
    history.iter().map(|change| Change { value: project(change), ..change.clone() }).collect()
}

fn project(key: &Key, value: &Value) -> Option<Value> {
    let projection = model::kubernetes::project(key, value.to_string().as_bytes());
    let json = projection.unwrap_or_else(|error| panic!("{error}: {value}"))?;
    Some(serde_json::from_slice(&json).expect("projections are JSON"))
}

/// What calc says every node must enforce once all of it happened.
pub(crate) fn intents(nodes: Nodes, history: &[Change]) -> Intents {
    let mut graph = Graph::new(nodes);
    let mut intents = Intents::new();
    for change in history {
        graph.apply(&change.key, input(change));
        if change.flushes {
            take_in(&mut intents, &mut graph);
        }
    }
    take_in(&mut intents, &mut graph);
    intents
}

fn input(Change { key, value, .. }: &Change) -> Input {
    match value {
        Written::Good(value) => Input::Present(parse(key, value)),
        Written::Broken(value) => match Resource::parse(key, value.to_string().as_bytes()) {
            Ok(resource) => Input::Present(resource),
            Err(error) => Input::Invalid { reason: error.to_string(), json: value.to_string().into_bytes().into() },
        },
        Written::Nothing => Input::Absent,
    }
}

fn take_in(intents: &mut Intents, graph: &mut Graph) {
    for (node, delta) in graph.flush() {
        intents.entry(node).or_default().apply(&delta);
    }
}

/// Reads what is known to be good.
pub(crate) fn parse(key: &Key, value: &Value) -> Resource {
    Resource::parse(key, value.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {value}"))
}
