//! Datastores behind one contract: [`Source`] streams their state and its changes, [`Store`] reads and writes it.
//!
//! Adapters own reconnection, resumption, relisting after compaction, and staleness. Their readers see one ordered
//! stream and never learn which datastore it came from.

mod backoff;
pub mod embedded;
mod etcd;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod source;
mod store;

pub use self::{
    etcd::{ConfigError, EtcdConfig, EtcdSource, EtcdStore},
    source::{REREAD_KEYS_MAX, Source, SourceEvent},
    store::{Listing, Store, StoreError, Stored, Write},
};
