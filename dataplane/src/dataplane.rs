//! The door to this room.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::intent::Delta;
use tokio::{io::unix::AsyncFd, time::Instant};

use crate::{Applied, Config, Error, engine::Engine, routes::Monitor};

/// The kernel of one network namespace: that of the thread which called [`Dataplane::new`], wherever it is used later.
///
/// One owner drives it: take changes in, [`apply`](Self::apply), wait for more changes or
/// [`changed`](Self::changed), and so on. Dropping it leaves the kernel as it is: rules stay in force without us.
pub struct Dataplane {
    /// Shared with the blocking task of an apply, and with nobody else.
    engine: Arc<Mutex<Engine>>,
    monitor: Monitor,
    /// Made at the first wait: it needs a runtime, which the thread that makes a dataplane need not have.
    waiter: Option<AsyncFd<OwnedFd>>,
    /// When the kernel is to be read back; `None` is never.
    next_resync: Option<Instant>,
    /// When to try again what failed for reasons that may pass without an event.
    retry_at: Option<Instant>,
}

/// A gateway that nothing leads to yet, a setting that cannot be written now: soon enough to go unnoticed, seldom
/// enough to cost nothing.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

impl Dataplane {
    /// Opens the sockets in the calling thread's network namespace. Writes nothing.
    pub fn new(config: Config) -> Result<Self, Error> {
        let next_resync = after(config.resync_interval);
        Ok(Self {
            monitor: Monitor::open().map_err(Error::Open)?,
            engine: Arc::new(Mutex::new(Engine::open(config)?)),
            waiter: None,
            next_resync,
            retry_at: None,
        })
    }

    /// Takes a change in. Cheap; no kernel is touched.
    pub fn update(&mut self, delta: &Delta) {
        self.engine().update(delta);
        if delta.config.is_some() {
            self.next_resync = after(self.resync_interval());
        }
    }

    /// What was taken in so far is everything: from now on, [`apply`](Self::apply) may write and sweep.
    pub fn set_in_sync(&mut self) {
        self.engine().set_in_sync();
    }

    /// Makes the kernel enforce what was taken in. Before [`set_in_sync`](Self::set_in_sync) it does nothing.
    ///
    /// What cannot be enforced is left out, closed, and reported; after an error, the next apply reads the kernel
    /// back and tries again.
    pub async fn apply(&mut self) -> Result<Applied, Error> {
        if self.monitor.drain() {
            self.engine().links_changed = true;
        }
        let engine = Arc::clone(&self.engine);
        let work = move || lock(&engine).apply();
        let result = tokio::task::spawn_blocking(work).await.map_err(Error::Interrupted).flatten();
        if result.is_err() {
            self.engine().require_resync();
        }
        let must_retry = result.is_err() || self.engine().must_retry();
        self.retry_at = must_retry.then(|| Instant::now() + RETRY_INTERVAL);
        result
    }

    /// Returns when the next [`apply`](Self::apply) may have something to do though nothing was taken in: interfaces
    /// came, went or changed, what failed is to be tried again, or it is time to read the kernel back. Never returns
    /// before in-sync.
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) {
        if !self.engine().is_in_sync() {
            std::future::pending::<()>().await;
        }
        // Never polled where there is no time to wait for.
        let sleep_until = |at: Option<Instant>| tokio::time::sleep_until(at.unwrap_or_else(Instant::now));
        let (resync_at, retry_at) = (self.next_resync, self.retry_at);
        tokio::select! {
            () = self.link_event() => {}
            () = sleep_until(retry_at), if retry_at.is_some() => {}
            () = sleep_until(resync_at), if resync_at.is_some() => {
                self.next_resync = after(self.resync_interval());
                self.engine().require_resync();
            }
        }
    }

    /// Where waiting for events is impossible, the resync interval has to do.
    async fn link_event(&mut self) {
        if self.waiter.is_none() {
            self.waiter = self.monitor.descriptor().ok().and_then(register);
        }
        let Some(waiter) = &self.waiter else { return std::future::pending().await };
        loop {
            let Ok(mut ready) = waiter.readable().await else { return std::future::pending().await };
            // The event stays queued: the apply that it leads to takes it.
            if let Ok(event) = ready.try_io(|descriptor| Monitor::peek(descriptor.get_ref())) {
                tracing::debug!(?event, "interfaces changed");
                return;
            }
        }
    }

    fn resync_interval(&self) -> Option<Duration> {
        self.engine().config().resync_interval
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.engine)
    }
}

fn after(interval: Option<Duration>) -> Option<Instant> {
    Some(Instant::now() + interval?)
}

fn register(descriptor: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is one open descriptor for as long as it lives.
    unsafe { AsyncFd::register(descriptor) }.ok()
}

/// A panic in an apply leaves state that the following resync puts right.
fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}
