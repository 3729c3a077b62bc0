//! Resources in, what each node must enforce out; pure.

pub mod verdict;
