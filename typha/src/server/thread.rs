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
            // What blocks there, the look-up of a name for instance, may do so for minutes; its end has nothing to add.
            runtime.shutdown_background();
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

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::mpsc, time::Duration};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn its_end_does_not_wait_for_what_blocks() {
        let thread = Thread::start("test".to_owned(), pending()).expect("a thread");
        let (began, begun) = mpsc::channel();
        let (free, blocked) = mpsc::channel::<()>();
        thread.runtime().spawn_blocking(move || (began.send(()), blocked.recv()));
        begun.recv_timeout(DEADLINE).expect("it blocks");
        let (end, ended) = mpsc::channel();
        let dropping = thread::spawn(move || (drop(thread), end.send(())));
        let in_time = ended.recv_timeout(DEADLINE);
        drop(free);
        assert!(in_time.is_ok() && dropping.join().is_ok());
    }
}
