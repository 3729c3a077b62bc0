//! The machine as a peer sees it: bytes in, frames out.

mod abuse;
mod peer;
mod random;
mod requests;
