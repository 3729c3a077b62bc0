//! Nouns of the control plane, shared by every room: keys, resources, updates, intent.
//!
//! No I/O, no clock, no tokio, no protobuf and no kernel here. Rooms meet only in these words.

pub mod digest;
pub mod intent;
mod key;
pub mod kubernetes;
pub mod resource;
mod update;
pub mod validate;

pub use key::{Key, Kind, ParseKeyError};
pub use update::{Update, Version};
