//! A server that drains asks its clients to go, waits for them within its limit, and accepts nobody new.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use harness::{
    Certificates, Typha,
    client::{Client, State, connect},
    events::{list, put},
    within,
};
use proto::sync::v1::go_away::Kind;
use tokio::net::TcpStream;
use tonic::Code;
use typha::Limits;

#[tokio::test]
async fn clients_are_asked_to_go_and_the_server_ends_when_they_have_gone() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.reach(3).await?;

    let address = typha.address();
    let drained = tokio::spawn(async move { typha.server.drain("an update").await });
    let go_away = client.told_to_go().await?;
    assert_eq!((go_away.reason.as_str(), go_away.within_ms), ("an update", 10_000));
    assert!(!drained.is_finished(), "it waits for its clients");
    assert!(TcpStream::connect(address).await.is_err(), "it accepts nobody");
    drop((client, sync));
    within(drained).await??;
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_go_is_cut_at_the_limit() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let limit = Duration::from_millis(500);
    let typha = Typha::start_with(&certificates, "a", Limits { drain: limit, ..Limits::default() }).await?;
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.reach(3).await?;
    let began = Instant::now();
    within(typha.server.drain("an update")).await?;
    assert!(began.elapsed() >= limit);
    client.told_to_go().await?;
    client.checkpoint().await.expect_err("the connection is gone");
    Ok(())
}

#[tokio::test]
async fn a_client_that_waits_for_the_first_list_is_sent_elsewhere() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    let drained = tokio::spawn(async move { typha.server.drain("an update").await });
    let go_away = client.message().await?.and_then(|batch| batch.go_away).context("it is told why")?;
    assert_eq!((go_away.kind(), go_away.within_ms), (Kind::Draining, 0));
    let status = client.message().await.expect_err("there is nothing to serve");
    assert_eq!((status.code(), status.message().contains("an update")), (Code::Unavailable, true), "{status}");
    drop((client, sync));
    within(drained).await??;
    Ok(())
}
