//! Damage costs the ranges that it is in, and where even that does not help, a snapshot.

use model::digest::{Ranges, range_of};

use super::*;

impl Source {
    /// A stream that brings only the ranges in which a position and a revision differ.
    pub(super) fn repair(&self, position: &Position, revision: Version) -> Vec<Batch> {
        let mut ranges = Ranges::default();
        let state = &self.states[revision as usize];
        for (key, (value, modified)) in state {
            ranges.add(range_of(key), EntryHash::of(key, *modified, value));
        }
        let differing = ranges.differing(&Ranges::from_bytes(&position.ranges).expect("they are whole"));
        let mut begin = self.begin(begin::Mode::Repair);
        begin.begin.as_mut().unwrap().ranges = differing.to_bytes().to_vec().into();
        let lacking = state.iter().filter(|(key, _)| differing.contains(range_of(key)));
        let entries = lacking.map(|(key, (value, modified))| entry(key, Some(value.clone()), *modified));
        let batches = entries.map(|entry| Batch { entries: vec![entry], ..Batch::default() });
        std::iter::once(begin).chain(batches).chain([self.checkpoint(revision)]).collect()
    }
}

#[test]
fn damage_is_found_at_the_next_checkpoint_and_repaired_by_its_range_alone() {
    let mut source = Source::new();
    for key in 0..1000 {
        source.write(&format!("Tier/{key}"), Some("value"));
    }
    let (mut protocol, mut consumer) = in_sync(&source);
    protocol.ledger.damage("Tier/7");
    source.write("Tier/new", Some("c"));
    let position = protocol.position();
    let refused = feed(&mut protocol, &mut consumer, &source, source.stream(position.as_ref(), 1001));
    assert!(matches!(refused, Err(ProtocolError::DigestMismatch { revision: 1001, .. })), "{refused:?}");
    assert_eq!(consumer.state, source.states[1000], "what is held stays in force");

    let position = protocol.position().expect("it says what it has");
    assert!(position.compare);
    let repair = source.repair(&position, 1001);
    let sent: usize = repair.iter().map(|batch| batch.entries.len()).sum();
    assert!(sent < 50, "{sent} of 1001 entries");
    let cut = repair.into_iter().find_map(|batch| protocol.on_batch(batch).unwrap().cut).unwrap();
    let repaired: Vec<_> = cut.updates.iter().map(|update| update.key.to_string()).collect();
    assert_eq!(repaired, ["Tier/7", "Tier/new"]);
    consumer.take(&source, cut);
    assert!(!protocol.position().unwrap().compare, "trust is restored");
}

#[test]
fn a_repair_sweeps_only_its_ranges_and_takes_changes_of_others() {
    let mut source = shop();
    let (mut protocol, mut consumer) = in_sync(&source);
    source.write("Tier/a", None);
    let position = protocol.position().unwrap();
    let mut repair = source.repair(&position, 4);
    repair.pop();
    assert!(feed(&mut protocol, &mut consumer, &source, repair).is_ok());
    source.write("Tier/b", Some("after the ranges were compared"));
    let rest = [source.entries(4, 5), vec![source.checkpoint(5)]].concat();
    feed(&mut protocol, &mut consumer, &source, rest).unwrap();
    assert_eq!(consumer.state, source.states[5]);
}

#[test]
fn a_damaged_digest_is_mended_without_any_entry() {
    let source = shop();
    let (mut protocol, mut consumer) = in_sync(&source);
    protocol.ledger.damage_digest();
    let refused = feed(&mut protocol, &mut consumer, &source, [source.checkpoint(3)]);
    assert!(matches!(refused, Err(ProtocolError::DigestMismatch { .. })));
    let repair = source.repair(&protocol.position().unwrap(), 3);
    assert_eq!(repair.iter().map(|batch| batch.entries.len()).sum::<usize>(), 0);
    feed(&mut protocol, &mut consumer, &source, repair).unwrap();
    assert_eq!(protocol.position().unwrap().digest, source.digest(3).to_bytes().to_vec());
}

#[test]
fn a_repair_that_disagrees_too_leads_to_a_snapshot() {
    let mut source = shop();
    let (mut protocol, mut consumer) = in_sync(&source);
    protocol.ledger.damage("Tier/b");
    source.write("Tier/c", Some("c"));
    let position = protocol.position().unwrap();
    assert!(feed(&mut protocol, &mut consumer, &source, source.stream(Some(&position), 4)).is_err());
    let mut repair = source.repair(&protocol.position().unwrap(), 4);
    repair.drain(1..repair.len() - 1);
    repair[0].begin.as_mut().unwrap().ranges = RangeSet::default().to_bytes().to_vec().into();
    assert!(feed(&mut protocol, &mut consumer, &source, repair).is_err());
    let position = protocol.position().expect("it complains");
    assert_eq!((position.revision, position.compare), (0, true));
    let resumed = protocol.on_batch(source.begin(begin::Mode::Resume));
    assert!(matches!(resumed, Err(ProtocolError::UnaskedResume { .. })));
    feed(&mut protocol, &mut consumer, &source, source.stream(None, 4)).unwrap();
    assert_eq!(consumer.state, source.states[4]);
}

#[test]
fn a_damaged_record_is_found_while_nothing_happens() {
    let mut source = Source::new();
    for key in 0..300 {
        source.write(&format!("Tier/{key}"), Some("value"));
    }
    let (mut protocol, mut consumer) = in_sync(&source);
    protocol.ledger.damage_silently("Tier/7");
    let quiet = vec![source.checkpoint(300); SUM_EVERY_CHECKPOINTS as usize];
    let refused = feed(&mut protocol, &mut consumer, &source, quiet);
    assert!(matches!(refused, Err(ProtocolError::DigestMismatch { revision: 300, .. })), "{refused:?}");
    let position = protocol.position().expect("it says what it has");
    let repair = source.repair(&position, 300);
    assert!(position.compare && repair.iter().map(|batch| batch.entries.len()).sum::<usize>() < 20);
    let cut = repair.into_iter().find_map(|batch| protocol.on_batch(batch).unwrap().cut).unwrap();
    assert_eq!(cut.updates.iter().map(|update| update.key.to_string()).collect::<Vec<_>>(), ["Tier/7"]);
    let quiet = vec![source.checkpoint(300); 3 * SUM_EVERY_CHECKPOINTS as usize];
    feed(&mut protocol, &mut consumer, &source, quiet).expect("it is whole again");
}

#[test]
fn a_damaged_revision_is_complained_of_as_a_digest_is() {
    let mut source = shop();
    let (mut protocol, mut consumer) = in_sync(&source);
    source.write("Tier/c", Some("c"));
    let position = protocol.position();
    let mut stream = source.stream(position.as_ref(), 4);
    stream.iter_mut().flat_map(|batch| &mut batch.entries).for_each(|entry| entry.revision = 5);
    let refused = feed(&mut protocol, &mut consumer, &source, stream);
    assert!(matches!(refused, Err(ProtocolError::EntryBeyondCheckpoint { revision: 5, .. })), "{refused:?}");
    let position = protocol.position().expect("it says what it has");
    assert!(position.compare, "the server is to look at what it keeps for others");
    feed(&mut protocol, &mut consumer, &source, source.repair(&position, 4)).unwrap();
    assert_eq!(consumer.state, source.states[4]);

    let mut newcomer = Protocol::default();
    let mut stream = source.stream(None, 4);
    stream.iter_mut().flat_map(|batch| &mut batch.entries).for_each(|entry| entry.revision = 5);
    assert!(feed(&mut newcomer, &mut Consumer::default(), &source, stream).is_err());
    assert_eq!(newcomer.position().map(|position| (position.revision, position.compare)), Some((0, true)));
}
