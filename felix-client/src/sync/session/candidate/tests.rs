//! What a candidate takes, and what makes it unfit.

use std::future;

use pki::{
    Peers,
    development::{Authority, Request},
};
use proto::sync::v1::{Entry, Position, ReportRequest};

use super::{
    super::super::{choice::Cause, replica::Replica, transport::Reports},
    *,
};

/// A connection on which nothing comes: the tests hand messages in.
struct Nothing;

impl Transport for Nothing {
    type Reports = Self;

    async fn open(_: &Config, _: &Arc<str>, _: &SubscribeRequest) -> Result<Self, Disconnect> {
        Ok(Self)
    }

    async fn next(&mut self) -> Result<(Batch, usize), Disconnect> {
        future::pending().await
    }

    fn reports(&self) -> Self {
        Self
    }
}

impl Reports for Nothing {
    async fn send(&mut self, _: &ReportRequest) -> Result<(), Disconnect> {
        future::pending().await
    }
}

fn config() -> Config {
    let (authority, folder) = (Authority::new("test CA").unwrap(), tempfile::tempdir().unwrap());
    let files = authority.write(folder.path(), "felix", &Request::named("felix")).unwrap();
    let tls = pki::load_client(&files, &Peers::common_name("typha")).unwrap();
    Config::new(["10.0.0.1:5473"], Arc::new(tls))
}

async fn candidate(config: &Config) -> Candidate<'_, Nothing> {
    let address: Arc<str> = "10.0.0.1:5473".into();
    let replica = Replica { found_by: Arc::clone(&address), address, zone: None, is_spare: false };
    let choice = Choice { replica, rank: 1, of: 2, cause: Cause::Preferred };
    let position = Some(Position { datastore_id: 7, revision: 10, ..Position::default() });
    let request = SubscribeRequest { position, ..SubscribeRequest::default() };
    let mut candidate = Candidate::start(config, Arc::new(choice), request, CATCH_UP_LIMIT);
    assert_eq!(candidate.progress().await.unwrap(), Progress::Coming, "it is connected");
    candidate
}

fn begin(mode: Mode, datastore_id: u64) -> Batch {
    let begin = Begin { mode: mode.into(), datastore_id, ..Begin::default() };
    Batch { begin: Some(begin), ..Batch::default() }
}

fn entries(keys: &[(&str, u64)]) -> Batch {
    let entry = |(key, revision): &(&str, u64)| Entry { key: (*key).to_owned(), value: None, revision: *revision };
    Batch { entries: keys.iter().map(entry).collect(), ..Batch::default() }
}

fn checkpoint(revision: u64, upstream_age_ms: u64, in_sync: bool) -> Batch {
    let checkpoint = Checkpoint { revision, upstream_age_ms, in_sync, ..Checkpoint::default() };
    Batch { checkpoint: Some(checkpoint), ..Batch::default() }
}

#[tokio::test]
async fn what_comes_becomes_one_message_with_the_last_checkpoint() {
    let config = config();
    let mut candidate = candidate(&config).await;
    assert_eq!(candidate.gather(begin(Mode::Resume, 7)).unwrap(), Progress::Coming);
    assert_eq!(candidate.gather(entries(&[("Tier/a", 11)])).unwrap(), Progress::Coming);
    assert_eq!(candidate.gather(checkpoint(11, 0, true)).unwrap(), Progress::At(11));
    candidate.gather(entries(&[("Tier/a", 12), ("Tier/b", 12)])).unwrap();
    assert_eq!(candidate.gather(checkpoint(12, 0, true)).unwrap(), Progress::At(12));
    let (_, gathered) = candidate.into_parts().unwrap();
    let revisions: Vec<_> = gathered.entries.iter().map(|entry| entry.revision).collect();
    assert_eq!((revisions, gathered.checkpoint.unwrap().revision), (vec![11, 12, 12], 12));
    assert_eq!(gathered.begin.unwrap().datastore_id, 7);
}

#[tokio::test]
async fn what_is_unfit_is_told_apart() {
    let config = config();
    let resumed = || begin(Mode::Resume, 7);
    let stale_ms = u64::try_from(config.upstream_age_limit.as_millis()).unwrap();
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
        (vec![resumed(), checkpoint(11, 0, false)], Trouble::Unfit),
        (vec![resumed(), checkpoint(11, stale_ms, true)], Trouble::Stale),
        (word(Kind::Full), Trouble::Full),
        (word(Kind::Busy), Trouble::Busy { retry_after }),
        (word(Kind::NoResume), Trouble::Unfit),
        (word(Kind::Draining), Trouble::LEFT),
    ];
    for (mut story, trouble) in cases {
        let mut candidate = candidate(&config).await;
        let last = story.pop().unwrap();
        for batch in story {
            candidate.gather(batch).unwrap();
        }
        let text = format!("{last:?}");
        assert_eq!(candidate.gather(last).unwrap_err().trouble, trouble, "{text}");
    }
}

#[tokio::test]
async fn what_it_may_send_has_a_bound() {
    let config = config();
    let mut candidate = candidate(&config).await;
    candidate.gather(begin(Mode::Resume, 7)).unwrap();
    // Small on the wire, large in memory: entries of nothing but a key.
    let each = bytes_of(&entries(&[("Tier/a", 11)]).entries[0]);
    let many: Vec<_> = std::iter::repeat_n(("Tier/a", 11), MAX_GATHERED_BYTES / each + 1).collect();
    assert_eq!(candidate.gather(entries(&many)).unwrap_err().trouble, Trouble::Unfit);
}
