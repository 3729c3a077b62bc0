//! Ctrl-C and SIGTERM: the temporary folder goes, the children go with us, and the kernel takes the namespaces away.

use std::{
    fs,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};

/// The shell's convention for a program that a signal ended.
const SIGNAL_EXIT_BASE: i32 = 128;

/// The right to decide what the blocked signals do.
pub struct Interrupts {
    signals: SigSet,
    /// Whether an interrupt is the way to end and no failure.
    welcome: Arc<AtomicBool>,
}

/// Blocks the signals in this thread and in all that it starts.
pub fn block() -> Result<Interrupts> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGHUP);
    signals.thread_block().context("blocking signals")?;
    Ok(Interrupts { signals, welcome: Arc::default() })
}

impl Interrupts {
    /// Ends the process when a signal comes, wherever it is, after the folder has been removed.
    pub fn clean_up_on_signal(&self, folder: PathBuf) -> Result<()> {
        let (signals, welcome) = (self.signals, Arc::clone(&self.welcome));
        let wait = move || {
            let Ok(signal) = signals.wait() else { return };
            // Children are killed by the kernel as this process ends (PR_SET_PDEATHSIG). One of them may write a last
            // file while the folder goes, so it is tried twice.
            let _ = fs::remove_dir_all(&folder).or_else(|_| fs::remove_dir_all(&folder));
            let success = welcome.load(Ordering::Relaxed);
            process::exit(if success { 0 } else { SIGNAL_EXIT_BASE + signal as i32 });
        };
        // Lives as long as the process, on purpose: it is what ends it.
        thread::Builder::new().name("interrupts".to_owned()).spawn(wait).context("starting a thread")?;
        Ok(())
    }

    /// From now on an interrupt ends the process successfully: all is done, and only the user knows for how long to stay.
    pub fn welcome(&self) {
        self.welcome.store(true, Ordering::Relaxed);
    }
}
