//! The page as a person sees it: rendered by Chromium, from a replica with real clients, until that replica dies.

#![allow(clippy::expect_used, reason = "tests")]

mod browser;
mod files;
#[path = "../harness/mod.rs"]
mod harness;
mod replicas;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use browser::Browser;
use datastore_adapters::SourceEvent;
use harness::{
    Certificates, Typha,
    client::{Client, State, connect},
    events::{apply, list, put},
    until,
};
use pki::development::Request;
use proto::sync::v1::{self as wire, ReportRequest};
use serde_json::json;
use typha::{
    Limits,
    admission::{Demand, Need},
    clients::{Failure, Point, Registration, Report},
};

/// A node's name is whatever a client with a certificate says.
const HOSTILE: &str = "<script>alert(1)</script>";

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

/// Waits until a person reads all of these.
async fn reads(browser: &mut Browser, texts: &[&str]) -> anyhow::Result<()> {
    let mut text = String::new();
    let found = until("the page shows it", async || {
        text = browser.text().await?;
        Ok(texts.iter().all(|wanted| text.contains(wanted)))
    });
    found.await.map_err(|error| error.context(format!("{texts:?} are not all in:\n{text}")))
}

fn report(node: &str, applied_revision: u64, failures: Vec<wire::Failure>) -> ReportRequest {
    // No clock shows this time; a node that says so must not keep the others from being shown.
    ReportRequest { node: node.to_owned(), applied_revision, applied_at_unix_ms: u64::MAX, failures }
}

#[tokio::test]
async fn a_person_sees_who_lags_and_why_live_until_typha_dies() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "replica-a").await?;
    let mut browser = Browser::open(&url(typha.server.admin_address().expect("it has one"))).await?;
    reads(
        &mut browser,
        &[
            "replica-a",
            "not ready",
            "the datastore has not been listed",
            "No client is connected to this replica.",
            "own in 29 days, CA in 29 days",
        ],
    )
    .await?;

    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let mut clients = Vec::new();
    for node in ["node-1", HOSTILE, "node-3"] {
        clients.push(Client::subscribe(&mut sync, node, State::default()).await?);
    }
    typha.send(apply(vec![put("two", 7, "2")])).await?;
    for client in &mut clients {
        client.reach(7).await?;
    }
    let failure = wire::Failure { object: "NetworkPolicy/<b>shop</b>/web".to_owned(), reason: "no memory".to_owned() };
    sync.report(report("node-1", 7, vec![])).await?;
    sync.report(report(HOSTILE, 5, vec![failure])).await?;
    let lagging = [format!("{HOSTILE} (2 revisions for "), "node-3 (no report for ".to_owned()];
    let digest = typha.server.board().load().view.digest().to_string();
    let told = [
        "Revision 7 is applied by 1 of 3 nodes.",
        &lagging[0],
        &lagging[1],
        "1 node could not enforce everything.",
        &digest,
    ];
    reads(&mut browser, &told).await?;
    reads(&mut browser, &["Live", "no report; handed out", "1 to 3 of 3 clients", "1 failure"]).await?;
    browser.evaluate("document.querySelector('details:not([hidden])').open = true").await?;
    reads(&mut browser, &["NetworkPolicy/<b>shop</b>/web: no memory"]).await?;
    let made = browser.evaluate("document.querySelectorAll('body script, #rows b').length").await?;
    assert_eq!(made, 0, "a name became an element");

    let mut tickets = Vec::new();
    while typha.server.admission().status().waiting_snapshots == 0 {
        let demand = Demand { need: Need::Snapshot, bytes: u64::MAX, put_off: 0 };
        tickets.push(typha.server.admission().enter(demand, Instant::now()));
    }
    reads(&mut browser, &["Snapshots under way", "1 client waiting"]).await?;

    sync.report(report(HOSTILE, 7, vec![])).await?;
    reads(
        &mut browser,
        &[
            "Revision 7 is applied by 2 of 3 nodes.",
            "Lagging: node-3 (no report for ",
            "reads, has not reported more).",
        ],
    )
    .await?;
    drop(typha);
    reads(&mut browser, &["no answer", "This typha has not answered since", "What is shown below is from then."])
        .await?;
    assert_eq!(browser.complaints, [""; 0]);
    browser.close().await
}

#[tokio::test]
async fn it_can_be_read_in_the_dark_and_on_a_phone() -> anyhow::Result<()> {
    let (certificates, now, day) = (Certificates::new()?, SystemTime::now(), Duration::from_hours(24));
    let unrenewed = Request { not_before: now - 87 * day, not_after: now + 3 * day, ..Request::named("typha") };
    let files = certificates.issue(&unrenewed)?;
    let (key, limits) =
        (files.key.clone(), Limits { certificates_every: Duration::from_millis(100), ..Limits::default() });
    // Nobody listens there.
    let peers = vec!["127.0.0.1:1".to_owned()];
    let typha = Typha::start_beside(files, "replica-a", limits, peers).await?;
    std::fs::write(key, "not a key")?;
    for event in list(9, vec![put("one", 9, "1")]) {
        typha.send(event).await?;
    }
    typha.send(SourceEvent::Unavailable { reason: "connection refused".to_owned() }).await?;
    typha.published(9).await?;
    let _clients = crowd(&typha, 3);
    let mut browser = Browser::open(&url(typha.server.admin_address().expect("it has one"))).await?;
    reads(
        &mut browser,
        &[
            "The datastore: connection refused",
            "The certificate of CN=typha in ",
            " expires in 2 days. Issue",
            "The new certificates cannot be used, the old ones serve: ",
            "Lagging: node-0002 (5 revisions for ",
            "1 failure",
            "No answer from 127.0.0.1:1 (cannot connect",
        ],
    )
    .await?;
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        for width in [360, 1280] {
            browser.look(width, scheme).await?;
            let pale = browser.evaluate(include_str!("contrast.js")).await?;
            assert_eq!(pale, json!([]), "{scheme}, {width} pixels wide");
            let beyond =
                browser.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth").await?;
            assert_eq!(beyond, false, "{scheme}: more than {width} pixels wide");
        }
        grounds.push(browser.evaluate("getComputedStyle(document.body).backgroundColor").await?);
    }
    assert_ne!(grounds[0], grounds[1], "light and dark look the same");
    browser.close().await
}

/// So many clients without connections, of which only the last one could not apply what is new.
fn crowd(typha: &Typha, size: u16) -> Vec<Registration> {
    let clients = Arc::clone(typha.server.clients());
    let join = |n: u16| {
        let node = format!("node-{n:04}");
        let address = SocketAddr::from(([10, 0, 0, 1], 1024 + n));
        let registration = clients.register(&node, "1.0", address);
        let latest = Point::latest(&typha.server.board().load().view);
        registration.sent(1, Point { revision: 9, ..latest }, Instant::now());
        registration.took_all();
        let failure = Failure { object: "Tier/shop".to_owned(), reason: "no memory".to_owned() };
        let (applied_revision, failures) = if n + 1 == size { (4, vec![failure]) } else { (9, vec![]) };
        let report = Report { applied_revision, applied_at_unix_ms: 1, failures };
        clients.report(&node, address, report, latest).expect("it counts");
        registration
    };
    (0..size).map(join).collect()
}

#[tokio::test]
async fn thousands_of_clients_are_sorted_by_lag_filtered_and_shown_in_pages() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "replica-a").await?;
    for event in list(9, vec![put("one", 9, "1")]) {
        typha.send(event).await?;
    }
    typha.published(9).await?;
    let _clients = crowd(&typha, 5000);
    let mut browser = Browser::open(&url(typha.server.admin_address().expect("it has one"))).await?;
    let summary = "Revision 9 is applied by 4,999 of 5,000 nodes.";
    reads(&mut browser, &[summary, "1 to 100 of 5,000 clients", "node-0098"]).await?;
    let first = browser.evaluate("document.querySelector('#rows tr').innerText").await?;
    assert!(first.as_str().is_some_and(|row| row.starts_with("node-4999") && row.contains('5')), "{first}");
    assert_eq!(browser.evaluate("document.querySelectorAll('#rows tr').length").await?, 100);
    browser.evaluate("document.getElementById('next').click()").await?;
    reads(&mut browser, &["101 to 200 of 5,000 clients", "node-0100"]).await?;
    browser.evaluate("document.querySelector('[data-column=node] button').click()").await?;
    reads(&mut browser, &["1 to 100 of 5,000 clients", "node-0099"]).await?;
    let sorted = browser.evaluate("document.querySelector('[aria-sort=ascending]').innerText").await?;
    assert!(sorted.as_str().is_some_and(|header| header.contains("Node")), "{sorted}");
    let filter = "{ const box = document.getElementById('filter'); box.value = 'NODE-123'; \
                  box.dispatchEvent(new Event('input')); }";
    browser.evaluate(filter).await?;
    reads(&mut browser, &["1 to 10 of 10 that match, of 5,000 clients", "node-1239"]).await?;
    assert_eq!(browser.complaints, [""; 0]);
    browser.close().await
}
