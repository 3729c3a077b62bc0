//! The machine as a peer sees it, bytes in and frames out; and the shell over a pipe.

mod abuse;
mod peer;
mod random;
mod requests;
mod shell;
