//! A configuration that follows its files: what is good is taken, what is broken is told and left.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    error::Error,
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pki::{
    Peers, Refresh, ServerTls,
    development::{Authority, Request},
};
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn Error>>;

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn new_files_replace_the_configuration_and_its_expiry() -> TestResult {
    let folder = TempDir::new()?;
    let short = Request { not_after: SystemTime::now() + HOUR, ..Request::named("typha") };
    let files = Authority::new("old CA")?.write(folder.path(), "typha", &short)?;
    let tls = ServerTls::server(files, Peers::common_name("felix"))?;
    let (first, own) = (tls.current(), tls.expiry().expect("there are files").own.not_after);
    assert!(own <= SystemTime::now() + HOUR, "{own:?}");
    assert_eq!(tls.refresh(), Refresh::Unchanged);
    assert!(Arc::ptr_eq(&first, &tls.current()));

    let long = Request { not_after: SystemTime::now() + 9 * HOUR, ..Request::named("typha") };
    Authority::new("new CA")?.write(folder.path(), "typha", &long)?;
    assert_eq!(tls.refresh(), Refresh::Reloaded);
    assert!(!Arc::ptr_eq(&first, &tls.current()));
    assert!(tls.expiry().expect("there are files").own.not_after > own);
    assert_eq!((tls.reloads(), tls.failures()), (1, 0));
    Ok(())
}

#[test]
fn broken_files_are_told_once_and_change_nothing() -> TestResult {
    let folder = TempDir::new()?;
    let authority = Authority::new("test CA")?;
    let files = authority.write(folder.path(), "typha", &Request::named("typha"))?;
    let tls = ServerTls::server(files.clone(), Peers::common_name("felix"))?;
    let first = tls.current();
    fs::write(&files.cert, "garbage")?;
    let Refresh::Refused { reason } = tls.refresh() else { return Err("garbage is in force".into()) };
    assert!(reason.contains("typha.crt") && reason.contains("not PEM"), "{reason}");
    assert_eq!(tls.refresh(), Refresh::Unchanged);
    fs::remove_file(&files.ca)?;
    fs::write(&files.cert, authority.issue(&Request::named("typha"))?.certificate_pem)?;
    assert!(matches!(tls.refresh(), Refresh::Refused { .. }), "neither the key nor the CA fits");
    assert!(Arc::ptr_eq(&first, &tls.current()));
    assert_eq!((tls.reloads(), tls.failures()), (0, 2));

    authority.write(folder.path(), "typha", &Request::named("typha"))?;
    assert_eq!(tls.refresh(), Refresh::Reloaded);
    Ok(())
}
