//! Header blocks that are right and too much: long ones, endless ones, and those that are small only until they are read.

use std::time::Duration;

use tokio::time::timeout;
use typha::Limits;

use crate::{
    frames::{
        CONTINUATION, END_HEADERS, END_STREAM, FRAME_BYTES, GRPC, HEADERS, RST_STREAM, SUBSCRIBE, frame, index,
        indexed_literal, literal, request_headers, subscribe, table_size,
    },
    raw::{Raw, Verdict},
    siege::Siege,
};

/// More than anybody needs for a request's headers: 64 MB of long frames.
const FLOOD_FRAMES: usize = 4000;

/// Splits a block over as many frames as it takes.
fn headers(stream: u32, block: &[u8]) -> Vec<u8> {
    let pieces: Vec<&[u8]> = block.chunks(FRAME_BYTES).collect();
    let last = pieces.len() - 1;
    let piece = |(number, piece): (usize, &&[u8])| {
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        let ends = if number == last { END_HEADERS } else { 0 };
        frame(kind, ends | if number == 0 { END_STREAM } else { 0 }, stream, piece)
    };
    pieces.iter().enumerate().flat_map(piece).collect()
}

/// Whatever the server does, it does not serve.
async fn refused(blocks: &[(&str, Vec<u8>)]) -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            for (name, frames) in blocks {
                let mut raw = Raw::open(&door, &[]).await?;
                raw.send(frames).await;
                let verdict = raw.verdict().await?;
                anyhow::ensure!(verdict != Verdict::Served, "{name} was served");
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_headers_than_allowed() -> anyhow::Result<()> {
    let request = request_headers(SUBSCRIBE, GRPC);
    let with = |more: Vec<u8>| headers(1, &[request.clone(), more].concat());
    refused(&[
        ("one long value", with(literal("x", &"y".repeat(64 << 10)))),
        ("one long name", with(literal(&"y".repeat(64 << 10), "x"))),
        ("many small headers", with(literal("x", "y").repeat(10_000))),
        // Four bytes on the wire; 32 more in the list's size (RFC 9113 section 10.5.1).
        ("many empty headers", with(literal("x", "").repeat(3000))),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_swell() -> anyhow::Result<()> {
    const VALUE_BYTES: usize = 4000;
    let remembered = indexed_literal("x", &"y".repeat(VALUE_BYTES));
    // The first entry of the dynamic table, behind the 61 of the static one.
    let bomb = [request_headers(SUBSCRIBE, GRPC), remembered, index(62).repeat(16_000)].concat();
    let churn = [request_headers(SUBSCRIBE, GRPC), indexed_literal("x", "y").repeat(3000)].concat();
    let resizes = [[table_size(0), table_size(4096)].concat().repeat(8000), request_headers(SUBSCRIBE, GRPC)].concat();
    refused(&[
        ("60 MB by reference to 4 kB", headers(1, &bomb)),
        ("a table that is filled without end", headers(1, &churn)),
        (
            "a table that changes its size without end",
            headers(1, &[resizes, literal("x", &"y".repeat(20_000))].concat()),
        ),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    let long = frame(CONTINUATION, 0, 1, &literal("x", &"y".repeat(FRAME_BYTES - 200)));
    let short = frame(CONTINUATION, 0, 1, &literal("x", "y"));
    let empty = frame(CONTINUATION, 0, 1, &[]);
    siege
        .withstand(async {
            for (name, continuation) in [("long", long), ("short", short), ("empty", empty)] {
                let mut raw = Raw::open(&door, &[]).await?;
                raw.send(&frame(HEADERS, 0, 1, &request_headers(SUBSCRIBE, GRPC))).await;
                raw.writer.flood(FLOOD_FRAMES, &continuation).await;
                let verdict = raw.verdict().await?;
                let is_over = matches!(verdict, Verdict::GoAway(_) | Verdict::Closed);
                anyhow::ensure!(is_over, "{name} CONTINUATIONs were taken without end: {verdict:?}");
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_headers_were_too_long_serves_the_next_request_or_ends() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            let mut raw = Raw::open(&door, &[]).await?;
            let long = [request_headers(SUBSCRIBE, GRPC), literal("x", &"y".repeat(20_000))].concat();
            raw.send(&[headers(1, &long), subscribe(3)].concat()).await;
            // The table is in step, or nothing is served at all.
            let first = raw.verdict().await?;
            let second = timeout(Duration::from_secs(5), raw.verdict()).await??;
            anyhow::ensure!(first != Verdict::Served, "too many headers were served");
            anyhow::ensure!(matches!(second, Verdict::Served | Verdict::Closed | Verdict::GoAway(_)), "{second:?}");
            Ok(())
        })
        .await
}

/// Each is right, and waits for its content with its headers in memory: what all of them hold has one bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_that_are_headers_and_no_end() -> anyhow::Result<()> {
    const VALUE_BYTES: usize = 15_000;
    const REQUESTS: u32 = 30;
    // None of them is refused for taking too long.
    let limits = Limits { request: Duration::from_mins(1), ..Limits::default() };
    assert!(VALUE_BYTES * REQUESTS as usize > limits.request_bytes);
    let mut siege = Siege::start_with(limits).await?;
    let door = siege.door.clone();
    let block = [request_headers(SUBSCRIBE, GRPC), literal("x", &"y".repeat(VALUE_BYTES))].concat();
    siege
        .withstand(async {
            let mut raw = Raw::open(&door, &[]).await?;
            for number in 0..REQUESTS {
                raw.send(&frame(HEADERS, END_HEADERS, 2 * number + 1, &block)).await;
            }
            anyhow::ensure!(raw.verdict().await? == Verdict::Refused, "all of them are held");
            // One that is given up makes room.
            raw.send(&[frame(RST_STREAM, 0, 1, &[0; 4]), subscribe(2 * REQUESTS + 1)].concat()).await;
            loop {
                match raw.verdict().await? {
                    Verdict::Refused | Verdict::Reset(0) => {}
                    Verdict::Served => return Ok(()),
                    verdict => anyhow::bail!("{verdict:?}"),
                }
            }
        })
        .await
}
