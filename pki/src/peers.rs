//! Who may be at the other end: an allow-list of names in certificates, checked after the CA's signature, and the TLS that
//! they must speak.

use std::{collections::BTreeSet, fmt, time::SystemTime};

use rustls::pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, time::ASN1Time};

use crate::{TlsVersion, files::parse};

/// The names of which a peer's certificate must bear at least one.
///
/// As in Calico, a peer is its common name or its URI SAN (SPIFFE) and not the host that it was reached at: agents
/// connect to addresses of replicas, which no certificate lists. DNS names can be listed where that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    names: BTreeSet<PeerName>,
    pub(crate) least: TlsVersion,
}

/// One name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerName {
    /// The common name of the subject.
    CommonName(String),
    /// A URI among the subject's alternative names.
    UriSan(String),
    /// A DNS name among the subject's alternative names; compared without regard to case, without wildcards.
    DnsName(String),
}

impl Peers {
    /// Admits a common name.
    pub fn common_name(name: impl Into<String>) -> Self {
        Self::default().or(PeerName::CommonName(name.into()))
    }

    /// Admits a URI SAN.
    pub fn uri_san(uri: impl Into<String>) -> Self {
        Self::default().or(PeerName::UriSan(uri.into()))
    }

    /// Admits one more name.
    pub fn or(mut self, name: PeerName) -> Self {
        self.names.insert(name);
        self
    }

    /// Admits whoever speaks this version of TLS or a newer one; TLS 1.3 where nothing is said.
    pub fn speaking(mut self, least: TlsVersion) -> Self {
        self.least = least;
        self
    }

    /// Whether nobody is admitted.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Says by which name a peer is admitted. `chain` begins with the peer's own certificate; that the CA signed it is
    /// the handshake's business. Validity is looked at again here, because a resumed session shows no certificate.
    pub fn check(&self, chain: &[CertificateDer<'_>]) -> Result<PeerName, PeerError> {
        let certificate = chain.first().ok_or(PeerError::NoCertificate)?;
        let parsed = parse(certificate).map_err(PeerError::Malformed)?;
        if ASN1Time::new(SystemTime::now().into()) > parsed.validity().not_after {
            return Err(PeerError::Expired { not_after: parsed.validity().not_after.to_string() });
        }
        let shown = names_of(&parsed);
        match shown.iter().find(|name| self.names.contains(name)) {
            Some(name) => Ok(name.clone()),
            None => Err(PeerError::WrongName { shown: list(&shown), wanted: list(&self.names) }),
        }
    }
}

/// Why a peer is not admitted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PeerError {
    /// It showed none.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// It showed something else.
    #[error("the peer's certificate cannot be read: {0}")]
    Malformed(String),
    /// Its time is over.
    #[error("the peer's certificate expired on {not_after}")]
    Expired {
        /// When it expired.
        not_after: String,
    },
    /// It is somebody else.
    #[error("the peer's certificate is for {shown}, but {wanted} is required")]
    WrongName {
        /// The names it bears.
        shown: String,
        /// The names that would be admitted.
        wanted: String,
    },
}

/// The names that a certificate bears; none where it cannot be read.
pub(crate) fn names(certificate: &CertificateDer<'_>) -> BTreeSet<PeerName> {
    parse(certificate).map(|parsed| names_of(&parsed)).unwrap_or_default()
}

fn names_of(certificate: &X509Certificate<'_>) -> BTreeSet<PeerName> {
    let common_names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
    common_names
        .map(|name| PeerName::CommonName(name.to_owned()))
        .chain(alternatives.filter_map(|name| match name {
            GeneralName::URI(uri) => Some(PeerName::UriSan((*uri).to_owned())),
            GeneralName::DNSName(name) => Some(PeerName::DnsName(name.to_ascii_lowercase())),
            _ => None,
        }))
        .collect()
}

fn list(names: &BTreeSet<PeerName>) -> String {
    if names.is_empty() {
        return "nobody".to_owned();
    }
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerName::CommonName(name) => write!(f, "CN={name}"),
            PeerName::UriSan(uri) => f.write_str(uri),
            PeerName::DnsName(name) => write!(f, "DNS:{name}"),
        }
    }
}
