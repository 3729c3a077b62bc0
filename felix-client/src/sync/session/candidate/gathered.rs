//! All that came on a second stream, as one message. Pure: messages in, how far it is out.

#[cfg(test)]
mod tests;

use std::time::Duration;

use proto::sync::v1::{Batch, Begin, Checkpoint, Position, begin::Mode};

use super::{
    super::super::{course::Trouble, protocol::bytes_of},
    Progress, Unfit,
};

/// What a candidate may send before it has caught up, as it lies in memory; more than a short absence ever brings.
const MAX_BYTES: usize = 16 << 20;

/// What a message counts beside its entries. A candidate is listened to before the stream that it is to replace, so that
/// messages without anything must come to an end too.
const MESSAGE_BYTES: usize = 128;

/// What a candidate has sent.
pub(in crate::sync) struct Gathered {
    /// What the client's position is about.
    datastore_id: u64,
    /// A view of the datastore that is this old is not gone to.
    age_limit: Duration,
    batch: Batch,
    bytes: usize,
}

impl Gathered {
    /// Nothing yet, from where a client stands.
    pub(in crate::sync) fn new(position: Option<&Position>, age_limit: Duration) -> Self {
        let datastore_id = position.map_or(0, |position| position.datastore_id);
        Self { datastore_id, age_limit, batch: Batch::default(), bytes: 0 }
    }

    /// All of it.
    pub(in crate::sync) fn into_batch(self) -> Batch {
        self.batch
    }

    /// Takes the next message in.
    pub(in crate::sync) fn take(&mut self, batch: Batch) -> Result<Progress, Unfit> {
        if let Some(word) = &batch.go_away {
            return Err(Unfit::told(word));
        }
        self.bytes += MESSAGE_BYTES + batch.entries.iter().map(bytes_of).sum::<usize>();
        if self.bytes > MAX_BYTES {
            return Err(Unfit::because("it sends too much to catch up"));
        }
        match (batch.begin, &self.batch.begin) {
            (None, None) => return Err(Unfit::because("it did not say how it begins")),
            (None, Some(_)) => {}
            (Some(begin), None) => self.batch.begin = Some(self.checked(begin)?),
            (Some(_), Some(_)) => return Err(Unfit::because("it starts over")),
        }
        self.batch.entries.extend(batch.entries);
        let Some(checkpoint) = batch.checkpoint else { return Ok(Progress::Coming) };
        self.check_state(&checkpoint)?;
        let revision = checkpoint.revision;
        self.batch.checkpoint = Some(checkpoint);
        Ok(Progress::At(revision))
    }

    fn checked(&self, begin: Begin) -> Result<Begin, Unfit> {
        if begin.mode() != Mode::Resume {
            return Err(Unfit::because("it cannot go on from where we are"));
        }
        if begin.datastore_id != self.datastore_id {
            return Err(Unfit::because("it has another datastore"));
        }
        Ok(begin)
    }

    fn check_state(&self, checkpoint: &Checkpoint) -> Result<(), Unfit> {
        if !checkpoint.in_sync {
            return Err(Unfit::because("it has not read the datastore yet"));
        }
        let age = Duration::from_millis(checkpoint.upstream_age_ms);
        if age >= self.age_limit {
            let reason = format!("it has heard nothing from the datastore for {} s", age.as_secs());
            return Err(Unfit { trouble: Trouble::Stale, reason });
        }
        Ok(())
    }
}
