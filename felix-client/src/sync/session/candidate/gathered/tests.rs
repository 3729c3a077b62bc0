//! What is taken from a candidate, and what makes it unfit.

use proto::sync::v1::{Entry, GoAway, go_away::Kind};

use super::*;

const STALE_AFTER: Duration = Duration::from_secs(15);

/// Of a client that stands at revision 10 of datastore 7.
fn gathered() -> Gathered {
    let position = Position { datastore_id: 7, revision: 10, ..Position::default() };
    Gathered::new(Some(&position), STALE_AFTER)
}

fn begin(mode: Mode, datastore_id: u64) -> Batch {
    let begin = Begin { mode: mode.into(), datastore_id, ..Begin::default() };
    Batch { begin: Some(begin), ..Batch::default() }
}

fn entries(keys: &[(&str, u64)]) -> Batch {
    let entry = |(key, revision): &(&str, u64)| Entry { key: (*key).to_owned(), value: None, revision: *revision };
    Batch { entries: keys.iter().map(entry).collect(), ..Batch::default() }
}

fn checkpoint(revision: u64, upstream_age: Duration, in_sync: bool) -> Batch {
    let upstream_age_ms = upstream_age.as_millis() as u64;
    let checkpoint = Checkpoint { revision, upstream_age_ms, in_sync, ..Checkpoint::default() };
    Batch { checkpoint: Some(checkpoint), ..Batch::default() }
}

#[test]
fn what_comes_becomes_one_message_with_the_last_checkpoint() {
    let mut gathered = gathered();
    assert_eq!(gathered.take(begin(Mode::Resume, 7)).unwrap(), Progress::Coming);
    assert_eq!(gathered.take(entries(&[("Tier/a", 11)])).unwrap(), Progress::Coming);
    assert_eq!(gathered.take(checkpoint(11, Duration::ZERO, true)).unwrap(), Progress::At(11));
    gathered.take(entries(&[("Tier/a", 12), ("Tier/b", 12)])).unwrap();
    assert_eq!(gathered.take(checkpoint(12, Duration::ZERO, true)).unwrap(), Progress::At(12));
    let batch = gathered.into_batch();
    let revisions: Vec<_> = batch.entries.iter().map(|entry| entry.revision).collect();
    assert_eq!((revisions, batch.checkpoint.unwrap().revision), (vec![11, 12, 12], 12));
    assert_eq!(batch.begin.unwrap().datastore_id, 7);
}

#[test]
fn what_is_unfit_is_told_apart() {
    let resumed = || begin(Mode::Resume, 7);
    let word = |kind: Kind| {
        let go_away = GoAway { kind: kind.into(), retry_after_ms: 3000, ..GoAway::default() };
        vec![Batch { go_away: Some(go_away), ..Batch::default() }]
    };
    let retry_after = Duration::from_secs(3);
    let cases = [
        (vec![begin(Mode::Snapshot, 7)], Trouble::Unfit),
        (vec![begin(Mode::Repair, 7)], Trouble::Unfit),
        (vec![begin(Mode::Resume, 8)], Trouble::Unfit),
        (vec![entries(&[("Tier/a", 11)])], Trouble::Unfit),
        (vec![resumed(), resumed()], Trouble::Unfit),
        (vec![resumed(), checkpoint(11, Duration::ZERO, false)], Trouble::Unfit),
        (vec![resumed(), checkpoint(11, STALE_AFTER, true)], Trouble::Stale),
        (word(Kind::Full), Trouble::Full),
        (word(Kind::Busy), Trouble::Busy { retry_after }),
        (word(Kind::NoResume), Trouble::Unfit),
        (word(Kind::Draining), Trouble::LEFT),
    ];
    for (mut story, trouble) in cases {
        let mut gathered = gathered();
        let last = story.pop().unwrap();
        for batch in story {
            gathered.take(batch).unwrap();
        }
        let text = format!("{last:?}");
        assert_eq!(gathered.take(last).unwrap_err().trouble, trouble, "{text}");
    }
}

#[test]
fn what_it_may_send_has_a_bound() {
    let begun = || {
        let mut gathered = gathered();
        gathered.take(begin(Mode::Resume, 7)).unwrap();
        gathered
    };
    // Small on the wire, large in memory: entries of nothing but a key.
    let each = bytes_of(&entries(&[("Tier/a", 11)]).entries[0]);
    let many: Vec<_> = std::iter::repeat_n(("Tier/a", 11), MAX_BYTES / each + 1).collect();
    assert_eq!(begun().take(entries(&many)).unwrap_err().trouble, Trouble::Unfit);
    // It never gets as far as the client, and never ends.
    let (mut behind, beats) = (begun(), MAX_BYTES / MESSAGE_BYTES);
    let unfit = (0..=beats).find_map(|_| behind.take(checkpoint(9, Duration::ZERO, true)).err());
    assert_eq!(unfit.map(|unfit| unfit.trouble), Some(Trouble::Unfit));
}
