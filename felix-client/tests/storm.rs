//! A thousand clients that come at once: those that are served already do not notice, those that lack little do not
//! wait, and those that need everything get it in turn, or are told when to return.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use felix_client::sync::{Config, Disconnect, Event, LightClient, LightEvent, Mode};
use lab::{Lab, Proxy, Replica, Running};
use tokio::{task::JoinSet, time};
use typha::{
    Limits,
    admission::{AdmissionLimits, Demand, Need, Ticket},
};

/// Clients of the storm.
const CLIENTS: usize = 1000;
/// What may be under way at a time: four of them.
const BUDGET_BYTES: u64 = 256 << 10;
const SHARE_BYTES: u64 = 64 << 10;

/// What the storm takes at most on a machine that is busy with something else; by itself, a few seconds.
const CALM_AGAIN: Duration = Duration::from_mins(3);

/// However slow the machine, nobody loses patience, and nobody is deemed slow.
const EVER: Duration = Duration::from_hours(1);

fn limits() -> Limits {
    let (budget_bytes, share_bytes) = (BUDGET_BYTES, SHARE_BYTES);
    let admission = AdmissionLimits { budget_bytes, share_bytes, window: EVER, patience: EVER, ..Default::default() };
    Limits { admission, ..Limits::default() }
}

/// Takes the whole budget, as four snapshots that are under way do.
fn hold_budget(typha: &Replica) -> Vec<Ticket> {
    let demand = Demand { need: Need::Snapshot, bytes: SHARE_BYTES, put_off: 0 };
    (0..4).map(|_| typha.server.admission().enter(demand, Instant::now())).collect()
}

/// Clients that need everything, and how far each of them is.
struct Storm {
    revisions: Arc<Vec<AtomicU64>>,
    _tasks: JoinSet<()>,
}

impl Storm {
    fn start(lab: &Lab, typha: &Replica) -> Self {
        let config = lab.config(&[typha.address()]);
        let config = Arc::new(Config { silence_limit: EVER, connect_limit: EVER, ..config });
        let revisions: Arc<Vec<AtomicU64>> = Arc::new((0..CLIENTS).map(|_| AtomicU64::new(0)).collect());
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let revisions = Arc::clone(&revisions);
            let (client, _) = LightClient::new(Arc::clone(&config), format!("storm-{number}"), move |event| {
                if let LightEvent::Checkpoint { revision, in_sync: true, .. } = event {
                    revisions[number].store(revision, Ordering::Relaxed);
                }
            });
            tasks.spawn(client.run());
        }
        Self { revisions, _tasks: tasks }
    }

    fn at(&self, revision: u64) -> usize {
        self.revisions.iter().filter(|at| at.load(Ordering::Relaxed) >= revision).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_newcomers_do_not_hold_up_who_is_served_already() {
    let mut lab = Lab::new();
    let value: &'static str = "x".repeat(1 << 10).leak();
    for number in 0..100 {
        lab.write(&[(&format!("tier-{number}"), Some(value))], &[]).await;
    }
    let typha = lab.replica_with("typha-a", limits()).await;
    let proxy = Proxy::start(typha.address()).await;
    let mut healthy = Running::start(lab.config(&[typha.address()]));
    let mut wanderer = Running::start(lab.config(std::slice::from_ref(&proxy.address)));
    healthy.reach(lab.revision).await;
    wanderer.reach(lab.revision).await;

    let held = hold_budget(&typha);
    let storm = Storm::start(&lab, &typha);
    let mut writes_while_all_wait = 20;
    let deadline = time::Instant::now() + CALM_AGAIN;
    while writes_while_all_wait > 0 {
        assert!(time::Instant::now() < deadline, "{:?}", typha.server.admission().status());
        let waiting = typha.server.admission().status().waiting_snapshots;
        lab.write(&[("tick", Some("{}"))], &[&typha]).await;
        assert_eq!(healthy.reach(lab.revision).await, (vec![], 1), "each update, on the same stream");
        writes_while_all_wait -= usize::from(waiting == CLIENTS);
    }
    assert_eq!(storm.at(1), 0, "no newcomer is sent anything while the budget is in use");
    proxy.cut().await;
    lab.write(&[("tick", Some("{}"))], &[&typha]).await;
    assert_eq!(wanderer.reach(lab.revision).await.0, [Mode::Resume], "who lacks little does not wait");
    assert_eq!(healthy.reach(lab.revision).await, (vec![], 1));

    drop(held);
    while storm.at(lab.revision) < CLIENTS || typha.server.admission().status().used_bytes > 0 {
        assert!(time::Instant::now() < deadline, "{} of {CLIENTS} are in sync", storm.at(lab.revision));
        if storm.at(1) < CLIENTS {
            lab.write(&[("tick", Some("{}"))], &[&typha]).await;
        }
        let (modes, updates) = healthy.reach(lab.revision).await;
        assert!(modes.is_empty() && updates <= 1, "{modes:?}, {updates} updates");
        time::sleep(Duration::from_millis(1)).await;
    }
    let status = typha.server.admission().status();
    assert!(status.peak_bytes <= BUDGET_BYTES && status.admitted_snapshots >= CLIENTS as u64, "{status:?}");
}

#[tokio::test]
async fn who_is_put_off_is_told_and_comes_back_in_time() {
    let mut lab = Lab::new();
    lab.fill(10).await;
    let (patience, retry) = (Duration::ZERO, Duration::from_secs(1));
    let admission = AdmissionLimits { patience, retry, ..limits().admission };
    let typha = lab.replica_with("typha-a", Limits { admission, ..limits() }).await;
    let held = hold_budget(&typha);
    let mut client = Running::start(lab.config(&[typha.address()]));
    let event = client.next().await;
    let Event::Disconnected { reason: Disconnect::PutOff { reason, retry_after, .. }, .. } = event else {
        panic!("it is not put off: {event:?}")
    };
    let told_at = Instant::now();
    assert!(reason.contains("typha-a") && retry_after == retry, "{reason}, in {retry_after:?}");
    drop(held);
    assert_eq!(client.reach(10).await, (vec![Mode::Snapshot], 10));
    assert!(told_at.elapsed() >= retry, "it came back after {:?}", told_at.elapsed());
}

#[tokio::test]
async fn who_is_put_off_goes_to_another_replica_at_once() {
    let mut lab = Lab::new();
    lab.fill(10).await;
    let (patience, retry) = (Duration::ZERO, EVER);
    let admission = AdmissionLimits { patience, retry, ..limits().admission };
    let first = lab.replica_with("typha-a", Limits { admission, ..limits() }).await;
    let second = lab.replica_with("typha-b", Limits { admission, ..limits() }).await;
    let servers = [first.address(), second.address()];
    // Whichever the client goes to first has no room.
    for busy in [&first, &second] {
        let _held = hold_budget(busy);
        let mut client = Running::start(lab.config(&servers));
        client.reach(10).await;
        assert_eq!(client.state, lab.state);
    }
}
