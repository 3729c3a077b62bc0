//! Many clients at once, light ones and full ones, and what each of them went through.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use felix_client::sync::{Client, Config, Disconnect, Event, LightClient, LightEvent, Mode};
use model::Version;
use tokio::{sync::mpsc, task::JoinSet};

pub(crate) const LIGHT_CLIENTS: usize = 60;
pub(crate) const FULL_CLIENTS: usize = 3;
pub(crate) const CLIENTS: usize = LIGHT_CLIENTS + FULL_CLIENTS;

/// What one client went through.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// The replicas that served it, in order.
    pub(crate) servers: Vec<String>,
    pub(crate) snapshots: usize,
    /// Why streams ended. To be referred to another replica at first is none of that.
    pub(crate) disconnects: Vec<String>,
    /// How far it is, after each checkpoint.
    pub(crate) revision: Version,
    /// Checkpoints that went back.
    pub(crate) back: usize,
    /// The revisions of all changes that came.
    pub(crate) seen: BTreeSet<Version>,
}

impl Story {
    pub(crate) fn connected(&mut self, server: &str, mode: Mode) {
        self.servers.push(server.to_owned());
        self.snapshots += usize::from(mode == Mode::Snapshot);
    }

    pub(crate) fn disconnected(&mut self, reason: &Disconnect) {
        if !self.servers.is_empty() {
            self.disconnects.push(reason.to_string());
        }
    }

    pub(crate) fn reached(&mut self, revision: Version) {
        self.back += usize::from(revision < self.revision);
        self.revision = revision;
    }
}

pub(crate) type Stories = Vec<Arc<Mutex<Story>>>;

pub(crate) fn node(number: usize) -> String {
    format!("node-{number:02}")
}

/// All clients, and what they went through.
pub(crate) struct Fleet {
    pub(crate) stories: Stories,
    _tasks: JoinSet<()>,
}

impl Fleet {
    pub(crate) fn start(config: Config) -> Self {
        let (config, mut tasks) = (Arc::new(config), JoinSet::new());
        let stories: Stories = (0..CLIENTS).map(|_| Arc::default()).collect();
        for (number, story) in stories.iter().enumerate() {
            if number < LIGHT_CLIENTS {
                let story = Arc::clone(story);
                let (client, _) =
                    LightClient::new(Arc::clone(&config), node(number), move |event| light(&story, &event));
                tasks.spawn(client.run());
            } else {
                let (client, _) = Client::new(Arc::clone(&config), node(number));
                let (sender, events) = mpsc::channel(4);
                tasks.spawn(client.run(sender));
                tasks.spawn(full(Arc::clone(story), events));
            }
        }
        Self { stories, _tasks: tasks }
    }

    /// Whether something holds for each client.
    pub(crate) fn all(&self, holds: impl Fn(&Story) -> bool) -> bool {
        self.stories.iter().all(|story| holds(&story.lock().unwrap()))
    }

    /// The replica that serves each client now.
    pub(crate) fn servers(&self) -> Vec<String> {
        self.stories.iter().map(|story| story.lock().unwrap().servers.last().cloned().unwrap_or_default()).collect()
    }

    /// How many clients each replica serves.
    pub(crate) fn loads(&self) -> BTreeMap<String, usize> {
        let mut loads = BTreeMap::new();
        for server in self.servers() {
            *loads.entry(server).or_default() += 1;
        }
        loads
    }

    /// Nothing was lost, nobody began anew or went back, and no stream ended before another took its place.
    pub(crate) fn check(&self, first: Version, last: Version) {
        for (number, story) in self.stories.iter().enumerate() {
            let story = story.lock().unwrap();
            let missed: Vec<_> = (first..=last).filter(|revision| !story.seen.contains(revision)).collect();
            let servers = &story.servers;
            assert!(missed.is_empty(), "{}: missed {missed:?} on its way over {servers:?}", node(number));
            let disconnects = &story.disconnects;
            assert!(disconnects.is_empty(), "{}: on its way over {servers:?}: {disconnects:?}", node(number));
            assert_eq!((story.snapshots, story.back), (1, 0), "{}: {servers:?}", node(number));
        }
    }
}

pub(crate) fn light(story: &Mutex<Story>, event: &LightEvent<'_>) {
    let mut story = story.lock().unwrap();
    match event {
        LightEvent::Connected { server, mode } => story.connected(server, *mode),
        LightEvent::Entry { revision, .. } => _ = story.seen.insert(*revision),
        LightEvent::Checkpoint { revision, .. } => story.reached(*revision),
        LightEvent::Disconnected { reason, .. } => story.disconnected(reason),
    }
}

pub(crate) async fn full(story: Arc<Mutex<Story>>, mut events: mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        let mut story = story.lock().unwrap();
        match event {
            Event::Connected { server, mode, .. } => story.connected(&server, mode),
            Event::Updates(updates) => {
                story.seen.extend(updates.updates.iter().map(|update| update.revision));
                story.reached(updates.revision);
            }
            Event::Disconnected { reason, .. } => story.disconnected(&reason),
            Event::ServerNotInSync => {}
        }
    }
}
