//! The list of clients follows their streams, whatever the order in which they come and go.

use model::Version;

use super::*;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A revision of the datastore that most tests are about.
fn point(revision: Version) -> Point {
    Point { datastore_id: 7, revision }
}

fn report(applied_revision: Version, failures: usize) -> Report {
    let failure = Failure { object: "NetworkPolicy/shop/web".to_owned(), reason: "no memory".to_owned() };
    Report { applied_revision, applied_at_unix_ms: 1, failures: vec![failure; failures] }
}

#[test]
fn a_client_is_listed_while_its_stream_lives() {
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let stream = clients.register("node-1", "1.0", address(1));
    stream.sent(100, point(7), now);
    let list = clients.list(point(7), now);
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
    assert_eq!(clients.list(point(0), Instant::now())[0].address, address(2));
}

#[test]
fn a_node_whose_newest_stream_ends_is_listed_as_the_one_before_it() -> Result<(), Unreported> {
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let _oldest = clients.register("node-1", "1.0", address(1));
    let old = clients.register("node-1", "1.0", address(2));
    let new = clients.register("node-1", "1.0", address(3));
    // The one that is served says what it enforces, though another one was opened beside it.
    clients.report("node-1", address(2), report(9, 0), point(9))?;
    assert_eq!((clients.len(), clients.acks(point(9), now).applied), (1, 0));
    drop(new);
    assert!(clients.is_listed("node-1"));
    let acks = clients.acks(point(9), now);
    assert_eq!((acks.clients, acks.applied, clients.list(point(9), now)[0].address), (1, 1, address(2)));
    drop(old);
    assert_eq!(clients.list(point(9), now)[0].address, address(1));
    let ended = clients.report("node-1", address(2), report(9, 0), point(9));
    assert!(matches!(ended, Err(Unreported::NotItsConnection { .. })), "{ended:?}");
    Ok(())
}

#[test]
fn reports_add_up() -> Result<(), Unreported> {
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let _streams: Vec<_> = (0..20).map(|n| clients.register(&format!("node-{n:02}"), "1.0", address(n))).collect();
    for n in 0..5 {
        clients.report(&format!("node-{n:02}"), address(n), report(9, 0), point(9))?;
    }
    clients.report("node-05", address(5), report(8, 2), point(9))?;
    assert!(clients.report("stranger", address(1), report(9, 0), point(9)).is_err());
    let acks = clients.acks(point(9), now);
    assert_eq!((acks.applied, acks.clients, acks.failing), (5, 20, 1));
    assert_eq!(acks.lagging.len(), LAGGING_NAMED);
    assert_eq!(clients.acks(point(8), now).applied, 6);
    assert_eq!(clients.list(point(9), now)[5].failures.len(), 2);
    Ok(())
}

#[test]
fn those_that_lag_most_are_named_with_how_far_and_why() -> Result<(), Unreported> {
    let (clients, start) = (Arc::new(Clients::default()), Instant::now());
    let streams: Vec<_> = (0..20).map(|n| clients.register(&format!("node-{n:02}"), "1.0", address(n))).collect();
    let after = |seconds| start + Duration::from_secs(seconds);
    for (revision, seconds) in [(5, 10), (7, 20), (9, 30)] {
        drop(clients.noted(point(revision), after(seconds)));
    }
    for n in 0..19 {
        // Most of them have lacked the last change for 3 s, one the last two, one all three.
        let applied = match n {
            12 => 4,
            3 => 6,
            _ => 8,
        };
        clients.report(&format!("node-{n:02}"), address(n), report(applied, 0), point(9))?;
    }
    streams[12].sent(100, point(5), after(25));
    streams[3].sent(100, point(9), after(20));
    streams[3].took_all();
    streams[4].sent(100, point(9), after(32));

    let acks = clients.acks(point(9), after(33));
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

    clients.report("node-03", address(3), report(9, 0), point(9))?;
    assert_eq!(clients.list(point(9), after(33))[3].lag, Lag { behind_revisions: Some(0), ..lag(3) });
    Ok(())
}

#[test]
fn what_was_reported_of_another_datastore_does_not_count() -> Result<(), Unreported> {
    let (clients, start) = (Arc::new(Clients::default()), Instant::now());
    let after = |seconds| start + Duration::from_secs(seconds);
    let streams = ["slow", "quick"].map(|node| clients.register(node, "1.0", address(1)));
    for stream in &streams {
        stream.sent(100, point(1000), after(1));
    }
    for node in ["slow", "quick"] {
        clients.report(node, address(1), report(1000, 1), point(1000))?;
    }
    let acks = clients.acks(point(1000), after(1));
    assert_eq!((acks.applied, acks.failing), (2, 2));

    let replaced = Point { datastore_id: 8, revision: 3 };
    let acks = clients.acks(replaced, after(100));
    assert_eq!((acks.applied, acks.failing, acks.lagging.len()), (0, 0, 2), "{acks:?}");
    assert!(acks.lagging.iter().all(|lag| (lag.behind_revisions, lag.behind_ms) == (None, 0)), "{:?}", acks.lagging);

    // One has the new state and reports that. The other one is still being sent it, and says again what it enforces.
    streams[1].sent(100, replaced, after(101));
    streams[0].sent(100, Point { revision: 0, ..replaced }, after(101));
    clients.report("quick", address(1), report(3, 0), replaced)?;
    clients.report("slow", address(1), report(1000, 0), replaced)?;
    let acks = clients.acks(replaced, after(103));
    assert_eq!((acks.applied, acks.lagging.len()), (1, 1), "{acks:?}");
    assert_eq!((&*acks.lagging[0].node, acks.lagging[0].behind_ms), ("slow", 3000));
    let list = clients.list(replaced, after(103));
    assert_eq!(list.iter().map(|client| client.applied_revision).collect::<Vec<_>>(), [Some(3), None]);

    let later = Point { revision: 4, ..replaced };
    assert_eq!(
        clients.acks(later, after(105)).lagging[1].behind_revisions,
        Some(1),
        "one that follows lags by what it lacks"
    );
    Ok(())
}

#[test]
fn a_client_that_comes_from_another_datastore_reports_of_that_one() -> Result<(), Unreported> {
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let streams = ["old", "new"].map(|node| clients.register(node, "1.0", address(1)));
    streams[0].holds(6);
    for node in ["old", "new"] {
        clients.report(node, address(1), report(9, 0), point(9))?;
    }
    assert_eq!(clients.acks(point(9), now).applied, 1);
    Ok(())
}

#[test]
fn a_report_that_cannot_be_true_does_not_count() {
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let _stream = clients.register("node-1", "1.0", address(1));
    let report = |node, from, applied| clients.report(node, address(from), report(applied, 0), point(9));
    let (node, from) = ("node-1".to_owned(), address(2));
    assert_eq!(report("node-1", 2, 9), Err(Unreported::NotItsConnection { node: node.clone(), from }));
    assert_eq!(report("node-1", 1, u64::MAX), Err(Unreported::Ahead { node, applied: u64::MAX, latest: 9 }));
    assert_eq!(clients.acks(point(9), now).applied, 0);
    assert_eq!((report("node-1", 1, 9), clients.acks(point(9), now).applied), (Ok(()), 1));
}

#[test]
fn a_client_that_is_ahead_by_nothing_of_ours_reports_what_it_was_told_here() {
    let (clients, now) = (Arc::new(Clients::default()), Instant::now());
    let stream = clients.register("node-1", "1.0", address(1));
    let report = |applied| clients.report("node-1", address(1), report(applied, 0), point(9));
    assert!(matches!(report(15), Err(Unreported::Ahead { .. })), "it was told nothing yet");
    stream.sent(100, point(15), now);
    assert!(matches!(report(16), Err(Unreported::Ahead { .. })));
    assert_eq!((report(15), clients.acks(point(9), now).applied), (Ok(()), 1));
}
