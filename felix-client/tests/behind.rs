//! A replica that has seen less than the client: it waits until it has caught up, and where it does not, refers the
//! client to others. Nothing ever goes back in time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use std::time::Duration;

use datastore_adapters::SourceEvent;
use felix_client::sync::{Disconnect, Event, Mode};
use lab::{Lab, PATIENCE, Proxy, Replica, Running};
use model::Update;
use tokio::time;

/// A port that nothing listens on: connections through a proxy to it break.
const NOWHERE: &str = "127.0.0.1:1";

/// Hands a replica everything that the datastore holds since a revision.
async fn catch_up(lab: &Lab, replica: &Replica, since: u64) {
    for (key, (value, revision)) in lab.state.iter().filter(|(_, (_, revision))| *revision > since) {
        let (revision, value) = (*revision, Some(value.clone()));
        let updates = vec![Update { key: key.clone(), value, revision }];
        replica.source.send(SourceEvent::Apply { revision, updates }).await.unwrap();
    }
}

async fn until_subscribed(replica: &Replica) {
    let deadline = time::Instant::now() + PATIENCE;
    while replica.server.clients().is_empty() {
        assert!(time::Instant::now() < deadline, "the client does not come");
        time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_replica_that_is_behind_waits_until_it_has_caught_up() {
    let mut lab = Lab::new();
    lab.fill(100).await;
    let (first, behind) = (lab.replica("typha-a").await, lab.replica("typha-b").await);
    let proxy = Proxy::start(first.address()).await;
    let mut client = Running::start(lab.config(std::slice::from_ref(&proxy.address)));
    client.reach(100).await;
    lab.write(&[("new", Some("{}"))], &[&first]).await;
    client.reach(101).await;

    proxy.redirect(behind.address()).await;
    until_subscribed(&behind).await;
    catch_up(&lab, &behind, 100).await;
    lab.write(&[("newer", Some("{}"))], &[&behind]).await;
    assert_eq!(client.reach(102).await, (vec![Mode::Resume], 1));
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn a_replica_that_stays_behind_refers_the_client_to_others() {
    let mut lab = Lab::new();
    lab.fill(100).await;
    let (first, behind) = (lab.replica("typha-a").await, lab.replica("typha-b").await);
    let to_first = Proxy::start(first.address()).await;
    let to_behind = Proxy::start(NOWHERE.to_owned()).await;
    let mut client = Running::start(lab.config(&[to_first.address.clone(), to_behind.address.clone()]));
    client.reach(100).await;
    lab.write(&[("new", Some("{}"))], &[&first]).await;
    client.reach(101).await;

    to_behind.redirect(behind.address()).await;
    to_first.redirect(NOWHERE.to_owned()).await;
    until_subscribed(&behind).await;
    to_first.redirect(first.address()).await;
    loop {
        match client.next().await {
            Event::Disconnected { reason: Disconnect::Referred { reason, .. }, .. } => {
                assert!(reason.contains("at revision 100 and the client at 101"), "{reason}");
                break;
            }
            Event::Updates(updates) => client.take(updates),
            _ => {}
        }
    }
    lab.write(&[("newer", Some("{}"))], &[&first]).await;
    assert_eq!(client.reach(102).await, (vec![Mode::Resume], 1));
    assert_eq!(client.state, lab.state);
}
