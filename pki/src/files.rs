//! The three PEM files of one end of a connection, and how their contents are read.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use x509_parser::{certificate::X509Certificate, time::ASN1Time};

use crate::LoadError;

/// Where one end keeps its certificate, its key, and the CA that vouches for the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate, followed by intermediates if there are any.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The certificates of the CAs that peers' certificates must be signed by.
    pub ca: PathBuf,
}

/// Reads all certificates of a file, and refuses those that are not valid now.
pub(crate) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let text = read_pem(file)?;
    let certificates =
        CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(|error| not_pem(file, &error))?;
    if certificates.is_empty() {
        return Err(LoadError::NoCertificate { file: file.into() });
    }
    for certificate in &certificates {
        check_validity(file, certificate)?;
    }
    Ok(certificates)
}

/// When the first of a file's certificates expires.
pub(crate) fn earliest_expiry(file: &Path) -> Result<SystemTime, LoadError> {
    let unusable = |reason| LoadError::Unusable { file: file.into(), reason };
    let mut earliest = None;
    for certificate in read_certificates(file)? {
        let not_after = parse(&certificate).map_err(unusable)?.validity().not_after.timestamp();
        // Certificates in use expire after 1970, and were found valid now.
        let not_after = SystemTime::UNIX_EPOCH + Duration::from_secs(not_after.max(0) as u64);
        earliest = Some(earliest.map_or(not_after, |earliest: SystemTime| earliest.min(not_after)));
    }
    earliest.ok_or_else(|| LoadError::NoCertificate { file: file.into() })
}

/// Reads the first private key of a file.
pub(crate) fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, LoadError> {
    PrivateKeyDer::from_pem_slice(&read_pem(file)?).map_err(|error| match error {
        pem::Error::NoItemsFound => LoadError::NoKey { file: file.into() },
        error => not_pem(file, &error),
    })
}

fn read_pem(file: &Path) -> Result<Vec<u8>, LoadError> {
    let text = fs::read(file).map_err(|error| LoadError::Read { file: file.into(), error })?;
    if text.windows(BEGIN.len()).any(|window| window == BEGIN) {
        Ok(text)
    } else {
        Err(LoadError::NotPem { file: file.into(), reason: "it has no -----BEGIN line".into() })
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";

fn not_pem(file: &Path, error: &pem::Error) -> LoadError {
    LoadError::NotPem { file: file.into(), reason: error.to_string() }
}

fn check_validity(file: &Path, certificate: &CertificateDer<'_>) -> Result<(), LoadError> {
    let parsed = parse(certificate).map_err(|reason| LoadError::Unusable { file: file.into(), reason })?;
    let (validity, now) = (parsed.validity(), now());
    if now > validity.not_after {
        let (subject, not_after) = (parsed.subject().to_string(), validity.not_after.to_string());
        return Err(LoadError::Expired { file: file.into(), subject, not_after });
    }
    if now < validity.not_before {
        let (subject, not_before) = (parsed.subject().to_string(), validity.not_before.to_string());
        return Err(LoadError::NotYetValid { file: file.into(), subject, not_before });
    }
    Ok(())
}

/// Reads a certificate's fields; the error is for people.
pub(crate) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, parsed)) => Ok(parsed),
        Err(error) => Err(format!("it holds a malformed certificate: {error}")),
    }
}

/// The present, in the form in which certificates say it.
pub(crate) fn now() -> ASN1Time {
    ASN1Time::new(SystemTime::now().into())
}
