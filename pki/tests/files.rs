//! Files that cannot be used: each error names the file and the problem.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use pki::{
    Files, Peers,
    development::{Authority, Request},
};
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn Error>>;

const HOUR: Duration = Duration::from_hours(1);

fn good(folder: &Path) -> Result<Files, Box<dyn Error>> {
    Ok(Authority::new("test CA")?.write(folder, "typha", &Request::named("typha"))?)
}

/// Both ends refuse the files, and say all of `words`.
#[track_caller]
fn assert_refused(files: &Files, words: &[&str]) {
    let peers = Peers::common_name("felix");
    let server = pki::load_server(files, &peers).expect_err("a server refuses").to_string();
    let client = pki::load_client(files, &peers).expect_err("a client refuses").to_string();
    for word in words {
        assert!(server.contains(word), "{word:?} is not in {server:?}");
        assert!(client.contains(word), "{word:?} is not in {client:?}");
    }
}

#[test]
fn good_files_are_accepted_and_keys_are_private() -> TestResult {
    let folder = TempDir::new()?;
    let files = good(folder.path())?;
    pki::load_server(&files, &Peers::common_name("felix"))?;
    pki::load_client(&files, &Peers::common_name("typha"))?;
    assert_eq!(fs::metadata(&files.key)?.permissions().mode() & 0o777, 0o600);
    Ok(())
}

#[test]
fn a_missing_file_is_named() -> TestResult {
    let folder = TempDir::new()?;
    let files = good(folder.path())?;
    for file in [&files.cert, &files.key, &files.ca] {
        let kept = fs::read(file)?;
        fs::remove_file(file)?;
        assert_refused(&files, &[&file.display().to_string(), "No such file"]);
        fs::write(file, kept)?;
    }
    Ok(())
}

#[test]
fn a_file_that_is_not_pem_is_named() -> TestResult {
    let folder = TempDir::new()?;
    let files = good(folder.path())?;
    for file in [&files.cert, &files.key, &files.ca] {
        let kept = fs::read(file)?;
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"] {
            fs::write(file, text)?;
            assert_refused(&files, &[&file.display().to_string()]);
        }
        fs::write(file, "hello")?;
        assert_refused(&files, &["is not PEM"]);
        fs::write(file, kept)?;
    }
    Ok(())
}

#[test]
fn swapped_files_say_what_they_lack() -> TestResult {
    let folder = TempDir::new()?;
    let files = good(folder.path())?;
    let keyless = Files { key: files.cert.clone(), ..files.clone() };
    assert_refused(&keyless, &["typha.crt", "holds no private key"]);
    let certless = Files { cert: files.key.clone(), ..files };
    assert_refused(&certless, &["typha.key", "holds no certificate"]);
    Ok(())
}

#[test]
fn a_malformed_certificate_is_refused() -> TestResult {
    let folder = TempDir::new()?;
    let files = good(folder.path())?;
    fs::write(&files.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")?;
    assert_refused(&files, &["typha.crt", "malformed certificate"]);
    Ok(())
}

#[test]
fn a_key_of_another_certificate_is_refused() -> TestResult {
    let folder = TempDir::new()?;
    let authority = Authority::new("test CA")?;
    let typha = authority.write(folder.path(), "typha", &Request::named("typha"))?;
    let felix = authority.write(folder.path(), "felix", &Request::named("felix"))?;
    assert_refused(&Files { key: felix.key, ..typha }, &["felix.key", "typha.crt", "not the key"]);
    Ok(())
}

#[test]
fn an_expired_certificate_says_since_when() -> TestResult {
    let folder = TempDir::new()?;
    let now = SystemTime::now();
    let request = Request { not_before: now - 2 * HOUR, not_after: now - HOUR, ..Request::named("typha") };
    let files = Authority::new("test CA")?.write(folder.path(), "typha", &request)?;
    assert_refused(&files, &["typha.crt", "CN=typha", "expired on", "20"]);
    Ok(())
}

#[test]
fn a_certificate_of_the_future_says_from_when() -> TestResult {
    let folder = TempDir::new()?;
    let now = SystemTime::now();
    let request = Request { not_before: now + HOUR, not_after: now + 2 * HOUR, ..Request::named("typha") };
    let files = Authority::new("test CA")?.write(folder.path(), "typha", &request)?;
    assert_refused(&files, &["typha.crt", "not valid before", "clock"]);
    Ok(())
}

#[test]
fn a_certificate_of_another_ca_is_refused() -> TestResult {
    let (folder, other) = (TempDir::new()?, TempDir::new()?);
    let files = good(folder.path())?;
    let ca = good(other.path())?.ca;
    let words = [files.cert.display().to_string(), ca.display().to_string(), "not signed by the CA".to_owned()];
    assert_refused(&Files { ca, ..files }, &words.each_ref().map(String::as_str));
    Ok(())
}

#[test]
fn an_empty_list_of_peers_is_refused() -> TestResult {
    let folder = TempDir::new()?;
    let files = good(folder.path())?;
    assert!(pki::load_server(&files, &Peers::default()).is_err());
    assert!(pki::load_client(&files, &Peers::default()).is_err());
    Ok(())
}
