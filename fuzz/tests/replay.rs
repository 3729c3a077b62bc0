//! Every target on its corpus and on deterministic mutations of it: what libFuzzer finds in hours stays found, and the
//! shallow rest is found here.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod seeds;

use std::{fs, path::Path};

use fuzz::{Mutations, TARGETS, corpus};

/// Replays in as many threads as there are cores; the failure says which input it was.
fn replay(name: &str) {
    let target = fuzz::target(name).expect("a target of this name");
    let seeds = corpus(name).expect("its corpus");
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for seed in &seeds {
        check(target, seed);
    }
    for input in Mutations::new(&seeds, 1).take(target.mutations) {
        check(target, &input);
    }
}

fn check(target: &fuzz::Target, input: &[u8]) {
    if let Err(panic) = std::panic::catch_unwind(|| (target.run)(input)) {
        eprintln!("{} fails on {:?} (see above for why)", target.name, input.escape_ascii().to_string());
        std::panic::resume_unwind(panic);
    }
}

macro_rules! targets {
    ($($test:ident $name:literal,)*) => {
        $(#[test]
        fn $test() {
            replay($name);
        })*

        #[test]
        fn no_target_is_left_out() {
            let named = [$($name),*];
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), named);
        }
    };
}

targets! {
    certificate "certificate",
    client_frames "client-frames",
    client_http2 "client-http2",
    client_protocol "client-protocol",
    etcd_document "etcd-document",
    key "key",
    kubernetes "kubernetes",
    manifest "manifest",
    netlink "netlink",
    resource "resource",
    selector "selector",
    store_file "store-file",
    store_request "store-request",
    typha_http2 "typha-http2",
    typha_request "typha-request",
}

#[test]
fn binary_seeds_are_what_they_were_made_from() {
    for (target, name, bytes) in seeds::binary() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target).join(name);
        if std::env::var_os("CATTAIL_BLESS").is_some() {
            fs::create_dir_all(file.parent().expect("its folder")).expect("a folder");
            fs::write(&file, &bytes).expect("a file");
        }
        let held = fs::read(&file).unwrap_or_default();
        assert!(held == bytes, "{} is not what it is made from: set CATTAIL_BLESS=1 to write it", file.display());
    }
}

#[test]
fn mutations_are_the_same_in_every_run() {
    let seeds = [b"one".to_vec(), b"another".to_vec()];
    let some = |number| Mutations::new(&seeds, number).take(100).collect::<Vec<_>>();
    assert_eq!(some(1), some(1));
    assert_ne!(some(1), some(2));
}
