//! A configuration that follows its files: what is good is taken, what is broken is told and left.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    error::Error,
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pki::{
    PeerName, Peers, Refresh, ServerTls,
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
fn a_certificate_of_another_name_is_in_force_under_its_name() -> TestResult {
    let folder = TempDir::new()?;
    let authority = Authority::new("test CA")?;
    let files = authority.write(folder.path(), "typha", &Request::named("typha"))?;
    let tls = ServerTls::server(files, Peers::common_name("felix"))?;
    assert!(tls.names().iter().eq(&[PeerName::CommonName("typha".to_owned())]));
    let request = Request { uri_san: Some("spiffe://a/typha".to_owned()), ..Request::named("other") };
    authority.write(folder.path(), "typha", &request)?;
    assert_eq!(tls.refresh(), Refresh::Reloaded);
    let names: Vec<_> = tls.names().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["CN=other", "spiffe://a/typha"]);
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
    assert_eq!(tls.refusal().as_deref(), Some(&reason));
    assert_eq!(tls.refresh(), Refresh::Unchanged);
    assert_eq!(tls.refusal().as_deref(), Some(&reason), "it is so still, though it is no news");
    fs::remove_file(&files.ca)?;
    fs::write(&files.cert, authority.issue(&Request::named("typha"))?.certificate_pem)?;
    assert!(matches!(tls.refresh(), Refresh::Refused { .. }), "neither the key nor the CA fits");
    assert!(Arc::ptr_eq(&first, &tls.current()));
    assert_eq!((tls.reloads(), tls.failures()), (0, 2));

    authority.write(folder.path(), "typha", &Request::named("typha"))?;
    assert_eq!((tls.refresh(), tls.refusal()), (Refresh::Reloaded, None));
    Ok(())
}

/// What hands and volumes do to files: each is told, and none is taken.
#[test]
fn whatever_takes_a_files_place_the_old_configuration_serves() -> TestResult {
    let folder = TempDir::new()?;
    let authority = Authority::new("test CA")?;
    let files = authority.write(folder.path(), "typha", &Request::named("typha"))?;
    let tls = ServerTls::server(files.clone(), Peers::common_name("felix"))?;
    let (first, other) = (tls.current(), authority.issue(&Request::named("typha"))?);
    for (file, text, told) in [
        (&files.ca, Some(""), "ca.crt is not PEM"),
        (&files.key, Some(other.key_pem.as_str()), "is not the key of the certificate"),
        (&files.cert, None, "typha.crt"),
    ] {
        let kept = fs::read(file)?;
        fs::remove_file(file)?;
        text.map_or_else(|| fs::create_dir(file), |text| fs::write(file, text))?;
        let Refresh::Refused { reason } = tls.refresh() else { return Err(format!("{told}: it is in force").into()) };
        assert!(reason.contains(told), "{reason}");
        assert!(Arc::ptr_eq(&first, &tls.current()));
        text.map_or_else(|| fs::remove_dir(file), |_| fs::remove_file(file))?;
        fs::write(file, kept)?;
    }
    Ok(())
}
