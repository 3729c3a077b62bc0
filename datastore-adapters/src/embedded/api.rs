//! etcd's gRPC API over an [`Engine`]: the part that our own adapter, etcdctl and clients of their kind use.
//!
//! This is the only place that knows etcd's wire format. What is not served (authentication, members, snapshots) is
//! refused by gRPC as unimplemented.

mod convert;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod kv;
mod lease;
mod maintenance;
mod watch;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use model::Version;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use self::proto::etcdserverpb as pb;
use super::{Engine, RequestError};

/// etcd's packages, generated.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod proto {
    pub mod mvccpb {
        tonic::include_proto!("mvccpb");
    }
    pub mod etcdserverpb {
        tonic::include_proto!("etcdserverpb");
    }
}

/// Pings to clients, so that one that vanished does not keep its watches.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// A client that does not answer a ping by then is gone.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often ended leases are looked for; etcd does it as often.
const LEASE_INTERVAL: Duration = Duration::from_millis(500);
/// The largest request taken off the wire: beyond what etcd allows, so that most get to hear why they are refused.
const MESSAGE_MAX: usize = 8 << 20;

/// The files of a TLS server.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Our certificate (PEM).
    pub cert_file: PathBuf,
    /// Its private key (PEM).
    pub key_file: PathBuf,
    /// The CA of the clients (PEM); with it, clients must show a certificate of that CA.
    pub ca_file: Option<PathBuf>,
}

/// Why the API is not served, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file that cannot be read.
    #[error("TLS file {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate, key or CA is of no use, or the listener broke.
    #[error("serving the etcd API: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves the engine over plain TCP until the shutdown; then ends all watches and returns.
pub async fn serve(
    engine: Engine,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    serve_with(Server::builder(), engine, listener, shutdown).await
}

/// Serves the engine over TLS.
pub async fn serve_tls(
    engine: Engine,
    listener: TcpListener,
    files: &TlsFiles,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let identity = Identity::from_pem(read(&files.cert_file)?, read(&files.key_file)?);
    let mut tls = ServerTlsConfig::new().identity(identity);
    if let Some(ca) = &files.ca_file {
        tls = tls.client_ca_root(Certificate::from_pem(read(ca)?));
    }
    serve_with(Server::builder().tls_config(tls)?, engine, listener, shutdown).await
}

async fn serve_with(
    server: Server,
    engine: Engine,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let stopping = CancellationToken::new();
    let api = Api { engine: engine.clone(), stopping: stopping.clone() };
    let serving = server
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .tcp_nodelay(true)
        .add_service(pb::kv_server::KvServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAX))
        .add_service(pb::watch_server::WatchServer::new(api.clone()))
        .add_service(pb::lease_server::LeaseServer::new(api.clone()))
        .add_service(pb::maintenance_server::MaintenanceServer::new(api))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
            shutdown.await;
            // Watches never end by themselves, and a graceful end waits for them.
            stopping.cancel();
        });
    tokio::select! {
        served = serving => Ok(served?),
        never = expire_leases(&engine) => match never {},
    }
}

async fn expire_leases(engine: &Engine) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(LEASE_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = engine.expire_leases().await {
            tracing::warn!(%error, "leases are not being looked after");
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(file).map_err(|source| ServeError::File { file: file.to_owned(), source })
}

/// The services' shared state.
#[derive(Clone, Debug)]
struct Api {
    engine: Engine,
    /// Canceled when the server stops.
    stopping: CancellationToken,
}

impl Api {
    #[expect(clippy::unnecessary_wraps, reason = "every message has room for it in this form")]
    fn header(&self, revision: Version) -> Option<pb::ResponseHeader> {
        let id = self.engine.datastore_id();
        // One member and one term: there is nothing to elect here.
        let revision = convert::to_wire(revision);
        Some(pb::ResponseHeader { cluster_id: id, member_id: id, revision, raft_term: 1 })
    }
}

/// etcd's gRPC codes for its messages.
fn status(error: &RequestError) -> tonic::Status {
    let message = error.to_string();
    match error {
        RequestError::Compacted | RequestError::FutureRevision => tonic::Status::out_of_range(message),
        RequestError::LeaseNotFound => tonic::Status::not_found(message),
        RequestError::LeaseExists => tonic::Status::failed_precondition(message),
        RequestError::Storage(_) | RequestError::Closed => tonic::Status::unavailable(message),
        RequestError::EmptyKey
        | RequestError::DuplicateKey
        | RequestError::TooManyOperations
        | RequestError::TooLarge
        | RequestError::KeyNotFound => tonic::Status::invalid_argument(message),
    }
}
