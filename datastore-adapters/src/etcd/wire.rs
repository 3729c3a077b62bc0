//! Between etcd-client's types and ours. Nothing is decided here.

use bytes::Bytes;
use etcd_client::{GetResponse, ResponseHeader};
use model::Version;

use super::feed::{Canceled, Change, WatchMessage};

pub(super) fn present(page: &mut GetResponse) -> Vec<Change> {
    let change = |kv: etcd_client::KeyValue| {
        let (revision, created) = (version(kv.mod_revision()), kv.version() == 1);
        let (path, value) = kv.into_key_value();
        Change { path, value: Some(value.into()), revision, created }
    };
    page.take_kvs().into_iter().map(change).collect()
}

pub(super) fn to_message(message: &etcd_client::WatchResponse) -> WatchMessage {
    let (datastore_id, revision) = header(message.header());
    let canceled = message.canceled().then(|| match message.compact_revision() {
        0 => Canceled::Other(message.cancel_reason().to_owned()),
        _ => Canceled::Compacted,
    });
    let change = |event: &etcd_client::Event| {
        let kv = event.kv()?;
        // A deletion leaves version 0. The event's type says the same, but asking for it panics on a type yet to come.
        let is_put = kv.version() > 0;
        Some(Change {
            path: kv.key().to_vec(),
            value: is_put.then(|| Bytes::copy_from_slice(kv.value())),
            revision: version(kv.mod_revision()),
            created: kv.version() == 1,
        })
    };
    let changes = message.events().iter().filter_map(change).collect();
    WatchMessage { datastore_id, revision, created: message.created(), canceled, changes }
}

pub(super) fn header(header: Option<&ResponseHeader>) -> (u64, Version) {
    header.map_or((0, 0), |header| (header.cluster_id(), version(header.revision())))
}

/// etcd's revisions are positive; what is not is treated as "before everything".
pub(super) fn version(revision: i64) -> Version {
    Version::try_from(revision).unwrap_or_default()
}

/// The first key after all keys with this prefix, which must not be empty nor end with 0xff: ours end with a slash.
pub(super) fn prefix_end(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

pub(super) fn successor(path: &[u8]) -> Vec<u8> {
    [path, b"\0"].concat()
}

/// A revision on the wire, which is signed; etcd's own never come near the bound.
pub(super) fn signed(revision: Version) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
