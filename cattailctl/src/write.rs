//! Writing resources: apply, create and replace.

use std::{io::Read, pin::pin, time::SystemTime};

use bytes::Bytes;
use datastore_adapters::{Store, StoreError, Stored};
use futures_util::{StreamExt as _, stream};
use model::{
    Key, Version,
    validate::{self, FieldPath, Problem},
};
use serde_json::Value;

use crate::{
    admission::{self, Candidate, Strictness},
    arguments::Manifests,
    console::Console,
    defaults, merge, reference,
};

/// Writers that meet on one resource get past each other within a few attempts.
const MAX_ATTEMPTS: usize = 5;

/// Writes under way at once: a datastore makes one round trip to its disk for all of them.
const CONCURRENT_WRITES: usize = 16;

/// What must be true of a resource before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing.
    Apply,
    /// It does not exist.
    Create,
    /// It exists.
    Replace,
}

/// What a write did.
#[derive(Debug)]
enum Written {
    Created(Version),
    Updated(Version),
    Unchanged(Version),
}

/// Why a write was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The document does not fit what is stored.
    #[error("does not fit what is stored")]
    Unfit(Vec<Problem>),
    /// The datastore refused or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes every document that is right. `false` where any was not.
pub(crate) async fn run<S: Store>(
    mode: Mode,
    manifests: &Manifests,
    store: &S,
    stdin: &mut dyn Read,
    console: &mut Console<'_>,
) -> anyhow::Result<bool> {
    let admitted = admission::admit(&manifests.filename, &manifests.namespace, Strictness::Valid, stdin, console)?;
    let (total, mut rejected) = (admitted.candidates.len() + admitted.rejected, admitted.rejected);
    for run in admission::runs(&admitted.candidates) {
        let writes = run.iter().map(|candidate| async move { (candidate, write(mode, store, candidate).await) });
        let mut results = pin!(stream::iter(writes).buffered(CONCURRENT_WRITES));
        while let Some((candidate, result)) = results.next().await {
            match result {
                Ok(written) => console.say(&written.describe(&candidate.key))?,
                // Nothing after it would fare better, and each would wait as long.
                Err(WriteError::Store(error @ StoreError::Unavailable(_))) => return Err(error.into()),
                Err(error) => {
                    rejected += 1;
                    tell(mode, candidate, &error, console)?;
                }
            }
        }
    }
    if total == 0 {
        console.tell("nothing to do: there is no document in what was given")?;
    } else if rejected > 0 {
        console.tell(&summary(rejected, total))?;
    }
    Ok(rejected == 0 && total > 0)
}

/// What became of all of them. What cannot be read at all, a file that is missing for instance, counts as one.
fn summary(rejected: usize, total: usize) -> String {
    match total - rejected {
        0 => "nothing was written".to_owned(),
        1 => format!("{rejected} of {total} rejected; the other one is written"),
        written => format!("{rejected} of {total} rejected; the other {written} are written"),
    }
}

impl Written {
    fn describe(&self, key: &Key) -> String {
        match self {
            Self::Created(revision) => format!("{key} created at revision {revision}"),
            Self::Updated(revision) => format!("{key} updated at revision {revision}"),
            Self::Unchanged(revision) => format!("{key} unchanged since revision {revision}"),
        }
    }
}

fn tell(mode: Mode, candidate: &Candidate, error: &WriteError, console: &mut Console<'_>) -> std::io::Result<()> {
    let problems = match error {
        WriteError::Unfit(problems) => problems,
        WriteError::Store(error) => {
            let origin = candidate.document.origin(&FieldPath::default());
            return console.tell(&format!("error: {origin}: {error}{}", way_out(mode, error)));
        }
    };
    problems.iter().try_for_each(|problem| console.tell(&format!("error: {}", candidate.describe(problem))))
}

fn way_out(mode: Mode, error: &StoreError) -> &'static str {
    match (mode, error) {
        (Mode::Create, StoreError::AlreadyExists(_)) => "; use apply or replace to change it",
        (Mode::Replace, StoreError::NotFound(_)) => "; use apply or create to make it",
        (_, StoreError::Conflict { .. }) => {
            "; get it again and redo the change, or leave out metadata.resourceVersion to overwrite"
        }
        _ => "",
    }
}

async fn write<S: Store>(mode: Mode, store: &S, candidate: &Candidate) -> Result<Written, WriteError> {
    let key = &candidate.key;
    let known = known_revision(&candidate.document.value)?;
    let mut document = candidate.document.value.clone();
    defaults::fill(key, &mut document);
    reference::check(store, key, &document).await?;
    let mut attempt = 1;
    loop {
        let result = match store.get(key).await? {
            Some(stored) if mode != Mode::Create => update(mode, store, &stored, &document, known).await,
            _ if mode == Mode::Replace || (mode == Mode::Apply && known.is_some()) => {
                Err(StoreError::NotFound(key.clone()).into())
            }
            _ => create(store, key, &document).await,
        };
        let lost_a_race = match &result {
            Err(WriteError::Store(StoreError::Conflict { .. })) => known.is_none(),
            Err(WriteError::Store(StoreError::AlreadyExists(_))) => mode == Mode::Apply,
            Err(WriteError::Store(StoreError::NotFound(_))) => mode == Mode::Apply && known.is_none(),
            _ => false,
        };
        if !lost_a_race || attempt == MAX_ATTEMPTS {
            return result;
        }
        attempt += 1;
    }
}

async fn create<S: Store>(store: &S, key: &Key, document: &Value) -> Result<Written, WriteError> {
    let mut document = document.clone();
    defaults::fill_identity(&mut document, SystemTime::now());
    Ok(Written::Created(store.create(key, encode(&document)).await?))
}

async fn update<S: Store>(
    mode: Mode,
    store: &S,
    stored: &Stored,
    document: &Value,
    known: Option<Version>,
) -> Result<Written, WriteError> {
    let key = &stored.key;
    let expected = known.unwrap_or(stored.revision);
    if expected != stored.revision {
        return Err(StoreError::Conflict { key: key.clone(), expected, actual: stored.revision }.into());
    }
    // What cannot be read is replaced as a whole.
    let before: Value = serde_json::from_slice(&stored.value).unwrap_or_default();
    let merged = merge::merge(mode, &before, document);
    let report = validate::validate_change(key.kind(), &before, &merged);
    if !report.problems.is_empty() {
        return Err(WriteError::Unfit(report.problems));
    }
    if merged == before {
        return Ok(Written::Unchanged(stored.revision));
    }
    Ok(Written::Updated(store.update(key, encode(&merged), expected).await?))
}

/// The revision that the document's author read.
fn known_revision(document: &Value) -> Result<Option<Version>, WriteError> {
    let text = document.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let reason = format!("{text:?} is not a revision; leave it as get showed it, or leave it out");
        WriteError::Unfit(vec![Problem { path: FieldPath::fields(&["metadata", "resourceVersion"]), reason }])
    })
}

fn encode(document: &Value) -> Bytes {
    document.to_string().into()
}
