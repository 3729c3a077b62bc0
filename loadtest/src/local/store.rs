//! The datastore of a local deployment: started with it, or somebody else's.

use std::{net::SocketAddr, path::Path, process::Command};

use anyhow::Result;

use super::{Datastore, beside_us, child::Child, free_address, in_path};

/// A datastore that listens.
pub(super) struct Store {
    /// None where it is somebody else's.
    pub(super) child: Option<Child>,
    /// None where its process is not known.
    pub(super) pid: Option<u32>,
    pub(super) address: SocketAddr,
}

impl Store {
    /// Starts what is to be started.
    pub(super) async fn start(datastore: &Datastore, folder: &Path) -> Result<Self> {
        let data = folder.join("store");
        let address = if let Datastore::Given { address, .. } = datastore { *address } else { free_address()? };
        let (name, command) = match datastore {
            Datastore::Given { pid, .. } => return Ok(Self { child: None, pid: *pid, address }),
            Datastore::Embedded => ("cattail-store", embedded(&data, address)?),
            Datastore::Etcd => ("etcd", etcd(&data, address)?),
        };
        let mut child = Child::spawn(name, command, folder)?;
        child.wait_until_listening(address).await?;
        Ok(Self { pid: Some(child.id()), child: Some(child), address })
    }
}

fn embedded(data: &Path, address: SocketAddr) -> Result<Command> {
    let mut command = beside_us("cattail-store")?;
    command.arg("--data-dir").arg(data).args(["--listen", &address.to_string()]);
    Ok(command)
}

fn etcd(data: &Path, address: SocketAddr) -> Result<Command> {
    let (url, peer_url) = (format!("http://{address}"), format!("http://{}", free_address()?));
    let mut command = Command::new(in_path("etcd")?);
    command.arg("--data-dir").arg(data).args(["--log-level", "warn", "--name", "loadtest"]);
    command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
    command.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
    command.args(["--initial-cluster", &format!("loadtest={peer_url}")]);
    Ok(command)
}
