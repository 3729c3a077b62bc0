//! Whole handshakes in memory: who is admitted, and what each end says when the other is not.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    error::Error,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pki::{
    Files, PeerName, Peers, TlsVersion,
    development::{Authority, Request},
};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::TLS12,
};
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn Error>>;

/// Two ends whose certificates come from one authority.
struct Ends {
    /// Removed with the ends.
    _folder: TempDir,
    server: Files,
    client: Files,
}

impl Ends {
    fn new() -> Result<Self, Box<dyn Error>> {
        let folder = TempDir::new()?;
        let authority = Authority::new("test CA")?;
        let client = Request { uri_san: Some("spiffe://test/felix".to_owned()), ..Request::named("felix") };
        let server = Request { hosts: vec!["Typha.Example".to_owned()], ..Request::named("typha") };
        let server = authority.write(&folder.path().join("server"), "typha", &server)?;
        let client = authority.write(&folder.path().join("client"), "felix", &client)?;
        Ok(Self { _folder: folder, server, client })
    }
}

/// Runs a handshake to its end; the error of the end that gave up first, in words.
fn handshake(client: ClientConfig, server: ServerConfig) -> Result<(ClientConnection, ServerConnection), String> {
    let name = "anywhere.example".try_into().expect("a DNS name");
    let mut client = ClientConnection::new(Arc::new(client), name).map_err(|error| error.to_string())?;
    let mut server = ServerConnection::new(Arc::new(server)).map_err(|error| error.to_string())?;
    let say = |error| pki::explain(&io::Error::other(error));
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("memory takes everything");
        server.read_tls(&mut wire.as_slice()).expect("memory gives everything");
        server.process_new_packets().map_err(|error| format!("server: {}", say(error)))?;
        wire.clear();
        server.write_tls(&mut wire).expect("memory takes everything");
        client.read_tls(&mut wire.as_slice()).expect("memory gives everything");
        client.process_new_packets().map_err(|error| format!("client: {}", say(error)))?;
    }
    Ok((client, server))
}

#[test]
fn both_ends_admit_each_other_by_common_name_uri_or_dns_name() -> TestResult {
    let ends = Ends::new()?;
    let by_dns = Peers::default().or(PeerName::DnsName("typha.example".to_owned()));
    for (servers, clients) in
        [(Peers::common_name("typha"), Peers::common_name("felix")), (by_dns, Peers::uri_san("spiffe://test/felix"))]
    {
        let client = pki::load_client(&ends.client, &servers)?;
        let server = pki::load_server(&ends.server, &clients)?;
        let (_, server) = handshake(client, server)?;
        assert_eq!(server.alpn_protocol(), Some(pki::ALPN_H2));
        clients.check(server.peer_certificates().unwrap_or_default())?;
    }
    Ok(())
}

#[test]
fn tls_1_2_is_spoken_where_it_was_chosen_and_refused_elsewhere() -> TestResult {
    let folder = TempDir::new()?;
    let authority = Authority::new("test CA")?;
    let named = Request { hosts: vec!["anywhere.example".to_owned()], ..Request::named("typha") };
    let server = authority.write(&folder.path().join("server"), "typha", &named)?;
    let client = authority.write(&folder.path().join("client"), "felix", &Request::named("felix"))?;
    let felix = |least| pki::load_server(&server, &Peers::common_name("felix").speaking(least));

    let (old, _) = handshake(speaking_tls12(&client)?, felix(TlsVersion::V12)?)?;
    assert_eq!(old.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let error = handshake(speaking_tls12(&client)?, felix(TlsVersion::default())?).expect_err("it is too old");
    assert!(error.starts_with("server: ") && error.contains("--tls-min-version"), "{error}");
    Ok(())
}

/// A client that knows no newer version.
fn speaking_tls12(files: &Files) -> Result<ClientConfig, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.ca)?)?;
    let chain = vec![CertificateDer::from_pem_file(&files.cert)?];
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS12])?
        .with_root_certificates(roots);
    Ok(config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&files.key)?)?)
}

#[test]
fn a_client_of_another_name_is_refused() -> TestResult {
    let ends = Ends::new()?;
    let client = pki::load_client(&ends.client, &Peers::common_name("typha"))?;
    let server = pki::load_server(&ends.server, &Peers::common_name("confd"))?;
    let error = handshake(client, server).expect_err("the name is wrong");
    assert!(error.starts_with("server: ") && error.contains("CN=felix") && error.contains("CN=confd"), "{error}");
    Ok(())
}

#[test]
fn a_server_of_another_name_is_refused() -> TestResult {
    let ends = Ends::new()?;
    let client = pki::load_client(&ends.client, &Peers::common_name("goldfish"))?;
    let server = pki::load_server(&ends.server, &Peers::common_name("felix"))?;
    let error = handshake(client, server).expect_err("the name is wrong");
    assert!(error.starts_with("client: ") && error.contains("CN=typha") && error.contains("goldfish"), "{error}");
    Ok(())
}

#[test]
fn ends_of_different_authorities_refuse_each_other() -> TestResult {
    let (ends, others) = (Ends::new()?, Ends::new()?);
    let client = pki::load_client(&others.client, &Peers::common_name("typha"))?;
    let server = pki::load_server(&ends.server, &Peers::common_name("felix"))?;
    let error = handshake(client, server).expect_err("the CA is another");
    assert!(error.contains("not signed by our CA"), "{error}");
    Ok(())
}

#[test]
fn a_client_without_a_certificate_is_refused() -> TestResult {
    let folder = TempDir::new()?;
    let named = Request { hosts: vec!["anywhere.example".to_owned()], ..Request::named("typha") };
    let files = Authority::new("test CA")?.write(folder.path(), "typha", &named)?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.ca)?)?;
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = pki::load_server(&files, &Peers::common_name("felix"))?;
    let error = handshake(client, server).expect_err("no certificate");
    assert!(error.starts_with("server: ") && error.contains("no certificate"), "{error}");
    Ok(())
}

#[test]
fn an_expired_peer_is_refused_also_where_a_session_is_resumed() -> TestResult {
    let now = SystemTime::now();
    let hour = Duration::from_hours(1);
    let request = Request { not_before: now - 2 * hour, not_after: now - hour, ..Request::named("felix") };
    let issued = Authority::new("test CA")?.issue(&request)?;
    let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes())?;
    let error = Peers::common_name("felix").check(&[certificate]).expect_err("expired");
    assert!(error.to_string().contains("expired on"), "{error}");
    Ok(())
}
