//! Why a store cannot be opened: names the file and the way out.

use std::path::{Path, PathBuf};

/// Why a store cannot be opened. The file is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process has it.
    #[error(
        "{} is in use by another process; stop that one, or use another data directory",
        file.display()
    )]
    Locked {
        /// The file.
        file: PathBuf,
    },
    /// It was written by another version.
    #[error(
        "{} has format {found}, this version reads format {ours}; run the version that wrote it, or use another data \
         directory",
        file.display()
    )]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
        /// The format of this version.
        ours: u64,
    },
    /// It is truncated, or something else.
    #[error(
        "{} cannot be read: {reason}; it was truncated or damaged, or it is not a store. Restore it from a backup, or \
         move it away to start with an empty store",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl EngineError {
    pub(super) fn from_open(file: &Path, error: redb::DatabaseError) -> Self {
        let file = file.to_owned();
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::Locked { file },
            redb::DatabaseError::Storage(redb::StorageError::Io(source)) if is_refusal(&source) => {
                Self::Io { file, source }
            }
            error => Self::Damaged { file, reason: error.to_string() },
        }
    }

    pub(super) fn damaged(file: &Path, error: &redb::Error) -> Self {
        Self::Damaged { file: file.to_owned(), reason: error.to_string() }
    }
}

/// Whether the system, and not the content of the file, is the reason.
fn is_refusal(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput)
}
