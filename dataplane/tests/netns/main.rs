//! The dataplane against a real kernel: every test makes its own network namespaces, sends real packets between them,
//! and leaves nothing behind. Needs root, iproute2, nftables (only to look) and ping.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod intent;
mod namespace;
mod world;

mod configs;
mod hosts;
mod isolation;
mod policies;
mod restart;
mod routes;
mod scale;
mod sets;
