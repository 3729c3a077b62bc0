//! Where words go: results to standard output, everything said about them to standard error.
//!
//! Whoever reads no more, as in `cattailctl apply … | head`, still wants the work done, and to be told by the exit status
//! how it went.

use std::io::{self, Write};

/// Two writers, so that tests read what a user would.
pub(crate) struct Console<'a> {
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
}

impl<'a> Console<'a> {
    pub(crate) fn new(out: impl Write + 'a, err: impl Write + 'a) -> Self {
        Self { out: Box::new(out), err: Box::new(err) }
    }

    /// A result.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        unless_nobody_reads(write!(self.out, "{text}{end}"))
    }

    /// Something that went wrong, or that its author should know.
    pub(crate) fn tell(&mut self, text: &str) -> io::Result<()> {
        unless_nobody_reads(writeln!(self.err, "{text}"))
    }
}

fn unless_nobody_reads(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
