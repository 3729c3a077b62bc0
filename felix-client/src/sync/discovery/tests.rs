//! Lookups follow one another, change what is known, and are taken in turns.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;

/// Far more than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A name's addresses as the test has them at the moment.
#[derive(Clone, Debug, Default)]
struct Dns {
    /// None where the lookup fails.
    addresses: Arc<Mutex<Option<Vec<SocketAddr>>>>,
    lookups: Arc<AtomicUsize>,
}

impl Dns {
    fn answers(&self, addresses: &[&str]) {
        *self.addresses.lock().unwrap() = Some(addresses.iter().map(|text| text.parse().unwrap()).collect());
    }

    fn fails(&self) {
        *self.addresses.lock().unwrap() = None;
    }
}

impl Resolve for Dns {
    fn resolve<'a>(&'a self, _: &'a str) -> Lookup<'a> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let addresses = self.addresses.lock().unwrap().clone();
        Box::pin(future::ready(addresses.ok_or_else(|| io::Error::other("the resolver is down"))))
    }
}

fn shown(found: &Found) -> Vec<String> {
    found.replicas.iter().map(|replica| replica.address.to_string()).collect()
}

/// Waits until something is known, while `followers` clients take turns.
async fn until(discovery: &Discovery, followers: usize, is_so: impl Fn(&Found) -> bool) -> Found {
    let metrics = Metrics::default();
    let mut found = discovery.watch();
    let follow = futures_util::future::select_all((0..followers).map(|_| Box::pin(discovery.follow(&metrics))));
    tokio::select! {
        found = time::timeout(PATIENCE, found.wait_for(is_so)) => found.expect("in time").unwrap().clone(),
        (never, ..) = follow => match never {},
    }
}

#[tokio::test]
async fn what_dns_answers_is_what_is_known_and_no_answer_changes_nothing() {
    let dns = Dns::default();
    let discovery = Discovery::with_resolver(["typha:5473", "10.9.9.9:5473#z"], dns.clone(), Duration::from_millis(10));
    assert_eq!(shown(&discovery.found()), ["10.9.9.9:5473"], "addresses need no lookup");
    let found = until(&discovery, 3, |found| found.complaint.is_some()).await;
    let complaint = found.complaint.unwrap();
    assert!(complaint.contains("typha:5473") && complaint.contains("the resolver is down"), "{complaint}");

    dns.answers(&["10.0.0.1:5473"]);
    let found = until(&discovery, 3, |found| found.replicas.len() == 2).await;
    assert_eq!((shown(&found), found.complaint), (vec!["10.0.0.1:5473".to_owned(), "10.9.9.9:5473".to_owned()], None));
    dns.answers(&["10.0.0.2:5473", "10.0.0.1:5473"]);
    until(&discovery, 3, |found| found.replicas.len() == 3).await;
    dns.fails();
    let found = until(&discovery, 3, |found| found.complaint.is_some()).await;
    assert_eq!(found.replicas.len(), 3);
    dns.answers(&["10.0.0.2:5473"]);
    let found = until(&discovery, 3, |found| found.replicas.len() == 2).await;
    assert_eq!(shown(&found), ["10.0.0.2:5473", "10.9.9.9:5473"]);
}

#[tokio::test]
async fn many_clients_ask_once() {
    let dns = Dns::default();
    dns.answers(&["10.0.0.1:5473"]);
    let discovery = Discovery::with_resolver(["typha:5473"], dns.clone(), Duration::from_hours(1));
    until(&discovery, 100, |found| !found.replicas.is_empty()).await;
    assert_eq!(dns.lookups.load(Ordering::Relaxed), 1);
}

/// Knows one name; for others nobody answers.
#[derive(Debug)]
struct OneName(&'static str);

impl Resolve for OneName {
    fn resolve<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        if name == self.0 {
            return Box::pin(future::ready(Ok(vec!["10.0.0.1:5473".parse().unwrap()])));
        }
        Box::pin(future::pending())
    }
}

#[tokio::test]
async fn a_name_that_nobody_answers_for_keeps_nobody_from_the_others() {
    let discovery = Discovery::with_resolver(["away:5473", "typha:5473"], OneName("typha:5473"), LOOKUP_INTERVAL);
    let found = time::timeout(LOOKUP_LIMIT / 2, until(&discovery, 1, |found| !found.replicas.is_empty())).await;
    assert_eq!(shown(&found.expect("long before the other lookup is given up")), ["10.0.0.1:5473"]);
}

#[tokio::test]
async fn a_failed_connection_brings_the_next_lookup_forward_but_not_without_end() {
    let discovery = Discovery::with_resolver(["typha:5473"], Dns::default(), Duration::from_hours(1));
    let now = Instant::now();
    assert!(discovery.take_turn(now), "the first lookup is due");
    assert!(!discovery.take_turn(now), "one at a time");
    assert!(discovery.take_turn(now + LOOKUP_LIMIT), "a turn that was given up is somebody else's");
    let (replica, later) = (["10.0.0.1:5473".parse().unwrap()], now + Duration::from_mins(10));
    {
        let mut turn = discovery.turn();
        turn.known.answered(0, &replica);
        (turn.due, turn.looked_at) = (later, Some(now));
    }
    discovery.bring_forward(now);
    assert_eq!(discovery.turn().due, now + MIN_INTERVAL);
    discovery.bring_forward(later);
    assert_eq!(discovery.turn().due, now + MIN_INTERVAL, "never later");
}

#[tokio::test]
async fn the_systems_resolver_finds_localhost() {
    let discovery = Discovery::new(["localhost:5473"]);
    let found = until(&discovery, 1, |found| !found.replicas.is_empty()).await;
    assert!(found.replicas.iter().any(|replica| !replica.is_spare), "{found:?}");
    assert!(found.replicas.iter().all(|replica| &*replica.found_by == "localhost:5473"));
}
