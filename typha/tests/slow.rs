//! A client that stops reading costs the server a message or two, however much changes meanwhile.
//!
//! Alone in its process, because it looks at the process's memory.

mod harness;

use std::fs;

use anyhow::Context as _;
use harness::{
    Certificates, Typha,
    client::{Client, State, connect, connect_with},
    events::{apply, list, put},
};

/// Every update takes this much, which is all that the stalled client can take unread.
const VALUE_BYTES: usize = 64 << 10;
const UPDATES: u64 = 2000;
/// A queue would hold all updates: 125 MiB.
const GROWTH_BYTES: usize = 40 << 20;

fn memory_bytes() -> anyhow::Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kilobytes: usize = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kilobytes << 10)
}

#[tokio::test]
async fn a_stalled_client_is_conflated() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    for event in list(1, vec![put("one", 1, "first")]) {
        typha.send(event).await?;
    }
    let tls = certificates.client()?;
    let narrow = |endpoint: tonic::transport::Endpoint| {
        endpoint.initial_stream_window_size(64 << 10).initial_connection_window_size(64 << 10)
    };
    let mut slow_sync = connect_with(typha.address(), tls.clone(), narrow).await?;
    let mut slow = Client::subscribe(&mut slow_sync, "slow", State::default()).await?;
    slow.reach(1).await?;
    let mut sync = connect(typha.address(), tls).await?;
    let mut quick = Client::subscribe(&mut sync, "quick", State::default()).await?;

    let before = memory_bytes()?;
    for revision in 2..=UPDATES {
        typha.send(apply(vec![put("one", revision, vec![b'x'; VALUE_BYTES])])).await?;
    }
    quick.reach(UPDATES).await?;
    let growth = memory_bytes()?.saturating_sub(before);
    assert!(growth < GROWTH_BYTES, "memory grew by {growth} bytes");

    slow.received = 0;
    slow.reach(UPDATES).await?;
    assert!(slow.received < 20, "{} messages were kept for a client that did not read", slow.received);
    assert_eq!(slow.state.entries, quick.state.entries);
    Ok(())
}
