//! Asking one question again and again beside everything else, to learn when it is first answered.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    LabError,
    flight::{Flight, wait},
    probe::{Attempt, PATIENCE},
};

/// A thread that asks until it is answered.
#[derive(Debug)]
pub struct Watch {
    /// Tells the thread to give up.
    stop: Arc<AtomicBool>,
    /// Its result; taken by [`Watch::answered_at`].
    thread: Option<JoinHandle<Result<Option<Instant>, LabError>>>,
}

impl Watch {
    /// Starts to ask every `interval`, until an answer comes or patience ends. Returns at once.
    pub fn start(attempt: Attempt<'_>, interval: Duration, patience: Duration) -> Result<Self, LabError> {
        let stop = Arc::new(AtomicBool::new(false));
        let Attempt { from, to, probe } = attempt;
        let thread = from.netns().run(|| {
            let stopped = Arc::clone(&stop);
            let ask = move || {
                let launch = || Flight::launch(to, probe).map_err(LabError::system(format!("sending {probe} to {to}")));
                first_answer(launch, interval, Instant::now() + patience, &stopped)
            };
            // The thread inherits the namespace of the one that starts it.
            thread::Builder::new().name("watch".to_owned()).spawn(ask).map_err(LabError::system("starting a thread"))
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Waits for the first answer; `None` where none came in time.
    pub fn answered_at(mut self) -> Result<Option<Instant>, LabError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(answered)) => answered,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(None),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Nobody asks for the result any more; a panic has been printed already.
            let _ = thread.join();
        }
    }
}

/// Every question stays open while the next ones are asked, so that a slow answer counts as well as a fast one.
fn first_answer(
    launch: impl Fn() -> Result<Flight, LabError>,
    interval: Duration,
    deadline: Instant,
    stopped: &AtomicBool,
) -> Result<Option<Instant>, LabError> {
    let mut flights = VecDeque::new();
    while Instant::now() < deadline && !stopped.load(Ordering::Relaxed) {
        flights.push_back(launch()?);
        let next = Instant::now() + interval;
        while Instant::now() < next {
            wait(&flights, next.saturating_duration_since(Instant::now()));
            flights.iter_mut().for_each(Flight::progress);
            if flights.iter().any(|flight| flight.outcome().is_answered()) {
                return Ok(Some(Instant::now()));
            }
        }
        flights.retain(|flight| flight.is_open() && flight.launched().elapsed() < PATIENCE);
    }
    Ok(None)
}
