//! Steady flows of packets between pods that count every loss, to run while something is killed or restarted.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    LabError, Pod,
    flight::Flight,
    probe::{PATIENCE, Probe},
};

/// A hundred probes a second: a gap of 10 ms in the kernel's rules is seen.
const INTERVAL: Duration = Duration::from_millis(10);

/// How long the stream may stand still before it counts as broken: several retransmissions.
const STREAM_PATIENCE: Duration = Duration::from_secs(5);

/// What a flow is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// One probe after the other, each from a socket of its own: to the kernel each is a new connection that meets the
    /// whole policy, where a packet of a known one would pass by connection tracking.
    Probes(Probe),
    /// Messages on one TCP connection to this port: an established flow, which nothing may cut.
    Stream(u16),
}

/// What a flow has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Probes or messages that were sent.
    pub sent: u64,
    /// Those that were answered.
    pub answered: u64,
}

impl Tally {
    /// What was sent and never answered.
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.answered)
    }
}

/// A flow that runs until it is stopped.
#[derive(Debug)]
pub struct Flow {
    /// Tells the thread to end.
    stop: Arc<AtomicBool>,
    /// Its result; taken by [`Flow::stop`].
    thread: Option<JoinHandle<Result<Tally, LabError>>>,
}

impl Flow {
    /// Starts a flow from a pod to an address. Returns at once.
    pub fn start(from: &Pod, to: IpAddr, kind: FlowKind) -> Result<Self, LabError> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = from.netns().run(|| {
            // The thread inherits the namespace of the one that starts it.
            let stopped = Arc::clone(&stop);
            let body = move || match kind {
                FlowKind::Probes(probe) => probes(to, probe, &stopped),
                FlowKind::Stream(port) => stream(SocketAddr::new(to, port), &stopped),
            };
            let run = move || body().map_err(LabError::system(format!("{kind:?} to {to}")));
            thread::Builder::new().name("flow".to_owned()).spawn(run).map_err(LabError::system("starting a thread"))
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Asks the flow to end without waiting for it, so that several can end together.
    pub fn wind_down(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the flow, waits for answers that may still come, and tells what was seen.
    pub fn stop(mut self) -> Result<Tally, LabError> {
        self.wind_down();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(tally)) => tally,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(Tally::default()),
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.wind_down();
        if let Some(thread) = self.thread.take() {
            // Nobody asks for the result any more; a panic has been printed already.
            let _ = thread.join();
        }
    }
}

fn probes(to: IpAddr, probe: Probe, stopped: &AtomicBool) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut waiting = VecDeque::new();
    while !stopped.load(Ordering::Relaxed) {
        waiting.push_back(Flight::launch(to, probe)?);
        tally.sent += 1;
        thread::sleep(INTERVAL);
        tally.answered += collect(&mut waiting);
    }
    while !waiting.is_empty() {
        thread::sleep(INTERVAL);
        tally.answered += collect(&mut waiting);
    }
    Ok(tally)
}

/// Counts answers that have come; forgets what was refused or has waited too long.
fn collect(waiting: &mut VecDeque<Flight>) -> u64 {
    waiting.iter_mut().for_each(Flight::progress);
    let answered = waiting.iter().filter(|flight| flight.outcome().is_answered()).count();
    waiting.retain(|flight| flight.is_open() && flight.launched().elapsed() < PATIENCE);
    answered as u64
}

fn stream(to: SocketAddr, stopped: &AtomicBool) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut connection = TcpStream::connect_timeout(&to, STREAM_PATIENCE)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(STREAM_PATIENCE))?;
    while !stopped.load(Ordering::Relaxed) {
        let message = tally.sent.to_be_bytes();
        tally.sent += 1;
        let mut answer = [0; 8];
        if connection.write_all(&message).and_then(|()| connection.read_exact(&mut answer)).is_err()
            || answer != message
        {
            return Ok(tally);
        }
        tally.answered += 1;
        thread::sleep(INTERVAL);
    }
    Ok(tally)
}
