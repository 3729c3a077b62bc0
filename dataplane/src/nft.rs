//! nftables by netlink: our nouns as messages, one transaction per change, and the kernel's state read back.
//!
//! The one place that knows nf_tables' numbers. What is to be there is decided elsewhere.

mod batch;
mod element;
mod expression;
mod fingerprint;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod listing;
mod number;

pub(crate) use self::{
    batch::{Batch, Touched},
    listing::{Image, read},
};

/// The table that is ours, in family `inet`. Everything in it is ours and nothing outside it is.
pub(crate) const TABLE: &str = "cattail";
