//! A datastore that is written to all the time, and names that have the addresses of its replicas.

use std::{
    future, io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use datastore_adapters::SourceEvent;
use felix_client::sync::{Lookup, Resolve};
use model::{Key, Kind, Update};
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};
use typha::Limits;

use crate::{
    fleet::node,
    lab::{Lab, PATIENCE, Replica},
};

/// Long enough for all to move one after the other on a busy machine.
const DRAIN: Duration = Duration::from_secs(8);

/// Between two writes.
const PACE: Duration = Duration::from_millis(5);

/// A headless Service: its addresses are what the test says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service(pub(crate) Arc<Mutex<Vec<SocketAddr>>>);

impl Service {
    pub(crate) fn add(&self, replica: &Replica) {
        self.0.lock().unwrap().push(replica.server.address());
    }
}

impl Resolve for Service {
    fn resolve<'a>(&'a self, _: &'a str) -> Lookup<'a> {
        Box::pin(future::ready(Ok(self.0.lock().unwrap().clone())))
    }
}

/// Fails until it is told an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct LateDns(pub(crate) Service);

impl Resolve for LateDns {
    fn resolve<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        let is_empty = self.0.0.lock().unwrap().is_empty();
        if is_empty { Box::pin(future::ready(Err(io::Error::other("no such host")))) } else { self.0.resolve(name) }
    }
}

/// A datastore that is written to all the time; each write makes a key of its own, so that none can stand for another.
pub(crate) struct World {
    pub(crate) lab: Lab,
    /// Where writes go. One that is gone takes none any more.
    pub(crate) sources: Vec<mpsc::Sender<SourceEvent>>,
}

impl World {
    /// A cluster of so many nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        let mut lab = Lab::new();
        for number in 0..nodes {
            lab.revision += 1;
            lab.state.insert(Key::global(Kind::Node, node(number)), (Bytes::from_static(b"{}"), lab.revision));
        }
        Self { lab, sources: Vec::new() }
    }

    pub(crate) async fn replica(&mut self, name: &str) -> Replica {
        let replica = self.lab.replica_with(name, Limits { drain: DRAIN, ..Limits::default() }).await;
        self.sources.push(replica.source.clone());
        replica
    }

    pub(crate) async fn write(&mut self) {
        self.lab.revision += 1;
        let (revision, value) = (self.lab.revision, Bytes::from_static(b"{}"));
        let key = Key::global(Kind::Tier, format!("write-{revision}"));
        self.lab.state.insert(key.clone(), (value.clone(), revision));
        let updates = vec![Update { key, value: Some(value), revision }];
        for source in &self.sources {
            let _ = source.send(SourceEvent::Apply { revision, updates: updates.clone() }).await;
        }
    }

    /// Writes until something is so.
    pub(crate) async fn write_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "it did not happen: {what}");
            self.write().await;
            time::sleep(PACE).await;
        }
    }
}
