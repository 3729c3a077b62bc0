//! From flags, environment and file to the binary's own type.
//!
//! A file's values go to `clap` as flags that stand before those of the user, unless the user gave the same setting by a
//! flag or a variable. So they are checked by the same code with the same words, and what one setting asks of another
//! holds whichever way each was given.

use std::{
    ffi::OsString,
    io::{self, Write},
};

use clap::{
    ArgMatches, Command, Parser,
    error::{ContextKind, ContextValue, Error, ErrorKind},
    parser::ValueSource,
};

use crate::{
    definition::{self, CONFIG, Program, SHOW_CONFIG, is_switch, key},
    environment::{self, Findings},
    file::{Entry, File},
    show,
};

/// The settings could not be shown.
const NOT_SHOWN: i32 = 1;

/// What a binary was told.
#[derive(Debug)]
pub struct Settings<A> {
    /// In the binary's own words.
    pub args: A,
    /// What deserves a warning once logs are written, one a line: variables that look like settings and are none.
    pub remarks: Vec<String>,
}

/// Reads all that this process was told. Does not return where the user asked for help or for the settings, nor where
/// something is wrong: that is told on stderr, and the exit status is 2, or 1 where the settings could not be shown.
pub fn load<A: Parser>(program: &Program) -> Settings<A> {
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let variables = variables.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
    match resolve(program, &std::env::args_os().collect::<Vec<_>>(), variables) {
        Ok(Outcome::Run(settings)) => settings,
        Ok(Outcome::Show(text)) => {
            if let Err(error) = print(&text, &mut io::stdout().lock()) {
                eprintln!("error: cannot write the settings to standard output: {error}");
                std::process::exit(NOT_SHOWN)
            }
            std::process::exit(0)
        }
        Err(error) => error.exit(),
    }
}

/// Whoever closes a pipe has read enough.
fn print(text: &str, out: &mut impl Write) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Outcome<A> {
    Run(Settings<A>),
    Show(String),
}

/// All of it but for the process around it; `clap` itself reads the variables that are settings.
pub(crate) fn resolve<A: Parser>(
    program: &Program,
    arguments: &[OsString],
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Outcome<A>, Error> {
    let mut command = definition::command::<A>(program);
    command.build();
    // Finds out what the user gave and where the file is. What is wrong is told below, with the file's values in.
    let told = command.clone().ignore_errors(true).try_get_matches_from(arguments)?;
    let Findings { mistakes, remarks } = environment::check(program, &command, variables);
    if !mistakes.is_empty() {
        return Err(refusal(&mistakes));
    }
    let file = match told.get_one::<std::path::PathBuf>(CONFIG) {
        Some(path) => File::read(path, &command).map_err(|problems| refusal(&problems))?,
        None => File::default(),
    };
    let entries: Vec<Entry> = file.entries.into_iter().filter(|entry| !is_given(&told, &command, &entry.key)).collect();
    let whole = with(arguments, &entries, &command);
    let matches =
        command.clone().try_get_matches_from(whole).map_err(|error| explain(error, &command, arguments, &entries))?;
    if matches.get_flag(SHOW_CONFIG) {
        return Ok(Outcome::Show(show::text(&command, &matches, &entries)));
    }
    let args = A::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok(Outcome::Run(Settings { args, remarks }))
}

fn refusal(problems: &[String]) -> Error {
    Error::raw(ErrorKind::InvalidValue, problems.join("\n       ") + "\n")
}

/// Whether the user gave a setting by a flag or a variable.
fn is_given(told: &ArgMatches, command: &Command, name: &str) -> bool {
    let id = command.get_arguments().find(|arg| key(arg) == Some(name)).map(clap::Arg::get_id);
    let source = id.and_then(|id| told.value_source(id.as_str()));
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The command line with a file's values before all else.
fn with(arguments: &[OsString], entries: &[Entry], command: &Command) -> Vec<OsString> {
    let is_switch = |name: &str| command.get_arguments().any(|arg| key(arg) == Some(name) && is_switch(arg));
    let flags = entries.iter().flat_map(|entry| {
        entry.values.iter().map(|value| {
            let flag =
                if is_switch(&entry.key) { format!("--{}", entry.key) } else { format!("--{}={value}", entry.key) };
            OsString::from(flag)
        })
    });
    let (program, given) = arguments.split_at(arguments.len().min(1));
    program.iter().cloned().chain(flags).chain(given.iter().cloned()).collect()
}

/// Says of a value that is refused where it came from, if it was not the command line.
fn explain(error: Error, command: &Command, arguments: &[OsString], entries: &[Entry]) -> Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let Some(arg) = command.get_arguments().find(|arg| arg.to_string() == *flag) else { return error };
    let in_file = entries.iter().find(|entry| key(arg) == Some(&entry.key)).map(|entry| entry.place.to_string());
    let in_environment = || {
        let is_flag = arguments.iter().filter_map(|given| flag_of(given.to_str()?)).any(|flag| Some(flag) == key(arg));
        let variable = arg.get_env().filter(|name| !is_flag && std::env::var_os(name).is_some());
        variable.map(|name| format!("the environment variable {}", name.to_string_lossy()))
    };
    let Some(place) = in_file.or_else(in_environment) else { return error };
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    Error::raw(error.kind(), format!("{place}: {text}"))
}

/// `listen` of `--listen` and of `--listen=x`.
fn flag_of(argument: &str) -> Option<&str> {
    argument.strip_prefix("--")?.split('=').next()
}

#[cfg(test)]
mod tests;
