//! A client that takes zstd gets it from the real typha, and has the same state for a fraction of the bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use felix_client::sync::{Config, Metrics, Mode};
use lab::{Lab, Running};

const KEYS: u64 = 500;

#[tokio::test]
async fn a_client_that_takes_zstd_gets_the_same_state_in_fewer_bytes() {
    let mut lab = Lab::new();
    for number in 0..KEYS {
        let rules = r#"{"action":"Allow","protocol":"TCP","destination":{"ports":[8080]}},"#.repeat(5);
        let policy = format!(r#"{{"spec":{{"order":{number},"ingress":[{rules}]}}}}"#);
        lab.write(&[(&format!("tier-{number:05}"), Some(&policy))], &[]).await;
    }
    let typha = lab.replica("typha-a").await;
    let mut bytes = Vec::new();
    for takes_zstd in [false, true] {
        let config = Config { takes_zstd, metrics: Metrics::default(), ..lab.config(&[typha.address()]) };
        let (metrics, sent) = (config.metrics.clone(), typha.server.clients().totals().bytes);
        let mut client = Running::start(config);
        assert_eq!(client.reach(lab.revision).await, (vec![Mode::Snapshot], KEYS as usize));
        assert_eq!(client.state, lab.state);
        // A change is short: it comes as it is, on the stream that compresses what is long.
        let name = format!("after-{takes_zstd}");
        lab.write(&[(name.as_str(), Some("{}"))], &[&typha]).await;
        assert_eq!(client.reach(lab.revision).await, (vec![], 1));
        assert_eq!(client.state, lab.state);
        let sent = typha.server.clients().totals().bytes - sent;
        assert!(
            metrics.received_bytes() <= sent,
            "what was counted here is what was sent there, without frames' heads"
        );
        bytes.push(sent);
        // The next client is to be asked about without the key that this one was sent.
        lab.write(&[(name.as_str(), None)], &[&typha]).await;
        client.reach(lab.revision).await;
    }
    assert!(bytes[1] * 5 < bytes[0], "plain and compressed: {bytes:?}");
}
