//! The shell: moves bytes between a socket, the machine and the answers, and minds the time.
//!
//! One task per connection, woken by the socket, by an answer or by the clock. It holds no buffer while nothing happens.

mod calls;
mod clock;
mod writing;

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    sync::futures::OwnedNotified,
    task::coop::unconstrained,
    time::timeout,
};

use self::{
    calls::{Bounds, Calls},
    clock::{Clock, Due},
    writing::Writing,
};
use super::{
    backlog::Backlog,
    fault::Fault,
    limits::OWED_BYTES,
    machine::{Event, Machine},
    notice::Notice,
    service::Service,
};

/// Bytes are read by way of the stack, in pieces of what a request takes.
const READ_BYTES: usize = 4 << 10;
/// How long the end may take: the last words on their way out, and the peer's hanging up.
const FAREWELL: Duration = Duration::from_secs(1);
/// What a peer may still send after our last words. Closing a socket that holds unread bytes would destroy them.
const FAREWELL_BYTES: u64 = 1 << 20;

/// How much patience a connection has with its peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Until the first request.
    pub(crate) first_request: Duration,
    /// How long a silent peer is left alone before it is asked for a sign of life, and how long that may take.
    pub(crate) keepalive: Duration,
    /// From a request's headers to its end.
    pub(crate) request: Duration,
    /// What of requests that have not ended is held.
    pub(crate) request_bytes: usize,
}

/// How a connection ended.
#[derive(Debug, Error)]
pub(crate) enum Ended {
    /// In peace.
    #[error("closed")]
    Closed,
    /// The peer, or the way to it, is gone.
    #[error("connection lost: {0}")]
    Lost(#[from] io::Error),
    /// The peer broke a rule.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The peer asked for nothing in time.
    #[error("no request came in time")]
    Silent,
    /// The peer gave no sign of life when it was asked.
    #[error("no answer to a PING")]
    Dead,
}

/// One connection.
pub(crate) struct Connection<S, R> {
    stream: S,
    service: R,
    machine: Machine,
    calls: Calls,
    writing: Writing,
    /// Whether the socket took nothing more when it was last tried.
    is_blocked: bool,
    clock: Clock,
    notice: Arc<Notice>,
    /// Wakes us when the notice is given.
    noticed: Pin<Box<OwnedNotified>>,
    /// Whether `noticed` knows whom to wake.
    is_waiting: bool,
}

impl<S: AsyncRead + AsyncWrite + Backlog + Unpin, R: Service> Connection<S, R> {
    /// A connection that leaves in peace when the notice is given.
    pub(crate) fn new(stream: S, service: R, patience: Patience, notice: Arc<Notice>) -> Self {
        let Patience { first_request, keepalive, request, request_bytes } = patience;
        Self {
            stream,
            service,
            machine: Machine::new(),
            calls: Calls::new(Bounds { request, request_bytes }),
            writing: Writing::default(),
            is_blocked: false,
            clock: Clock::new(first_request, keepalive, Instant::now()),
            noticed: Box::pin(notice.waited_for()),
            notice,
            is_waiting: false,
        }
    }

    /// Serves it to its end. To be awaited in one place of one task: wake-ups that seldom come are asked for once.
    pub(crate) async fn run(mut self: Box<Self>) -> Ended {
        let ended = poll_fn(|context| self.poll(context)).await;
        // Whoever answers learns of the end before the peer does.
        self.calls.clear();
        if matches!(ended, Ended::Closed | Ended::Fault(_) | Ended::Silent) {
            // It may be too late for last words.
            let _ = timeout(FAREWELL, self.say_farewell()).await;
        }
        ended
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        match self.advance(context) {
            Ok(()) if self.machine.has_left() && self.writing.is_empty() => Poll::Ready(Ended::Closed),
            Ok(()) => Poll::Pending,
            Err(ended) => Poll::Ready(ended),
        }
    }

    /// Does whatever can be done now.
    fn advance(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        let now = Instant::now();
        self.mind_notice(context);
        if self.clock.is_due(now) {
            self.mind_time(now)?;
        }
        loop {
            let is_held_back = self.read(now, context)?;
            self.write(now, context)?;
            if !is_held_back || self.owes_too_much() {
                break;
            }
        }
        self.clock.arm(self.calls.due(), now, context);
        Ok(())
    }

    fn mind_notice(&mut self, context: &mut Context<'_>) {
        if !self.is_waiting {
            self.is_waiting = true;
            // Whether it is ready is seen below. It is asked once, so that the answer must not be "you did enough".
            let _ = pin!(unconstrained(self.noticed.as_mut())).poll(context);
        }
        if self.notice.is_given() {
            self.machine.leave();
        }
    }

    fn mind_time(&mut self, now: Instant) -> Result<(), Ended> {
        self.calls.expire(&self.service, now);
        match self.clock.due(now, self.stream.backlog()) {
            Due::Nothing => {}
            Due::Silent => return Err(Ended::Silent),
            Due::Dead => return Err(Ended::Dead),
            Due::Period => self.machine.begin_period(),
            Due::Ping => {
                self.machine.begin_period();
                self.machine.ping();
            }
        }
        Ok(())
    }

    fn owes_too_much(&self) -> bool {
        self.machine.output_bytes() > OWED_BYTES
    }

    /// Reads what there is; `true` where more may come, but the peer must take our answers first.
    fn read(&mut self, now: Instant, context: &mut Context<'_>) -> Result<bool, Ended> {
        loop {
            while let Some(event) = self.machine.next_event()? {
                self.on_event(event, now);
            }
            if self.owes_too_much() {
                return Ok(true);
            }
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Err(Ended::Closed),
                Poll::Ready(Ok(())) => {
                    self.clock.heard(now);
                    self.machine.receive(buffer.filled());
                }
            }
        }
    }

    fn on_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Request { stream, head, is_last } => {
                self.clock.requested();
                self.calls.begin(&self.service, stream, head, is_last, now);
            }
            Event::Data { stream, content, is_last } => self.calls.receive(&self.service, stream, &content, is_last),
            Event::Reset { stream } => self.calls.end(stream),
        }
    }

    /// Writes until the socket takes no more or nothing is left to say. Nothing new is begun before what was begun is
    /// out: a peer that does not read holds up one message, whatever its windows.
    fn write(&mut self, now: Instant, context: &mut Context<'_>) -> Result<(), Ended> {
        loop {
            match self.writing.poll_write(&mut self.stream, context) {
                Poll::Pending => {
                    self.is_blocked = true;
                    return Ok(());
                }
                Poll::Ready(written) => written?,
            }
            if std::mem::take(&mut self.is_blocked) {
                // It reads, however slowly.
                self.clock.heard(now);
            }
            self.writing.frames(self.machine.take_output());
            self.calls.fill(&mut self.machine, &mut self.writing, context);
            if self.writing.is_empty() {
                return Ok(());
            }
        }
    }

    /// Says the last words, and waits for the peer to hang up.
    async fn say_farewell(&mut self) -> io::Result<()> {
        // What was begun first: the peer could not tell the last words from its rest.
        poll_fn(|context| self.writing.poll_write(&mut self.stream, context)).await?;
        self.writing.frames(self.machine.take_output());
        poll_fn(|context| self.writing.poll_write(&mut self.stream, context)).await?;
        self.stream.shutdown().await?;
        tokio::io::copy(&mut (&mut self.stream).take(FAREWELL_BYTES), &mut tokio::io::sink()).await?;
        Ok(())
    }
}
