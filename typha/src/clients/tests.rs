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
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let stream = clients.register("node-1", "1.0", address(1));
    stream.sent(100, 7, now);
    let list = clients.list(7, now);
    assert_eq!((list.len(), &*list[0].lag.node, list[0].position_revision), (1, "node-1", 7));
    stream.began(proto::sync::v1::begin::Mode::Snapshot, 5, now);
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
    assert_eq!(clients.list(0, Instant::now())[0].address, address(2));
}

#[test]
fn reports_add_up() {
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let _streams: Vec<_> = (0..20).map(|n| clients.register(&format!("node-{n:02}"), "1.0", address(n))).collect();
    for n in 0..5 {
        assert!(clients.report(&format!("node-{n:02}"), report(9, 0)));
    }
    assert!(clients.report("node-05", report(8, 2)));
    assert!(!clients.report("stranger", report(9, 0)));
    let acks = clients.acks(9, now);
    assert_eq!((acks.applied, acks.clients, acks.failing), (5, 20, 1));
    assert_eq!(acks.lagging.len(), LAGGING_NAMED);
    assert_eq!(clients.acks(8, now).applied, 6);
    assert_eq!(clients.list(9, now)[5].failures.len(), 2);
}

#[test]
fn those_that_lag_most_are_named_with_how_far_and_why() {
    let (clients, start) = (Arc::new(Clients::default()), Instant::now());
    let streams: Vec<_> = (0..20).map(|n| clients.register(&format!("node-{n:02}"), "1.0", address(n))).collect();
    let after = |seconds| start + Duration::from_secs(seconds);
    for (revision, seconds) in [(5, 10), (7, 20), (9, 30)] {
        drop(clients.noted(revision, after(seconds)));
    }
    for n in 0..19 {
        // Most of them have lacked the last change for 3 s, one the last two, one all three.
        let applied = match n {
            12 => 4,
            3 => 6,
            _ => 8,
        };
        assert!(clients.report(&format!("node-{n:02}"), report(applied, 0)));
    }
    streams[12].sent(100, 5, after(25));
    streams[3].sent(100, 9, after(20));
    streams[3].took_all();
    streams[4].sent(100, 9, after(32));

    let acks = clients.acks(9, after(33));
    assert_eq!((acks.applied, acks.stalled), (0, 1));
    let lag = |n| Lag { node: format!("node-{n:02}").into(), behind_revisions: None, behind_ms: 0, stalled_ms: None };
    // It has never reported, and is listed since it is here.
    assert_eq!((&acks.lagging[0].node, acks.lagging[0].behind_revisions), (&lag(19).node, None));
    assert!(acks.lagging[0].behind_ms.abs_diff(33_000) < 1000, "{:?}", acks.lagging[0]);
    let worst = Lag { behind_revisions: Some(5), behind_ms: 23_000, stalled_ms: Some(8_000), ..lag(12) };
    // The clock of a stream begins a little after the test's.
    let tolerant = |told: &Lag| Lag { stalled_ms: told.stalled_ms.map(|ms| (ms + 500) / 1000 * 1000), ..told.clone() };
    assert_eq!(tolerant(&acks.lagging[1]), worst);
    assert_eq!(acks.lagging[2], Lag { behind_revisions: Some(3), behind_ms: 13_000, ..lag(3) });
    assert_eq!(acks.lagging[3], Lag { behind_revisions: Some(1), behind_ms: 3_000, ..lag(0) });
    assert_eq!(acks.lagging.len(), LAGGING_NAMED);

    assert!(clients.report("node-03", report(9, 0)));
    assert_eq!(clients.list(9, after(33))[3].lag, Lag { behind_revisions: Some(0), ..lag(3) });
}
