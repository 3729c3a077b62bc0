//! The etcd that both sides of a comparison are measured over, one after the other.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::ours::Ours;
use crate::{needs, run};

/// An etcd on loopback that does not listen by then will not.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at whether it listens.
const POLL: Duration = Duration::from_millis(50);

/// A running etcd, with its data in a folder of its own. Both go with us, however we go.
pub(super) struct Etcd {
    process: Child,
    folder: PathBuf,
    keeper: Child,
    address: SocketAddr,
}

impl Etcd {
    /// Starts one, with the flags that the load programs start theirs with.
    pub(super) fn start(ours: &Ours, scratch: &Path) -> Result<Self> {
        let (address, peer) = (free_address()?, free_address()?);
        let folder = scratch.join(format!("cattail-bench-etcd-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let log = folder.join("log");
        let (url, peer_url) = (format!("http://{address}"), format!("http://{peer}"));
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(needs::find("etcd").context("there is no etcd")?);
        command.arg("--data-dir").arg(folder.join("data")).args(["--log-level", "warn", "--name", "bench"]);
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
        command.args(["--initial-cluster", &format!("bench={peer_url}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let keeper = ours.keeper(&folder)?;
        let mut etcd = Self {
            process: command.spawn().context("cannot start etcd by setpriv (of util-linux)")?,
            folder,
            keeper,
            address,
        };
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).is_err() {
            if etcd.process.try_wait()?.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("etcd does not listen on {address}; it said:\n{said}");
            }
            sleep(POLL);
        }
        Ok(etcd)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Forgets the history that one side left, so that the other does not pay for it.
    pub(super) fn forget_history(&self) -> Result<()> {
        let status: Value =
            serde_json::from_str(&run::output(self.ctl().args(["get", "none", "--write-out", "json"]))?)?;
        let revision =
            status.pointer("/header/revision").and_then(Value::as_u64).context("etcdctl told no revision")?;
        run::output(self.ctl().args(["compact", "--physical", &revision.to_string()]))?;
        run::output(self.ctl().arg("defrag"))?;
        Ok(())
    }

    fn ctl(&self) -> Command {
        let mut ctl = Command::new("etcdctl");
        ctl.env("ETCDCTL_API", "3").args(["--endpoints", &format!("http://{}", self.address)]);
        ctl
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // Whatever is gone already is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An address on loopback that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}
