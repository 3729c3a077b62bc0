//! What can stop the dataplane as a whole. What concerns one object is a [`crate::Failure`] instead.

use std::io;

use thiserror::Error;

/// Why nothing could be programmed.
#[derive(Debug, Error)]
pub enum Error {
    /// A socket could not be opened.
    #[error("cannot open a netlink socket; run as root or with CAP_NET_ADMIN in the network namespace: {0}")]
    Open(#[source] io::Error),
    /// The kernel's state could not be read.
    #[error("cannot read {what} from the kernel: {source}")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A transaction could not even be handed to the kernel.
    #[error("cannot send {what} to the kernel: {source}")]
    Send {
        /// What was to be written.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The kernel refuses what every node needs.
    #[error(
        "the kernel refuses {object} in nftables table inet cattail: {reason}; it needs nf_tables with inet tables, sets and connection tracking"
    )]
    Refused {
        /// The chain, set or table.
        object: String,
        /// Why, in the kernel's words.
        reason: String,
    },
    /// Others changed the rule set again and again while we read it.
    #[error("the nftables rule set changed {0} times while it was read; another program keeps writing to it")]
    Contended(usize),
    /// The task that writes to the kernel died.
    #[error("programming the kernel was interrupted: {0}")]
    Interrupted(#[source] tokio::task::JoinError),
}
