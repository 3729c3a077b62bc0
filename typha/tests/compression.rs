//! What is compressed is read by a gRPC client that is not ours, and costs less on the wire.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use harness::{
    Certificates, Typha,
    client::{Client, State, connect},
    events::{apply, list, put},
};
use tonic::codec::CompressionEncoding;

const KEYS: u64 = 100;

async fn start(certificates: &Certificates) -> anyhow::Result<Typha> {
    let typha = Typha::start(certificates, "a").await?;
    let value = "a value that looks like all the others, ".repeat(10);
    let items = (1..=KEYS).map(|number| put(&format!("set-{number:03}"), number, value.clone())).collect();
    for event in list(KEYS, items) {
        typha.send(event).await?;
    }
    typha.published(KEYS).await?;
    Ok(typha)
}

#[tokio::test]
async fn a_client_of_another_make_reads_compressed_batches() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = start(&certificates).await?;
    let plain = connect(typha.address(), certificates.client()?).await?;
    let packed = plain.clone().accept_compressed(CompressionEncoding::Zstd);
    let mut sent = Vec::new();
    for (node, mut sync) in [("plain", plain), ("packed", packed)] {
        let before = typha.server.clients().totals().bytes;
        let mut client = Client::subscribe(&mut sync, node, State::default()).await?;
        client.reach(KEYS).await?;
        assert_eq!(client.state.entries.len() as u64, KEYS);
        sent.push(typha.server.clients().totals().bytes - before);
        // Short messages follow as they are, on the same stream.
        let revision = typha.server.board().load().view.revision() + 1;
        typha.send(apply(vec![put("set-001", revision, "short")])).await?;
        client.reach(revision).await?;
    }
    assert!(sent[1] < sent[0] / 5, "{sent:?}");
    Ok(())
}
