//! There is always somewhere to go, the preferred replica is gone back to, and loads stay within their bound.

use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::vec, prelude::*};
use typha::Share;

use super::*;

fn replica(number: usize, zone: Option<&str>) -> Replica {
    let address: Arc<str> = format!("10.0.0.{number}:5473").into();
    Replica { found_by: Arc::clone(&address), address, zone: zone.map(Into::into), is_spare: false }
}

fn course(replicas: usize) -> Course {
    let mut course = Course::new("node-1", None);
    course.learn(&(0..replicas).map(|number| replica(number, None)).collect::<Vec<_>>());
    course
}

/// The addresses of a course, the preferred first.
fn addresses(course: &Course) -> Vec<Arc<str>> {
    course.order().iter().map(|replica| Arc::clone(&replica.address)).collect()
}

fn to(heading: Heading) -> Arc<str> {
    match heading {
        Heading::To(replica) => replica.address,
        other => panic!("it goes nowhere: {other:?}"),
    }
}

#[test]
fn the_preferred_replica_is_avoided_after_trouble_and_gone_back_to() {
    let (now, mut course) = (Instant::now(), course(3));
    let order = addresses(&course);
    assert_eq!(to(course.heading(now)), order[0]);
    course.trouble(&order[0], Trouble::Failed, now, 0.0);
    assert_eq!(to(course.heading(now)), order[1]);
    assert_eq!(course.better(&order[1], now), None, "not yet");
    let again = course.look_again_at(&order[1], now).unwrap();
    assert!(again > now);
    assert_eq!(course.better(&order[1], again).unwrap().address, order[0]);
    assert_eq!(course.look_again_at(&order[1], again), None);
    assert_eq!(course.better(&order[0], again), None, "nothing is better than the preferred one");
}

#[test]
fn trouble_that_comes_again_counts_for_longer_up_to_a_bound_and_is_forgiven() {
    let (mut now, mut course) = (Instant::now(), course(2));
    let order = addresses(&course);
    let mut rest = |course: &mut Course| {
        course.trouble(&order[0], Trouble::Failed, now, 0.0);
        let until = course.look_again_at(&order[1], now).unwrap();
        until - std::mem::replace(&mut now, until)
    };
    let rests: Vec<_> = (0..40).map(|_| rest(&mut course)).collect();
    assert!(rests.is_sorted() && rests[0] < rests[1] && rests[39] == Duration::from_mins(1), "{rests:?}");
    course.good(&order[0]);
    assert_eq!(rest(&mut course), rests[0]);
}

#[test]
fn one_that_asks_to_leave_is_worth_less_than_any_other() {
    let (now, mut course) = (Instant::now(), course(3));
    let order = addresses(&course);
    course.trouble(&order[0], Trouble::LEFT, now, 0.0);
    assert_eq!(course.better(&order[0], now).unwrap().address, order[1]);
    assert_eq!(course.usable(now), 2);
    course.trouble(&order[1], Trouble::Unfit, now, 0.0);
    assert_eq!(course.better(&order[0], now).unwrap().address, order[2]);
}

#[test]
fn who_has_to_leave_asks_those_that_are_avoided_rather_than_nobody() {
    let (now, mut course) = (Instant::now(), course(4));
    let order = addresses(&course);
    let elsewhere = |course: &Course| course.elsewhere(&order[3], now).map(|replica| Arc::clone(&replica.address));
    for address in &order {
        course.trouble(address, Trouble::LEFT, now, 0.0);
    }
    assert_eq!(course.better(&order[3], now), None);
    assert_eq!(elsewhere(&course).as_ref(), Some(&order[0]));
    // Each in turn, whatever came of it.
    let troubles = [Trouble::Unfit, Trouble::Full, Trouble::Failed];
    for (turn, trouble) in (1..).zip(troubles.into_iter().cycle().take(7)) {
        let asked = elsewhere(&course).unwrap();
        assert_eq!(asked, order[(turn as usize - 1) % 3]);
        course.trouble(&asked, trouble, now + Duration::from_millis(turn), 0.0);
    }
    let rest = course.standings[&order[0]].until - course.standings[&order[0]].at;
    assert_eq!(rest, Duration::from_secs(5), "nobody is avoided for longer because it was asked before its time");
    for trouble in [Trouble::Busy { retry_after: Duration::from_secs(3) }, Trouble::Stale] {
        for address in &order {
            course.trouble(address, trouble, now, 0.0);
        }
        assert_eq!(elsewhere(&course), None, "who asks to be left alone is, and nobody takes an old view: {trouble:?}");
    }
}

#[test]
fn one_that_is_not_known_any_more_is_worth_less_than_any_other() {
    let (now, mut course) = (Instant::now(), course(3));
    let order = addresses(&course);
    let left: Vec<_> = course.order()[1..].to_vec();
    course.trouble(&order[0], Trouble::Failed, now, 0.0);
    course.learn(&left);
    assert_eq!(
        (course.better(&order[0], now).unwrap().address.clone(), course.rank(&order[0])),
        (order[1].clone(), None)
    );
    assert!(course.standings.is_empty(), "what is gone is forgotten");
}

#[test]
fn where_all_are_full_the_client_says_so_and_where_all_are_busy_it_waits() {
    let (now, mut course) = (Instant::now(), course(2));
    let order = addresses(&course);
    for address in &order {
        course.trouble(address, Trouble::Full, now, 0.0);
    }
    assert_eq!((to(course.heading(now)), course.referred(), course.usable(now)), (order[0].clone(), 2, 2));
    course.good(&order[0]);
    assert_eq!(course.referred(), 0);
    let retry_after = Duration::from_secs(3);
    for address in &order {
        course.trouble(address, Trouble::Busy { retry_after }, now, 0.0);
    }
    assert_eq!((course.heading(now), course.put_off()), (Heading::WaitUntil(now + retry_after), 2));
    assert_eq!(to(course.heading(now + retry_after)), order[0]);
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let retry_after = Duration::from_secs(2);
    let all =
        [Trouble::Failed, Trouble::Full, Trouble::Busy { retry_after }, Trouble::Unfit, Trouble::Stale, Trouble::LEFT];
    proptest::sample::select(all.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn there_is_always_somewhere_to_go(
        replicas in 1..6_usize,
        story in vec((0..6_usize, any_trouble(), 0.0..1.0, 0..5_u64), 0..60),
    ) {
        let (mut now, mut course) = (Instant::now(), course(replicas));
        let order = addresses(&course);
        for (number, trouble, random, seconds) in story {
            course.trouble(&order[number % replicas], trouble, now, random);
            now += Duration::from_secs(seconds);
            match course.heading(now) {
                Heading::To(_) => {}
                Heading::Lost => prop_assert!(false, "lost among {replicas}"),
                // Every one asked to be left alone, for as long as it said at most.
                Heading::WaitUntil(at) => prop_assert!(at <= now + Duration::from_secs(3)),
            }
            prop_assert!(course.usable(now) as usize <= replicas);
        }
    }

    /// All nodes of a cluster come one after the other; each replica refers who comes beyond its share to others.
    #[test]
    fn loads_stay_within_their_bound_and_everybody_is_served(
        nodes in 1..400_u32,
        zones in vec("[abc]", 1..8),
        node_zone in proptest::option::of("[abc]"),
    ) {
        let replicas: Vec<_> = zones.iter().enumerate().map(|(number, zone)| replica(number, Some(zone))).collect();
        let share = Share { nodes: nodes as usize };
        let (now, mut loads) = (Instant::now(), BTreeMap::<Arc<str>, usize>::new());
        for node in 0..nodes {
            let mut course = Course::new(&format!("node-{node}"), node_zone.as_deref().map(Into::into));
            course.learn(&replicas);
            let mut attempts = 0;
            loop {
                attempts += 1;
                prop_assert!(attempts <= replicas.len(), "it finds no place");
                let address = to(course.heading(now));
                let load = loads.entry(Arc::clone(&address)).or_default();
                if share.admits(*load, course.usable(now), course.referred()) {
                    *load += 1;
                    break;
                }
                course.trouble(&address, Trouble::Full, now, 0.0);
            }
        }
        let bound = (f64::from(nodes) * 1.25 / replicas.len() as f64).ceil() as usize;
        prop_assert!(loads.values().all(|&load| load <= bound), "{loads:?} > {bound}");
    }
}
