//! The file: one YAML mapping from flags' names to their values. Everything in it that is no setting is refused.

mod yaml;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use clap::{Arg, Command};

use self::yaml::{Content, Node};
use crate::{
    definition::{CONFIG, SHOW_CONFIG, is_list, is_switch, key, settings},
    spelling,
};

/// A configuration file is a page or two; what is larger is something else.
const MAX_BYTES: u64 = 1 << 20;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) entries: Vec<Entry>,
}

/// One setting in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    /// As they would be written behind the flag; none where a switch is off.
    pub(crate) values: Vec<String>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl File {
    /// Reads a file; the errors are for people, one for each thing that is wrong.
    pub(crate) fn read(path: &Path, command: &Command) -> Result<Self, Vec<String>> {
        let text = text(path).map_err(|error| vec![error])?;
        Self::parse(path, &text, command)
    }

    fn parse(path: &Path, text: &str, command: &Command) -> Result<Self, Vec<String>> {
        let place = |line| Place { file: path.to_owned(), line };
        let fields = yaml::parse(text).map_err(|(line, reason)| vec![format!("{}: {reason}", place(line))])?;
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        for (name, node) in fields {
            let place = place(node.line);
            let entry = setting(command, &name).and_then(|arg| Ok((arg, values(arg, &node.content)?)));
            match entry {
                Ok((_, values)) => entries.push(Entry { key: name, place, values }),
                Err(reason) => problems.push(format!("{place}: {reason}")),
            }
        }
        if problems.is_empty() { Ok(Self { entries }) } else { Err(problems) }
    }
}

fn text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
        io::ErrorKind::InvalidData => format!("{} is no text (UTF-8)", path.display()),
        _ => format!("cannot read {}: {error}", path.display()),
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(format!("{} is a directory; name the file in it", path.display()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(format!(
            "{} has {} bytes; a configuration has at most {MAX_BYTES}",
            path.display(),
            metadata.len()
        ));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn setting<'a>(command: &'a Command, name: &str) -> Result<&'a Arg, String> {
    if let Some(arg) = settings(command).find(|arg| key(arg) == Some(name)) {
        return Ok(arg);
    }
    if matches!(name, CONFIG | SHOW_CONFIG) {
        return Err(format!("{name} belongs on the command line, not into the file"));
    }
    let hint = match spelling::nearest(name, settings(command).filter_map(key)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are: {}", settings(command).filter_map(key).collect::<Vec<_>>().join(", ")),
    };
    Err(format!("there is no setting {name:?}; {hint}"))
}

/// The values as they would be written behind the flag.
fn values(arg: &Arg, content: &Content) -> Result<Vec<String>, String> {
    let name = key(arg).unwrap_or_default();
    match content {
        Content::Nothing => Err(format!("{name} has no value; leave the key out where none is wanted")),
        Content::Mapping => Err(format!("{name} takes a value, not a mapping")),
        Content::Scalar(text) if is_switch(arg) => match text.as_str() {
            "true" => Ok(vec![text.clone()]),
            "false" => Ok(Vec::new()),
            _ => Err(format!("{name} is true or false, not {text:?}")),
        },
        Content::Scalar(text) => Ok(vec![text.clone()]),
        Content::List(_) if !is_list(arg) => Err(format!("{name} takes one value, not a list")),
        Content::List(items) if items.is_empty() => {
            Err(format!("{name} is an empty list; leave the key out where no value is wanted"))
        }
        Content::List(items) => items
            .iter()
            .map(|item| match item {
                Node { content: Content::Scalar(text), .. } => Ok(text.clone()),
                Node { line, .. } => Err(format!("{name} takes a list of values, but line {line} is none")),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
