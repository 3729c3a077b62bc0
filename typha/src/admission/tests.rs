//! The budget holds whatever comes, nobody waits in vain, and what comes free wakes who is next.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    task::Wake,
};

use proptest::{collection::vec, prelude::*};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> AdmissionLimits {
    let (window, patience, retry) = (5 * SECOND, 10 * SECOND, 5 * SECOND);
    AdmissionLimits { budget_bytes: 300, share_bytes: 100, window, patience, retry, waiting: 50 }
}

fn snapshot(bytes: u64) -> Demand {
    Demand { need: Need::Snapshot, bytes, put_off: 0 }
}

fn repair(bytes: u64) -> Demand {
    Demand { need: Need::Repair, bytes, put_off: 0 }
}

/// A line whose budget three clients hold.
fn full(now: Instant) -> (Line, [u64; 3]) {
    let mut line = Line::new(limits());
    let holders = [(); 3].map(|()| line.enter(snapshot(5000), now));
    assert!(holders.iter().all(|number| line.answer(*number, 0, now) == Answer::Admitted));
    (line, holders)
}

#[test]
fn resumptions_go_first_then_repairs_then_who_was_put_off_then_who_came_first() {
    let now = Instant::now();
    let (mut line, mut holders) = full(now);
    let early = line.enter(snapshot(100), now);
    let late = line.enter(snapshot(100), now);
    let again = line.enter(Demand { put_off: 1, ..snapshot(100) }, now);
    let repair = line.enter(repair(100), now);
    let resume = line.enter(Demand { need: Need::Resume, bytes: 100, put_off: 0 }, now);
    for expected in [resume, repair, again, early, late] {
        line.take_called();
        line.leave(holders[0]);
        assert_eq!(line.take_called(), [expected]);
        holders[0] = expected;
    }
}

#[test]
fn a_small_one_does_not_overtake_a_large_one() {
    let now = Instant::now();
    let mut line = Line::new(limits());
    let holders = [60, 100, 100].map(|bytes| line.enter(snapshot(bytes), now));
    let large = line.enter(snapshot(100), now);
    let small = line.enter(snapshot(10), now);
    assert_eq!((line.answer(large, 0, now), line.answer(small, 0, now)), (Answer::Wait, Answer::Wait));
    line.leave(holders[0]);
    assert_eq!((line.answer(large, 0, now), line.answer(small, 0, now)), (Answer::Admitted, Answer::Wait));
}

#[test]
fn who_does_not_use_its_share_gives_way_and_goes_on_before_those_who_have_not_begun() {
    let now = Instant::now();
    let (mut line, [stalled, busy, _gone]) = full(now);
    line.look(now + 6 * SECOND);
    assert_eq!(line.status().lapsed, 0, "nobody waits for their shares");
    line.answer(busy, 100, now + 6 * SECOND);
    let next = line.enter(snapshot(100), now + 7 * SECOND);
    line.look(now + 7 * SECOND);
    assert_eq!((line.answer(next, 0, now), line.answer(busy, 0, now)), (Answer::Admitted, Answer::Admitted));
    let [first, second] = [(); 2].map(|()| line.enter(snapshot(100), now + 7 * SECOND));
    assert_eq!((line.answer(first, 0, now), line.answer(second, 0, now)), (Answer::Admitted, Answer::Wait));
    assert_eq!(line.answer(stalled, 0, now + 7 * SECOND), Answer::Wait);
    line.leave(busy);
    assert_eq!((line.answer(stalled, 0, now), line.answer(second, 0, now)), (Answer::Admitted, Answer::Wait));
}

#[test]
fn who_waits_for_too_long_is_told_when_to_return() {
    let now = Instant::now();
    let (mut line, holders) = full(now);
    let waiting = line.enter(snapshot(100), now);
    for second in 1..10 {
        for number in holders {
            line.answer(number, 100, now);
        }
        line.look(now + second * SECOND);
        assert_eq!(line.answer(waiting, 0, now), Answer::Wait, "after {second} s");
    }
    line.look(now + 10 * SECOND);
    let Answer::PutOff { retry_after, waiting: 0 } = line.answer(waiting, 0, now) else { panic!("it waits on") };
    assert!(retry_after >= SECOND, "{retry_after:?}");
    assert_eq!(line.status().put_off, 1);
}

#[test]
fn where_the_pace_is_known_nobody_waits_in_vain_and_all_return_one_after_the_other() {
    let now = Instant::now();
    let (mut line, holders) = full(now);
    // Two shares of 100 in the first second; after that six may be served in three.
    let _waiting = [(); 2].map(|()| line.enter(snapshot(100), now));
    line.look(now);
    holders[..2].iter().for_each(|number| line.leave(*number));
    let _more = [(); 3].map(|()| line.enter(snapshot(100), now));
    line.look(now + SECOND);
    let mut told = Vec::new();
    for _ in 0..40 {
        let number = line.enter(snapshot(100), now + SECOND);
        if let Answer::PutOff { retry_after, .. } = line.answer(number, 0, now + SECOND) {
            told.push(retry_after);
        }
    }
    assert_eq!(told.len(), 40 - 18, "in 10 s, 20 are served, of whom three wait already");
    assert!(told.is_sorted() && told.windows(2).all(|two| two[1] == two[0] + SECOND / 2), "{told:?}");
}

#[test]
fn a_pace_from_when_clients_hung_keeps_nobody_away_later() {
    let now = Instant::now();
    let (mut line, mut holders) = (Line::new(limits()), Vec::new());
    holders.extend((0..5).map(|_| line.enter(snapshot(100), now)));
    line.look(now);
    line.leave(holders[0]);
    for second in 1..5 {
        line.look(now + second * SECOND);
    }
    for number in holders {
        line.leave(number);
    }
    let later = now + 3600 * SECOND;
    line.look(later);
    let storm: Vec<_> = (0..50).map(|_| line.enter(snapshot(100), later)).collect();
    let answers = storm.iter().map(|number| line.answer(*number, 0, later));
    assert_eq!(answers.filter(|answer| *answer == Answer::Wait).count(), 50 - 3, "nobody hangs now");
}

#[test]
fn a_pace_of_clients_that_hang_is_not_that_of_the_others() {
    let now = Instant::now();
    let (mut line, holders) = full(now);
    let _waiting = [(); 5].map(|()| line.enter(snapshot(100), now));
    line.look(now);
    line.leave(holders[2]);
    for second in 1..=5 {
        line.look(now + second * SECOND);
    }
    assert!(line.status().lapsed >= 2, "they took nothing");
    let newcomers: Vec<_> = (0..30).map(|_| line.enter(snapshot(100), now + 5 * SECOND)).collect();
    let answers = newcomers.iter().map(|number| line.answer(*number, 0, now + 5 * SECOND));
    assert_eq!(answers.filter(|answer| *answer == Answer::Wait).count(), 30);
}

#[test]
fn those_who_lose_patience_together_do_not_wait_for_each_other() {
    let now = Instant::now();
    let (mut line, holders) = full(now);
    let clients: Vec<_> = (0..20).map(|_| line.enter(snapshot(100), now)).collect();
    line.look(now);
    // Two shares a second.
    for number in &holders[..2] {
        line.leave(*number);
    }
    line.look(now + SECOND);
    for number in [holders[2], clients[0], clients[1]] {
        line.answer(number, 100, now + SECOND);
    }
    let end = now + 10 * SECOND;
    line.look(end);
    let told = clients[2..].iter().map(|number| match line.answer(*number, 0, end) {
        Answer::PutOff { retry_after, waiting: 0 } => retry_after,
        answer => panic!("{answer:?}"),
    });
    let told: Vec<_> = told.collect();
    assert_eq!((told[0], told[17]), (SECOND, 17 * SECOND / 2), "the first finds the line empty: {told:?}");
}

/// A minute would be far too long; were each to look at all before it, it would take many.
#[test]
fn a_storm_is_not_gone_through_by_each_who_comes() {
    let (now, clients) = (Instant::now(), 50_000);
    let mut line = Line::new(AdmissionLimits { waiting: clients, ..limits() });
    let began = Instant::now();
    for _ in 0..clients {
        line.enter(snapshot(100), now);
    }
    assert!(began.elapsed() < 30 * SECOND, "{:?}", began.elapsed());
    assert_eq!(line.status().waiting_snapshots, clients - 3);
}

#[test]
fn a_line_that_is_full_puts_off_its_last() {
    let now = Instant::now();
    let (mut line, _) = full(now);
    let numbers: Vec<_> = (0..50).map(|_| line.enter(snapshot(100), now)).collect();
    let repair = line.enter(repair(100), now);
    assert_eq!(line.answer(repair, 0, now), Answer::Wait);
    assert!(matches!(line.answer(numbers[49], 0, now), Answer::PutOff { waiting: 50, .. }));
    assert_eq!(line.answer(numbers[48], 0, now), Answer::Wait);
}

struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_share_that_comes_free_wakes_the_next_one_and_nobody_else() {
    let now = Instant::now();
    let admission = Arc::new(Admission::new(limits()));
    let mut holders: Vec<_> = (0..3).map(|_| admission.enter(snapshot(100), now)).collect();
    let mut waiting: Vec<_> = (0..2).map(|_| admission.enter(snapshot(100), now)).collect();
    let woken = [(); 2].map(|()| Arc::new(Woken(AtomicU32::new(0))));
    for (ticket, woken) in waiting.iter_mut().zip(&woken) {
        assert_eq!(ticket.answer(now), Answer::Wait);
        assert!(ticket.poll_turn(&mut Context::from_waker(&Waker::from(Arc::clone(woken)))).is_pending());
    }
    holders.pop();
    assert_eq!(woken.each_ref().map(|woken| woken.0.load(Ordering::Relaxed)), [1, 0]);
    assert_eq!((waiting[0].answer(now), waiting[1].answer(now)), (Answer::Admitted, Answer::Wait));
    drop(waiting);
    drop(holders);
    assert_eq!(admission.status().used_bytes, 0);
}

#[derive(Clone, Debug)]
enum Event {
    Enter(Need, u64, u32),
    /// The n-th of those who are there takes so much and asks.
    Ask(usize, u64),
    Leave(usize),
    /// So many milliseconds pass.
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let need = prop_oneof![Just(Need::Resume), Just(Need::Repair), Just(Need::Snapshot)];
    prop_oneof![
        4 => (need, 0..500u64, 0..3u32).prop_map(|(need, bytes, put_off)| Event::Enter(need, bytes, put_off)),
        4 => (any::<usize>(), 0..200u64).prop_map(|(number, bytes)| Event::Ask(number, bytes)),
        2 => any::<usize>().prop_map(Event::Leave),
        2 => (0..3000u64).prop_map(Event::Pass),
    ]
}

/// What is so at every moment.
fn check(line: &mut Line, clients: &[u64], now: Instant) {
    let status = line.status();
    assert!(status.used_bytes <= status.budget_bytes && status.peak_bytes <= status.budget_bytes, "{status:?}");
    let waiting = clients.iter().filter(|number| line.is_waiting(**number)).count();
    assert_eq!(waiting, status.waiting_resumes + status.waiting_repairs + status.waiting_snapshots);
    assert!(waiting <= limits().waiting);
    // Shares are at most 100: with less in use than 200 nobody need wait.
    assert!(waiting == 0 || status.used_bytes > 200, "{waiting} wait for nothing: {status:?}");
    for number in line.take_called() {
        assert!(!clients.contains(&number) || !line.is_waiting(number), "{number} is called and waits");
        assert!(!clients.contains(&number) || line.answer(number, 0, now) != Answer::Wait);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_budget_holds_and_everybody_is_served_or_told(events in vec(event(), 1..200)) {
        let (mut line, mut now, mut clients) = (Line::new(limits()), Instant::now(), Vec::new());
        for event in &events {
            match event {
                Event::Enter(need, bytes, put_off) => {
                    clients.push(line.enter(Demand { need: *need, bytes: *bytes, put_off: *put_off }, now));
                }
                Event::Ask(index, bytes) if !clients.is_empty() => {
                    line.answer(clients[index % clients.len()], *bytes, now);
                }
                Event::Leave(index) if !clients.is_empty() => {
                    let number = clients.swap_remove(index % clients.len());
                    line.leave(number);
                }
                Event::Pass(ms) => {
                    now += Duration::from_millis(*ms);
                    line.look(now);
                }
                _ => {}
            }
            check(&mut line, &clients, now);
        }
        // Nobody comes any more: whoever is left is served in the end, or was told.
        while let Some(index) = clients.iter().position(|number| !line.is_waiting(*number)) {
            let number = clients.swap_remove(index);
            line.answer(number, 0, now);
            line.leave(number);
            check(&mut line, &clients, now);
        }
        prop_assert!(clients.is_empty(), "{} starve", clients.len());
        prop_assert_eq!(line.status().used_bytes, 0);
    }
}
