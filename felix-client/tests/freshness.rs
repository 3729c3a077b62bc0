//! Clients of replicas that lose the datastore: they find one that has it, and keep what they have where none does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use std::{sync::Arc, time::Duration};

use datastore_adapters::SourceEvent;
use felix_client::sync::{Config, Disconnect, Event, Mode};
use lab::{Lab, Replica, Running};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};

/// A short age, so that the test is short. Ages are told in whole seconds.
const LIMIT: Duration = Duration::from_secs(1);

/// A datastore that lives says so this often.
const PROGRESS: Duration = Duration::from_millis(50);

/// Much longer than it takes to move, several times.
const NO_MORE: Duration = Duration::from_secs(3);

/// Lets a replica's datastore live until the result is dropped.
fn keep_alive(replica: &Replica, revision: u64) -> JoinSet<()> {
    let (source, mut task) = (replica.source.clone(), JoinSet::new());
    task.spawn(async move {
        while source.send(SourceEvent::Progress { revision }).await.is_ok() {
            time::sleep(PROGRESS).await;
        }
    });
    task
}

/// Reads to the next stream; where it is, how it began, and why the one before ended.
async fn moved(client: &mut Running) -> (Arc<str>, Mode, Option<Disconnect>) {
    let mut why = None;
    loop {
        match client.next().await {
            Event::Disconnected { reason, .. } => why = Some(reason),
            Event::Connected { server, mode, .. } => return (server, mode, why),
            Event::Updates(_) | Event::ServerNotInSync => {}
        }
    }
}

/// Reads on for a while; the age of the last checkpoint. Fails where the stream ends.
async fn stays(client: &mut Running) -> Option<Duration> {
    let (end, mut age) = (Instant::now() + NO_MORE, None);
    while let Ok(event) = time::timeout_at(end, client.next()).await {
        match event {
            Event::Updates(updates) => age = Some(updates.upstream_age),
            Event::Disconnected { reason, .. } => panic!("it left: {reason}"),
            Event::Connected { .. } | Event::ServerNotInSync => {}
        }
    }
    age
}

#[tokio::test]
async fn a_client_goes_where_the_datastore_is_and_stays_where_it_is_nowhere() {
    let mut lab = Lab::new();
    lab.fill(100).await;
    let limits = typha::Limits { stale_after: LIMIT, ..typha::Limits::default() };
    let (a, b) = (lab.replica_with("a", limits.clone()).await, lab.replica_with("b", limits).await);
    let (alive_a, alive_b) = (keep_alive(&a, 100), keep_alive(&b, 100));
    let config = Config { upstream_age_limit: LIMIT, ..lab.config(&[a.address(), b.address()]) };
    let mut client = Running::start(config);
    let (first, mode, _) = moved(&mut client).await;
    assert_eq!(mode, Mode::Snapshot);

    // The datastore leaves the replica that serves.
    let (here, there) = if &*first == "a" { (alive_a, alive_b) } else { (alive_b, alive_a) };
    drop(here);
    let (second, mode, why) = moved(&mut client).await;
    assert!(matches!(why, Some(Disconnect::Stale { .. })), "{why:?}");
    assert_ne!(first, second);
    assert_eq!(mode, Mode::Resume);
    stays(&mut client).await;

    // Now the other one too: the client looks at the first again, goes back to the fresher, and remains there.
    drop(there);
    let (third, mode, _) = moved(&mut client).await;
    assert_eq!((third, mode), (first, Mode::Resume));
    let (last, mode, _) = moved(&mut client).await;
    assert_eq!((last, mode), (second, Mode::Resume));
    let age = stays(&mut client).await.expect("checkpoints go on");
    assert!(age >= LIMIT, "the age is told: {age:?}");
}
