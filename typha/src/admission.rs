//! Who is sent a whole state now, who waits, and who is told to come back: so that a storm of clients that need one
//! takes nothing from those that are served already.
//!
//! A client that lacks little never comes here. One that needs a snapshot, a large repair or much that changed asks for
//! a share of a budget of bytes and holds it until it has everything. `line` decides, purely; this is the lock and the
//! wakers around it, and what calls it once a second. How much there is to send, and what is sent, is the session's
//! business.

mod demand;
mod limits;
mod line;
mod pace;
mod status;
mod ticket;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

use self::line::Line;
pub use self::{
    demand::{Demand, Need},
    limits::AdmissionLimits,
    line::Answer,
    status::AdmissionStatus,
    ticket::Ticket,
};

/// Between two looks at who was too slow and who waited too long: both take seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The budget, those who hold a share of it, and those who wait for one.
pub struct Admission {
    state: Mutex<State>,
}

struct State {
    line: Line,
    /// What wakes those who wait, by their number.
    wakers: HashMap<u64, Waker>,
}

impl Admission {
    /// Nobody is here yet.
    pub fn new(limits: AdmissionLimits) -> Self {
        Self { state: Mutex::new(State { line: Line::new(limits), wakers: HashMap::new() }) }
    }

    /// A client asks. Its place is free again when the ticket is dropped.
    pub fn enter(self: &Arc<Self>, demand: Demand, now: Instant) -> Ticket {
        let number = self.with(|line| line.enter(demand, now));
        Ticket::new(Arc::clone(self), number)
    }

    /// What is told of it.
    pub fn status(&self) -> AdmissionStatus {
        self.with(|line| line.status())
    }

    /// Takes shares from who does not use them, and puts off who waited for too long.
    pub fn look(&self, now: Instant) {
        self.with(|line| line.look(now));
    }

    /// Looks, once a second, for ever.
    pub(crate) async fn keep_looking(self: Arc<Self>) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.look(look.tick().await.into_std());
        }
    }

    /// Wakes everybody who waits: something else than their turn has come.
    pub fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.state().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    fn answer(&self, number: u64, taken_bytes: u64, now: Instant) -> Answer {
        self.with(|line| line.answer(number, taken_bytes, now))
    }

    fn leave(&self, number: u64) {
        self.state().wakers.remove(&number);
        self.with(|line| line.leave(number));
    }

    /// Ready when the answer is another one than to wait, or may be.
    fn poll_turn(&self, number: u64, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.line.is_waiting(number) {
            return Poll::Ready(());
        }
        match state.wakers.get_mut(&number) {
            Some(waker) => waker.clone_from(context.waker()),
            None => drop(state.wakers.insert(number, context.waker().clone())),
        }
        Poll::Pending
    }

    /// Does something in the line, and wakes those whose turn has come by it, once the lock is free.
    fn with<T>(&self, act: impl FnOnce(&mut Line) -> T) -> T {
        let mut state = self.state();
        let result = act(&mut state.line);
        let called = state.line.take_called();
        let wakers: Vec<_> = called.iter().filter_map(|number| state.wakers.remove(number)).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in the line can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
