//! Where words go: results to standard output, everything said about them to standard error.

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
        self.out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Something that went wrong, or that its author should know.
    pub(crate) fn tell(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.err, "{text}")
    }
}
