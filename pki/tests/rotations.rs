//! A thousand rotations, the way in which a Secret's volume does them: all files change in one step.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    error::Error,
    io,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use pki::{
    Peers, Refresh, ServerTls,
    development::{Authority, Request, Volume},
};
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn Error>>;

const ROTATIONS: usize = 1000;
/// Versions that take turns: keys are costly to make. All lives differ, so that it is seen which version is in force.
const VERSIONS: u32 = 4;
const DAY: Duration = Duration::from_hours(24);

/// A mounted Secret with all versions in it.
struct Secret {
    volume: Volume,
    /// Until when the certificate of each version is valid, and the first of its CAs.
    lives: Vec<(SystemTime, SystemTime)>,
    _folder: TempDir,
}

impl Secret {
    /// All versions are signed by one CA, and the list of CAs of each has another one besides: a certificate of one
    /// version and the CAs of another go together, and only their lives tell that they do not belong together.
    fn new() -> Result<Self, Box<dyn Error>> {
        let (folder, authority) = (TempDir::new()?, Authority::new("test CA")?);
        let (volume, mut lives) = (Volume::new(folder.path())?, Vec::new());
        let until = |days| Request { not_after: SystemTime::now() + days * DAY, ..Request::named("typha") };
        for version in 0..VERSIONS {
            let (own, other) = (authority.issue(&until(10 + version))?, authority.issue(&until(20 + version))?);
            volume.add(&version.to_string(), &own, &(authority.certificate_pem() + &other.certificate_pem))?;
            volume.show(&version.to_string())?;
            lives.push(in_force(&ServerTls::server(volume.files(), Peers::common_name("felix"))?));
        }
        Ok(Self { volume, lives, _folder: folder })
    }

    fn show(&self, version: u32) -> io::Result<()> {
        self.volume.show(&version.to_string())
    }
}

fn in_force(tls: &ServerTls) -> (SystemTime, SystemTime) {
    let expiry = tls.expiry().expect("there are files");
    (expiry.own.not_after, expiry.ca.not_after)
}

#[test]
fn every_rotation_is_in_force_after_one_look() -> TestResult {
    let secret = Secret::new()?;
    let tls = ServerTls::server(secret.volume.files(), Peers::common_name("felix"))?;
    for rotation in 0..ROTATIONS {
        let version = rotation as u32 % VERSIONS;
        secret.show(version)?;
        assert_eq!(tls.refresh(), Refresh::Reloaded, "rotation {rotation}");
        assert_eq!(in_force(&tls), secret.lives[version as usize], "rotation {rotation}");
        assert_eq!(tls.refresh(), Refresh::Unchanged, "rotation {rotation}");
    }
    assert_eq!((tls.reloads(), tls.failures()), (ROTATIONS as u64, 0));
    Ok(())
}

#[test]
fn no_look_takes_a_part_of_one_version_and_a_part_of_another() -> TestResult {
    let secret = Secret::new()?;
    let tls = ServerTls::server(secret.volume.files(), Peers::common_name("felix"))?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let rotating = scope.spawn(|| -> io::Result<usize> {
            let mut rotations = 0;
            while !is_over.load(Ordering::Relaxed) {
                secret.show(rotations as u32 % VERSIONS)?;
                rotations += 1;
                // A look fits in between, and the next one may begin anywhere.
                thread::sleep(Duration::from_micros(rotations as u64 * 37 % 500));
            }
            Ok(rotations)
        });
        let mut broken = None;
        while broken.is_none() && tls.reloads() < ROTATIONS as u64 && !rotating.is_finished() {
            let refresh = tls.refresh();
            if matches!(refresh, Refresh::Refused { .. }) || !secret.lives.contains(&in_force(&tls)) {
                broken = Some((refresh, in_force(&tls)));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let rotations = rotating.join().expect("no panic")?;
        assert_eq!(broken, None, "the versions are {:?}", secret.lives);
        assert!(rotations >= ROTATIONS, "{rotations}");
        Ok(())
    })
}
