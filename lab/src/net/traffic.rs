//! Steady flows of packets between pods that count every loss, to run while something is killed or restarted.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{LabError, Pod};

/// A hundred packets a second: a gap of 10 ms in the kernel's rules is seen.
const INTERVAL: Duration = Duration::from_millis(10);

/// How long an answer may take before the packet counts as lost.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// How long the stream may stand still before it counts as broken: several retransmissions.
const STREAM_PATIENCE: Duration = Duration::from_secs(5);

/// What a flow is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// UDP datagrams to this port, each from a port of its own: to the kernel each is a new flow that must pass the
    /// whole policy, where one of a known flow would pass by connection tracking.
    Datagrams(u16),
    /// Messages on one TCP connection to this port: an established flow, which nothing may cut.
    Stream(u16),
}

/// What a flow has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams or messages that were sent.
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
                FlowKind::Datagrams(port) => datagrams(SocketAddr::new(to, port), &stopped),
                FlowKind::Stream(port) => stream(SocketAddr::new(to, port), &stopped),
            };
            let run = move || body().map_err(LabError::system(format!("{kind:?} to {to}")));
            thread::Builder::new().name("flow".to_owned()).spawn(run).map_err(LabError::system("starting a thread"))
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the flow, waits for answers that may still come, and tells what was seen.
    pub fn stop(mut self) -> Result<Tally, LabError> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(tally)) => tally,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(Tally::default()),
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Nobody asks for the result any more; a panic has been printed already.
            let _ = thread.join();
        }
    }
}

/// A datagram that has not been answered yet.
struct Waiting {
    socket: UdpSocket,
    sent_at: Instant,
}

fn datagrams(to: SocketAddr, stopped: &AtomicBool) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut waiting = VecDeque::new();
    while !stopped.load(Ordering::Relaxed) {
        waiting.push_back(send_datagram(to)?);
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

fn send_datagram(to: SocketAddr) -> io::Result<Waiting> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    // A send that the kernel refuses (no route for a moment) is a loss like any other: it is never answered.
    let _ = socket.connect(to).and_then(|()| socket.send(b"cattail traffic"));
    Ok(Waiting { socket, sent_at: Instant::now() })
}

/// Counts answers that have come; forgets what has waited too long.
fn collect(waiting: &mut VecDeque<Waiting>) -> u64 {
    let mut buffer = [0; 64];
    let before = waiting.len();
    waiting.retain(|datagram| datagram.socket.recv(&mut buffer).is_err());
    let answered = before - waiting.len();
    waiting.retain(|datagram| datagram.sent_at.elapsed() < ANSWER_PATIENCE);
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
