//! A thread with a runtime of its own, whose tasks neither wait for those of others nor keep them waiting.

use std::{
    io,
    thread::{self, JoinHandle},
};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// A thread with a runtime. Dropping it ends what runs there.
pub(super) struct Thread {
    runtime: Handle,
    stop: CancellationToken,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// A thread that lives until `life` completes or it is dropped.
    pub(super) fn start(name: String, life: impl Future<Output = ()> + Send + 'static) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (own, stop) = (runtime.handle().clone(), CancellationToken::new());
        let stopped = stop.clone();
        let handle = thread::Builder::new().name(name).spawn(move || {
            runtime.block_on(stopped.run_until_cancelled(life));
        })?;
        Ok(Self { runtime: own, stop, handle: Some(handle) })
    }

    /// Where tasks are spawned that shall run there.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.cancel();
        if self.handle.take().is_some_and(|handle| handle.join().is_err()) {
            tracing::error!("a thread failed");
        }
    }
}
