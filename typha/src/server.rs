//! The server as one value: start it with any source, ask where it listens, drain it.
//!
//! The rooms below are the way of a connection: `accept`, `connection` (TLS, identity, HTTP/2), `router` (which
//! method), `message` (its request). What the streams say is decided in `session`.

mod accept;
mod certificates;
mod config;
mod connection;
mod cores;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub mod http2;
mod message;
mod newcomers;
mod rejections;
mod router;
mod socket;
mod thread;
mod turns;

use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Instant};

use datastore_adapters::Source;
use pki::ServerTls;
use proto::sync::v1::SubscribeRequest;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

pub use self::config::{Config, Limits};
pub(crate) use self::rejections::Rejections;
use self::{accept::Acceptor, thread::Thread};
use crate::{
    admin::Admin,
    admission::Admission,
    balance::Balance,
    batch::Batches,
    clients::{Clients, Point},
    feed::{Board, Doubts, EVENTS, QUESTIONS, Writer},
    journeys::Journeys,
    metrics::Metrics,
    pulses::Pulses,
    readiness::Readiness,
    session::{Drain, Ending},
};

/// A running typha. Dropping it ends it at once; [`Server::drain`] ends it with grace.
pub struct Server {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    shared: Arc<Shared>,
    /// Says that no connection is accepted any more and those that are open shall end.
    stop: CancellationToken,
    /// The task that accepts connections and owns them; ends when all have ended.
    acceptor: JoinSet<()>,
    /// Everything else that lives as long as the server.
    tasks: JoinSet<&'static str>,
    /// Where the admin API runs: it answers whatever the other parts do, or fail to do. After its task.
    _admin_thread: Thread,
}

/// What the tasks of a server have in common.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) board: Arc<Board>,
    pub(crate) pulses: Arc<Pulses>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) doubts: Arc<Doubts>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) balance: Balance,
    pub(crate) rejections: Rejections,
    pub(crate) metrics: Metrics,
}

impl Shared {
    /// Why a client is to try other replicas first; `None` where it is served here.
    fn refer(&self, request: &SubscribeRequest) -> Option<Ending> {
        let view = &self.board.load().view;
        self.balance.referral(&self.config.name, request, &self.clients, view, Instant::now())
    }
}

/// Why a server did not start, or does not run any more.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The certificate, key or CA cannot be used.
    #[error(transparent)]
    Certificates(#[from] pki::LoadError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}{}", way_out(.error, .option))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The option that gives it.
        option: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The system gives no threads.
    #[error("cannot start a thread for each core and one more: {0}")]
    Threads(io::Error),
    /// A task that lives as long as the server has ended.
    #[error("{0} has ended")]
    Ended(&'static str),
    /// A task has panicked.
    #[error("a task has failed")]
    Failed(#[from] JoinError),
}

impl Server {
    /// Starts serving what the source streams.
    pub async fn start(config: Config, source: impl Source) -> Result<Self, ServerError> {
        let tls = Arc::new(ServerTls::server(config.files.clone(), config.peers.clone())?);
        let (listener, address) = listen(config.listen, "--listen").await?;
        let admin = match config.admin_listen {
            Some(address) => Some(listen(address, "--admin-listen").await?),
            None => None,
        };
        let batches = Arc::new(Batches::default());
        let doubts = Arc::new(Doubts::default());
        let journeys = Journeys::new(&config.name);
        let stale_after = config.limits.stale_after;
        let (writer, board) = Writer::new(Arc::clone(&batches), Arc::clone(&doubts), journeys, stale_after);
        let clients = Arc::new(Clients::default());
        let admission = Arc::new(Admission::new(config.limits.admission));
        let pulses = Arc::new(Pulses::new(config.limits.wedged_after));
        let readiness = Readiness::new(Arc::clone(&board), Arc::clone(&tls), Arc::clone(&pulses), stale_after);
        let readiness = Arc::new(readiness);
        let mut metrics = Metrics::new(
            Arc::clone(&board),
            Arc::clone(&clients),
            Arc::clone(&admission),
            Arc::clone(&tls),
            Arc::clone(&readiness),
            Arc::clone(&pulses),
        );
        let balance = Balance::default();
        metrics.register_referrals(&balance.referrals);
        let rejections = Rejections::new(metrics.rejections());
        let shared = Arc::new(Shared {
            config,
            tls: Arc::clone(&tls),
            board,
            pulses,
            readiness,
            doubts,
            batches,
            admission,
            clients,
            balance,
            rejections,
            metrics,
        });

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (events_tx, events_rx) = mpsc::channel(EVENTS);
        let (questions_tx, questions_rx) = mpsc::channel(QUESTIONS);
        tasks.spawn(named("the datastore's adapter", source.run(events_tx, questions_rx)));
        tasks.spawn(named("the writer", writer.run(events_rx, questions_tx, shared.pulses.part("writer"))));
        let noted = Arc::clone(&shared.board);
        let noting = Arc::clone(&shared.clients).keep_noting(move || Point::last_change(&noted.look().view));
        tasks.spawn(named("the clients' watch", noting));
        tasks.spawn(named("the readiness's watch", Arc::clone(&shared.readiness).keep_looking()));
        let certificates = certificates::follow(Arc::clone(&tls), shared.config.limits.certificates_every);
        tasks.spawn(named("the certificates' watch", certificates));
        tasks.spawn(named("the admission's clock", Arc::clone(&shared.admission).keep_looking()));
        let admin_thread = Thread::start("typha-admin".to_owned(), pending()).map_err(ServerError::Threads)?;
        let admin_address = admin.map(|(listener, address)| {
            let admin = Admin::new(Arc::clone(&shared)).run(listener);
            tasks.spawn_on(named("the admin server", admin), admin_thread.runtime());
            address
        });
        let mut acceptor = JoinSet::new();
        let door = Acceptor::new(Arc::clone(&shared), tls, stop.clone()).map_err(ServerError::Threads)?;
        acceptor.spawn(door.run(listener));
        let name = shared.config.name.as_str();
        tracing::info!(name, %address, admin = admin_address.map(tracing::field::display), "typha serves");
        Ok(Self { address, admin_address, shared, stop, acceptor, tasks, _admin_thread: admin_thread })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the admin API is, if it is served.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Who is connected.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.shared.clients
    }

    /// Who is sent a whole state, and who waits for one.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.shared.admission
    }

    /// The certificates that the next connection is shown.
    pub fn certificates(&self) -> &Arc<ServerTls> {
        &self.shared.tls
    }

    /// Where the state is published.
    pub fn board(&self) -> &Arc<Board> {
        &self.shared.board
    }

    /// Waits for a task to end that should live as long as the server. Never completes while all is well.
    pub async fn failed(&mut self) -> ServerError {
        let ended = tokio::select! {
            Some(ended) = self.tasks.join_next() => ended,
            Some(ended) = self.acceptor.join_next() => ended.map(|()| "the acceptor"),
            else => Ok("the server"),
        };
        ended.map_or_else(ServerError::from, ServerError::Ended)
    }

    /// Accepts no more, asks clients to leave, and returns when they have or when the limit is reached.
    pub async fn drain(mut self, reason: &str) {
        let within = self.shared.config.limits.drain;
        tracing::info!(clients = self.shared.clients.len(), ?within, "draining: {reason}");
        self.shared.board.drain(Drain { reason: reason.to_owned(), within });
        self.shared.admission.wake_all();
        self.stop.cancel();
        while self.acceptor.join_next().await.is_some() {}
        self.tasks.shutdown().await;
    }
}

async fn listen(address: SocketAddr, option: &'static str) -> Result<(TcpListener, SocketAddr), ServerError> {
    let refused = |error| ServerError::Listen { address, option, error };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// What to do where an address cannot be listened on.
fn way_out(error: &io::Error, option: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("; is another typha running there? {option} takes another address"),
        io::ErrorKind::AddrNotAvailable => format!("; {option} takes an address that this machine has"),
        _ => format!(" ({option})"),
    }
}

async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}
