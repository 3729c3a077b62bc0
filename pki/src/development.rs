//! A certificate authority for one machine: quickstart, tests and load tests. Not for production, where the key of a
//! CA is kept elsewhere.

mod request;
mod volume;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rcgen::{BasicConstraints, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use thiserror::Error;

pub use self::{request::Request, volume::Volume};
use crate::Files;

/// Private keys are for their owner alone.
const KEY_MODE: u32 = 0o600;
/// Certificates are for everybody.
const CERTIFICATE_MODE: u32 = 0o644;

/// A certificate authority that lives in memory.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
}

/// Why a development certificate could not be made.
#[derive(Debug, Error)]
pub enum IssueError {
    /// The names asked for cannot be in a certificate, or the library fails.
    #[error("cannot make a development certificate")]
    Certificate(#[from] rcgen::Error),
    /// The file system refuses.
    #[error("cannot write the development certificate {file}: {error}")]
    Write {
        /// The file.
        file: String,
        /// What the system says.
        error: io::Error,
    },
}

impl Authority {
    /// Makes a new authority.
    pub fn new(common_name: &str) -> Result<Self, IssueError> {
        Self::as_requested(&Request::named(common_name))
    }

    /// Makes one whose own certificate says what the request wants.
    pub fn as_requested(request: &Request) -> Result<Self, IssueError> {
        let mut params = request.params()?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// The authority's own certificate.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Signs a certificate that servers and clients may use.
    pub fn issue(&self, request: &Request) -> Result<Issued, IssueError> {
        let mut params = request.params()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// Issues a certificate and writes `NAME.crt`, `NAME.key` and `ca.crt` into a folder, which is made if need be.
    pub fn write(&self, folder: &Path, name: &str, request: &Request) -> Result<Files, IssueError> {
        let issued = self.issue(request)?;
        let files = Files {
            cert: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
            ca: folder.join("ca.crt"),
        };
        fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
        write(&files.ca, &self.certificate_pem(), CERTIFICATE_MODE)?;
        write(&files.cert, &issued.certificate_pem, CERTIFICATE_MODE)?;
        write(&files.key, &issued.key_pem, KEY_MODE)?;
        Ok(files)
    }
}

fn write(file: &Path, text: &str, mode: u32) -> Result<(), IssueError> {
    // The mode counts only for a new file, and an older one may be readable for others.
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write_error(file, error)),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .map_err(|error| write_error(file, error))
}

fn write_error(file: &Path, error: io::Error) -> IssueError {
    IssueError::Write { file: file.display().to_string(), error }
}
