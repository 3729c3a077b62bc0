//! A child process with a log file; killed when dropped.

use std::{
    fs::OpenOptions,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

/// A local process that does not listen by then will not.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at a process that starts or ends.
const POLL: Duration = Duration::from_millis(20);
/// Lines of its log that explain why a process died.
const LOG_TAIL: usize = 10;

/// A running process.
pub(super) struct Child {
    name: String,
    process: process::Child,
    log: PathBuf,
}

impl Child {
    pub(super) fn spawn(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let file = file.with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        crate::process::end_with_us(&mut command);
        let process = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), process, log })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(super) async fn wait_until_listening(&mut self, address: SocketAddr) -> Result<()> {
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

    pub(super) fn check_alive(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}: {}", self.name, self.log_tail()),
        }
    }

    /// Ends the process by SIGTERM and waits for it; `meanwhile` is called until it is gone.
    pub(super) async fn terminate(&mut self, limit: Duration, meanwhile: impl Fn(u32)) -> Result<()> {
        let deadline = Instant::now() + limit;
        kill(Pid::from_raw(self.id().cast_signed()), Signal::SIGTERM)
            .with_context(|| format!("cannot end {}", self.name))?;
        loop {
            meanwhile(self.id());
            if self.process.try_wait()?.is_some() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} does not end after {limit:?}: {}", self.name, self.log_tail());
            }
            sleep(POLL).await;
        }
    }

    fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
