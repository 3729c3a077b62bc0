//! What Prometheus scrapes is what the documentation says: every metric, its type, its labels and its meaning.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::path::Path;

use harness::{
    Certificates, Typha, admin,
    client::{Client, State, connect},
    events::{list, put},
    until,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

#[tokio::test]
async fn every_metric_is_documented() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let address = typha.server.admin_address().expect("it has one");
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    // A client and a peer that is turned away: labels are shown by samples.
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.reach(3).await?;
    TcpStream::connect(typha.address()).await?.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    until("a rejection is counted", async || {
        Ok(admin::get(address, "/metrics").await?.1.contains("typha_rejections_total{"))
    })
    .await?;

    let (_, exposition) = admin::get(address, "/metrics").await?;
    assert!(exposition.ends_with("# EOF\n"), "{exposition}");
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    settings::hold(&document, "typha", &telemetry::metrics_table(&exposition)).map_err(anyhow::Error::msg)
}
