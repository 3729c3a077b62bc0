//! Doors to private parsers, for the room `fuzz` alone: each takes bytes as a peer may send them, and panics where a
//! promise is broken.

pub use crate::server::fuzzing::request;
