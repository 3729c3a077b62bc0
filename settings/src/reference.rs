//! The settings of a binary as a table for its documentation.

use clap::{Arg, Command, CommandFactory};

use crate::definition::{self, Program, is_list, is_switch, key};

const HEAD: &str = "| flag | environment | in the file | default | meaning |\n|---|---|---|---|---|\n";

/// A row for each setting: every flag that is also read from the environment or from a file.
pub fn table<A: CommandFactory>(program: &Program) -> String {
    let mut command = definition::command::<A>(program);
    command.build();
    let rows: String = command.get_arguments().filter(|arg| is_told(arg)).map(|arg| row("", arg, true)).collect();
    HEAD.to_owned() + &rows + &rows_of_subcommands("", &command)
}

/// Clap's own flags are nobody's settings.
fn is_told(arg: &Arg) -> bool {
    !matches!(arg.get_id().as_str(), "help" | "version") && arg.get_long().is_some()
}

/// Flags of subcommands that the environment sets; a file does not reach them.
fn rows_of_subcommands(path: &str, command: &Command) -> String {
    let rows = command.get_subcommands().map(|subcommand| {
        let path = format!("{path}{} ", subcommand.get_name());
        let own = subcommand.get_arguments().filter(|arg| !arg.is_global_set() && arg.get_env().is_some());
        let own: String = own.map(|arg| row(&path, arg, false)).collect();
        own + &rows_of_subcommands(&path, subcommand)
    });
    rows.collect()
}

fn row(path: &str, arg: &Arg, is_in_file: bool) -> String {
    let flag = arg.get_long().unwrap_or_default();
    let value = if is_switch(arg) { String::new() } else { value_name(arg) };
    let env = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
    let in_file = key(arg)
        .filter(|_| is_in_file)
        .map(|name| if is_list(arg) { format!("`{name}: […]`") } else { format!("`{name}:`") });
    let defaults = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy()));
    let default = if arg.is_required_set() {
        "required".to_owned()
    } else if is_switch(arg) {
        String::new()
    } else {
        defaults.collect::<Vec<_>>().join(", ")
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let cells = [format!("`{path}--{flag}{value}`"), env, in_file.unwrap_or_default(), default, help];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default().iter();
    names.flat_map(|name| [" ", name.as_str()]).collect()
}
