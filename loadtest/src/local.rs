//! A local deployment for one run: a datastore and typha replicas as processes of their own, with certificates made for
//! the run.

mod child;
mod folder;
mod lists;
mod meter;
mod relay;
mod store;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use pki::{
    Files,
    development::{Authority, Request},
};
use tokio::time::sleep;

use self::{child::Child, folder::Folder, relay::Relay, store::Store};
pub(crate) use self::{folder::remove_when_orphaned, lists::Lists, meter::Meter};
use crate::sampler::Gauges;

/// The common name of the typha's certificate.
pub(crate) const TYPHA_CN: &str = "typha-server";
/// The common name of every client's certificate.
const CLIENT_CN: &str = "typha-client";
/// More than typha takes to drain.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Which datastore to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Datastore {
    /// cattail-store, built beside us.
    Embedded,
    /// The etcd found in PATH.
    Etcd,
    /// None: an etcd listens there already, and is left as it was found.
    Given {
        address: SocketAddr,
        /// Its process, where it is the run's alone.
        pid: Option<u32>,
    },
}

impl Datastore {
    /// Etcd where it was asked for.
    pub(crate) fn chosen(is_etcd: bool) -> Self {
        if is_etcd { Self::Etcd } else { Self::Embedded }
    }
}

/// Processes, files and addresses of a run. Dropping it ends the processes and removes the files.
pub(crate) struct Local {
    replicas: Vec<Replica>,
    /// None where it is somebody else's.
    store: Option<Child>,
    /// Between the first replica and the datastore, where the run is to cut them.
    relay: Option<Relay>,
    folder: Folder,
    server_files: Files,
    /// Counts the CPU time and memory of all replicas.
    meter: Arc<Meter>,
    /// The datastore's; none where its process is not known.
    store_meter: Option<Arc<Meter>>,
    /// What replicas listed that have ended; unknown once one did not tell.
    listed: Option<Lists>,
    /// Where the store listens.
    pub(crate) store_url: String,
    /// The clients' certificate.
    pub(crate) client_files: Files,
}

/// A typha.
struct Replica {
    name: String,
    address: SocketAddr,
    admin_address: SocketAddr,
    /// The datastore, as this replica reaches it.
    store_url: String,
    child: Child,
}

impl Local {
    /// Starts a store and replicas on loopback and waits until all listen.
    pub(crate) async fn start(datastore: Datastore, replicas: u32, can_cut: bool) -> Result<Self> {
        let folder = Folder::make()?;
        let authority = Authority::new("cattail loadtest")?;
        let server_files = authority.write(folder.path(), "typha", &Request::named(TYPHA_CN))?;
        let client_files = authority.write(folder.path(), "client", &Request::named(CLIENT_CN))?;

        let Store { child: store, pid: store_pid, address } = Store::start(&datastore, folder.path()).await?;
        let relay = if can_cut { Some(Relay::start(address).await?) } else { None };
        let mut local = Self {
            replicas: Vec::new(),
            store,
            relay,
            folder,
            server_files,
            meter: Arc::default(),
            listed: Some(Lists::default()),
            store_meter: store_pid.map(|pid| Arc::new(Meter::of(pid))),
            store_url: format!("http://{address}"),
            client_files,
        };
        for number in 0..replicas {
            local.add_replica(number).await?;
        }
        Ok(local)
    }

    async fn add_replica(&mut self, number: u32) -> Result<()> {
        let relay = self.relay.as_ref().filter(|_| number == 0);
        let store_url = relay.map_or_else(|| self.store_url.clone(), |relay| format!("http://{}", relay.address()));
        let (name, address, admin_address) = (format!("typha-{number}"), free_address()?, free_address()?);
        let command = self.typha_command(&name, address, admin_address, &store_url)?;
        let mut child = Child::spawn(&name, command, self.folder.path())?;
        child.wait_until_listening(address).await?;
        self.meter.started(child.id());
        self.replicas.push(Replica { name, address, admin_address, store_url, child });
        Ok(())
    }

    fn typha_command(
        &self,
        name: &str,
        address: SocketAddr,
        admin_address: SocketAddr,
        store_url: &str,
    ) -> Result<Command> {
        let mut command = beside_us("typha")?;
        command
            .args(["--etcd-endpoints", store_url, "--listen", &address.to_string()])
            .args(["--admin-listen", &admin_address.to_string(), "--client-cn", CLIENT_CN, "--name", name])
            .arg("--cert-file")
            .arg(&self.server_files.cert)
            .arg("--key-file")
            .arg(&self.server_files.key)
            .arg("--ca-file")
            .arg(&self.server_files.ca);
        Ok(command)
    }

    /// Shows the processes' CPU time and memory.
    pub(crate) fn gauges(&self) -> Gauges {
        Gauges { server: Some(Arc::clone(&self.meter)), datastore: self.store_meter.clone() }
    }

    /// How often the replicas listed the datastore's state, restarts included; `None` where one did not tell.
    pub(crate) async fn lists(&self) -> Option<Lists> {
        let mut lists = self.listed?;
        for replica in &self.replicas {
            lists = lists.with(replica.admin_address).await?;
        }
        Some(lists)
    }

    /// Where the replicas listen.
    pub(crate) fn servers(&self) -> Vec<String> {
        self.replicas.iter().map(|replica| replica.address.to_string()).collect()
    }

    /// Restarts the replicas one by one, as a rolling update does, with a pause after each.
    pub(crate) async fn restart(&mut self, pause: Duration) -> Result<()> {
        for number in 0..self.replicas.len() {
            let replica = &self.replicas[number];
            let command =
                self.typha_command(&replica.name, replica.address, replica.admin_address, &replica.store_url)?;
            if let Some(listed) = self.listed {
                self.listed = listed.with(replica.admin_address).await;
            }
            let (folder, replica) = (self.folder.path(), &mut self.replicas[number]);
            replica.child.terminate(STOP_LIMIT, |pid| self.meter.ending(pid)).await?;
            self.meter.ended(replica.child.id());
            replica.child = Child::spawn(&replica.name, command, folder)?;
            replica.child.wait_until_listening(replica.address).await?;
            self.meter.started(replica.child.id());
            sleep(pause).await;
        }
        Ok(())
    }

    /// Cuts the first replica off its datastore: what either sends is not passed on until it is healed.
    pub(crate) fn cut_off(&self, is_cut: bool) {
        if let Some(relay) = &self.relay {
            relay.set_cut(is_cut);
        }
    }

    /// Fails where a typha has died, with the end of its log.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.replicas.iter_mut().try_for_each(|replica| replica.child.check_alive())
    }

    /// Whether the datastore ends with the run, and what was written with it.
    pub(crate) fn owns_store(&self) -> bool {
        self.store.is_some()
    }

    /// What reaches this deployment from another process.
    pub(crate) fn options(&self) -> String {
        let Files { cert, key, ca } = &self.client_files;
        format!(
            "--target {} --cert-file {} --key-file {} --ca-file {} --etcd-endpoints {}",
            self.servers().join(","),
            cert.display(),
            key.display(),
            ca.display(),
            self.store_url
        )
    }

    /// Where the processes' logs are, for messages.
    pub(crate) fn logs(&self) -> &Path {
        self.folder.path()
    }
}

fn in_path(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .with_context(|| format!("there is no {program} in PATH; Debian's package is etcd-server"))
}

/// A program built beside ours.
fn beside_us(program: &str) -> Result<Command> {
    let own = std::env::current_exe().context("cannot find our own program")?;
    let path: PathBuf = own.with_file_name(program);
    if !path.is_file() {
        let profile = if cfg!(debug_assertions) { "" } else { " --release" };
        bail!("{} is not built; build all programs first: cargo build{profile} --workspace --bins", path.display());
    }
    Ok(Command::new(path))
}

/// An address on loopback that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}
