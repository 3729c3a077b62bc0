//! A server under attack, and an agent on it that must not notice.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pki::{Files, development::Request};
use rustls::ClientConfig;
use tokio::{
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    time::sleep,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use typha::Limits;

use crate::{
    harness::{
        Certificates, Typha,
        client::{Client, State, connect},
        events::{apply, key, list, put},
        until,
    },
    memory::Gauge,
};

/// Short enough to see limits run out, long enough for an honest peer on a busy machine.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// By how much the process may grow under any one attack, the attacker's own memory included. A server that kept what it
/// is sent would exceed it many times over.
pub(crate) const GROWTH_BYTES: usize = 16 << 20;

/// How often something changes while an attack lasts.
const BEAT: Duration = Duration::from_millis(5);

/// Attacks are measured by the memory of the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The server, the agent, and what attackers need.
pub(crate) struct Siege {
    pub(crate) door: Door,
    pub(crate) typha: Typha,
    pub(crate) certificates: Certificates,
    agent: Client,
    /// The last revision of the datastore.
    revision: u64,
    /// Another key's value, written with every change.
    pub(crate) burden: Vec<u8>,
    /// By how much the process may grow.
    pub(crate) growth_bytes: usize,
    _turn: MutexGuard<'static, ()>,
}

/// Where the server is and what opens it.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Door {
    pub(crate) async fn tcp(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.address).await
    }

    /// A connection with a right certificate.
    pub(crate) async fn tls(&self) -> std::io::Result<TlsStream<TcpStream>> {
        self.tls_with(Arc::clone(&self.tls)).await
    }

    pub(crate) async fn tls_with(&self, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = self.tcp().await?;
        Box::pin(TlsConnector::from(config).connect("typha".try_into().expect("a name"), stream)).await
    }
}

impl Siege {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> anyhow::Result<Self> {
        let turn = ONE_AT_A_TIME.lock().await;
        let certificates = Certificates::new()?;
        let typha = Typha::start_with(&certificates, "a", limits).await?;
        for event in list(1, vec![put("beat-1", 1, "1")]) {
            typha.send(event).await?;
        }
        let tls = certificates.client()?;
        let mut sync = Box::pin(connect(typha.address(), Arc::clone(&tls))).await?;
        let mut agent = Client::subscribe(&mut sync, "agent", State::default()).await?;
        agent.reach(1).await?;
        let door = Door { address: typha.address(), tls };
        Ok(Self {
            door,
            typha,
            certificates,
            agent,
            revision: 1,
            burden: Vec::new(),
            growth_bytes: GROWTH_BYTES,
            _turn: turn,
        })
    }

    /// Attacks while things change: the agent gets every change, in order and verified, the server's memory stays
    /// bounded, and afterwards nobody but the agent is connected.
    pub(crate) async fn withstand(&mut self, attack: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let gauge = Gauge::start();
        // The revision at which all is over; nobody knows it before.
        let last = AtomicU64::new(u64::MAX);
        let (typha, burden, mut revision) = (&self.typha, &self.burden, self.revision);
        let write = async {
            let mut attack = Box::pin(attack);
            loop {
                let over = tokio::select! {
                    over = &mut attack => Some(over),
                    () = sleep(BEAT) => None,
                };
                revision += 1;
                if over.is_some() {
                    last.store(revision, Ordering::Relaxed);
                }
                let mut updates = vec![put(&format!("beat-{revision}"), revision, revision.to_string())];
                if !burden.is_empty() {
                    updates.push(put("burden", revision, burden.clone()));
                }
                typha.send(apply(updates)).await?;
                if let Some(over) = over {
                    return over.map(|()| revision);
                }
            }
        };
        let agent = &mut self.agent;
        let read = async {
            // Fails where it went back, where a digest is wrong, and where nothing comes for long.
            while agent.checkpoint().await?.revision < last.load(Ordering::Relaxed) {}
            anyhow::Ok(())
        };
        let (written, ()) = tokio::try_join!(write, read)?;
        self.revision = written;
        let growth_bytes = gauge.growth_bytes();
        eprintln!("memory grew by {} KiB", growth_bytes >> 10);
        anyhow::ensure!(growth_bytes < self.growth_bytes, "memory grew by {growth_bytes} bytes");
        self.nothing_was_missed()?;
        until("the attackers are gone", async || Ok(self.typha.server.clients().len() <= 1)).await
    }

    fn nothing_was_missed(&self) -> anyhow::Result<()> {
        for revision in 1..=self.revision {
            let key = key(&format!("beat-{revision}")).to_string();
            anyhow::ensure!(self.agent.state.entries.contains_key(&key), "the agent never heard of {key}");
        }
        Ok(())
    }

    /// A client configuration that does not look at its own files as ours does.
    pub(crate) fn careless(&self, files: Option<&Files>) -> anyhow::Result<ClientConfig> {
        self.certificates.careless(files)
    }

    /// A certificate of the server's own CA.
    pub(crate) fn issue(&self, common_name: &str) -> anyhow::Result<Files> {
        self.certificates.issue(&Request::named(common_name))
    }
}
