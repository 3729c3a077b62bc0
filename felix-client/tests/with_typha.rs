//! The client with the real typha over mutual TLS: snapshots, cuts, resumption here and on a second replica.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use std::{sync::Arc, time::Duration};

use felix_client::sync::{LightClient, LightEvent, Mode, Report};
use lab::{Lab, PATIENCE, Proxy, Running};
use tokio::{sync::mpsc, task::JoinSet, time};
use typha::clients::Point;

#[tokio::test]
async fn a_snapshot_then_changes() {
    let mut lab = Lab::new();
    lab.fill(3000).await;
    let typha = lab.replica("typha-a").await;
    let mut client = Running::start(lab.config(&[typha.address()]));
    assert_eq!(client.reach(3000).await, (vec![Mode::Snapshot], 3000));
    assert_eq!(client.state, lab.state);

    lab.write(&[("tier-00001", None), ("new", Some("{}"))], &[&typha]).await;
    assert_eq!(client.reach(3001).await, (vec![], 2));
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn a_cut_costs_only_what_changed_meanwhile() {
    let mut lab = Lab::new();
    lab.fill(2000).await;
    let typha = lab.replica("typha-a").await;
    let proxy = Proxy::start(typha.address()).await;
    let mut client = Running::start(lab.config(std::slice::from_ref(&proxy.address)));
    client.reach(2000).await;

    proxy.cut().await;
    lab.write(&[("tier-00007", Some("{\"a\": 1}"))], &[&typha]).await;
    lab.write(&[("tier-00008", None)], &[&typha]).await;
    assert_eq!(client.reach(2002).await, (vec![Mode::Resume], 2));
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn a_second_replica_resumes_what_the_first_began() {
    let mut lab = Lab::new();
    lab.fill(2000).await;
    let (first, second) = (lab.replica("typha-a").await, lab.replica("typha-b").await);
    let servers = [first.address(), second.address()];
    let mut client = Running::start(lab.config(&servers));
    client.reach(2000).await;

    lab.write(&[("tier-00007", None), ("new", Some("{}"))], &[&first, &second]).await;
    client.reach(2001).await;
    // Whichever of the two serves it drains; the other has to take over without a snapshot.
    let (leaving, staying) = if first.server.clients().len() == 1 { (first, second) } else { (second, first) };
    lab.write(&[("after", Some("{}"))], &[&staying]).await;
    leaving.server.drain("test").await;
    assert_eq!(client.reach(2002).await, (vec![Mode::Resume], 1));
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn a_replica_that_just_started_takes_its_clients_back() {
    let mut lab = Lab::new();
    lab.fill(500).await;
    let old = lab.replica("typha-a").await;
    let proxy = Proxy::start(old.address()).await;
    let mut client = Running::start(lab.config(std::slice::from_ref(&proxy.address)));
    client.reach(500).await;
    lab.write(&[("late", Some("{}"))], &[]).await;
    let new = lab.replica("typha-a").await;
    proxy.redirect(new.address()).await;
    let (modes, _) = client.reach(501).await;
    assert_eq!(modes.len(), 1);
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn reports_reach_typhas_list_of_clients() {
    let mut lab = Lab::new();
    lab.fill(10).await;
    let typha = lab.replica("typha-a").await;
    let mut client = Running::start(lab.config(&[typha.address()]));
    client.reach(10).await;
    client.reporter.report(Report {
        applied_revision: 10,
        applied_at: std::time::SystemTime::now(),
        failures: Vec::new(),
    });
    let deadline = time::Instant::now() + PATIENCE;
    let written = Point::last_change(&typha.server.board().load().view);
    while typha.server.clients().acks(written, std::time::Instant::now()).applied != 1 {
        assert!(time::Instant::now() < deadline, "the report did not arrive");
        time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn light_clients_count_what_comes() {
    let mut lab = Lab::new();
    lab.fill(100).await;
    let typha = lab.replica("typha-a").await;
    let config = Arc::new(lab.config(&[typha.address()]));
    let (sender, mut counts) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let sender = sender.clone();
        let mut entries = 0;
        let (client, _) = LightClient::new(Arc::clone(&config), format!("node-{number}"), move |event| match event {
            LightEvent::Entry { .. } => entries += 1,
            LightEvent::Checkpoint { revision, in_sync: true, .. } => _ = sender.send((revision, entries)),
            _ => {}
        });
        tasks.spawn(client.run());
    }
    for _ in 0..20 {
        assert_eq!(time::timeout(PATIENCE, counts.recv()).await.unwrap(), Some((100, 100)));
    }
}

#[tokio::test]
async fn a_light_client_takes_more_than_its_window_and_resumes() {
    let mut lab = Lab::new();
    // Four windows of 16 MiB.
    let value: &'static str = "x".repeat(1 << 20).leak();
    for number in 0..64 {
        lab.write(&[(&format!("tier-{number}"), Some(value))], &[]).await;
    }
    let typha = lab.replica("typha-a").await;
    let proxy = Proxy::start(typha.address()).await;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let config = Arc::new(lab.config(std::slice::from_ref(&proxy.address)));
    let (client, _reporter) = LightClient::new(config, "node-1", move |event| match event {
        LightEvent::Connected { mode, .. } => _ = sender.send(format!("{mode}")),
        LightEvent::Checkpoint { revision, .. } => _ = sender.send(format!("revision {revision}")),
        _ => {}
    });
    let mut task = JoinSet::new();
    task.spawn(client.run());
    let mut hear = async || time::timeout(PATIENCE, heard.recv()).await.expect("in time").expect("the client lives");
    assert_eq!((hear().await, hear().await), ("snapshot".to_owned(), "revision 64".to_owned()));
    proxy.cut().await;
    lab.write(&[("late", Some("{}"))], &[&typha]).await;
    assert_eq!((hear().await, hear().await), ("resume".to_owned(), "revision 65".to_owned()));
}
