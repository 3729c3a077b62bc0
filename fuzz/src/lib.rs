//! Fuzz targets for whatever a peer or a user can send.
//!
//! A [`Target`] is a function of bytes that panics where a promise is broken. The same targets are driven in two ways:
//! by libFuzzer, for as long as somebody wants (`cargo xtask fuzz`), and by `mutation`, which replays each corpus and
//! some thousand deterministic mutations of it in every run of the tests, on stable. Parsers stay private to their rooms;
//! those that nobody else may call have a door behind the feature `fuzzing`.

mod corpus;
mod mutation;
mod target;
mod targets;

pub use self::{
    corpus::corpus,
    mutation::Mutations,
    target::Target,
    targets::{TARGETS, target},
};
