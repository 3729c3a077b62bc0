//! The client follows its certificates: what is on disk counts for the next connection, and the open one goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use std::{fs, sync::Arc, time::Duration};

use felix_client::sync::{Config, Disconnect, Event};
use lab::{Lab, PATIENCE, Proxy, Running};
use pki::{
    ClientTls, Peers,
    development::{Authority, Request},
};
use tokio::time;

/// One in three failed without a reason.
const CLIENTS: usize = 50;

#[tokio::test]
async fn a_client_changes_over_to_a_new_ca_without_losing_its_stream() {
    let mut lab = Lab::new();
    lab.fill(10).await;
    let old = lab.replica("typha-a").await;
    let proxy = Proxy::start(old.address()).await;
    let tls = ClientTls::client(lab.files("felix"), Peers::common_name("typha")).unwrap();
    let every = Duration::from_millis(20);
    let config = Config { certificates_every: every, ..Config::new([proxy.address.as_str()], tls) };
    let tls = config.tls.clone();
    let mut client = Running::start(config);
    client.reach(10).await;

    lab.authority = Authority::new("new CA").unwrap();
    let new = lab.replica("typha-a").await;
    lab.authority.write(lab.folder.path(), "felix", &Request::named("felix")).unwrap();
    let reloaded = async {
        while tls.reloads() == 0 {
            time::sleep(every).await;
        }
    };
    time::timeout(PATIENCE, reloaded).await.expect("the new files are seen");
    lab.write(&[("after", Some("{}"))], &[&old, &new]).await;
    assert_eq!(client.reach(11).await.0, vec![], "the stream was not begun anew");

    proxy.redirect(new.address()).await;
    loop {
        if let Event::Connected { .. } = client.next().await {
            break;
        }
    }
    lab.write(&[("later", Some("{}"))], &[&new]).await;
    client.reach(12).await;
    assert_eq!(client.state, lab.state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_certificate_is_told_of_whatever_fails_first() {
    let mut lab = Lab::new();
    lab.fill(1).await;
    let typha = lab.replica("typha-a").await;
    // Typha refuses it when our handshake is done already, or almost: often enough, our next write fails first.
    let theirs = Authority::new("another CA").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = theirs.write(folder.path(), "felix", &Request::named("felix")).unwrap();
    fs::write(&files.ca, theirs.certificate_pem() + &lab.authority.certificate_pem()).unwrap();
    let tls = Arc::new(pki::load_client(&files, &Peers::common_name("typha")).unwrap());
    for _ in 0..CLIENTS {
        let mut client = Running::start(Config::new([typha.address()], Arc::clone(&tls)));
        let event = time::timeout(PATIENCE, client.next()).await.expect("it is told");
        let Event::Disconnected { reason, .. } = event else { panic!("{event:?}") };
        let is_told = matches!(&reason, Disconnect::Tls { reason, .. } if reason.contains("our certificate"));
        assert!(is_told || reason.to_string().contains("may not accept our certificate"), "{reason}");
    }
}
