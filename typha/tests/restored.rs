//! A datastore that answers and cannot be followed is told as such, and the state is not called fresh.

mod harness;

use std::time::Duration;

use datastore_adapters::SourceEvent;
use harness::{
    Certificates, Typha, admin,
    events::{apply, list, put},
    until,
};
use typha::Limits;

const STALE_AFTER: Duration = Duration::from_millis(300);

async fn send(typha: &Typha, events: impl IntoIterator<Item = SourceEvent>) -> anyhow::Result<()> {
    for event in events {
        typha.send(event).await?;
    }
    Ok(())
}

async fn readyz(typha: &Typha) -> anyhow::Result<(u16, String)> {
    let address = typha.server.admin_address().ok_or_else(|| anyhow::anyhow!("no admin API"))?;
    admin::get(address, "/readyz").await
}

async fn becomes_ready(typha: &Typha, revision: u64) -> anyhow::Result<()> {
    until("ready", async || {
        // Being slow, the test may have let it become stale.
        typha.send(SourceEvent::Progress { revision }).await?;
        Ok(readyz(typha).await?.0 == 200)
    })
    .await
}

#[tokio::test]
async fn a_datastore_that_went_back_keeps_the_replica_unready_until_it_is_mended() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let limits = Limits { stale_after: STALE_AFTER, ..Limits::default() };
    let typha = Typha::start_with(&certificates, "a", limits).await?;
    send(&typha, list(9, vec![put("one", 8, "1")])).await?;
    becomes_ready(&typha, 9).await?;
    send(&typha, list(4, vec![put("two", 4, "2")])).await?;
    // The source watches from there, and proves every second that the datastore is alive.
    let go_on = async || {
        send(&typha, [apply(vec![put("two", 5, "3")]), SourceEvent::Progress { revision: 5 }]).await?;
        readyz(&typha).await
    };
    let is_refused =
        |(code, body): &(u16, String)| *code == 503 && body.contains("revision 4, but revision 9 was known");
    until("not ready, and told why", async || Ok(is_refused(&go_on().await?))).await?;
    for _ in 0..10 {
        let told = go_on().await?;
        assert!(is_refused(&told), "{told:?}");
        tokio::time::sleep(STALE_AFTER / 10).await;
    }
    send(&typha, list(1000, vec![put("two", 4, "2")])).await?;
    becomes_ready(&typha, 1000).await
}
