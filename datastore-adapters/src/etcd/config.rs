//! How to reach an etcd: endpoints, TLS files, credentials. Turns them into a client and names what is wrong in them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

use super::error::describe;

/// A TCP connection that is not there by then is tried again or elsewhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Pings on an idle connection, so that a peer that vanished without a word is noticed.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// A peer that does not answer a ping by then is gone.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach an etcd.
#[derive(Clone, Debug, Default)]
pub struct EtcdConfig {
    /// `http://` or `https://` addresses of the members.
    pub endpoints: Vec<String>,
    /// The CA that signed the members' certificates (PEM).
    pub ca_file: Option<PathBuf>,
    /// Our client certificate (PEM).
    pub cert_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub key_file: Option<PathBuf>,
    /// The user, where etcd asks for one.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<String>,
}

/// What is wrong with an [`EtcdConfig`], or with the etcd that it leads to.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No endpoint.
    #[error("no etcd endpoint given; name at least one, for example http://127.0.0.1:2379")]
    NoEndpoints,
    /// Not a URL that we know.
    #[error("etcd endpoint {0:?} is neither http://HOST:PORT nor https://HOST:PORT")]
    Endpoint(String),
    /// TLS files, but an endpoint that does without TLS.
    #[error("etcd endpoint {0} is plain http, but TLS files are given; use https:// or leave the files out")]
    TlsWithoutHttps(String),
    /// A certificate without its key, or a key without its certificate.
    #[error("an etcd client certificate needs both files, certificate and key; only {0} is given")]
    HalfIdentity(PathBuf),
    /// A user without a password, or the other way round.
    #[error("an etcd user needs both name and password")]
    HalfUser,
    /// A file that cannot be read.
    #[error("etcd TLS file {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// A file with something else in it.
    #[error("etcd TLS file {0} holds no PEM block {1}")]
    Pem(PathBuf, &'static str),
    /// The client could not be made: mostly credentials that etcd refused.
    #[error("etcd at {endpoint}: {reason}")]
    Connect {
        /// The endpoint.
        endpoint: String,
        /// What etcd or the network said.
        reason: String,
    },
}

impl EtcdConfig {
    /// The endpoints for people.
    pub fn name(&self) -> String {
        self.endpoints.join(",")
    }

    /// Checks everything that can be checked without the network.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.options().map(|_| ())
    }

    /// A client for one of the endpoints. It connects on first use, unless there is a user to log in.
    ///
    /// One and not all, because etcd-client spreads requests over its endpoints whether they are up or not.
    pub(super) async fn client(&self, endpoint: &str) -> Result<Client, ConfigError> {
        let options = self.options()?;
        let refused = |error| ConfigError::Connect { endpoint: endpoint.to_owned(), reason: describe(&error) };
        Client::connect([endpoint], Some(options)).await.map_err(refused)
    }

    fn options(&self) -> Result<ConnectOptions, ConfigError> {
        self.check_endpoints()?;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT)
            .with_keep_alive_while_idle(true)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        options = match (&self.username, &self.password) {
            (Some(username), Some(password)) => options.with_user(username, password),
            (None, None) => options,
            _ => return Err(ConfigError::HalfUser),
        };
        if let Some(tls) = self.tls()? {
            options = options.with_tls(tls);
        }
        Ok(options)
    }

    fn check_endpoints(&self) -> Result<(), ConfigError> {
        if self.endpoints.is_empty() {
            return Err(ConfigError::NoEndpoints);
        }
        let has_tls_files = self.ca_file.is_some() || self.cert_file.is_some() || self.key_file.is_some();
        for endpoint in &self.endpoints {
            let authority = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
            if authority.is_none_or(|authority| authority.is_empty() || authority.contains([' ', ','])) {
                return Err(ConfigError::Endpoint(endpoint.clone()));
            }
            if has_tls_files && endpoint.starts_with("http://") {
                return Err(ConfigError::TlsWithoutHttps(endpoint.clone()));
            }
        }
        Ok(())
    }

    fn tls(&self) -> Result<Option<TlsOptions>, ConfigError> {
        let mut tls = TlsOptions::new();
        if let Some(ca) = &self.ca_file {
            tls = tls.ca_certificate(Certificate::from_pem(read_pem(ca, "CERTIFICATE")?));
        }
        match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => {
                tls = tls.identity(Identity::from_pem(read_pem(cert, "CERTIFICATE")?, read_pem(key, "PRIVATE KEY")?));
            }
            (Some(half), None) | (None, Some(half)) => return Err(ConfigError::HalfIdentity(half.clone())),
            (None, None) => {}
        }
        let is_https = self.endpoints.iter().any(|endpoint| endpoint.starts_with("https://"));
        Ok(is_https.then_some(tls))
    }
}

fn read_pem(path: &Path, block: &'static str) -> Result<Vec<u8>, ConfigError> {
    let bytes = std::fs::read(path).map_err(|error| ConfigError::File(path.to_owned(), error))?;
    let text = String::from_utf8_lossy(&bytes);
    let found = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(block));
    if found { Ok(bytes) } else { Err(ConfigError::Pem(path.to_owned(), block)) }
}

#[cfg(test)]
mod tests;
