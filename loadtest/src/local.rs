//! A local deployment for one run: cattail-store and typha as processes of their own, with certificates made for the run.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use pki::{
    Files,
    development::{Authority, Request},
};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

/// The common name of the typha's certificate.
pub(crate) const TYPHA_CN: &str = "typha-server";
/// The common name of every client's certificate.
const CLIENT_CN: &str = "typha-client";
/// A local process that does not listen by then will not.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at a process that starts.
const POLL: Duration = Duration::from_millis(20);

/// Processes, files and addresses of a run. Dropping it ends the processes and removes the files.
pub(crate) struct Local {
    typha: Process,
    _store: Process,
    folder: TempDir,
    /// Where the store listens.
    pub(crate) store_url: String,
    /// Where typha listens.
    pub(crate) typha_address: SocketAddr,
    /// The clients' certificate.
    pub(crate) client_files: Files,
}

impl Local {
    /// Starts a store and a typha on loopback and waits until both listen.
    pub(crate) async fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("cattail-loadtest-").context("cannot make a directory for the run")?;
        let authority = Authority::new("cattail loadtest")?;
        let server_files = authority.write(folder.path(), "typha", &Request::named(TYPHA_CN))?;
        let client_files = authority.write(folder.path(), "client", &Request::named(CLIENT_CN))?;

        let store_address = free_address()?;
        let mut store = command("cattail-store")?;
        store.arg("--data-dir").arg(folder.path().join("store")).args(["--listen", &store_address.to_string()]);
        let mut store = Process::spawn("cattail-store", store, folder.path())?;
        store.wait_until_listening(store_address).await?;

        let (typha_address, admin_address) = (free_address()?, free_address()?);
        let store_url = format!("http://{store_address}");
        let mut typha = command("typha")?;
        typha
            .args(["--etcd-endpoints", &store_url, "--listen", &typha_address.to_string()])
            .args(["--admin-listen", &admin_address.to_string(), "--client-cn", CLIENT_CN, "--name", "loadtest"])
            .arg("--cert-file")
            .arg(&server_files.cert)
            .arg("--key-file")
            .arg(&server_files.key)
            .arg("--ca-file")
            .arg(&server_files.ca);
        let mut typha = Process::spawn("typha", typha, folder.path())?;
        typha.wait_until_listening(typha_address).await?;
        Ok(Self { typha, _store: store, folder, store_url, typha_address, client_files })
    }

    /// The typha's process id.
    pub(crate) fn typha_pid(&self) -> u32 {
        self.typha.child.id()
    }

    /// Fails where typha has died, with the end of its log.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.typha.check_alive()
    }

    /// Where the processes' logs are, for messages.
    pub(crate) fn logs(&self) -> &Path {
        self.folder.path()
    }
}

/// A program built beside ours.
fn command(program: &str) -> Result<Command> {
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

/// A child process with a log file; killed when dropped.
struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    fn spawn(name: &'static str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    async fn wait_until_listening(&mut self, address: SocketAddr) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).await.is_err() {
            self.check_alive()?;
            if Instant::now() > deadline {
                bail!("{} does not listen on {address} after {START_TIMEOUT:?}: {}", self.name, self.log_tail());
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}: {}", self.name, self.log_tail()),
        }
    }

    fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
