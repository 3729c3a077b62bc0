//! The folder of a run: in memory where there is room, removed with the run, and also where the run is killed and can do
//! nothing any more.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::sys::statvfs::statvfs;
use tempfile::TempDir;

/// Time for the processes of a run to be gone after it: the kernel kills them with it.
const SETTLE: Duration = Duration::from_millis(500);

/// Files that are kept in memory. The datastore of a run is there, because a disk that pauses would be counted as typha's
/// latency.
const MEMORY: &str = "/dev/shm";

/// Room for etcd with half a million keys and their history. Containers often have 64 MB.
const MEMORY_BYTES: u64 = 4 << 30;

/// A temporary folder, and a process that outlives us for as long as it takes to remove it.
pub(super) struct Folder {
    folder: TempDir,
    keeper: Child,
}

impl Folder {
    pub(super) fn make() -> Result<Self> {
        let folder =
            TempDir::with_prefix_in("cattail-loadtest-", place()).context("cannot make a directory for the run")?;
        let program = std::env::current_exe().context("cannot find our own program")?;
        let mut command = Command::new(program);
        // The pipe closes when we end, however we do.
        command.arg("remove-when-orphaned").arg(folder.path()).stdin(Stdio::piped());
        // Ctrl-C is not for it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let keeper = command.spawn().context("cannot start ourselves")?;
        Ok(Self { folder, keeper })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Where `TMPDIR` says; otherwise in memory, where there is room.
fn place() -> PathBuf {
    let is_chosen = std::env::var_os("TMPDIR").is_some();
    let room = statvfs(MEMORY).map_or(0, |memory| memory.blocks_available() * memory.fragment_size());
    if !is_chosen && room >= MEMORY_BYTES { MEMORY.into() } else { std::env::temp_dir() }
}

/// Waits until nobody holds the other end of our input, and removes a folder.
pub(crate) fn remove_when_orphaned(folder: &Path) -> Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink()).context("cannot wait for the run")?;
    std::thread::sleep(SETTLE);
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}
