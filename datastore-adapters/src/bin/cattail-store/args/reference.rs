//! `docs/configuration.md` is written from the flags' definitions; this test fails where the two differ.

use std::path::Path;

use super::{Args, PROGRAM};

#[test]
fn the_reference_is_what_the_flags_are() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    settings::hold(&document, "cattail-store", &settings::table::<Args>(&PROGRAM))
        .expect("the document is what the code says");
}
