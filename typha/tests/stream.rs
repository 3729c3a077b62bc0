//! What clients get over real TLS: snapshots, changes, and only what they lack when they come back.

mod harness;

use harness::{
    Certificates, Typha,
    client::{Client, State, connect},
    events::{apply, delete, list, put},
};
use proto::sync::v1::begin::Mode;

#[tokio::test]
async fn a_snapshot_then_changes() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    for event in list(10, vec![put("one", 3, "1"), put("two", 5, "2")]) {
        typha.send(event).await?;
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    let checkpoint = client.checkpoint().await?;
    assert_eq!((checkpoint.revision, checkpoint.in_sync, client.mode()), (10, true, Some(Mode::Snapshot)));
    assert_eq!(client.state.entries.len(), 2);

    typha.send(apply(vec![put("two", 11, "22"), delete("one", 11), put("three", 11, "3")])).await?;
    let checkpoint = client.checkpoint().await?;
    assert_eq!(checkpoint.revision, 11, "a transaction comes whole");
    assert_eq!(client.state.entries.keys().collect::<Vec<_>>(), ["GlobalNetworkSet/three", "GlobalNetworkSet/two"]);
    assert_eq!(client.received, 2 + 3);
    Ok(())
}
