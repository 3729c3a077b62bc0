//! One netlink socket: send messages, gather what the kernel answers.
//!
//! The kernel answers while it takes the request, so every exchange here is synchronous and short.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use netlink_sys::SocketAddr;
use nix::{
    libc,
    sys::{
        socket::{setsockopt, sockopt},
        time::TimeVal,
    },
};

use super::{MessageWriter, message::HEADER_LEN, reader::Attributes, reader::Message, reader::u32_at};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// Room for the errors of one transaction: ten thousand of them at about 800 bytes of kernel memory each.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// Room to send before it has to be raised; the usual system default is 208 KiB.
const SEND_BUFFER_BYTES: usize = 1 << 20;
/// The kernel makes a listing's datagrams as large as the room it sees, up to 32 KiB, and each new one costs it a walk
/// to where the last one ended.
const DATAGRAM_BYTES: usize = 64 << 10;
/// An answer is in the socket's queue when the request returns. If none is, something is wrong and waiting is no help.
const ANSWER_TIMEOUT_S: i64 = 5;
/// How often a dump is begun again because its subject changed meanwhile, before its inconsistency is accepted.
const DUMP_ATTEMPTS: usize = 5;

/// A netlink socket of the network namespace that the creating thread was in; it stays there wherever it is used.
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    next_sequence: u32,
}

/// What the kernel did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The sequence number of the refused message.
    pub(crate) sequence: u32,
    pub(crate) errno: i32,
    /// The kernel's own words, where it has any.
    pub(crate) message: Option<String>,
}

impl Refusal {
    /// Why, in words.
    pub(crate) fn reason(&self) -> String {
        let error = io::Error::from_raw_os_error(self.errno);
        match &self.message {
            Some(message) => format!("{message} ({error})"),
            None => error.to_string(),
        }
    }
}

impl Socket {
    /// Opens a socket of a netlink protocol, such as `NETLINK_NETFILTER`.
    pub(crate) fn open(protocol: isize) -> io::Result<Self> {
        let mut inner = netlink_sys::Socket::new(protocol)?;
        inner.bind_auto()?;
        inner.connect(&SocketAddr::new(0, 0))?;
        inner.set_cap_ack(true)?;
        inner.set_ext_ack(true)?;
        let socket = Self { inner, next_sequence: 1 };
        // Only root of the whole machine may go past the system's limits; root of a user namespace gets what they
        // allow, which all but large changes fit.
        setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES))?;
        setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER_BYTES)
            .or_else(|_| setsockopt(&socket, sockopt::SndBuf, &SEND_BUFFER_BYTES))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_TIMEOUT_S, 0))?;
        Ok(socket)
    }

    /// A buffer for messages to send by this socket.
    pub(crate) fn writer(&self) -> MessageWriter {
        MessageWriter::new(self.next_sequence)
    }

    /// Sends messages and gathers refusals until `acknowledgements` answers have come and nothing more is queued.
    pub(crate) fn exchange(&mut self, writer: &MessageWriter, acknowledgements: usize) -> io::Result<Vec<Refusal>> {
        self.send(writer)?;
        let mut refusals = Vec::new();
        let mut answers = 0;
        let mut overrun = None;
        let mut datagram = Vec::new();
        loop {
            // The first answers are waited for; a transaction that fails has more, and they are all queued already.
            match self.receive(&mut datagram, answers >= acknowledgements || overrun.is_some()) {
                Ok(true) => {}
                Ok(false) => break,
                // More errors than there is room for: those that there was room for are the first ones.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => overrun = Some(error),
                Err(error) => return Err(error),
            }
            let of_these = |message: &Message<'_>| writer.index_of(message.sequence) < writer.count();
            for message in Message::all(&datagram).filter(|message| message.kind == NLMSG_ERROR && of_these(message)) {
                answers += 1;
                refusals.extend(refusal(&message));
            }
        }
        match overrun {
            Some(error) if refusals.is_empty() => Err(error),
            _ => Ok(refusals),
        }
    }

    /// Asks for a listing and hands each of its messages to `take`; begins again where the subject changed meanwhile.
    pub(crate) fn dump<T>(
        &mut self,
        request: impl Fn(&mut MessageWriter),
        mut take: impl FnMut(&Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut found = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            found.clear();
            let mut writer = self.writer();
            request(&mut writer);
            self.send(&writer)?;
            if self.gather(&mut found, &mut take)? {
                break;
            }
        }
        Ok(found)
    }

    /// Asks for one thing; `None` where the answer is not understood.
    pub(crate) fn get<T>(
        &mut self,
        request: impl Fn(&mut MessageWriter),
        mut take: impl FnMut(&Message<'_>) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let mut writer = self.writer();
        request(&mut writer);
        let expected = self.next_sequence;
        self.send(&writer)?;
        let mut datagram = Vec::new();
        loop {
            self.receive(&mut datagram, false)?;
            if let Some(message) = Message::all(&datagram).find(|message| message.sequence == expected) {
                return match refusal(&message) {
                    Some(refusal) => Err(io::Error::from_raw_os_error(refusal.errno)),
                    None => Ok(take(&message)),
                };
            }
        }
    }

    /// Whether the listing was consistent.
    fn gather<T>(&mut self, found: &mut Vec<T>, take: &mut impl FnMut(&Message<'_>) -> Option<T>) -> io::Result<bool> {
        let expected = self.next_sequence.wrapping_sub(1);
        let mut consistent = true;
        let mut datagram = Vec::new();
        loop {
            self.receive(&mut datagram, false)?;
            for message in Message::all(&datagram).filter(|message| message.sequence == expected) {
                consistent &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_DONE => return Ok(consistent),
                    NLMSG_ERROR => match refusal(&message) {
                        Some(refusal) => return Err(io::Error::from_raw_os_error(refusal.errno)),
                        None => return Ok(consistent),
                    },
                    _ => found.extend(take(&message)),
                }
            }
        }
    }

    /// Reads one datagram. `false` where `only_queued` and none is queued.
    fn receive(&self, datagram: &mut Vec<u8>, only_queued: bool) -> io::Result<bool> {
        let wait = if only_queued { libc::MSG_DONTWAIT } else { 0 };
        datagram.clear();
        datagram.reserve(DATAGRAM_BYTES);
        match self.inner.recv(datagram, wait) {
            Err(error) if only_queued && error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// Sends all messages in one go: a transaction is one datagram.
    fn send(&mut self, writer: &MessageWriter) -> io::Result<()> {
        self.next_sequence = writer.next_sequence();
        let bytes = writer.as_bytes();
        if bytes.len() * 2 > SEND_BUFFER_BYTES {
            // Beyond the buffer's size the kernel says EMSGSIZE, and its accounting doubles what is asked for.
            let _ = setsockopt(self, sockopt::SndBufForce, &(bytes.len() * 2));
        }
        self.inner.send(bytes, 0).map(drop)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as `inner` is, which the borrow of `self` outlives.
        unsafe { BorrowedFd::borrow_raw(self.inner.as_raw_fd()) }
    }
}

/// The error in an answer; `None` where it is an acknowledgement.
fn refusal(message: &Message<'_>) -> Option<Refusal> {
    let errno = u32_at(message.payload, 0)?.cast_signed().checked_neg()?;
    if message.kind != NLMSG_ERROR || errno == 0 {
        return None;
    }
    let refused_len = u32_at(message.payload, 4)? as usize;
    let copied = if message.flags & NLM_F_CAPPED != 0 { HEADER_LEN } else { refused_len };
    let words = (message.flags & NLM_F_ACK_TLVS != 0)
        .then(|| Attributes(message.payload.get(4 + copied..).unwrap_or_default()).text(NLMSGERR_ATTR_MSG))
        .flatten();
    Some(Refusal { sequence: u32_at(message.payload, 12)?, errno, message: words.map(str::to_owned) })
}
