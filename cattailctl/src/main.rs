//! The command line: manifests in, resources out.
fn main() {}
