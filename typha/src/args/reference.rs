//! `docs/configuration.md` is written from the flags' definitions; this test fails where the two differ.

use std::{fmt::Write as _, fs};

use clap::{Arg, CommandFactory as _};

use super::Args;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

/// The table is between these, so that other programs' tables can stand beside it.
const BEGIN: &str = "<!-- typha: written by its tests, CATTAIL_BLESS=1 rewrites -->\n";
const END: &str = "<!-- typha: end -->\n";

/// Clap's own flags, which no environment variable sets.
fn is_ours(arg: &Arg) -> bool {
    !matches!(arg.get_id().as_str(), "help" | "version")
}

fn table() -> String {
    let mut text = "| flag | environment | default | meaning |\n|---|---|---|---|\n".to_owned();
    for arg in Args::command().get_arguments().filter(|arg| is_ours(arg)) {
        let flag = arg.get_long().expect("every flag has a name");
        let env = arg.get_env().expect("every flag is also read from the environment").to_string_lossy();
        let defaults = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy()));
        let default = if arg.is_required_set() { "required".into() } else { defaults.collect::<Vec<_>>().join(", ") };
        let help = arg.get_help().expect("every flag is explained").to_string().replace('|', "\\|");
        writeln!(text, "| `--{flag}` | `{env}` | {default} | {help} |").expect("strings take everything");
    }
    text
}

#[test]
fn the_reference_is_what_the_flags_are() {
    let document = fs::read_to_string(FILE).expect("docs/configuration.md is there");
    let (head, rest) = document.split_once(BEGIN).expect("the table's begin is marked");
    let (written, tail) = rest.split_once(END).expect("the table's end is marked");
    let table = table();
    if std::env::var_os("CATTAIL_BLESS").is_some() {
        fs::write(FILE, [head, BEGIN, &table, END, tail].concat()).expect("docs/configuration.md can be written");
    } else {
        assert_eq!(written, table, "docs/configuration.md is out of date; run this test with CATTAIL_BLESS=1");
    }
}
