//! The seeds of a target: files of our own making, committed, each a few hundred bytes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The seeds of a target, in the order of their names.
pub fn corpus(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = folder(target);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    files.sort();
    files.iter().map(fs::read).collect()
}

/// Where they are.
fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}
