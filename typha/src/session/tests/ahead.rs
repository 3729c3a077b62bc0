//! A client that has seen more than the replica is not taken back, nor told what is not so.

use super::{super::*, *};

#[test]
fn a_client_that_is_ahead_waits_and_is_then_sent_elsewhere() {
    let mut store = store(10);
    let mut ahead = store.clone();
    ahead.apply(12, &[put(1, 12, "new")]);
    let mut client = client_of(&ahead);
    let batches = Batches::default();
    let mut session = connect(&client);
    assert_eq!(run(&mut session, &mut client, &published(&store, 5), &batches), Step::Wait);
    assert_eq!(run(&mut session, &mut client, &published(&store, 6), &batches), Step::Wait);
    let ending = Ending::Behind { server: "replica-1".into(), revision: 10, position: 12 };
    assert_eq!(run(&mut session, &mut client, &published(&store, 7), &batches), Step::End(ending));

    let mut session = connect(&client);
    run(&mut session, &mut client, &published(&store, 7), &batches);
    store.apply(12, &[put(1, 12, "new")]);
    assert_eq!(run(&mut session, &mut client, &published(&store, 8), &batches), Step::Wait);
    assert_eq!((client.mode(), client.received), (wire::begin::Mode::Resume, 0));
}

#[test]
fn a_client_that_is_ahead_by_nothing_of_ours_does_not_wait_and_does_not_go_back() {
    let store = store(10);
    let mut ahead = store.clone();
    ahead.advance(15);
    let mut client = client_of(&ahead);
    let mut session = connect(&client);
    run(&mut session, &mut client, &published(&store, 0), &Batches::default());
    assert_eq!((client.mode(), session.position()), (wire::begin::Mode::Resume, 15));
    let mut later = store.clone();
    later.apply(16, &[put(1, 16, "new")]);
    run(&mut session, &mut client, &published(&later, 1), &Batches::default());
    assert_eq!((client.received, session.position()), (1, 16));
}

#[test]
fn a_client_that_is_ahead_is_told_nothing_of_states_on_the_way_to_its_own() {
    let (mut store, batches) = (store(10), Batches::default());
    let mut ahead = store.clone();
    ahead.apply(12, &[put(99, 12, "passing")]);
    ahead.apply(14, &[delete(99, 14)]);
    let mut client = client_of(&ahead);
    let mut session = connect(&client);
    run(&mut session, &mut client, &published(&store, 0), &batches);
    assert_eq!((client.mode(), session.position()), (wire::begin::Mode::Resume, 14));
    // The checkpoint of revision 14 would have the digest of revision 12.
    store.apply(12, &[put(99, 12, "passing")]);
    assert_eq!(session.next(&published(&store, 1), None, &batches, Instant::now()), Step::Wait);
    store.apply(14, &[delete(99, 14)]);
    let step = session.next(&published(&store, 1), None, &batches, Instant::now());
    let Step::Send(bytes) = step else { panic!("it is there: {step:?}") };
    let checkpoint = client.take(&bytes).expect("the digests agree");
    assert_eq!((checkpoint.map(|checkpoint| checkpoint.revision), client.received), (Some(14), 0));
}
