//! The embedded datastore.
