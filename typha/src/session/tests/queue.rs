//! Who needs much waits for its turn, and is left neither without an answer nor, once it was sent a part, without a sign
//! of life.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
};

use http_body::Body as _;

use super::{super::*, *};
use crate::{clients::Clients, feed::Board};

/// A server that sends one snapshot at a time, to somebody else at present, who takes it slowly.
fn busy() -> (Arc<Admission>, Ticket) {
    let window = Duration::from_hours(1);
    let limits = AdmissionLimits { budget_bytes: 100, share_bytes: 100, window, ..AdmissionLimits::default() };
    let admission = Arc::new(Admission::new(limits));
    let holder = admission.enter(Demand { need: Need::Snapshot, bytes: 100, put_off: 0 }, Instant::now());
    (admission, holder)
}

#[test]
fn who_needs_everything_waits_for_its_turn_and_who_resumes_does_not() {
    let (mut store, batches, (admission, holder)) = (store(10), Batches::default(), busy());
    let (mut knows, mut newcomer) = (client_of(&store), Client::default());
    store.apply(11, &[put(3, 11, "new")]);
    let latest = published(&store, 0);
    let mut waiting = connect_to(&newcomer, &admission);
    assert_eq!(run(&mut waiting, &mut newcomer, &latest, &batches), Step::Queue);
    assert!(newcomer.begun.is_none(), "it is told nothing");
    assert_eq!(run(&mut connect_to(&knows, &admission), &mut knows, &latest, &batches), Step::Wait);
    assert_eq!(knows.received, 1);
    drop(holder);
    assert!(waiting.poll_turn(&mut Context::from_waker(std::task::Waker::noop())).is_ready());
    assert_eq!(run(&mut waiting, &mut newcomer, &latest, &batches), Step::Wait);
    assert_eq!((newcomer.received, admission.status().used_bytes), (10, 0), "it has everything and holds nothing");
}

#[test]
fn who_waits_in_vain_is_told_when_to_return() {
    let (store, batches, (admission, _holder)) = (store(10), Batches::default(), busy());
    let mut client = Client::default();
    let mut session = connect_to(&client, &admission);
    assert_eq!(run(&mut session, &mut client, &published(&store, 0), &batches), Step::Queue);
    admission.look(Instant::now() + Duration::from_secs(10));
    let step = run(&mut session, &mut client, &published(&store, 0), &batches);
    assert!(matches!(step, Step::End(Ending::Busy { .. })), "{step:?}");
    let told = client.go_away.expect("it is told");
    assert_eq!(told.kind(), wire::go_away::Kind::Busy);
    assert!(told.retry_after_ms >= 1000, "{told:?}");
}

#[test]
fn a_stream_that_starts_over_needs_its_turn_too() {
    let (store, batches) = (store(10), Batches::default());
    let mut client = client_of(&store);
    let (admission, holder) = busy();
    let mut session = connect_to(&client, &admission);
    assert_eq!(run(&mut session, &mut client, &published(&store, 0), &batches), Step::Wait);
    let mut relist = Relist::start(&store, DATASTORE + 1);
    relist.items(&[put(99, 2, "other")]);
    let other = relist.finish(3).expect("another history");
    assert_eq!(run(&mut session, &mut client, &published(&other, 1), &batches), Step::Queue);
    drop(holder);
    run(&mut session, &mut client, &published(&other, 1), &batches);
    assert_eq!((client.mode(), client.entries.len()), (wire::begin::Mode::Snapshot, 1));
}

const WINDOW: Duration = Duration::from_secs(5);

#[test]
fn who_resumes_from_far_behind_waits_for_its_turn_and_holds_it_until_it_has_caught_up() {
    let (mut store, batches) = (store(1000), Batches::bounded(64 << 10, 1 << 20));
    let (mut near, mut far) = (client_of(&store), client_of(&store));
    let value = "v".repeat(1000);
    store.apply(1001, &(1..=100).map(|number| put(number, 1001, &value)).collect::<Vec<_>>());
    let latest = published(&store, 0);
    let (admission, holder) = busy();
    let mut session = connect_to(&near, &admission);
    assert_eq!(run(&mut session, &mut near, &latest, &batches), Step::Wait, "it lacks less than a message");

    store.apply(1002, &(101..=200).map(|number| put(number, 1002, &value)).collect::<Vec<_>>());
    let latest = published(&store, 0);
    let mut session = connect_to(&far, &admission);
    assert_eq!(run(&mut session, &mut far, &latest, &batches), Step::Queue);
    assert_eq!((far.received, admission.status().waiting_resumes), (0, 1));
    drop(holder);
    for _ in 0..3 {
        let step = session.next(&latest, None, &batches, Instant::now());
        let (Step::Begin(_, bytes) | Step::Send(bytes)) = step else { panic!("{step:?}") };
        assert_eq!(far.take(&bytes).expect("the digests agree"), None);
        assert_eq!(admission.status().used_bytes, 100, "more is to come");
    }
    assert_eq!(run(&mut session, &mut far, &latest, &batches), Step::Wait);
    assert_eq!((far.mode(), far.received, admission.status().used_bytes), (wire::begin::Mode::Resume, 200, 0));
}

/// A server that sends one snapshot at a time, an entry a message, and takes its share from who takes less than that.
fn impatient() -> (Arc<Admission>, Batches) {
    let limits = AdmissionLimits { budget_bytes: 100, share_bytes: 100, window: WINDOW, ..AdmissionLimits::default() };
    (Arc::new(Admission::new(limits)), Batches::bounded(1, 1 << 20))
}

/// Somebody who needs a snapshot too, and gets the share of whoever has not used it.
fn supplant(admission: &Arc<Admission>) -> Ticket {
    let now = Instant::now();
    let mut newcomer = admission.enter(Demand { need: Need::Snapshot, bytes: 100, put_off: 0 }, now);
    admission.look(now + WINDOW);
    assert_eq!(newcomer.answer(now), Answer::Admitted);
    newcomer
}

#[test]
fn who_lost_its_share_half_way_gets_a_sign_of_life_with_each_beat_and_then_the_rest() {
    let (store, mut client, (admission, batches)) = (store(10), Client::default(), impatient());
    let mut session = connect_to(&client, &admission);
    let mut take = |client: &mut Client, beat: u64| {
        let step = session.next(&published(&store, beat), None, &batches, Instant::now());
        let (Step::Begin(_, bytes) | Step::Send(bytes)) = &step else { return step };
        assert_eq!(client.take(bytes).expect("the digests agree"), None, "nothing is whole");
        step
    };
    for _ in 0..2 {
        take(&mut client, 1);
    }
    assert_eq!(client.received, 1);
    let newcomer = supplant(&admission);
    assert_eq!(take(&mut client, 1), Step::Queue);
    for beat in 2..100 {
        let sign = take(&mut client, beat);
        assert!(matches!(sign, Step::Send(_)), "beat {beat}: {sign:?}");
        assert_eq!((take(&mut client, beat), client.received), (Step::Queue, 1), "one a beat, without anything in it");
    }
    drop(newcomer);
    assert_eq!(run(&mut session, &mut client, &published(&store, 100), &batches), Step::Wait);
    assert_eq!((client.received, client.digest()), (10, store.view().digest()));
}

struct Woken(AtomicU32);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream, and how often it was woken.
struct Polled {
    body: Pin<Box<SessionBody>>,
    woken: Arc<Woken>,
}

impl Polled {
    fn new(admission: &Arc<Admission>, board: &Arc<Board>, batches: &Arc<Batches>) -> Self {
        let registration = Arc::new(Clients::default()).register("node-1", "1.0", ([127, 0, 0, 1], 1).into());
        let session = connect_to(&Client::default(), admission);
        let body = Box::pin(SessionBody::new(session, Arc::clone(board), Arc::clone(batches), registration));
        Self { body, woken: Arc::new(Woken(AtomicU32::new(0))) }
    }

    /// The next message; `None` while there is none.
    fn next(&mut self) -> Option<Bytes> {
        let waker = Arc::clone(&self.woken).into();
        match self.body.as_mut().poll_frame(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(frame) => frame.expect("it has not ended").expect("no error").into_data().ok(),
        }
    }

    fn woken(&self) -> u32 {
        self.woken.0.load(Ordering::Relaxed)
    }
}

#[test]
fn beats_wake_who_waits_half_way_and_nobody_who_has_not_begun() {
    let (store, (admission, batches)) = (store(10), impatient());
    let (board, batches) = (Arc::new(Board::new(published(&store, 1))), Arc::new(batches));
    let [mut half_way, mut not_begun] = [(); 2].map(|()| Polled::new(&admission, &board, &batches));
    assert!(half_way.next().is_some() && half_way.next().is_some());
    let _newcomer = supplant(&admission);
    assert_eq!((half_way.next(), not_begun.next()), (None, None));
    board.publish(published(&store, 2));
    assert_eq!((half_way.woken(), not_begun.woken()), (1, 0));
    assert_eq!(half_way.next(), Some(frame(&wire::Batch::default())));
    assert_eq!(half_way.next(), None);
}
