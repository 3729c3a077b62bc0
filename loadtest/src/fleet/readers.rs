//! The threads that clients run on: one for each core, each with a runtime of its own, as typha has them. A client stays on its
//! thread.

use std::{convert::Infallible, thread};

use anyhow::{Context as _, Result};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// As many threads as this process may use cores.
pub(super) struct Readers {
    threads: Vec<Reader>,
}

struct Reader {
    runtime: Handle,
    /// The thread ends when this is dropped.
    _stop: oneshot::Sender<Infallible>,
}

impl Readers {
    /// Starts threads of this name.
    pub(super) fn start(name: &str) -> Result<Self> {
        let cores = thread::available_parallelism().context("cannot tell how many cores there are")?.get();
        let threads = (0..cores).map(|core| Reader::start(format!("{name}-{core}"))).collect::<Result<_>>()?;
        Ok(Self { threads })
    }

    /// Where client number `number` runs.
    pub(super) fn of(&self, number: usize) -> &Handle {
        &self.threads[number % self.threads.len()].runtime
    }
}

impl Reader {
    fn start(name: String) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("no runtime for clients")?;
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel());
        let life = move || {
            // An error means that it was dropped, which is what it waits for.
            let _ = runtime.block_on(stopped);
        };
        thread::Builder::new().name(name).spawn(life).context("cannot start a thread for clients")?;
        Ok(Self { runtime: handle, _stop: stop })
    }
}
