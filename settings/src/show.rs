//! What is in force, as a file that says so again. Secrets are not told.

use clap::{Arg, ArgMatches, Command, parser::ValueSource};

use crate::{
    definition::{is_list, is_switch, key, settings},
    file::Entry,
};

/// Every setting, its value and where it comes from.
pub(crate) fn text(command: &Command, matches: &ArgMatches, entries: &[Entry]) -> String {
    settings(command).map(|arg| line(arg, matches, entries)).collect()
}

fn line(arg: &Arg, matches: &ArgMatches, entries: &[Entry]) -> String {
    let name = key(arg).unwrap_or_default();
    let origin = origin(arg, matches, entries);
    let values: Vec<String> = match matches.get_raw(arg.get_id().as_str()) {
        Some(values) if !is_switch(arg) => values.map(|value| quoted(&value.to_string_lossy())).collect(),
        _ => Vec::new(),
    };
    if is_switch(arg) {
        return format!("{name}: {}  # {origin}\n", matches.get_flag(arg.get_id().as_str()));
    }
    match values.as_slice() {
        [] => format!("# {name}: not set\n"),
        _ if arg.is_hide_env_values_set() => format!("# {name}: set, but secret  # {origin}\n"),
        values if is_list(arg) => format!("{name}: [{}]  # {origin}\n", values.join(", ")),
        values => format!("{name}: {}  # {origin}\n", values.join(",")),
    }
}

fn origin(arg: &Arg, matches: &ArgMatches, entries: &[Entry]) -> String {
    let in_file = entries.iter().find(|entry| key(arg) == Some(&entry.key));
    match (in_file, matches.value_source(arg.get_id().as_str())) {
        (Some(entry), _) => entry.place.to_string(),
        (None, Some(ValueSource::CommandLine)) => "command line".to_owned(),
        (None, Some(ValueSource::EnvVariable)) => {
            arg.get_env().map_or_else(String::new, |name| format!("environment, {}", name.to_string_lossy()))
        }
        (None, _) => "default".to_owned(),
    }
}

/// Plain where YAML reads it back as the same text.
fn quoted(value: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._:@%+-".contains(letter);
    let starts_plain = value.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '/');
    if starts_plain && value.chars().all(is_plain) && !value.ends_with(':') {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "''"))
}
