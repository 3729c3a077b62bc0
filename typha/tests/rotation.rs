//! Certificates are replaced while streams are open.

mod harness;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use harness::{
    Certificates, Typha, admin, client,
    client::{Client, State},
    events::{apply, list, put},
    until, within,
};
use pki::{
    Files, Peers, Refresh,
    development::{Authority, Issued, Request, Volume},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
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

/// Certificates' dates are in seconds; the rest is for a machine that is busy.
const SOON: Duration = Duration::from_secs(4);

/// A certificate of one authority, beside the CAs of two.
fn overlapping(folder: &Path, name: &str, authority: &Authority, other: &Authority) -> anyhow::Result<Files> {
    let request = Request { hosts: vec![name.to_owned()], ..Request::named(name) };
    let files = authority.write(&folder.join(name), name, &request)?;
    fs::write(&files.ca, authority.certificate_pem() + &other.certificate_pem())?;
    Ok(files)
}

#[tokio::test]
async fn an_old_ca_expires_beside_the_new_one_and_the_replica_stays_ready() -> anyhow::Result<()> {
    let (folder, new) = (tempfile::tempdir()?, Authority::new("new CA")?);
    let old = Authority::as_requested(&Request { not_after: SystemTime::now() + SOON, ..Request::named("old CA") })?;
    let typha = Typha::start_from(overlapping(folder.path(), "typha", &new, &old)?, "typha-a", LIMITS()).await?;
    for event in list(5, vec![put("a", 5, "1")]) {
        typha.send(event).await?;
    }
    let typhas = Peers::common_name("typha");
    let old_tls = Arc::new(pki::load_client(&overlapping(folder.path(), "felix", &old, &new)?, &typhas)?);
    let new_tls = Arc::new(pki::load_client(&overlapping(folder.path(), "felix", &new, &old)?, &typhas)?);
    let mut sync = client::connect(typha.address(), Arc::clone(&old_tls)).await?;
    let mut stream = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    stream.reach(5).await?;

    let address = typha.server.admin_address().expect("it has one");
    until("the old CA is dropped", async || {
        let (code, body) = admin::get(address, "/readyz").await?;
        anyhow::ensure!(code == 200, "{body}");
        Ok(typha.server.certificates().reloads() == 1)
    })
    .await?;
    assert_eq!(admin::get(address, "/readyz").await?.0, 200);
    // The client's half of the handshake is over before the server's.
    let refused = match client::connect(typha.address(), old_tls).await {
        Ok(mut sync) => Client::subscribe(&mut sync, "node-3", State::default()).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "the old CA vouches for nobody any more");
    let mut other = client::connect(typha.address(), new_tls).await?;
    Client::subscribe(&mut other, "node-2", State::default()).await?.reach(5).await?;
    typha.send(apply(vec![put("a", 6, "2")])).await?;
    stream.reach(6).await?;
    assert_eq!(typha.server.certificates().failures(), 0);
    Ok(())
}

#[tokio::test]
async fn a_replica_whose_every_ca_has_expired_says_so_and_is_not_ready() -> anyhow::Result<()> {
    let (folder, soon) = (tempfile::tempdir()?, SystemTime::now() + SOON);
    let old = Authority::as_requested(&Request { not_after: soon, ..Request::named("old CA") })?;
    let older = Authority::as_requested(&Request { not_after: soon - SOON / 2, ..Request::named("older CA") })?;
    let typha = Typha::start_from(overlapping(folder.path(), "typha", &old, &older)?, "typha-a", LIMITS()).await?;
    let address = typha.server.admin_address().expect("it has one");
    until("the gate is shut", async || {
        let (_, body) = admin::get(address, "/readyz").await?;
        Ok(body.contains("certificates: the certificate of CN=old CA in ") && SystemTime::now() > soon)
    })
    .await
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
        Ok(metrics.contains("typha_certificate_reload_failures_total 1\n")
            && metrics.contains("typha_certificate_refused 1.0\n"))
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

const ROTATIONS: u64 = 1000;
/// Certificates that take turns: keys are costly to make.
const VERSIONS: u64 = 4;
/// Every so many rotations something changes, and a newcomer looks at what it is shown: that takes longer than a rotation.
const LOOK_EVERY: u64 = 10;

/// The certificate that a newcomer is shown.
async fn shown(typha: &Typha, tls: Arc<rustls::ClientConfig>) -> anyhow::Result<CertificateDer<'static>> {
    let stream = TcpStream::connect(typha.address()).await?;
    let stream = within(TlsConnector::from(tls).connect("typha".try_into()?, stream)).await??;
    let chain = stream.get_ref().1.peer_certificates().context("no certificate")?;
    Ok(chain.first().context("no certificate")?.clone().into_owned())
}

#[tokio::test]
async fn a_thousand_rotations_of_a_secret_lose_no_stream() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let (folder, request) =
        (tempfile::tempdir()?, Request { hosts: vec!["typha".to_owned()], ..Request::named("typha") });
    let (volume, ca) = (Volume::new(folder.path())?, certificates.authority.certificate_pem());
    let issued = (0..VERSIONS).map(|_| Ok(certificates.authority.issue(&request)?));
    let issued: Vec<Issued> = issued.collect::<anyhow::Result<_>>()?;
    for (version, issued) in issued.iter().enumerate() {
        volume.add(&version.to_string(), issued, &ca)?;
    }
    volume.show("0")?;
    // Looked at by the test alone.
    let limits = Limits { certificates_every: Duration::from_hours(1), ..Limits::default() };
    let typha = Typha::start_from(volume.files(), "typha-a", limits).await?;
    for event in list(1, vec![put("a", 1, "1")]) {
        typha.send(event).await?;
    }
    let tls = certificates.client()?;
    let mut streams = Vec::new();
    for node in ["node-1", "node-2", "node-3"] {
        // A connection each.
        let mut sync = client::connect(typha.address(), Arc::clone(&tls)).await?;
        streams.push(Client::subscribe(&mut sync, node, State::default()).await?);
    }
    for rotation in 1..=ROTATIONS {
        let version = rotation % VERSIONS;
        volume.show(&version.to_string())?;
        anyhow::ensure!(typha.server.certificates().refresh() == Refresh::Reloaded, "rotation {rotation}");
        if rotation % LOOK_EVERY == 0 {
            typha.send(apply(vec![put("a", rotation, rotation.to_string())])).await?;
            for stream in &mut streams {
                stream.reach(rotation).await?;
            }
            let expected = CertificateDer::from_pem_slice(issued[version as usize].certificate_pem.as_bytes())?;
            anyhow::ensure!(shown(&typha, Arc::clone(&tls)).await? == expected, "rotation {rotation}");
        }
    }
    let tls = typha.server.certificates();
    assert_eq!((tls.reloads(), tls.failures()), (ROTATIONS, 0));
    assert_eq!(typha.server.clients().totals().snapshots, 3, "no stream began anew");
    Ok(())
}
