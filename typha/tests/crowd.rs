//! A port where every place is taken: those who have not shown a certificate make room for who has one, and nobody else.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::time::Duration;

use harness::{
    Certificates, Typha, admin,
    client::{Client, State, connect},
    events::{list, put},
    until, within,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use typha::Limits;

const PLACES: usize = 4;

/// A handshake may take as long as the whole test, so that time makes no room.
async fn small(certificates: &Certificates) -> anyhow::Result<Typha> {
    let limits = Limits { connections: PLACES, handshake: Duration::from_mins(1), ..Limits::default() };
    let typha = Typha::start_with(certificates, "a", limits).await?;
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    Ok(typha)
}

#[tokio::test]
async fn who_does_not_shake_hands_keeps_nobody_out() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = small(&certificates).await?;
    let mut silent = Vec::new();
    for _ in 0..PLACES {
        silent.push(TcpStream::connect(typha.address()).await?);
    }
    let mut agents = Vec::new();
    for number in 0..PLACES {
        let mut sync = within(connect(typha.address(), certificates.client()?)).await??;
        let mut agent = Client::subscribe(&mut sync, &format!("node-{number}"), State::default()).await?;
        agent.reach(3).await?;
        agents.push((agent, sync));
    }
    for mut stream in silent {
        // However it is closed: an error says that it is, too.
        let _ = within(stream.read_to_end(&mut Vec::new())).await?;
    }
    let address = typha.server.admin_address().expect("it has one");
    until("those who made room are counted", async || {
        let (_, metrics) = admin::get(address, "/metrics").await?;
        Ok(metrics.contains(&format!("typha_rejections_total{{reason=\"too many connections\"}} {PLACES}")))
    })
    .await
}

#[tokio::test]
async fn who_has_shown_a_certificate_makes_room_for_nobody() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = small(&certificates).await?;
    let mut agents = Vec::new();
    for number in 0..PLACES {
        let mut sync = connect(typha.address(), certificates.client()?).await?;
        let mut agent = Client::subscribe(&mut sync, &format!("node-{number}"), State::default()).await?;
        agent.reach(3).await?;
        agents.push((agent, sync));
    }
    let mut beyond = TcpStream::connect(typha.address()).await?;
    let _ = within(beyond.read_to_end(&mut Vec::new())).await?;
    typha.send(harness::events::apply(vec![put("two", 4, "2")])).await?;
    for (agent, _) in &mut agents {
        agent.reach(4).await?;
    }
    Ok(())
}
