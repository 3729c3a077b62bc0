//! What a supervisor is told: each condition of readiness with its reason, and a process that must be restarted.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, mpsc},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use datastore_adapters::SourceEvent;
use harness::{
    Certificates, Typha, admin,
    events::{apply, list, put},
    until,
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use typha::Limits;

#[tokio::test]
async fn each_condition_of_readiness_is_told_with_its_reason() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let limits = Limits { stale_after: Duration::from_millis(300), ..Limits::default() };
    let typha = Typha::start_with(&certificates, "a", limits).await?;
    let address = typha.server.admin_address().expect("it has one");
    typha.send(SourceEvent::Unavailable { reason: "connection refused".to_owned() }).await?;
    let lines = [
        "[+]not-draining ok (for ",
        "[+]memory-sound ok (for ",
        "[-]datastore-listed failed: the datastore has not been listed completely yet (for ",
        "[-]upstream-fresh failed: no sign of life from the datastore for ",
        "[+]certificates-valid ok (for ",
        "[+]parts-running ok (for ",
        "the datastore: connection refused",
        "readyz check failed",
    ];
    let mut body = String::new();
    let told = until("all is told", async || {
        body = admin::get(address, "/readyz?verbose").await?.1;
        Ok(body.lines().count() == lines.len() && body.lines().zip(lines).all(|(told, begin)| told.starts_with(begin)))
    });
    told.await.map_err(|error| error.context(body))?;

    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    until("ready", async || {
        // Being slow, the test may have let it become stale.
        typha.send(SourceEvent::Progress { revision: 3 }).await?;
        let (code, body) = admin::get(address, "/readyz?verbose").await?;
        Ok(code == 200 && body.ends_with("readyz check passed\n"))
    })
    .await?;
    let status: Value = serde_json::from_str(&admin::get(address, "/status").await?.1)?;
    assert_eq!(status["gates"][2]["name"], "datastore-listed");
    assert_eq!((&status["gates"][2]["reason"], status["gates"][2]["for_ms"].is_u64()), (&Value::Null, true));
    Ok(())
}

#[tokio::test]
async fn a_sign_of_life_counts_before_the_next_beat() -> anyhow::Result<()> {
    let typha = Typha::start(&Certificates::new()?, "a").await?;
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    typha.published(3).await?;
    let mut first = typha.server.board().load();
    until("it counts", async || {
        typha.send(SourceEvent::Progress { revision: 3 }).await?;
        let latest = typha.server.board().load();
        if latest.beat != first.beat {
            first = Arc::clone(&latest);
        }
        Ok(latest.proof_of_life > first.proof_of_life)
    })
    .await
}

/// What a defect would do: whoever wakes it is blocked until the test lets go.
struct Stuck(Mutex<mpsc::Receiver<()>>);

impl Wake for Stuck {
    fn wake(self: Arc<Self>) {
        // An error means that the test lets go.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).recv();
    }
}

#[test]
fn a_writer_that_is_blocked_fails_the_liveness_probe_until_it_runs_again() -> anyhow::Result<()> {
    // The test's clock goes on when the server's runtime does not.
    let (servers, own) = (Runtime::new()?, Builder::new_current_thread().enable_all().build()?);
    let certificates = Certificates::new()?;
    let limits = Limits { wedged_after: Duration::from_secs(1), ..Limits::default() };
    let typha = servers.block_on(Typha::start_with(&certificates, "a", limits))?;
    own.block_on(block_the_writer(&typha))
}

async fn block_the_writer(typha: &Typha) -> anyhow::Result<()> {
    let address = typha.server.admin_address().expect("it has one");
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    typha.published(3).await?;
    assert_eq!(admin::get(address, "/healthz").await?, (200, "ok\n".to_owned()));

    let (free, blocked) = mpsc::channel();
    let waker = Waker::from(Arc::new(Stuck(Mutex::new(blocked))));
    let mut changed = pin!(typha.server.board().changed());
    assert_eq!(changed.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    typha.send(apply(vec![put("one", 4, "2")])).await?;
    let (mut code, mut body) = (0, String::new());
    until("the probe fails", async || {
        (code, body) = admin::get(address, "/healthz").await?;
        Ok(code == 503)
    })
    .await?;
    assert!(body.starts_with("writer has not run for 1 s; only a restart"), "{body}");
    let (code, body) = admin::get(address, "/healthz?verbose").await?;
    assert_eq!((code, body.lines().last()), (503, Some("healthz check failed")));
    assert!(body.contains("[-]writer failed") && body.contains("[+]core-0 ok"), "{body}");
    let (code, body) = admin::get(address, "/readyz").await?;
    assert_eq!((code, body.starts_with("wedged: writer has not run for")), (503, true), "{body}");
    let (_, metrics) = admin::get(address, "/metrics").await?;
    for line in ["typha_wedged_parts 1", "typha_ready_gate{gate=\"parts-running\"} 0"] {
        assert!(metrics.contains(line), "no {line:?} in {metrics}");
    }

    drop(free);
    until("it runs again", async || Ok(admin::get(address, "/healthz").await?.0 == 200)).await
}
