//! What clients get over real TLS: snapshots, changes, and only what they lack when they come back.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::time::Instant;

use datastore_adapters::SourceEvent;
use harness::{
    Certificates, Typha,
    client::{Client, State, connect},
    events::{apply, delete, list, put},
    within,
};
use proto::sync::v1::{Failure, ReportRequest, begin::Mode};
use tonic::Code;
use typha::clients::Point;

/// A typha with a hundred keys, as of revision 100.
async fn start(certificates: &Certificates, name: &str) -> anyhow::Result<Typha> {
    let typha = Typha::start(certificates, name).await?;
    let items = (1..=100).map(|number| put(&format!("set-{number:03}"), number, "value")).collect();
    for event in list(100, items) {
        typha.send(event).await?;
    }
    typha.published(100).await?;
    Ok(typha)
}

/// A client that has everything up to revision 100 and has lost its connection.
async fn state(certificates: &Certificates, typha: &Typha) -> anyhow::Result<State> {
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.reach(100).await?;
    Ok(client.state)
}

#[tokio::test]
async fn a_snapshot_then_whole_transactions() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates, "a").await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    let checkpoint = client.checkpoint().await?;
    assert_eq!((checkpoint.revision, checkpoint.in_sync, client.mode()), (100, true, Some(Mode::Snapshot)));
    assert_eq!(
        (client.state.entries.len(), client.begun.as_ref().map(|begin| begin.server.as_str())),
        (100, Some("a"))
    );

    typha.send(apply(vec![put("set-002", 101, "new"), delete("set-001", 101), put("set-101", 101, "3")])).await?;
    let checkpoint = client.checkpoint().await?;
    assert_eq!((checkpoint.revision, client.received), (101, 100 + 3), "the transaction came whole");
    assert!(!client.state.entries.contains_key("GlobalNetworkSet/set-001"));
    Ok(())
}

#[tokio::test]
async fn a_reconnect_to_the_same_replica_transfers_what_changed() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates, "a").await?;
    let state = state(&certificates, &typha).await?;
    typha.send(apply(vec![put("set-005", 101, "new"), delete("set-006", 101)])).await?;
    typha.published(101).await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", state).await?;
    client.reach(101).await?;
    assert_eq!((client.mode(), client.received), (Some(Mode::Resume), 2));
    Ok(())
}

#[tokio::test]
async fn a_reconnect_to_another_replica_transfers_what_changed() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let (one, other) = (start(&certificates, "a").await?, start(&certificates, "b").await?);
    let state = state(&certificates, &one).await?;
    drop(one);
    other.send(apply(vec![put("set-005", 101, "new")])).await?;
    other.published(101).await?;
    let mut sync = connect(other.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", state).await?;
    client.reach(101).await?;
    assert_eq!((client.mode(), client.received), (Some(Mode::Resume), 1));
    Ok(())
}

#[tokio::test]
async fn a_replica_that_has_just_started_transfers_what_changed() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let state = state(&certificates, &start(&certificates, "a").await?).await?;
    let typha = Typha::start(&certificates, "b").await?;
    let unchanged = (1..=99).map(|number| put(&format!("set-{number:03}"), number, "value"));
    for event in list(120, unchanged.chain([put("set-100", 110, "new")]).collect()) {
        typha.send(event).await?;
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", state).await?;
    client.reach(120).await?;
    assert_eq!((client.mode(), client.received), (Some(Mode::Resume), 1));
    Ok(())
}

#[tokio::test]
async fn a_relist_reaches_streams_as_changes() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates, "a").await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.reach(100).await?;
    client.received = 0;
    let items = (11..=100).map(|number| put(&format!("set-{number:03}"), number, "value")).collect();
    for event in list(130, items) {
        typha.send(event).await?;
    }
    client.reach(130).await?;
    assert_eq!((client.received, client.state.entries.len()), (10, 90), "only the deletions");
    Ok(())
}

#[tokio::test]
async fn a_position_whose_digest_is_wrong_gets_a_snapshot() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates, "a").await?;
    let mut state = state(&certificates, &typha).await?;
    state.entries.remove("GlobalNetworkSet/set-007");
    if let Some(position) = &mut state.position {
        position.digest = vec![1; 16].into();
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", state).await?;
    client.reach(100).await?;
    assert_eq!((client.mode(), client.state.entries.len()), (Some(Mode::Snapshot), 100));
    Ok(())
}

#[tokio::test]
async fn a_client_that_comes_before_the_first_list_gets_everything_at_once_when_it_is_there() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    let [init, items, done] = list(9, vec![put("one", 3, "1")]);
    typha.send(init).await?;
    typha.send(items).await?;
    typha.send(SourceEvent::Unavailable { reason: "a pause".to_owned() }).await?;
    typha.send(done).await?;
    let checkpoint = client.checkpoint().await?;
    assert_eq!((checkpoint.revision, checkpoint.in_sync, client.received), (9, true, 1));
    Ok(())
}

#[tokio::test]
async fn a_snapshot_of_many_messages_arrives_whole_while_the_state_changes() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let value = "v".repeat(2000);
    let items = (1..=2000).map(|number| put(&format!("set-{number:04}"), number, value.clone())).collect();
    for event in list(2000, items) {
        typha.send(event).await?;
    }
    typha.published(2000).await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    for revision in 2001..=2200 {
        let name = format!("set-{:04}", revision * 7 % 2000 + 1);
        let update = if revision % 3 == 0 { delete(&name, revision) } else { put(&name, revision, "new") };
        typha.send(apply(vec![update])).await?;
    }
    client.reach(2200).await?;
    Ok(())
}

#[tokio::test]
async fn methods_and_requests_that_make_no_sense_are_refused_by_name() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates, "a").await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let nameless = Client::subscribe(&mut sync, "", State::default()).await;
    let status = nameless.map(|_| ()).expect_err("a node has a name").downcast::<tonic::Status>()?;
    assert_eq!((status.code(), status.message().contains("node")), (Code::InvalidArgument, true), "{status}");

    let endless = "n".repeat(300 << 10);
    let endless = Client::subscribe(&mut sync, &endless, State::default()).await;
    let status = endless.map(|_| ()).expect_err("too long").downcast::<tonic::Status>()?;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");

    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    within(client.reach(100)).await??;
    Ok(())
}

#[tokio::test]
async fn a_report_counts_for_the_connections_own_nodes_and_for_what_there_is() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates, "a").await?;
    let (mut own, mut other) = (
        connect(typha.address(), certificates.client()?).await?,
        connect(typha.address(), certificates.client()?).await?,
    );
    let mut client = Client::subscribe(&mut own, "node-1", State::default()).await?;
    let mut stranger = Client::subscribe(&mut other, "node-2", State::default()).await?;
    client.reach(100).await?;
    stranger.reach(100).await?;
    let report = |node: &str, applied_revision| ReportRequest {
        node: node.to_owned(),
        applied_revision,
        failures: vec![Failure { object: "é".repeat(1000), reason: "x".repeat(5000) }],
        ..ReportRequest::default()
    };
    let foreign = other.report(report("node-1", 100)).await.expect_err("it is not its node");
    assert_eq!((foreign.code(), foreign.message().contains("node-1")), (Code::PermissionDenied, true), "{foreign}");
    let ahead = own.report(report("node-1", 101)).await.expect_err("nobody knows that revision");
    assert_eq!((ahead.code(), ahead.message().contains("101")), (Code::FailedPrecondition, true), "{ahead}");
    let list = || typha.server.clients().list(Point::last_change(&typha.server.board().load().view), Instant::now());
    assert!(list().iter().all(|client| client.applied_revision.is_none()));

    own.report(report("node-1", 100)).await?;
    let client = &list()[0];
    assert_eq!(client.applied_revision, Some(100));
    let failure = &client.failures[0];
    assert_eq!((failure.object.as_str(), failure.reason.len()), ("é".repeat(300).as_str(), 1000));
    Ok(())
}

#[tokio::test]
async fn what_was_reported_before_the_datastore_was_replaced_does_not_count_after() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates, "a").await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.reach(100).await?;
    let report = |applied_revision| {
        let node = "node-1".to_owned();
        ReportRequest { node, applied_revision, ..ReportRequest::default() }
    };
    sync.report(report(100)).await?;
    let applied = || {
        let last_change = Point::last_change(&typha.server.board().load().view);
        typha.server.clients().acks(last_change, Instant::now()).applied
    };
    assert_eq!(applied(), 1);
    typha.send(SourceEvent::Init { datastore_id: 99 }).await?;
    typha.send(SourceEvent::InitItems(vec![put("other", 3, "value")])).await?;
    typha.send(SourceEvent::InitDone { revision: 3 }).await?;
    client.state.position = None;
    while client.begun.as_ref().is_some_and(|begin| begin.datastore_id != 99) {
        client.checkpoint().await?;
    }
    assert_eq!(applied(), 0, "it enforces what there was");
    sync.report(report(3)).await?;
    assert_eq!(applied(), 1);
    Ok(())
}
