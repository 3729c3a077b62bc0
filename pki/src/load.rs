//! From files to rustls configurations, refusing at start what would fail later in every handshake.

use std::{path::Path, sync::Arc, time::SystemTime};

use rustls::{
    ClientConfig, InconsistentKeys, RootCertStore, ServerConfig,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::{ParsedCertificate, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};

use crate::{
    Expiry, Files, Life, LoadError, Peers,
    contents::Contents,
    files::{read_certificates, read_key},
    provider::provider,
    roots::Roots,
    verifier::{ClientVerifier, ServerVerifier},
};

/// The protocol both ends speak inside TLS (RFC 9113 section 3.2).
pub const ALPN_H2: &[u8] = b"h2";

/// Tickets given to a client per handshake. Our clients keep one connection, so one is what they can use.
const TICKETS_PER_HANDSHAKE: usize = 1;

/// Makes a server's configuration: TLS 1.3, a certificate required of clients, `peers` admitted.
pub fn load_server(files: &Files, peers: &Peers) -> Result<ServerConfig, LoadError> {
    server_config(files, &Contents::read(files)?, peers).map(|(config, _)| config)
}

/// The same, of files that were read; and for how long it is good.
pub(crate) fn server_config(
    files: &Files,
    contents: &Contents,
    peers: &Peers,
) -> Result<(ServerConfig, Expiry), LoadError> {
    let end = End::load(files, contents, peers)?;
    end.check_server_chain(files)?;
    let chain = end.client_chain_verifier(files)?;
    let verifier = Arc::new(ClientVerifier { chain, peers: peers.clone() });
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&end.provider))
        .with_protocol_versions(peers.least.and_newer())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(end.certificates, end.key)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    // Of what a client offers, what is best for the one that serves thousands.
    config.ignore_client_order = true;
    // Stateless tickets: a fleet that reconnects at once resumes, however large it is.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = TICKETS_PER_HANDSHAKE;
    Ok((config, end.expiry))
}

/// Makes a client's configuration: TLS 1.3, our certificate shown, servers admitted by `peers`. The server name
/// given to rustls when connecting is sent as SNI but not compared with the certificate.
pub fn load_client(files: &Files, peers: &Peers) -> Result<ClientConfig, LoadError> {
    client_config(files, &Contents::read(files)?, peers).map(|(config, _)| config)
}

/// The same, of files that were read; and for how long it is good.
pub(crate) fn client_config(
    files: &Files,
    contents: &Contents,
    peers: &Peers,
) -> Result<(ClientConfig, Expiry), LoadError> {
    let end = End::load(files, contents, peers)?;
    end.check_client_chain(files)?;
    let verifier =
        Arc::new(ServerVerifier { roots: end.roots, peers: peers.clone(), provider: Arc::clone(&end.provider) });
    let mut config = ClientConfig::builder_with_provider(end.provider)
        .with_protocol_versions(peers.least.and_newer())?
        .dangerous() // rustls' word for every verifier that is not its own; the chain check in ours is rustls'.
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(end.certificates, end.key)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    Ok((config, end.expiry))
}

/// What both ends load alike.
struct End {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: RootCertStore,
    expiry: Expiry,
    /// Always explicit: with two providers linked, rustls' default would panic.
    provider: Arc<CryptoProvider>,
}

impl End {
    fn load(files: &Files, contents: &Contents, peers: &Peers) -> Result<Self, LoadError> {
        if peers.is_empty() {
            return Err(LoadError::NoPeers);
        }
        let provider = Arc::new(provider());
        let now = SystemTime::now();
        let certificates = read_certificates(&files.cert, &contents.cert)?;
        let own = own_life(&files.cert, &certificates, now)?;
        let key = read_key(&files.key, &contents.key)?;
        check_key(files, &certificates, &key, &provider)?;
        let Roots { store, first, last, left_out } = Roots::read(&files.ca, &contents.ca, now)?;
        let expiry = Expiry { own, ca: first, last_ca: last, left_out };
        Ok(Self { certificates, key, roots: store, expiry, provider })
    }

    fn check_server_chain(&self, files: &Files) -> Result<(), LoadError> {
        let (own, intermediates) = self.own(files)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        ParsedCertificate::try_from(own)
            .and_then(|parsed| {
                let now = UnixTime::now();
                verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)
            })
            .map_err(|error| self.chain_error(files, &error))
    }

    fn check_client_chain(&self, files: &Files) -> Result<(), LoadError> {
        let (own, intermediates) = self.own(files)?;
        self.client_chain_verifier(files)?
            .verify_client_cert(own, intermediates, UnixTime::now())
            .map(|_| ())
            .map_err(|error| self.chain_error(files, &error))
    }

    fn client_chain_verifier(&self, files: &Files) -> Result<Arc<dyn ClientCertVerifier>, LoadError> {
        WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots.clone()), Arc::clone(&self.provider))
            .build()
            .map_err(|error| LoadError::Unusable { file: files.ca.clone(), reason: error.to_string() })
    }

    fn own(&self, files: &Files) -> Result<(&CertificateDer<'static>, &[CertificateDer<'static>]), LoadError> {
        self.certificates.split_first().ok_or_else(|| LoadError::NoCertificate { file: files.cert.clone() })
    }

    fn chain_error(&self, files: &Files, error: &rustls::Error) -> LoadError {
        use rustls::CertificateError::{BadSignature, UnknownIssuer};
        let (cert, ca) = (files.cert.clone(), files.ca.clone());
        match error {
            rustls::Error::InvalidCertificate(BadSignature | UnknownIssuer) => {
                LoadError::NotSignedByCa { cert, ca, left_out: self.expiry.flaws(SystemTime::now()) }
            }
            error => LoadError::Unusable { file: cert, reason: error.to_string() },
        }
    }
}

/// Of our certificate and its intermediates, all of which must be valid, the life of the one that expires first.
fn own_life(file: &Path, certificates: &[CertificateDer<'static>], now: SystemTime) -> Result<Life, LoadError> {
    let lives: Vec<_> = certificates.iter().map(|certificate| Life::of(file, certificate)).collect::<Result<_, _>>()?;
    lives.iter().try_for_each(|life| life.check(now))?;
    let first = lives.into_iter().min_by_key(|life| life.not_after);
    first.ok_or_else(|| LoadError::NoCertificate { file: file.into() })
}

fn check_key(
    files: &Files,
    certificates: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<(), LoadError> {
    match CertifiedKey::from_der(certificates.to_vec(), key.clone_key(), provider) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(LoadError::KeyMismatch { key: files.key.clone(), cert: files.cert.clone() })
        }
        Err(error) => Err(LoadError::Unusable { file: files.key.clone(), reason: error.to_string() }),
    }
}
