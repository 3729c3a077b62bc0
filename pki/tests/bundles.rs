//! A CA file that holds several CAs, as it does while one is replaced: those that are valid serve, whatever the others are.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    error::Error,
    fs,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use pki::{
    Files, Peers, Refresh, Reminder, ServerTls,
    development::{Authority, Request},
};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, RootCertStore, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::TLS13,
};
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn Error>>;

const HOUR: Duration = Duration::from_hours(1);
/// Certificates' dates are in seconds; the rest is for a machine that is busy.
const SOON: Duration = Duration::from_secs(3);

fn expired(name: &str) -> Result<Authority, Box<dyn Error>> {
    let now = SystemTime::now();
    let request = Request { not_before: now - 2 * HOUR, not_after: now - HOUR, ..Request::named(name) };
    Ok(Authority::as_requested(&request)?)
}

fn of_the_future(name: &str) -> Result<Authority, Box<dyn Error>> {
    Ok(Authority::as_requested(&Request { not_before: SystemTime::now() + HOUR, ..Request::named(name) })?)
}

/// A server's files with a certificate of the first authority and the CAs of all.
fn files(folder: &TempDir, authorities: &[&Authority]) -> Result<Files, Box<dyn Error>> {
    let files = authorities[0].write(folder.path(), "typha", &typha())?;
    bundle(&files, authorities)?;
    Ok(files)
}

fn typha() -> Request {
    Request { hosts: vec!["typha".to_owned()], ..Request::named("typha") }
}

fn bundle(files: &Files, authorities: &[&Authority]) -> TestResult {
    Ok(fs::write(&files.ca, authorities.iter().map(|authority| authority.certificate_pem()).collect::<String>())?)
}

fn serve(files: &Files) -> Result<ServerTls, pki::LoadError> {
    ServerTls::server(files.clone(), Peers::common_name("felix"))
}

/// Whether the server, whose own CA is `own`, admits a client of another authority in a handshake in memory.
fn admits(tls: &ServerTls, own: &Authority, client_of: &Authority) -> Result<bool, Box<dyn Error>> {
    // The client's own CA may be out of its time, which our way of loading would refuse.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(own.certificate_pem().as_bytes())?)?;
    let issued = client_of.issue(&Request::named("felix"))?;
    let chain = vec![CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes())?];
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes())?)?;
    config.alpn_protocols = vec![pki::ALPN_H2.to_vec()];
    let mut client = ClientConnection::new(Arc::new(config), "typha".try_into()?)?;
    let mut server = ServerConnection::new(tls.current())?;
    while server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire)?;
        server.read_tls(&mut wire.as_slice())?;
        match server.process_new_packets() {
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => return Ok(false),
            processed => processed?,
        };
        wire.clear();
        server.write_tls(&mut wire)?;
        client.read_tls(&mut wire.as_slice())?;
        client.process_new_packets()?;
    }
    Ok(true)
}

/// What the log is told, in one line.
fn warning(tls: &ServerTls) -> String {
    let lines = Reminder::default().due(&tls.expiry().expect("there are files"), SystemTime::now());
    assert!(lines.len() <= 1, "{lines:?}");
    lines.concat()
}

#[test]
fn a_server_starts_with_the_cas_that_are_valid_and_names_the_others() -> TestResult {
    let (folder, good, old) = (TempDir::new()?, Authority::new("good CA")?, expired("old CA")?);
    let next = of_the_future("next CA")?;
    let files = files(&folder, &[&good, &old, &next])?;
    let tls = serve(&files)?;
    let expiry = tls.expiry().expect("there are files");
    assert_eq!(expiry.complaint(SystemTime::now()), None);
    assert!(admits(&tls, &good, &good)?);
    assert!(!admits(&tls, &good, &old)? && !admits(&tls, &good, &next)?, "their time is not now");
    assert!(expiry.ca.subject.contains("good CA"), "{expiry:?}");
    let warning = warning(&tls);
    for part in ["ca.crt", "CN=old CA expired on", "CN=next CA is not valid before"] {
        assert!(warning.contains(part), "no {part:?} in {warning:?}");
    }
    // The agents' end is no different.
    pki::load_client(&files, &Peers::common_name("felix"))?;
    Ok(())
}

#[test]
fn a_reload_takes_the_cas_that_are_valid() -> TestResult {
    let (folder, good) = (TempDir::new()?, Authority::new("good CA")?);
    let files = files(&folder, &[&good])?;
    let tls = serve(&files)?;
    assert_eq!(warning(&tls), "");
    let (old, new) = (expired("old CA")?, Authority::new("new CA")?);
    bundle(&files, &[&old, &good, &of_the_future("next CA")?])?;
    assert_eq!(tls.refresh(), Refresh::Reloaded);
    assert!(warning(&tls).contains("old CA"));
    assert!(admits(&tls, &good, &good)? && !admits(&tls, &good, &old)?);
    assert_eq!(tls.refresh(), Refresh::Unchanged);
    bundle(&files, &[&good, &new])?;
    assert_eq!((tls.refresh(), warning(&tls).as_str()), (Refresh::Reloaded, ""));
    assert!(admits(&tls, &good, &new)?);
    Ok(())
}

#[test]
fn a_ca_that_expires_while_it_serves_is_dropped_and_one_whose_time_comes_is_taken() -> TestResult {
    let (folder, good, soon) = (TempDir::new()?, Authority::new("good CA")?, SystemTime::now() + SOON);
    let old = Authority::as_requested(&Request { not_after: soon, ..Request::named("old CA") })?;
    let next = Authority::as_requested(&Request { not_before: soon, ..Request::named("next CA") })?;
    let files = files(&folder, &[&good, &old, &next])?;
    let tls = serve(&files)?;
    let before = tls.current();
    assert_eq!(tls.refresh(), Refresh::Unchanged);
    assert!(admits(&tls, &good, &old)? && !admits(&tls, &good, &next)?);
    let (first, last) = tls.expiry().map(|expiry| (expiry.ca, expiry.last_ca)).expect("there are files");
    assert!(first.subject.contains("old CA") && last.subject.contains("good CA"), "{first:?} {last:?}");

    thread::sleep(soon.duration_since(SystemTime::now())? + Duration::from_secs(1));
    let expiry = tls.expiry().expect("there are files");
    assert_eq!(expiry.complaint(SystemTime::now()), None, "before anybody has looked");
    assert_eq!(tls.refresh(), Refresh::Reloaded);
    assert!(!Arc::ptr_eq(&before, &tls.current()));
    let warning = warning(&tls);
    assert!(warning.contains("old CA") && !warning.contains("next CA"), "{warning}");
    assert!(admits(&tls, &good, &good)? && admits(&tls, &good, &next)? && !admits(&tls, &good, &old)?);
    assert_eq!((tls.refresh(), tls.reloads(), tls.failures()), (Refresh::Unchanged, 1, 0));
    Ok(())
}

#[test]
fn a_file_without_a_valid_ca_is_refused_at_start_and_at_reload() -> TestResult {
    let (folder, old) = (TempDir::new()?, expired("old CA")?);
    let files = files(&folder, &[&old, &expired("older CA")?])?;
    let error = serve(&files).expect_err("none is valid").to_string();
    for part in ["ca.crt", "CN=old", "expired on"] {
        assert!(error.contains(part), "no {part:?} in {error:?}");
    }
    bundle(&files, &[&old, &of_the_future("next CA")?])?;
    let error = serve(&files).expect_err("none is valid yet").to_string();
    assert!(error.contains("CN=next CA") && error.contains("not valid before"), "{error}");

    let good = Authority::new("good CA")?;
    let files = good.write(folder.path(), "typha", &typha())?;
    let tls = serve(&files)?;
    bundle(&files, &[&old])?;
    let Refresh::Refused { reason } = tls.refresh() else { return Err("an expired CA is in force".into()) };
    assert!(reason.contains("CN=old CA") && reason.contains("expired on"), "{reason}");
    assert_eq!(tls.refresh(), Refresh::Unchanged, "it is told once");
    assert!(admits(&tls, &good, &good)?, "what was in force stays in force");
    Ok(())
}

#[test]
fn a_certificate_of_a_ca_that_is_left_out_is_refused_by_that_reason() -> TestResult {
    let folder = TempDir::new()?;
    let files = files(&folder, &[&expired("old CA")?, &Authority::new("good CA")?])?;
    let error = serve(&files).expect_err("no peer would take it").to_string();
    assert!(error.contains("not signed by the CA") && error.contains("(CN=old CA expired on"), "{error}");
    Ok(())
}
