//! A connection that costs little more than its TLS state: no task of its own, no buffer while nothing comes.
//!
//! To typha it looks like an agent's: the same requests, the same windows, the same frame sizes. Unlike an agent's it
//! answers pings only while it is read, and does not understand why a call was refused.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use proto::sync::v1::{Batch, ReportRequest, SubscribeRequest};
use tokio::{
    io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf},
    sync::Mutex,
};

use super::{
    super::{
        Config, Disconnect,
        frame::{self, FrameDecoder},
        transport::{MAX_FRAME_BYTES, Reports, Stream, Transport, WINDOW_BYTES, decode, dial, unreadable},
    },
    http2::{self, Frame},
};

/// The stream of the subscription: a client's first (RFC 9113 section 5.1.1).
const SUBSCRIPTION: u32 = 1;

/// Bytes are read by way of the stack in pieces of a TLS record's size.
const READ_BYTES: usize = 16 << 10;

/// A connection with its subscription.
pub(super) struct LightConnection {
    address: Arc<str>,
    reader: ReadHalf<Stream>,
    writer: Arc<Mutex<WriteHalf<Stream>>>,
    /// Frames that are not whole yet.
    inbound: BytesMut,
    /// Messages that are not whole yet.
    decoder: FrameDecoder,
    /// Content received that no WINDOW_UPDATE of the connection made room for yet.
    received_bytes: u32,
    /// The same for the subscription's stream.
    subscribed_bytes: u32,
}

impl Transport for LightConnection {
    type Reports = LightReports;

    async fn open(config: &Config, address: &Arc<str>, request: &SubscribeRequest) -> Result<Self, Disconnect> {
        let (reader, writer) = tokio::io::split(dial(config, address).await?);
        let mut connection = Self {
            address: Arc::clone(address),
            reader,
            writer: Arc::new(Mutex::new(writer)),
            inbound: BytesMut::new(),
            // Its headers would say what typha uses; it uses nothing that was not offered.
            decoder: FrameDecoder::among_many(config.takes_zstd),
            received_bytes: 0,
            subscribed_bytes: 0,
        };
        let mut opening = http2::opening(WINDOW_BYTES, MAX_FRAME_BYTES);
        let path = "/cattail.sync.v1.Sync/Subscribe";
        let call = http2::Call { authority: address, path, takes_zstd: config.takes_zstd };
        http2::put_request(&mut opening, SUBSCRIPTION, call, &frame::encode(request));
        connection.write(&opening).await?;
        Ok(connection)
    }

    async fn next(&mut self) -> Result<(Batch, usize), Disconnect> {
        loop {
            if let Some(message) = self.decoder.next().map_err(|source| unreadable(&self.address, source))? {
                return decode(&self.address, message);
            }
            match self.frame().await? {
                Frame::Data { stream, content, is_last } => self.content(stream, content, is_last).await?,
                Frame::Headers { stream: SUBSCRIPTION, is_ok, is_last } => self.headers(is_ok, is_last)?,
                Frame::Settings => self.answer(http2::put_settings_ack).await?,
                Frame::Ping(ping) => self.answer(|bytes| http2::put_pong(bytes, ping)).await?,
                Frame::Reset { stream: SUBSCRIPTION, code } => {
                    return Err(self.broken(format!("it reset the stream with code {code}")));
                }
                Frame::GoAway { code } if code != 0 => {
                    return Err(self.broken(format!("it ended the connection with code {code}")));
                }
                Frame::Headers { .. } | Frame::Reset { .. } | Frame::GoAway { .. } | Frame::Other => {}
            }
        }
    }

    fn reports(&self) -> LightReports {
        let (address, writer) = (Arc::clone(&self.address), Arc::clone(&self.writer));
        LightReports { address, writer, stream: SUBSCRIPTION }
    }
}

impl LightConnection {
    async fn frame(&mut self) -> Result<Frame, Disconnect> {
        loop {
            match http2::take_frame(&mut self.inbound, MAX_FRAME_BYTES) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => {
                    let reason = error.to_string();
                    return Err(Disconnect::NotTypha { address: Arc::clone(&self.address), reason });
                }
            }
            if self.inbound.is_empty() {
                // Gives the buffer back while nothing comes.
                self.inbound = BytesMut::new();
            }
            let read = poll_fn(|cx| poll_read(&mut self.reader, &mut self.inbound, cx)).await;
            match read {
                Ok(0) => return Err(self.ended()),
                Ok(_) => {}
                Err(error) => return Err(Disconnect::from_io(&self.address, &error)),
            }
        }
    }

    /// Takes content in, and returns the room it took once that is worth a frame.
    async fn content(&mut self, stream: u32, content: Bytes, is_last: bool) -> Result<(), Disconnect> {
        let bytes = content.len() as u32;
        self.received_bytes = self.received_bytes.saturating_add(bytes);
        if stream == SUBSCRIPTION {
            self.subscribed_bytes = self.subscribed_bytes.saturating_add(bytes);
            self.decoder.push(content);
            if is_last {
                return Err(self.ended());
            }
        }
        if self.received_bytes < WINDOW_BYTES / 2 {
            return Ok(());
        }
        let (received, subscribed) =
            (std::mem::take(&mut self.received_bytes), std::mem::take(&mut self.subscribed_bytes));
        self.answer(|bytes| {
            http2::put_window_update(bytes, 0, received);
            http2::put_window_update(bytes, SUBSCRIPTION, subscribed);
        })
        .await
    }

    fn headers(&self, is_ok: bool, is_last: bool) -> Result<(), Disconnect> {
        if is_last {
            return Err(self.ended());
        }
        if is_ok {
            return Ok(());
        }
        let reason = "it answered with another HTTP status than 200".to_owned();
        Err(Disconnect::NotTypha { address: Arc::clone(&self.address), reason })
    }

    async fn answer(&mut self, put: impl FnOnce(&mut BytesMut)) -> Result<(), Disconnect> {
        let mut bytes = BytesMut::new();
        put(&mut bytes);
        self.write(&bytes).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Disconnect> {
        write(&self.writer, bytes).await.map_err(|error| Disconnect::from_io(&self.address, &error))
    }

    fn ended(&self) -> Disconnect {
        match self.decoder.finish() {
            Ok(()) => Disconnect::Closed { address: Arc::clone(&self.address) },
            Err(source) => unreadable(&self.address, source),
        }
    }

    fn broken(&self, reason: String) -> Disconnect {
        Disconnect::Broken { address: Arc::clone(&self.address), reason }
    }
}

/// Reads what there is, by way of the stack: a waiting connection holds no buffer.
fn poll_read(reader: &mut ReadHalf<Stream>, into: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut space = [MaybeUninit::uninit(); READ_BYTES];
    let mut buffer = ReadBuf::uninit(&mut space);
    ready!(Pin::new(reader).poll_read(cx, &mut buffer))?;
    into.extend_from_slice(buffer.filled());
    Poll::Ready(Ok(buffer.filled().len()))
}

async fn write(writer: &Mutex<WriteHalf<Stream>>, bytes: &[u8]) -> io::Result<()> {
    let mut writer = writer.lock().await;
    writer.write_all(bytes).await?;
    writer.flush().await
}

/// Makes reports without looking at their answers.
pub(super) struct LightReports {
    address: Arc<str>,
    writer: Arc<Mutex<WriteHalf<Stream>>>,
    /// The last stream that was opened.
    stream: u32,
}

impl Reports for LightReports {
    async fn send(&mut self, request: &ReportRequest) -> Result<(), Disconnect> {
        // A client's streams have odd numbers.
        self.stream += 2;
        let mut bytes = BytesMut::new();
        let path = "/cattail.sync.v1.Sync/Report";
        let call = http2::Call { authority: &self.address, path, takes_zstd: false };
        http2::put_request(&mut bytes, self.stream, call, &frame::encode(request));
        write(&self.writer, &bytes).await.map_err(|error| Disconnect::from_io(&self.address, &error))
    }
}
