//! The embedded store's file, as a disk or a hand damaged it: it opens with what it held, or is refused.

use std::fs;

use datastore_adapters::embedded::Engine;

/// Opens a store whose file is whole but for some damage: the input is a list of (place, byte) pairs, each four bytes of
/// place and one of value, so that inputs stay small where the file is not.
pub(super) fn open(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("store.redb");
    let Ok(whole) = Engine::open(&path) else { return };
    let revision = whole.revision();
    drop(whole);
    let Ok(mut file) = fs::read(&path) else { return };
    let (pairs, rest) = bytes.as_chunks::<5>();
    for [p0, p1, p2, p3, value] in pairs {
        let place = u32::from_be_bytes([*p0, *p1, *p2, *p3]) as usize % file.len();
        file[place] ^= value;
    }
    // What is left over says where the file is cut off.
    if let [cut, ..] = rest {
        file.truncate(file.len() * usize::from(*cut) / 256);
    }
    if fs::write(&path, &file).is_err() {
        return;
    }
    if let Ok(engine) = Engine::open(&path) {
        assert!(engine.revision() >= revision, "revisions went back to {}", engine.revision());
    }
}
