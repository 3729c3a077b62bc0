//! The three PEM files of one end of a connection, and how their texts are understood.

use std::path::{Path, PathBuf};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use x509_parser::certificate::X509Certificate;

use crate::LoadError;

/// Where one end keeps its certificate, its key, and the CA that vouches for the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate, followed by intermediates if there are any.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The certificates of the CAs that peers' certificates must be signed by. Those out of their time are left out.
    pub ca: PathBuf,
}

/// Reads all certificates of a file's text; at least one, valid or not.
pub(crate) fn read_certificates(file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    check_pem(file, text)?;
    let certificates =
        CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>().map_err(|error| not_pem(file, &error))?;
    if certificates.is_empty() { Err(LoadError::NoCertificate { file: file.into() }) } else { Ok(certificates) }
}

/// Reads the first private key of a file's text.
pub(crate) fn read_key(file: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, LoadError> {
    check_pem(file, text)?;
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => LoadError::NoKey { file: file.into() },
        error => not_pem(file, &error),
    })
}

fn check_pem(file: &Path, text: &[u8]) -> Result<(), LoadError> {
    if text.windows(BEGIN.len()).any(|window| window == BEGIN) {
        Ok(())
    } else {
        Err(LoadError::NotPem { file: file.into(), reason: "it has no -----BEGIN line".into() })
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";

fn not_pem(file: &Path, error: &pem::Error) -> LoadError {
    LoadError::NotPem { file: file.into(), reason: error.to_string() }
}

/// Reads a certificate's fields; the error is for people.
pub(crate) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, parsed)) => Ok(parsed),
        Err(error) => Err(format!("it holds a malformed certificate: {error}")),
    }
}
