//! A binary's flags as this room sees them: the binary's own, and those that every binary has for its settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint, value_parser};

/// The flag that names the file.
pub(crate) const CONFIG: &str = "config";
/// The flag that shows what is in force.
pub(crate) const SHOW_CONFIG: &str = "show-config";

/// What a binary says of itself beside its flags.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// What the names of its own environment variables begin with, such as `TYPHA_`. A variable that begins so and is
    /// none of its own is likely a mistake.
    pub prefix: &'static str,
    /// The variable that names the file, such as `TYPHA_CONFIG`.
    pub config_env: &'static str,
}

/// The binary's definition with the flags added that this room answers.
pub(crate) fn command<A: CommandFactory>(program: &Program) -> Command {
    let config = Arg::new(CONFIG)
        .long(CONFIG)
        .env(program.config_env)
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .value_parser(value_parser!(PathBuf))
        .help("A YAML file whose keys are the flags' names; flags and environment variables count before it");
    let show = Arg::new(SHOW_CONFIG)
        .long(SHOW_CONFIG)
        .action(ArgAction::SetTrue)
        .help("Show what is in force and where each setting comes from, as such a file, and exit");
    let command = A::command().args([config, show].map(|arg| arg.help_heading("Settings")));
    // A setting may stand before or after the name of a subcommand.
    let has_subcommands = command.has_subcommands();
    command.mut_args(|arg| if has_subcommands { arg.global(true) } else { arg })
}

/// The settings that a file may hold.
pub(crate) fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| key(arg).is_some())
}

/// A setting's key in a file; none for flags that are no settings.
pub(crate) fn key(arg: &Arg) -> Option<&str> {
    let is_setting = !matches!(arg.get_id().as_str(), "help" | "version" | CONFIG | SHOW_CONFIG);
    arg.get_long().filter(|_| is_setting)
}

/// Whether a setting has any number of values.
pub(crate) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Whether a setting is a mere switch.
pub(crate) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}
