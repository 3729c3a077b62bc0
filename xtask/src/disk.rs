//! Room on the disk for what is built. Where it runs out half-way, compilers and linkers die of something else.

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result, bail};
use nix::sys::statvfs::statvfs;

const GIB: u64 = 1 << 30;

/// What a build of everything anew may still need where an earlier one lies: cargo replaces, but not all of it.
const LEAST: u64 = 2 * GIB;

/// What is built.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// The programs, for trying out.
    Programs,
    /// All tests, and the programs that they start.
    Tests,
    /// The programs as they are shipped.
    Released,
}

impl Build {
    fn name(self) -> &'static str {
        match self {
            Build::Programs => "the programs",
            Build::Tests => "the tests",
            Build::Released => "the programs as released",
        }
    }

    /// Where cargo puts it, within the target directory.
    fn folder(self) -> &'static str {
        match self {
            Build::Programs | Build::Tests => "debug",
            Build::Released => "release",
        }
    }

    /// What it takes from nothing, rounded up.
    fn bytes(self) -> u64 {
        match self {
            Build::Tests => 10 * GIB,
            Build::Programs | Build::Released => 3 * GIB,
        }
    }
}

/// An error where the target directory's disk has too little room for a build, beyond what earlier ones left there.
pub(crate) fn check(target: &Path, build: Build) -> Result<()> {
    let held = size(&target.join(build.folder())).unwrap_or(0);
    let needed = build.bytes().saturating_sub(held).max(LEAST);
    let disk = statvfs(target).with_context(|| format!("cannot tell how much room {} has", target.display()))?;
    let free = disk.blocks_available() * disk.fragment_size();
    if free < needed {
        bail!("{}", too_little(build, target, needed, free));
    }
    Ok(())
}

fn too_little(build: Build, target: &Path, needed: u64, free: u64) -> String {
    let gib = |bytes: u64| bytes as f64 / GIB as f64;
    format!(
        "building {} takes up to {:.0} GiB in {}, whose disk has {:.1} GiB left: make room there (`cargo clean` removes \
         what earlier builds left), or set CARGO_TARGET_DIR to a folder on another disk",
        build.name(),
        gib(needed),
        target.display(),
        gib(free)
    )
}

/// What the files under a folder hold together. Some may vanish meanwhile.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { size(&entry.path()).unwrap_or(0) } else { metadata.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_lacks_where_and_what_to_do() {
        let message = too_little(Build::Tests, Path::new("/disk/target"), 12 * GIB, GIB / 2);
        for part in ["the tests", "12 GiB", "/disk/target", "0.5 GiB left", "cargo clean", "CARGO_TARGET_DIR"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn what_lies_there_is_counted_with_its_folders() {
        let folder = std::env::temp_dir().join(format!("cattail-disk-{}", std::process::id()));
        fs::create_dir_all(folder.join("deeper")).unwrap();
        fs::write(folder.join("a"), [0; 300]).unwrap();
        fs::write(folder.join("deeper/b"), [0; 50]).unwrap();
        let found = size(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, 350);
    }
}
