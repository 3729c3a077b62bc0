//! A server in this process with certificates of its own, a source whose events the test puts in, and a client that
//! keeps state the way an agent does.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]

pub mod admin;
pub mod client;
pub mod events;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use datastore_adapters::SourceEvent;
use pki::{
    Files, Peers,
    development::{Authority, Request},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use typha::{Config, Limits, MemorySource, Server};

/// How long anything may take in a test; far more than it does.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Certificates that a test's servers and clients share.
pub struct Certificates {
    pub authority: Authority,
    folder: TempDir,
}

impl Certificates {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { authority: Authority::new("test CA")?, folder: TempDir::new()? })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn issue(&self, request: &Request) -> anyhow::Result<Files> {
        Ok(self.authority.write(self.folder.path(), &request.common_name, request)?)
    }

    /// What a proper agent uses.
    pub fn client(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let files = self.issue(&Request::named("felix"))?;
        Ok(Arc::new(pki::load_client(&files, &Peers::common_name("typha"))?))
    }

    /// What a client uses that does not look at its own files as ours does, or has none.
    pub fn careless(&self, files: Option<&Files>) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.certificate_pem().as_bytes())?)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match files {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let chain = CertificateDer::pem_file_iter(&files.cert)?.collect::<Result<Vec<_>, _>>()?;
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&files.key)?)?
            }
        };
        config.alpn_protocols = vec![pki::ALPN_H2.to_vec()];
        Ok(config)
    }
}

/// A server and the end where its source's events are put in.
pub struct Typha {
    pub server: Server,
    pub events: mpsc::Sender<SourceEvent>,
}

impl Typha {
    pub async fn start(certificates: &Certificates, name: &str) -> anyhow::Result<Self> {
        Self::start_with(certificates, name, Limits::default()).await
    }

    pub async fn start_with(certificates: &Certificates, name: &str, limits: Limits) -> anyhow::Result<Self> {
        let files = certificates.issue(&Request { hosts: vec!["typha".to_owned()], ..Request::named("typha") })?;
        Self::start_from(files, name, limits).await
    }

    /// With certificates that the test takes care of.
    pub async fn start_from(files: Files, name: &str, limits: Limits) -> anyhow::Result<Self> {
        Self::start_beside(files, name, limits, Vec::new()).await
    }

    /// One that is told where the admin APIs of all replicas are.
    pub async fn start_beside(
        files: Files,
        name: &str,
        limits: Limits,
        admin_peers: Vec<String>,
    ) -> anyhow::Result<Self> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            name: name.to_owned(),
            listen: any_port,
            admin_listen: Some(any_port),
            admin_peers,
            files,
            peers: Peers::common_name("felix"),
            limits,
        };
        let (events, source) = MemorySource::new(16);
        Ok(Self { server: Server::start(config, source).await?, events })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub async fn send(&self, event: SourceEvent) -> anyhow::Result<()> {
        self.events.send(event).await.context("the server takes no more events")
    }

    /// Waits until the state of a revision is published.
    pub async fn published(&self, revision: u64) -> anyhow::Result<()> {
        within(async {
            loop {
                let changed = self.server.board().changed();
                if self.server.board().load().view.revision() >= revision {
                    return;
                }
                changed.await;
            }
        })
        .await
    }
}

/// Fails where something takes longer than it ever should.
pub async fn within<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(DEADLINE, future).await.context("it took too long")
}

/// Looks again and again until something is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !is_so().await? {
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "it did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
