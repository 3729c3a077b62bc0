//! Why certificate files cannot be used: the file, the problem, the way out.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why certificate files cannot be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file is missing or may not be read.
    #[error("cannot read {}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The files are being written at this moment.
    #[error("{} and the files beside it change while they are read; try again when they are written", file.display())]
    Changing {
        /// The certificate's file.
        file: PathBuf,
    },
    /// The file has no PEM section, or a damaged one.
    #[error("{} is not PEM: {reason}; it must hold -----BEGIN … and -----END … sections", file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is PEM but holds something else.
    #[error("{} holds no certificate; it must have a -----BEGIN CERTIFICATE----- section", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The file is PEM but holds something else.
    #[error("{} holds no private key; it must have a -----BEGIN PRIVATE KEY----- section", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// A certificate or key in the file cannot be understood.
    #[error("{} cannot be used: {reason}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The two files do not belong together.
    #[error("the key in {} is not the key of the certificate in {}", key.display(), cert.display())]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        cert: PathBuf,
    },
    /// The certificate's time is over.
    #[error("the certificate of {subject} in {} expired on {not_after}; issue a new one", file.display())]
    Expired {
        /// The file.
        file: PathBuf,
        /// Whose certificate it is.
        subject: String,
        /// When it expired.
        not_after: String,
    },
    /// The certificate's time has not come.
    #[error(
        "the certificate of {subject} in {} is not valid before {not_before}; check this machine's clock",
        file.display()
    )]
    NotYetValid {
        /// The file.
        file: PathBuf,
        /// Whose certificate it is.
        subject: String,
        /// When it becomes valid.
        not_before: String,
    },
    /// Peers, who hold the same CA, would refuse the certificate.
    #[error(
        "the certificate in {} is not signed by the CA in {}{}; the CA file must hold the CA of both ends",
        cert.display(),
        ca.display(),
        in_parentheses(left_out)
    )]
    NotSignedByCa {
        /// The certificate's file.
        cert: PathBuf,
        /// The CA's file.
        ca: PathBuf,
        /// Which CAs of that file do not count, and why.
        left_out: Vec<String>,
    },
    /// Nobody would be admitted.
    #[error("no peer is allowed to connect: give the common name or URI SAN of its certificate")]
    NoPeers,
    /// The TLS library refuses the configuration.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

fn in_parentheses(left_out: &[String]) -> String {
    if left_out.is_empty() { String::new() } else { format!(" ({})", left_out.join("; ")) }
}
