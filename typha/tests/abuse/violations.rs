//! Frames that break a rule: each ends its stream or its connection, with a code that says so.

use crate::{
    frames::{
        ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_BYTES,
        FRAME_SIZE_ERROR, HEADERS, PADDED, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS,
        STREAM_CLOSED, claim, frame, index, open_subscription, settings, subscribe, table_size, window_update,
    },
    raw::{Raw, Verdict},
    siege::Siege,
};

/// The largest window that there may be (RFC 9113 section 6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// What is sent after the preface and the settings, and the codes that fit. PROTOCOL_ERROR always does: it is the code
/// for what has no other.
struct Violation {
    name: &'static str,
    bytes: Vec<u8>,
    codes: &'static [u32],
}

fn violation(name: &'static str, frames: &[Vec<u8>], codes: &'static [u32]) -> Violation {
    Violation { name, bytes: frames.concat(), codes }
}

async fn punished(violations: Vec<Violation>) -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            for Violation { name, bytes, codes } in violations {
                let mut raw = Raw::open(&door, &[]).await?;
                raw.send(&bytes).await;
                let verdict = raw.verdict().await?;
                let fits = |code| code == PROTOCOL_ERROR || codes.contains(&code);
                let is_punished = match verdict {
                    Verdict::GoAway(code) | Verdict::Reset(code) => fits(code),
                    Verdict::Closed => true,
                    Verdict::Refused | Verdict::Served => false,
                };
                anyhow::ensure!(is_punished, "{name}: {verdict:?}");
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_a_wrong_size() -> anyhow::Result<()> {
    const CODES: &[u32] = &[FRAME_SIZE_ERROR];
    const HUGE: usize = (1 << 24) - 1;
    let oversized = |kind, stream| claim(FRAME_BYTES + 1, kind, END_HEADERS, stream, &vec![0; FRAME_BYTES + 1]);
    punished(vec![
        violation("DATA longer than allowed", &[open_subscription(1), oversized(DATA, 1)], CODES),
        violation("HEADERS longer than allowed", &[oversized(HEADERS, 1)], CODES),
        violation("a PING longer than allowed", &[oversized(PING, 0)], CODES),
        violation("an unknown frame longer than allowed", &[oversized(0xfa, 0)], CODES),
        violation("a frame that announces 16 MiB", &[claim(HUGE, DATA, 0, 1, &[])], CODES),
        violation("SETTINGS that are no list of pairs", &[frame(SETTINGS, 0, 0, &[0; 5])], CODES),
        violation("an acknowledgement with settings in it", &[frame(SETTINGS, ACK, 0, &[0; 6])], CODES),
        violation("a PING of seven bytes", &[frame(PING, 0, 0, &[0; 7])], CODES),
        violation("a WINDOW_UPDATE of three bytes", &[frame(8, 0, 0, &[0; 3])], CODES),
        violation("a RST_STREAM of three bytes", &[open_subscription(1), frame(RST_STREAM, 0, 1, &[0; 3])], CODES),
        violation("a PRIORITY of four bytes", &[open_subscription(1), frame(PRIORITY, 0, 1, &[0; 4])], CODES),
        violation("more padding than content", &[open_subscription(1), frame(DATA, PADDED, 1, &[9, 0])], CODES),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_cannot_be() -> anyhow::Result<()> {
    const CODES: &[u32] = &[FLOW_CONTROL_ERROR];
    punished(vec![
        violation("an increment of zero for the connection", &[window_update(0, 0)], CODES),
        violation("an increment of zero for a stream", &[open_subscription(1), window_update(1, 0)], CODES),
        violation("a window beyond the largest", &[window_update(0, WINDOW_MAX)], CODES),
        violation("a stream's window beyond the largest", &[subscribe(1), window_update(1, WINDOW_MAX)], CODES),
        violation("an initial window beyond the largest", &[settings(&[(4, WINDOW_MAX + 1)])], CODES),
        violation(
            "an initial window that takes a stream's beyond the largest",
            &[open_subscription(1), window_update(1, WINDOW_MAX - 100_000), settings(&[(4, WINDOW_MAX)])],
            CODES,
        ),
        violation("frames of less than 16 KiB only", &[settings(&[(5, 100)])], CODES),
        violation("push that is neither on nor off", &[settings(&[(2, 2)])], CODES),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_cannot_be() -> anyhow::Result<()> {
    const CODES: &[u32] = &[STREAM_CLOSED];
    let reset = |stream| frame(RST_STREAM, 0, stream, &[0; 4]);
    punished(vec![
        violation("a request on an even stream", &[subscribe(2)], CODES),
        violation("a request on no stream", &[subscribe(0)], CODES),
        violation("a stream older than one that was opened", &[open_subscription(5), open_subscription(3)], CODES),
        violation("DATA on a stream that was never opened", &[frame(DATA, 0, 5, b"x")], CODES),
        violation("DATA on no stream", &[frame(DATA, 0, 0, b"x")], CODES),
        violation("RST_STREAM of a stream that was never opened", &[reset(5)], CODES),
        violation("RST_STREAM of no stream", &[reset(0)], CODES),
        violation("WINDOW_UPDATE of a stream that was never opened", &[window_update(5, 1)], CODES),
        violation("DATA after the end of a request", &[subscribe(1), frame(DATA, 0, 1, b"x")], CODES),
        violation("SETTINGS of a stream", &[frame(SETTINGS, 0, 1, &[])], CODES),
        violation("a PING of a stream", &[frame(PING, 0, 1, &[0; 8])], CODES),
        violation("GOAWAY of a stream", &[frame(7, 0, 1, &[0; 8])], CODES),
        violation("a stream that depends on itself", &[frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), subscribe(0)], CODES),
        violation("a promise", &[open_subscription(1), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])], CODES),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_blocks_that_cannot_be() -> anyhow::Result<()> {
    const CODES: &[u32] = &[COMPRESSION_ERROR];
    let block = |block: &[u8]| frame(HEADERS, END_HEADERS | END_STREAM, 1, block);
    let open_ended = frame(HEADERS, 0, 1, &[0x83]);
    punished(vec![
        violation("CONTINUATION of nothing", &[frame(CONTINUATION, END_HEADERS, 1, &[])], CODES),
        violation("CONTINUATION of another stream", &[open_ended.clone(), frame(CONTINUATION, 4, 3, &[])], CODES),
        violation("a PING amid a header block", &[open_ended.clone(), frame(PING, 0, 0, &[0; 8])], CODES),
        violation("an unknown frame amid a header block", &[open_ended, frame(0xfa, 0, 0, &[])], CODES),
        violation("a header that no table has", &[block(&index(200))], CODES),
        violation("header number zero", &[block(&[0x80])], CODES),
        violation("a table larger than allowed", &[block(&table_size(1 << 30))], CODES),
        violation("a number without end", &[block(&[0xff; 64])], CODES),
        violation("a string longer than the block", &[block(&[0, 0x7f, 0xff, 0x7f])], CODES),
        violation("Huffman code that ends in its end", &[block(&[0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, b'x'])], CODES),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openings_that_are_none() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            for opening in [
                &b"GET / HTTP/1.1\r\nhost: typha\r\n\r\n"[..],
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
                // No settings after the preface.
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0",
            ] {
                let mut raw = Raw::silent(&door).await?;
                raw.send(opening).await;
                let verdict = raw.verdict().await?;
                anyhow::ensure!(matches!(verdict, Verdict::GoAway(_) | Verdict::Closed), "{verdict:?}");
            }
            Ok(())
        })
        .await
}
