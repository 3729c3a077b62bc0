//! What cattail-store is told on the command line, by the environment or by a file.

#[cfg(test)]
mod reference;

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;
use datastore_adapters::embedded::TlsFiles;
use settings::{LogFormat, Program};

/// What begins cattail-store's variables, and names its file.
pub(crate) const PROGRAM: Program = Program { prefix: "CATTAIL_STORE_", config_env: "CATTAIL_STORE_CONFIG" };

/// Cattail's embedded datastore: a small etcd for one machine, with nothing to install.
///
/// Keeps everything in one file and serves the part of the etcd v3 API that cattail needs, so that typha, cattailctl
/// and `etcdctl get|put|del|watch` reach it exactly as they reach etcd. For more than one machine use etcd.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 100)]
pub(crate) struct Args {
    /// The directory of the data; made if it is not there.
    #[arg(long, value_name = "DIR", env = "CATTAIL_STORE_DATA_DIR")]
    pub(crate) data_dir: PathBuf,

    /// Where to serve, as ADDRESS:PORT. Without TLS anyone who reaches it may read and write: keep it on loopback.
    #[arg(long, value_name = "ADDRESS:PORT", env = "CATTAIL_STORE_LISTEN", default_value = "127.0.0.1:2379")]
    pub(crate) listen: SocketAddr,

    /// Serve TLS with this certificate (PEM).
    #[arg(long, value_name = "FILE", env = "CATTAIL_STORE_CERT_FILE", requires = "key_file")]
    pub(crate) cert_file: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "CATTAIL_STORE_KEY_FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,

    /// Accept only clients with a certificate of this CA (PEM).
    #[arg(long, value_name = "FILE", env = "CATTAIL_STORE_CA_FILE", requires = "cert_file")]
    pub(crate) ca_file: Option<PathBuf>,

    /// How logs are written to stderr.
    #[arg(long, env = "CATTAIL_STORE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or filters such as datastore_adapters=debug.
    #[arg(long, env = "CATTAIL_STORE_LOG", value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,
}

impl Args {
    /// What to serve TLS with, if it is.
    pub(crate) fn tls(&self) -> Option<TlsFiles> {
        let (cert_file, key_file) = self.cert_file.clone().zip(self.key_file.clone())?;
        Some(TlsFiles { cert_file, key_file, ca_file: self.ca_file.clone() })
    }
}
