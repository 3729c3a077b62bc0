//! What the admin API tells: readiness with its reason, who is connected, what the nodes enforce.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::{net::SocketAddr, time::Duration};

use datastore_adapters::SourceEvent;
use harness::{
    Certificates, Typha, admin,
    client::{Client, State, connect, connect_with},
    events::{apply, list, put},
    until, within,
};
use proto::sync::v1::{Failure, ReportRequest};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;
use typha::Limits;

async fn json(address: SocketAddr, path: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&admin::get(address, path).await?.1)?)
}

#[tokio::test]
async fn readiness_says_why_not() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let limits = Limits { stale_after: Duration::from_millis(300), ..Limits::default() };
    let typha = Typha::start_with(&certificates, "a", limits).await?;
    let address = typha.server.admin_address().expect("it has one");
    let reason = "etcd at http://a:2379: connection refused";
    typha.send(SourceEvent::Unavailable { reason: reason.to_owned() }).await?;
    let (code, body) = admin::get(address, "/readyz").await?;
    assert_eq!((code, body.contains("not in sync")), (503, true), "{body}");
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    until("ready", async || {
        // Being slow, the test may have let it become stale.
        typha.send(SourceEvent::Progress { revision: 3 }).await?;
        Ok(admin::get(address, "/readyz").await? == (200, "ready\n".to_owned()))
    })
    .await?;
    until("stale", async || {
        let (code, body) = admin::get(address, "/readyz").await?;
        Ok(code == 503 && body.starts_with("stale"))
    })
    .await?;
    assert_eq!(admin::get(address, "/healthz").await?.0, 200, "a restart would not help");
    Ok(())
}

#[tokio::test]
async fn clients_and_what_they_enforce_are_told() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let address = typha.server.admin_address().expect("it has one");
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut clients = Vec::new();
    for node in ["node-1", "node-2", "node-3"] {
        let mut client = Client::subscribe(&mut sync, node, State::default()).await?;
        client.reach(3).await?;
        clients.push(client);
    }
    typha.send(apply(vec![put("two", 4, "2")])).await?;
    for (client, node) in clients.iter_mut().zip(["node-1", "node-2"]) {
        client.reach(4).await?;
        let failure = Failure { object: "NetworkPolicy/shop/web".to_owned(), reason: "no memory".to_owned() };
        let failures = if node == "node-2" { vec![failure] } else { vec![] };
        let report = ReportRequest { node: node.to_owned(), applied_revision: 4, applied_at_unix_ms: 1234, failures };
        sync.report(report).await?;
    }
    let stranger = ReportRequest { node: "node-9".to_owned(), ..ReportRequest::default() };
    let status = sync.report(stranger).await.map(|_| ()).expect_err("it has no stream");
    assert_eq!(status.code(), Code::FailedPrecondition);
    let list = json(address, "/clients").await?;
    assert_eq!(list.as_array().map(Vec::len), Some(3));
    assert_eq!(list[0]["node"], "node-1");
    assert_eq!(list[0]["version"], "test");
    assert_eq!((&list[0]["position_revision"], &list[0]["applied_revision"]), (&4.into(), &4.into()));
    assert_eq!(list[1]["failures"][0]["object"], "NetworkPolicy/shop/web");
    assert_eq!(list[2]["applied_revision"], Value::Null);

    let status = json(address, "/status").await?;
    assert_eq!((&status["keys"], &status["in_sync"], &status["name"]), (&2.into(), &true.into(), &"a".into()));
    assert_eq!((&status["acks"]["applied"], &status["acks"]["clients"]), (&2.into(), &3.into()));
    assert_eq!((&status["acks"]["failing"], &status["acks"]["lagging"][0]["node"]), (&1.into(), &"node-3".into()));

    assert_eq!((&status["admission"]["admitted_snapshots"], &status["admission"]["put_off"]), (&3.into(), &0.into()));

    let (_, metrics) = admin::get(address, "/metrics").await?;
    let admitted = "typha_admission_admitted_total{need=\"snapshot\"} 3";
    for line in ["typha_clients 3", "typha_clients_applied 2", "typha_clients_failing 1", "typha_keys 2", admitted] {
        assert!(metrics.contains(line), "no {line:?} in {metrics}");
    }
    drop(clients);
    until("all have left", async || Ok(json(address, "/clients").await?.as_array().is_some_and(Vec::is_empty))).await
}

/// More than a client with a narrow window can be sent while it does not read.
const VALUE_BYTES: usize = 256 << 10;

#[tokio::test]
async fn a_client_that_does_not_read_is_told_from_one_that_has_not_reported() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let address = typha.server.admin_address().expect("it has one");
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    let tls = certificates.client()?;
    let narrow = |endpoint: tonic::transport::Endpoint| endpoint.initial_stream_window_size(64 << 10);
    let (mut slow_sync, mut sync) =
        (connect_with(typha.address(), tls.clone(), narrow).await?, connect(typha.address(), tls).await?);
    let mut slow = Client::subscribe(&mut slow_sync, "slow", State::default()).await?;
    let mut quick = Client::subscribe(&mut sync, "quick", State::default()).await?;
    for (client, node, sync) in [(&mut slow, "slow", &mut slow_sync), (&mut quick, "quick", &mut sync)] {
        client.reach(3).await?;
        sync.report(ReportRequest { node: node.to_owned(), applied_revision: 3, ..ReportRequest::default() }).await?;
    }
    typha.send(apply(vec![put("one", 4, vec![b'x'; VALUE_BYTES])])).await?;
    quick.reach(4).await?;
    let mut status = Value::Null;
    let told = until("one is stalled", async || {
        status = json(address, "/status").await?;
        Ok(status["acks"]["stalled"] == 1)
    });
    told.await.map_err(|error| error.context(format!("{status:#}")))?;
    for lag in status["acks"]["lagging"].as_array().expect("a list") {
        assert_eq!(lag["behind_revisions"], 1, "{lag}");
        assert!(lag["behind_ms"].as_u64().is_some_and(|ms| ms >= 1000), "{lag}");
        assert_eq!(lag["stalled_ms"].as_u64().is_some_and(|ms| ms >= 2000), lag["node"] == "slow", "{lag}");
    }
    let list = json(address, "/clients").await?;
    assert_eq!((&list[0]["node"], &list[0]["stalled_ms"]), (&"quick".into(), &Value::Null));
    assert!(list[1]["stalled_ms"].is_u64(), "{list:#}");
    let (_, metrics) = admin::get(address, "/metrics").await?;
    assert!(metrics.contains("typha_clients_stalled 1"), "{metrics}");

    slow.reach(4).await?;
    until("it reads again", async || Ok(json(address, "/status").await?["acks"]["stalled"] == 0)).await
}

#[tokio::test]
async fn connections_that_ask_nothing_keep_nobody_out_and_are_closed() -> anyhow::Result<()> {
    /// More than the port bears.
    const MANY: usize = 400;
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let address = typha.server.admin_address().expect("it has one");
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    // Nothing; half of a request's headers; a request, and then nothing.
    let beginnings = ["", "GET /healthz HTTP/1.1\r\nhost: ", "GET /healthz HTTP/1.1\r\nhost: typha\r\n\r\n"];
    let mut idle = Vec::new();
    for number in 0..MANY {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(beginnings[number % beginnings.len()].as_bytes()).await?;
        idle.push(stream);
    }
    assert_eq!(admin::get(address, "/healthz").await?, (200, "ok\n".to_owned()));
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    Client::subscribe(&mut sync, "node-1", State::default()).await?.reach(3).await?;
    for mut stream in idle {
        // However it is closed: an error says that it is, too.
        let _ = within(stream.read_to_end(&mut Vec::new())).await?;
    }
    assert_eq!(admin::get(address, "/healthz").await?.0, 200);
    Ok(())
}
