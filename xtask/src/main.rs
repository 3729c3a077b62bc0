//! Project automation: quickstart, test, ci, conformance.
fn main() {}
