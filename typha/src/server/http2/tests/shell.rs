//! The shell over a pipe: what is polled when, and what reaches the peer.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::timeout,
};

use super::{
    super::{
        backlog::Backlog,
        connection::{Connection, Ended, Patience},
        frame::{HEAD_BYTES, Head, kind},
        notice::Notice,
        service::{Answer, Content, Service},
    },
    peer::{REQUEST, data, frame, headers, number, settings},
};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(1);
/// What is written and not read.
const PIPE_BYTES: usize = 4 << 10;
/// More than that.
const MESSAGE_BYTES: usize = 100_000;

/// Answers with messages without end, or with what was asked.
struct Fountain {
    /// How many messages were asked for.
    polls: Arc<AtomicUsize>,
}

struct Stream {
    polls: Arc<AtomicUsize>,
    /// What is still to come; `None` for ever.
    left: Option<Vec<Bytes>>,
}

impl Service for Fountain {
    fn call(&self, request: Request<Content>) -> Answer {
        let left = match request.into_body() {
            Ok(content) if content.is_empty() => None,
            Ok(content) => Some(vec![content]),
            Err(unread) => Some(vec![Bytes::from(unread.to_string())]),
        };
        let body = Stream { polls: Arc::clone(&self.polls), left };
        Box::pin(async { Response::new(body.boxed_unsync()) })
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(match &mut self.left {
            None => Some(Ok(Frame::data(vec![b'x'; MESSAGE_BYTES].into()))),
            Some(left) => left.pop().map(|message| Ok(Frame::data(message))),
        })
    }
}

impl Backlog for DuplexStream {
    fn backlog(&self) -> u32 {
        0
    }
}

/// A connection, and the peer's end of its pipe.
struct Pipe {
    peer: DuplexStream,
    polls: Arc<AtomicUsize>,
    notice: Arc<Notice>,
    task: JoinHandle<Ended>,
}

impl Pipe {
    async fn open(own: &[(u16, u32)]) -> Self {
        let (mut peer, stream) = duplex(PIPE_BYTES);
        let (polls, notice) = (Arc::<AtomicUsize>::default(), Arc::<Notice>::default());
        let patience = Patience { first_request: LONG, keepalive: LONG, request: LONG, request_bytes: 1000 };
        let service = Fountain { polls: Arc::clone(&polls) };
        let connection = Box::new(Connection::new(stream, service, patience, Arc::clone(&notice)));
        let task = tokio::spawn(connection.run());
        peer.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings(own)[..]].concat()).await.unwrap();
        Self { peer, polls, notice, task }
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.peer.write_all(bytes).await.unwrap();
    }

    /// The next frame of a kind, and its content.
    async fn hear(&mut self, wanted: u8) -> (Head, Vec<u8>) {
        let heard = async {
            loop {
                let mut head = [0; HEAD_BYTES];
                self.peer.read_exact(&mut head).await.unwrap();
                let head = Head::read(head);
                let mut content = vec![0; head.length];
                self.peer.read_exact(&mut content).await.unwrap();
                if head.kind == wanted {
                    return (head, content);
                }
            }
        };
        timeout(DEADLINE, heard).await.unwrap()
    }

    async fn ended(self) -> Ended {
        timeout(DEADLINE, self.task).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_message_is_made_when_there_is_room_for_it() {
    let mut pipe = Pipe::open(&[(4, 0)]).await;
    pipe.say(&headers(1, true, REQUEST)).await;
    pipe.hear(kind::HEADERS).await;
    pipe.say(&frame(kind::PING, 0, 0, &[0; 8])).await;
    pipe.hear(kind::PING).await;
    assert_eq!(pipe.polls.load(Ordering::SeqCst), 0, "there is no room at all");
    pipe.say(&number(kind::WINDOW_UPDATE, 1, 10)).await;
    assert_eq!(pipe.hear(kind::DATA).await.0.length, 10);
    assert_eq!(pipe.polls.load(Ordering::SeqCst), 1);
    // Room without end, and a peer that does not read: what was begun is finished first.
    pipe.say(&number(kind::WINDOW_UPDATE, 1, 1 << 30)).await;
    pipe.say(&number(kind::WINDOW_UPDATE, 0, 1 << 30)).await;
    let mut received = 10;
    while received < MESSAGE_BYTES - PIPE_BYTES {
        assert_eq!(pipe.polls.load(Ordering::SeqCst), 1, "after {received} bytes");
        received += pipe.hear(kind::DATA).await.1.len();
    }
    pipe.hear(kind::DATA).await;
    assert!(pipe.polls.load(Ordering::SeqCst) <= 3, "one is on its way, and at most one behind it");
}

#[tokio::test]
async fn a_request_is_answered_whole_and_a_long_one_is_refused() {
    let mut pipe = Pipe::open(&[]).await;
    pipe.say(&[headers(1, false, REQUEST), data(1, false, b"he"), data(1, true, b"llo")].concat()).await;
    assert_eq!(pipe.hear(kind::DATA).await.1, b"hello");
    assert_eq!(pipe.hear(kind::DATA).await.0.flags, 1, "its end");
    pipe.say(&[headers(3, false, REQUEST), data(3, false, &[0; 1001])].concat()).await;
    let (_, refusal) = pipe.hear(kind::DATA).await;
    assert_eq!(String::from_utf8_lossy(&refusal), "the request is longer than 1000 bytes");
    assert_eq!(pipe.hear(kind::RST_STREAM).await.1, [0; 4], "it need not go on");
}

#[tokio::test]
async fn who_breaks_a_rule_is_told_before_the_end() {
    let mut pipe = Pipe::open(&[]).await;
    pipe.say(&data(1, false, b"x")).await;
    assert_eq!(pipe.hear(kind::GOAWAY).await.1, [0, 0, 0, 0, 0, 0, 0, 1]);
    let Pipe { mut peer, task, .. } = pipe;
    assert_eq!(timeout(DEADLINE, peer.read(&mut [0])).await.unwrap().unwrap(), 0, "then it hangs up");
    drop(peer);
    assert!(matches!(timeout(DEADLINE, task).await.unwrap().unwrap(), Ended::Fault(_)));
}

#[tokio::test]
async fn leaving_ends_the_connection_when_the_peer_knows() {
    let mut pipe = Pipe::open(&[]).await;
    pipe.hear(kind::SETTINGS).await;
    pipe.notice.give();
    pipe.hear(kind::GOAWAY).await;
    let (_, ping) = pipe.hear(kind::PING).await;
    pipe.say(&frame(kind::PING, 1, 0, &ping)).await;
    pipe.hear(kind::GOAWAY).await;
    pipe.peer.shutdown().await.unwrap();
    assert!(matches!(pipe.ended().await, Ended::Closed));
}

#[tokio::test]
async fn a_peer_that_asks_much_and_takes_nothing_is_not_read_any_more() {
    let mut pipe = Pipe::open(&[]).await;
    let flood = frame(kind::PING, 0, 0, &[0; 8]).repeat(8000);
    // The pipe takes some, the connection owes some; then nothing goes in any more.
    let mut taken = 0;
    while let Ok(written) = timeout(Duration::from_millis(200), pipe.peer.write(&flood[taken..])).await
        && taken < flood.len()
    {
        taken += written.unwrap();
    }
    assert!(taken < 64 << 10, "{taken} bytes were taken");
    pipe.hear(kind::PING).await;
    drop(pipe.peer);
    assert!(matches!(timeout(DEADLINE, pipe.task).await.unwrap().unwrap(), Ended::Closed | Ended::Lost(_)));
}
