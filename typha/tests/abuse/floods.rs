//! Frames that are right one by one, by the ten thousand: the connection ends, or the flood is held back, or it is
//! answered at no more cost than its own.

use typha::Limits;

use crate::{
    frames::{
        ACK, DATA, END_HEADERS, END_STREAM, GRPC, HEADERS, PING, PRIORITY, RST_STREAM, SUBSCRIBE, frame,
        open_subscription, request_headers, settings, subscribe, window_update,
    },
    raw::{Raw, Sent},
    siege::{SHORT, Siege},
};

const TIMES: usize = 20_000;

/// The frames of an attack, given a stream's number.
type Attack<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// A reset with CANCEL.
fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_small_frames() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    let floods = [
        ("PING", frame(PING, 0, 0, &[7; 8])),
        ("PING acknowledgements", frame(PING, ACK, 0, &[7; 8])),
        ("SETTINGS", settings(&[(4, 1 << 20)])),
        ("empty SETTINGS", settings(&[])),
        ("SETTINGS acknowledgements", frame(4, ACK, 0, &[])),
        ("PRIORITY", frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 7])),
        ("PRIORITY of streams to come", frame(PRIORITY, 0, 1001, &[0, 0, 0, 0, 7])),
        ("WINDOW_UPDATE", window_update(0, 1)),
        ("WINDOW_UPDATE of a stream", window_update(1, 1)),
        ("empty DATA", frame(DATA, 0, 1, &[])),
        ("DATA that is padding", frame(DATA, 8, 1, &[0])),
        ("frames of an unknown kind", frame(0xfa, 0xff, 1, &[0; 16])),
        ("RST_STREAM", reset(1)),
    ];
    siege
        .withstand(async {
            for (name, bytes) in floods {
                let mut raw = Raw::open(&door, &[]).await?;
                raw.send(&open_subscription(1)).await;
                let sent = raw.flood(TIMES, &bytes).await;
                eprintln!("{name}: {sent:?}");
            }
            Ok(())
        })
        .await
}

/// Who asks and does not listen is not asked to repeat: what is to be answered waits in the sockets, not in the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_whose_answers_nobody_reads() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            let mut held = Vec::new();
            for bytes in [frame(PING, 0, 0, &[7; 8]), settings(&[(4, 1 << 20)])] {
                let mut raw = Raw::open(&door, &[]).await?;
                // Some 10 MB of answers.
                let sent = raw.writer.flood(30 * TIMES, &bytes).await;
                eprintln!("unread: {sent:?}");
                held.push(raw);
            }
            Ok(())
        })
        .await
}

/// CVE-2023-44487.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_reset() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    let headers_only = |stream| [open_subscription(stream), reset(stream)].concat();
    let whole = |stream| [subscribe(stream), reset(stream)].concat();
    // The server is made to reset them itself (CVE-2025-8671): content beyond the end of a request.
    let provoked = |stream| [subscribe(stream), frame(DATA, 0, stream, b"x")].concat();
    let attacks: [(&str, Attack<'_>); 3] =
        [("headers only", &headers_only), ("whole requests", &whole), ("provoked", &provoked)];
    siege
        .withstand(async {
            for (name, attack) in attacks {
                let mut raw = Raw::open(&door, &[]).await?;
                let mut sent = Sent::All;
                for chunk in 0..100 {
                    let streams = (0..TIMES as u32 / 100).map(|number| 1 + 2 * (chunk * TIMES as u32 / 100 + number));
                    sent = raw.send(&streams.flat_map(attack).collect::<Vec<u8>>()).await;
                    if sent != Sent::All {
                        break;
                    }
                }
                eprintln!("{name}: {sent:?}");
            }
            Ok(())
        })
        .await
}

/// More streams at a time than a connection may have are refused, and do not stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_without_end() -> anyhow::Result<()> {
    let mut siege = Siege::start_with(Limits { request: SHORT, ..Limits::default() }).await?;
    let door = siege.door.clone();
    let clients = siege.typha.server.clients().clone();
    siege
        .withstand(async {
            for attack in [subscribe, open_subscription] {
                let mut raw = Raw::open(&door, &[]).await?;
                for first in (1..4000).step_by(200) {
                    let streams = (first..first + 200).step_by(2);
                    if raw.send(&streams.flat_map(attack).collect::<Vec<u8>>()).await != Sent::All {
                        break;
                    }
                }
                anyhow::ensure!(clients.len() <= 1 + STREAMS, "one connection has {} streams", clients.len());
            }
            Ok(())
        })
        .await
}

/// What a server may allow one connection: an agent needs two or three.
const STREAMS: usize = 100;

/// Requests that are whole and wrong: answered, or refused, and nothing of them stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_without_end() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    let block = [request_headers("/nothing", GRPC), request_headers(SUBSCRIBE, "text/html")];
    siege
        .withstand(async {
            for block in block {
                let mut raw = Raw::open(&door, &[]).await?;
                for stream in (1..4000).step_by(2) {
                    let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
                    if raw.send(&request).await != Sent::All {
                        break;
                    }
                    raw.verdict().await?;
                }
            }
            Ok(())
        })
        .await
}
