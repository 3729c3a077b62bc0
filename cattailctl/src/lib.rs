//! Nothing: `cattailctl` is a program. With the feature `fuzzing`, doors to its private parsers for the room `fuzz` alone.

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(feature = "fuzzing")]
mod manifest;
