//! The requests of one connection, from their first byte to the last of their answers.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body::Body as _;

use super::{
    super::{
        hpack::FIELD_OVERHEAD_BYTES,
        machine::Machine,
        service::{Answer, Reply, Service, Unread},
    },
    writing::Writing,
};

/// What requests may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// A request, from its headers to its end.
    pub(super) request: Duration,
    /// Headers and content of all requests of a connection that have not ended.
    pub(super) request_bytes: usize,
}

/// All requests that were not answered to their end.
pub(super) struct Calls {
    bounds: Bounds,
    open: Vec<Call>,
    /// Whose turn it is to send.
    turn: usize,
    /// What `open` holds of requests that have not ended.
    held_bytes: usize,
}

struct Call {
    stream: u32,
    state: State,
}

enum State {
    Receiving(Box<Receiving>),
    Answering(Answer),
    Sending {
        body: Reply,
        /// Of a message that was begun.
        rest: Bytes,
    },
}

/// A request that has not ended.
struct Receiving {
    head: Request<()>,
    content: Vec<u8>,
    until: Instant,
}

/// Whether a call has more to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It waits: for its answer, for room, or for its turn.
    Waits,
    /// All was said.
    Done,
}

impl Calls {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, open: Vec::new(), turn: 0, held_bytes: 0 }
    }

    /// When the first of the unfinished requests takes too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = |call: &Call| match &call.state {
            State::Receiving(receiving) => Some(receiving.until),
            _ => None,
        };
        self.open.iter().filter_map(due).min()
    }

    pub(super) fn begin(
        &mut self,
        service: &impl Service,
        stream: u32,
        head: Request<()>,
        is_last: bool,
        now: Instant,
    ) {
        let (held_bytes, limit_bytes) = (self.held_bytes + head_bytes(&head), self.bounds.request_bytes);
        let state = if is_last {
            State::Answering(service.call(head.map(|()| Ok(Bytes::new()))))
        } else if held_bytes > limit_bytes {
            State::Answering(service.call(head.map(|()| Err(Unread::TooLong { limit_bytes }))))
        } else {
            self.held_bytes = held_bytes;
            State::Receiving(Box::new(Receiving { head, content: Vec::new(), until: now + self.bounds.request }))
        };
        self.open.push(Call { stream, state });
    }

    /// Takes content of a request.
    pub(super) fn receive(&mut self, service: &impl Service, stream: u32, content: &[u8], is_last: bool) {
        let Some(call) = self.open.iter_mut().find(|call| call.stream == stream) else { return };
        // What comes after the answer began is nothing to us.
        let State::Receiving(receiving) = &mut call.state else { return };
        let limit_bytes = self.bounds.request_bytes;
        if self.held_bytes + content.len() > limit_bytes {
            self.conclude(service, stream, Some(Unread::TooLong { limit_bytes }));
            return;
        }
        self.held_bytes += content.len();
        receiving.content.extend_from_slice(content);
        if is_last {
            self.conclude(service, stream, None);
        }
    }

    /// Answers the requests that took too long.
    pub(super) fn expire(&mut self, service: &impl Service, now: Instant) {
        let is_late = |call: &&Call| matches!(&call.state, State::Receiving(receiving) if receiving.until <= now);
        let late: Vec<u32> = self.open.iter().filter(is_late).map(|call| call.stream).collect();
        let limit = self.bounds.request;
        for stream in late {
            self.conclude(service, stream, Some(Unread::TooSlow { limit }));
        }
    }

    /// Has a request answered as far as it came.
    fn conclude(&mut self, service: &impl Service, stream: u32, unread: Option<Unread>) {
        let Some(Receiving { head, content, .. }) = self.remove(stream) else { return };
        let content = unread.map_or_else(|| Ok(Bytes::from(content)), Err);
        self.open.push(Call { stream, state: State::Answering(service.call(head.map(|()| content))) });
    }

    /// Forgets a request.
    pub(super) fn end(&mut self, stream: u32) {
        self.remove(stream);
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    fn remove(&mut self, stream: u32) -> Option<Receiving> {
        let place = self.open.iter().position(|call| call.stream == stream)?;
        let State::Receiving(receiving) = self.open.swap_remove(place).state else { return None };
        self.held_bytes -= head_bytes(&receiving.head) + receiving.content.len();
        Some(*receiving)
    }

    /// Lets the calls say what they have to, in turn, until enough is gathered for a write.
    pub(super) fn fill(&mut self, machine: &mut Machine, writing: &mut Writing, context: &mut Context<'_>) {
        for _ in 0..self.open.len() {
            if writing.is_full() {
                return;
            }
            self.turn = if self.turn < self.open.len() { self.turn } else { 0 };
            let Some(call) = self.open.get_mut(self.turn) else { return };
            match call.advance(machine, writing, context) {
                Progress::Waits => self.turn += 1,
                Progress::Done => {
                    self.open.swap_remove(self.turn);
                }
            }
        }
    }
}

/// What a request's head holds, as the protocol counts it (RFC 9113 section 6.5.2).
fn head_bytes(head: &Request<()>) -> usize {
    let path = head.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let headers = head.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD_BYTES);
    path + headers.sum::<usize>()
}

impl Call {
    fn advance(&mut self, machine: &mut Machine, writing: &mut Writing, context: &mut Context<'_>) -> Progress {
        while !writing.is_full() {
            let progress = match &mut self.state {
                State::Receiving(_) => Some(Progress::Waits),
                State::Answering(answer) => {
                    let Poll::Ready(response) = answer.as_mut().poll(context) else { return Progress::Waits };
                    let (head, body) = response.into_parts();
                    let is_last = body.is_end_stream();
                    machine.respond(self.stream, head.status, &head.headers, is_last);
                    self.state = State::Sending { body, rest: Bytes::new() };
                    is_last.then_some(Progress::Done)
                }
                State::Sending { body, rest } => send(self.stream, body, rest, machine, writing, context),
            };
            writing.frames(machine.take_output());
            if let Some(progress) = progress {
                return progress;
            }
        }
        Progress::Waits
    }
}

/// Sends a frame, of the message that was begun or of the next one; `None` where there may be more to do.
fn send(
    stream: u32,
    body: &mut Reply,
    rest: &mut Bytes,
    machine: &mut Machine,
    writing: &mut Writing,
    context: &mut Context<'_>,
) -> Option<Progress> {
    if rest.is_empty() {
        if machine.capacity(stream) == 0 {
            return Some(Progress::Waits);
        }
        match Pin::new(body).poll_frame(context) {
            Poll::Pending => return Some(Progress::Waits),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => *rest = data,
                Err(frame) => {
                    machine.trailers(stream, &frame.into_trailers().unwrap_or_default());
                    return Some(Progress::Done);
                }
            },
            Poll::Ready(None) => {
                if let Some(end) = machine.data(stream, 0, true) {
                    writing.content(end.head, Bytes::new());
                }
                return Some(Progress::Done);
            }
        }
    }
    match machine.data(stream, rest.len(), false) {
        Some(announced) if announced.length > 0 => {
            writing.content(announced.head, rest.split_to(announced.length));
            None
        }
        // An empty message is nothing to send.
        _ if rest.is_empty() => None,
        _ => Some(Progress::Waits),
    }
}
