//! What a fan-out costs, measured.
fn main() {}
