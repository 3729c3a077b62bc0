//! An attacker's connection: bytes out, frames in, and what they amount to.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{
    frames::{DATA, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, settings},
    harness::within,
    siege::Door,
};

/// A server that takes nothing for this long does not want more.
const HELD_BACK: Duration = Duration::from_millis(300);

/// A frame as it came.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

/// What the server makes of what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The connection was ended with this code.
    GoAway(u32),
    /// A stream was ended with this code.
    Reset(u32),
    /// A request was answered with an error and no content.
    Refused,
    /// A request was served.
    Served,
    /// The connection was closed without a word.
    Closed,
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Everything was taken.
    All,
    /// The server hung up.
    HungUp,
    /// The server took no more.
    HeldBack,
}

/// A connection that was let in.
pub(crate) struct Raw {
    reader: ReadHalf<TlsStream<TcpStream>>,
    pub(crate) writer: Writer,
    unread: Vec<u8>,
}

/// The half that sends.
pub(crate) struct Writer(WriteHalf<TlsStream<TcpStream>>);

impl Raw {
    /// Shakes hands and says nothing.
    pub(crate) async fn silent(door: &Door) -> anyhow::Result<Self> {
        let (reader, writer) = tokio::io::split(door.tls().await?);
        Ok(Self { reader, writer: Writer(writer), unread: Vec::new() })
    }

    /// Shakes hands and opens with these settings.
    pub(crate) async fn open(door: &Door, pairs: &[(u16, u32)]) -> anyhow::Result<Self> {
        let mut raw = Self::silent(door).await?;
        raw.send(&[PREFACE, &settings(pairs)].concat()).await;
        Ok(raw)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Sent {
        self.writer.send(bytes).await
    }

    /// The next frame; `None` when the connection is closed, however.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            let mut chunk = vec![0; 4096];
            match self.reader.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.unread.extend_from_slice(&chunk[..read]),
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let [l0, l1, l2, kind, flags, ..] = *self.unread.first_chunk::<9>()?;
        let end = 9 + u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let payload = self.unread.get(9..end)?.to_vec();
        self.unread.drain(..end);
        Some(Frame { kind, flags, payload })
    }

    /// Reads until it is clear what the server makes of it all.
    pub(crate) async fn verdict(&mut self) -> anyhow::Result<Verdict> {
        within(async {
            loop {
                let Some(frame) = self.frame().await else { return Verdict::Closed };
                let code = |at: usize| frame.payload.get(at..at + 4).and_then(|code| code.try_into().ok());
                let code = |at: usize| code(at).map_or(u32::MAX, u32::from_be_bytes);
                match frame.kind {
                    GOAWAY if code(4) != 0 => return Verdict::GoAway(code(4)),
                    RST_STREAM => return Verdict::Reset(code(0)),
                    HEADERS if frame.flags & END_STREAM != 0 => return Verdict::Refused,
                    DATA if !frame.payload.is_empty() => return Verdict::Served,
                    _ => {}
                }
            }
        })
        .await
    }

    /// Reads and forgets everything until the connection is closed.
    pub(crate) async fn closed(&mut self) -> anyhow::Result<()> {
        within(async { while self.frame().await.is_some() {} }).await
    }

    /// Sends one thing again and again while everything that comes is read and forgotten, as a peer does that wants
    /// its flood to be answered.
    pub(crate) async fn flood(self, times: usize, bytes: &[u8]) -> Sent {
        let Self { mut reader, mut writer, .. } = self;
        let forget = async {
            let mut chunk = vec![0; 4096];
            while !matches!(reader.read(&mut chunk).await, Ok(0) | Err(_)) {}
            Sent::HungUp
        };
        tokio::select! {
            sent = writer.flood(times, bytes) => sent,
            sent = forget => sent,
        }
    }
}

impl Writer {
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Sent {
        let sending = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        sent(&timeout(HELD_BACK, sending).await)
    }

    /// Sends one thing again and again until it is not taken any more.
    pub(crate) async fn flood(&mut self, times: usize, bytes: &[u8]) -> Sent {
        // As many as fill a record, so that the flood is not one of TLS records.
        let at_once = (FLOOD_BYTES / bytes.len()).max(1);
        let batch = bytes.repeat(at_once);
        for _ in 0..times.div_ceil(at_once) {
            match self.send(&batch).await {
                Sent::All => {}
                ended => return ended,
            }
        }
        Sent::All
    }
}

const FLOOD_BYTES: usize = 16 << 10;

fn sent(outcome: &Result<io::Result<()>, tokio::time::error::Elapsed>) -> Sent {
    match outcome {
        Ok(Ok(())) => Sent::All,
        Ok(Err(_)) => Sent::HungUp,
        Err(_) => Sent::HeldBack,
    }
}
