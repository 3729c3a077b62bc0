//! Requests that are no good, too large, too slow, or whose answers are never read.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use typha::Limits;

use crate::{
    frames::{
        DATA, END_HEADERS, END_STREAM, FRAME_BYTES, GRPC, HEADERS, PREFACE, SUBSCRIBE, claim, frame, message,
        open_subscription, request_headers, settings, subscribe, window_update,
    },
    harness::until,
    raw::{Raw, Sent, Verdict},
    siege::{SHORT, Siege},
};

/// Asks, and says what becomes of it.
async fn ask(siege: &mut Siege, requests: Vec<(&'static str, Vec<u8>)>) -> anyhow::Result<()> {
    let door = siege.door.clone();
    siege
        .withstand(async {
            for (name, request) in requests {
                let mut raw = Raw::open(&door, &[]).await?;
                raw.send(&request).await;
                let verdict = raw.verdict().await?;
                anyhow::ensure!(verdict != Verdict::Served, "{name} was served");
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_none() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let whole = |path, content_type, body: &[u8]| {
        let headers = frame(HEADERS, END_HEADERS, 1, &request_headers(path, content_type));
        [headers, frame(DATA, END_STREAM, 1, body)].concat()
    };
    let node = message(&[0x0a, 1, b'x']);
    let long_name = [&[0x0a, 0xff, 0x01][..], &[b'x'; 255]].concat();
    let deep = [0x1b_u8; 10_000];
    ask(
        &mut siege,
        vec![
            ("another content type", whole(SUBSCRIBE, "application/json", &node)),
            ("no content type", whole(SUBSCRIBE, "", &node)),
            ("another method", whole("/cattail.sync.v1.Sync/Nothing", GRPC, &node)),
            ("no path", whole("", GRPC, &node)),
            ("no message", whole(SUBSCRIBE, GRPC, b"")),
            ("half a message", whole(SUBSCRIBE, GRPC, &node[..4])),
            ("two messages", whole(SUBSCRIBE, GRPC, &node.repeat(2))),
            ("a compressed message", whole(SUBSCRIBE, GRPC, &[1, 0, 0, 0, 0])),
            ("a message that announces 4 GiB", whole(SUBSCRIBE, GRPC, &[0, 0xff, 0xff, 0xff, 0xff, 1])),
            ("no node", whole(SUBSCRIBE, GRPC, &message(b""))),
            ("a long node", whole(SUBSCRIBE, GRPC, &message(&long_name))),
            ("garbage", whole(SUBSCRIBE, GRPC, &message(&[0xff; 100]))),
            ("groups within groups", whole(SUBSCRIBE, GRPC, &message(&deep))),
            (
                "headers and nothing more",
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &request_headers(SUBSCRIBE, GRPC)),
            ),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_end() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            // As fast as windows allow, and as if there were none.
            let mut raw = Raw::open(&door, &[]).await?;
            raw.send(&open_subscription(1)).await;
            let first = [message(&[0; FRAME_BYTES - 5]), vec![0; 100]].concat();
            raw.send(&frame(DATA, 0, 1, &first[..FRAME_BYTES])).await;
            let sent = raw.flood(4000, &frame(DATA, 0, 1, &[0; FRAME_BYTES])).await;
            anyhow::ensure!(sent != Sent::All, "64 MB were taken for one request");
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_too_slowly() -> anyhow::Result<()> {
    let limits =
        Limits { handshake: SHORT, first_request: SHORT, request: SHORT, keepalive: SHORT, ..Limits::default() };
    let mut siege = Siege::start_with(limits).await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            // Nothing; half a preface; a preface; headers that do not end; headers without a body; half a body.
            let half_body = [open_subscription(1), claim(8, DATA, 0, 1, &[0, 0, 0])].concat();
            let opened = |more: &[u8]| [PREFACE, &settings(&[]), more].concat();
            let beginnings = [
                vec![],
                PREFACE[..10].to_vec(),
                PREFACE.to_vec(),
                opened(&[]),
                opened(&frame(HEADERS, 0, 1, &[0x83])),
                opened(&open_subscription(1)),
                opened(&half_body),
            ];
            let mut waiting = Vec::new();
            for beginning in beginnings {
                let mut raw = Raw::silent(&door).await?;
                raw.send(&beginning).await;
                waiting.push(raw);
            }
            for mut raw in waiting {
                let verdict = raw.verdict().await?;
                anyhow::ensure!(verdict != Verdict::Served, "nothing was asked and it was answered");
            }
            Ok(())
        })
        .await
}

/// One byte after another, each in time for whoever looks at bytes and not at requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_byte_by_byte() -> anyhow::Result<()> {
    const STEP: Duration = Duration::from_millis(50);
    let limits = Limits { handshake: SHORT, first_request: SHORT, request: SHORT, ..Limits::default() };
    let mut siege = Siege::start_with(limits).await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            let mut raw = Raw::silent(&door).await?;
            let started = Instant::now();
            let request = [PREFACE, &settings(&[]), &subscribe(1)].concat();
            for byte in &request {
                if raw.send(&[*byte]).await != Sent::All || started.elapsed() > 5 * SHORT {
                    break;
                }
                sleep(STEP).await;
            }
            anyhow::ensure!(started.elapsed() < 5 * SHORT, "it was waited for, {:?} long", started.elapsed());
            Ok(())
        })
        .await
}

/// The largest windows there are, and nobody who reads: the server holds a message or two, not what has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads() -> anyhow::Result<()> {
    const VALUE_BYTES: usize = 256 << 10;
    const CHANGES: u64 = 500;
    const WINDOW_MAX: u32 = (1 << 31) - 1;
    let mut siege = Siege::start().await?;
    // 125 MiB are written. What was made last is kept for others, up to 32 MiB.
    siege.burden = vec![b'x'; VALUE_BYTES];
    siege.growth_bytes = 56 << 20;
    let door = siege.door.clone();
    let board = siege.typha.server.board().clone();
    siege
        .withstand(async {
            let mut raw = Raw::open(&door, &[(4, WINDOW_MAX)]).await?;
            raw.send(&[window_update(0, WINDOW_MAX - 65_535), subscribe(1)].concat()).await;
            // A window of a single byte, and one of none.
            let mut narrow = Raw::open(&door, &[(4, 1)]).await?;
            narrow.send(&subscribe(1)).await;
            let mut shut = Raw::open(&door, &[(4, 0)]).await?;
            shut.send(&subscribe(1)).await;
            until("much has changed", async || Ok(board.load().view.revision() > CHANGES)).await
        })
        .await
}
