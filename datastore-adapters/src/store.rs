//! The contract of everything that reads and writes resources.
//!
//! Values are the JSON documents as users know them (the API object), not projections: unknown fields survive.

use std::future::Future;

use bytes::Bytes;
use model::{Key, Kind, Version};
use thiserror::Error;

/// A resource as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: Key,
    /// The API object as JSON, without `metadata.resourceVersion`.
    pub value: Bytes,
    /// The revision that last modified it: what the API calls its resourceVersion.
    pub revision: Version,
}

/// A consistent list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The resources, ordered by key.
    pub items: Vec<Stored>,
    /// The datastore's revision of the list.
    pub revision: Version,
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Writes the value whatever was there.
    Put(Key, Bytes),
    /// Removes the key if it is there.
    Delete(Key),
}

/// A datastore for reading and writing.
pub trait Store: Send + Sync {
    /// Reads one resource.
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// Lists a kind, in one namespace or in all.
    fn list(&self, kind: Kind, namespace: Option<&str>) -> impl Future<Output = Result<Listing, StoreError>> + Send;

    /// Writes a resource that must not exist yet.
    fn create(&self, key: &Key, value: Bytes) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// Writes a resource that must still be at `expected`.
    fn update(
        &self,
        key: &Key,
        value: Bytes,
        expected: Version,
    ) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// Removes a resource, which must still be at `expected` where that is given.
    fn delete(&self, key: &Key, expected: Option<Version>) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// Does all writes in one transaction, unconditionally. At most 128 writes (etcd's default limit).
    fn transact(&self, writes: Vec<Write>) -> impl Future<Output = Result<Version, StoreError>> + Send;
}

/// Why a read or write did not happen.
#[derive(Debug, Error)]
pub enum StoreError {
    /// `create` found one.
    #[error("{0} exists already")]
    AlreadyExists(Key),
    /// `update` or `delete` found none.
    #[error("{0} does not exist")]
    NotFound(Key),
    /// Somebody else wrote in between; read again and retry.
    #[error("{key} was changed by somebody else: it is at revision {actual}, not {expected}")]
    Conflict {
        /// What was to be written.
        key: Key,
        /// The revision the caller knew.
        expected: Version,
        /// The revision it is at.
        actual: Version,
    },
    /// The datastore does not answer or refuses; the message names it and the way out.
    #[error("{0}")]
    Unavailable(String),
    /// The request cannot be done as asked; the message says why.
    #[error("{0}")]
    Invalid(String),
}
