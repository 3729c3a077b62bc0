//! All replicas beside each other, on the page of one of them.

use std::{net::SocketAddr, time::Duration};

use pki::development::Request;
use tokio::{net::TcpListener, time::Instant};
use typha::Limits;

use super::{
    browser::Browser,
    harness::{
        Certificates, Typha,
        events::{list, put},
    },
    reads, url,
};

/// Whoever looks is to know within 3 s who is silent; the rest is for a browser on a busy machine.
const NAMED_WITHIN: Duration = Duration::from_secs(3 + 2);

fn admin(typha: &Typha) -> SocketAddr {
    typha.server.admin_address().expect("it has one")
}

#[tokio::test]
async fn all_replicas_are_shown_and_who_is_silent_is_named_in_time() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let b = Typha::start(&certificates, "replica-b").await?;
    // The kernel takes its connections, and nobody answers.
    let hung = TcpListener::bind("127.0.0.1:0").await?;
    let (hung_address, b_address) = (hung.local_addr()?, admin(&b));
    let peers = [b_address.to_string(), hung_address.to_string(), "nowhere.invalid:9098".to_owned()];
    let files = certificates.issue(&Request { hosts: vec!["typha".to_owned()], ..Request::named("typha") })?;
    let a = Typha::start_beside(files, "replica-a", Limits::default(), peers.to_vec()).await?;
    for event in list(9, vec![put("one", 9, "1")]) {
        a.send(event.clone()).await?;
        b.send(event).await?;
    }
    let mut browser = Browser::open(&url(admin(&a))).await?;
    let digest = {
        b.published(9).await?;
        b.server.board().load().view.digest().to_string()
    };
    let hangs = format!("{hung_address} (no answer within 1 s)");
    reads(&mut browser, &["All replicas", "replica-b", "ready", &digest, &hangs, "nowhere.invalid:9098 (the name"])
        .await?;
    let row = "[...document.querySelectorAll('#replica-rows tr')].find(row => row.innerText.includes('replica-b'))";
    let told = browser.evaluate(&format!("{row}.querySelector('[data-cell=revision]').innerText")).await?;
    assert_eq!(told, "9");
    let told = browser.evaluate(&format!("{row}.querySelector('[data-cell=applied]').innerText")).await?;
    assert_eq!(told, "0");

    drop(b);
    let died = Instant::now();
    let gone = format!("{b_address} (cannot connect");
    reads(&mut browser, &[&gone]).await?;
    assert!(
        died.elapsed() < NAMED_WITHIN + Duration::from_secs(1),
        "{:?}, the browser's part included",
        died.elapsed()
    );
    assert_eq!(browser.complaints, [""; 0]);
    browser.close().await
}

#[tokio::test]
async fn where_none_is_configured_the_page_speaks_of_its_own_replica_alone() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "replica-a").await?;
    let mut browser = Browser::open(&url(admin(&typha))).await?;
    reads(&mut browser, &["This replica", "replica-a"]).await?;
    let text = browser.text().await?;
    assert!(!text.contains("All replicas"), "{text}");
    browser.close().await
}
