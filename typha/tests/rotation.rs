//! Certificates are replaced while streams are open.

mod harness;

use std::{fs, sync::Arc, time::Duration};

use harness::{
    Certificates, Typha, admin, client,
    client::{Client, State},
    events::{apply, list, put},
    until,
};
use pki::{Peers, development::Request};
use typha::Limits;

const LIMITS: fn() -> Limits = || Limits { certificates_every: Duration::from_millis(20), ..Limits::default() };

#[tokio::test]
async fn a_new_ca_is_followed_and_an_open_stream_lives_on() -> anyhow::Result<()> {
    let old = Certificates::new()?;
    let typha = Typha::start_with(&old, "typha-a", LIMITS()).await?;
    for event in list(5, vec![put("a", 5, "1")]) {
        typha.send(event).await?;
    }
    let old_tls = old.client()?;
    let mut sync = client::connect(typha.address(), Arc::clone(&old_tls)).await?;
    let mut stream = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    stream.reach(5).await?;

    // The server's files are replaced in place by those of another authority.
    let new = Certificates::new()?;
    new.authority.write(
        old.path(),
        "typha",
        &Request { hosts: vec!["typha".to_owned()], ..Request::named("typha") },
    )?;
    let new_tls = new.client()?;
    until("a client of the new CA is let in", async || {
        Ok(client::connect(typha.address(), Arc::clone(&new_tls)).await.is_ok())
    })
    .await?;
    let mut other = client::connect(typha.address(), new_tls).await?;
    Client::subscribe(&mut other, "node-2", State::default()).await?.reach(5).await?;
    assert!(client::connect(typha.address(), old_tls).await.is_err(), "the old CA vouches for nobody any more");

    typha.send(apply(vec![put("a", 6, "2")])).await?;
    stream.reach(6).await?;
    Ok(())
}

#[tokio::test]
async fn a_broken_certificate_is_counted_and_the_old_one_serves() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start_with(&certificates, "typha-a", LIMITS()).await?;
    let tls = certificates.client()?;
    fs::write(certificates.path().join("typha.crt"), "garbage")?;
    let address = typha.server.admin_address().expect("it has one");
    until("the failure is counted", async || {
        let (_, metrics) = admin::get(address, "/metrics").await?;
        Ok(metrics.contains("typha_certificate_reload_failures_total 1"))
    })
    .await?;
    client::connect(typha.address(), tls).await?;
    // The client's half of the handshake is over before the server's.
    until("the handshake is counted", async || {
        let (_, metrics) = admin::get(address, "/metrics").await?;
        Ok(metrics.contains("typha_handshakes_total{kind=\"full\"} 1"))
    })
    .await?;
    let (_, metrics) = admin::get(address, "/metrics").await?;
    assert!(metrics.contains("typha_certificate_expiry_seconds{certificate=\"own\"} "), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_its_tls_session() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "typha-a").await?;
    for event in list(5, vec![put("a", 5, "1")]) {
        typha.send(event).await?;
    }
    let files = certificates.issue(&Request::named("felix"))?;
    let tls = Arc::new(pki::load_client(&files, &Peers::common_name("typha"))?);
    for _ in 0..3 {
        let mut sync = client::connect(typha.address(), Arc::clone(&tls)).await?;
        Client::subscribe(&mut sync, "node-1", State::default()).await?.reach(5).await?;
    }
    let address = typha.server.admin_address().expect("it has one");
    let (_, metrics) = admin::get(address, "/metrics").await?;
    assert!(metrics.contains("typha_handshakes_total{kind=\"resumed\"} 2"), "{metrics}");
    Ok(())
}
