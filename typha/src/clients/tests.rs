//! The list of clients follows their streams, whatever the order in which they come and go.

use super::*;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn report(applied_revision: Version, failures: usize) -> Report {
    let failure = Failure { object: "NetworkPolicy/shop/web".to_owned(), reason: "no memory".to_owned() };
    Report { applied_revision, applied_at_unix_ms: 1, failures: vec![failure; failures] }
}

#[test]
fn a_client_is_listed_while_its_stream_lives() {
    let clients = Arc::new(Clients::default());
    let stream = clients.register("node-1", "1.0", address(1));
    stream.sent(100, 7);
    let list = clients.list();
    assert_eq!((list.len(), list[0].node.as_str(), list[0].position_revision), (1, "node-1", 7));
    stream.began(proto::sync::v1::begin::Mode::Snapshot, 5);
    let totals = Totals { bytes: 105, messages: 2, snapshots: 1, resumes: 0, repairs: 0 };
    assert_eq!(clients.totals(), totals);
    drop(stream);
    assert!(clients.is_empty());
}

#[test]
fn the_newest_stream_of_a_node_stays_when_an_older_one_ends() {
    let clients = Arc::new(Clients::default());
    let old = clients.register("node-1", "1.0", address(1));
    let _new = clients.register("node-1", "1.0", address(2));
    drop(old);
    assert_eq!(clients.list()[0].address, address(2));
}

#[test]
fn reports_add_up() {
    let clients = Arc::new(Clients::default());
    let _streams: Vec<_> = (0..20).map(|n| clients.register(&format!("node-{n:02}"), "1.0", address(n))).collect();
    for n in 0..5 {
        assert!(clients.report(&format!("node-{n:02}"), report(9, 0)));
    }
    assert!(clients.report("node-05", report(8, 2)));
    assert!(!clients.report("stranger", report(9, 0)));
    let acks = clients.acks(9);
    assert_eq!((acks.applied, acks.clients, acks.failing), (5, 20, 1));
    assert_eq!((acks.lagging.len(), acks.lagging.is_sorted()), (LAGGING_NAMED, true));
    assert_eq!(clients.acks(8).applied, 6);
    assert_eq!(clients.list()[5].failures.len(), 2);
}
