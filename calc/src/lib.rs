//! Resources in, what each node must enforce out; pure.
