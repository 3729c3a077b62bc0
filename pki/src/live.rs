//! A TLS configuration that follows its files: what is on disk counts for the next connection, and never breaks those
//! that are open.
//!
//! The whole configuration is replaced, session tickets with it, so that no session which an old CA vouched for can be
//! resumed under a new one. Whoever owns it calls [`Live::refresh`] now and then; there is no task here.

use std::{
    fmt, fs, io,
    path::Path,
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};

use crate::{Files, LoadError, Peers, files::earliest_expiry, load_client, load_server};

/// How often to look at the files unless there is a reason to do otherwise. A look costs three small reads; a new
/// certificate is issued hours before the old one expires.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// A TLS configuration that follows its files, or one that is fixed.
pub struct Live<C> {
    /// What the next connection uses.
    current: ArcSwap<Loaded<C>>,
    /// Where it comes from; none where it is fixed.
    source: Option<Source<C>>,
    /// How often the configuration was replaced.
    reloads: AtomicU64,
    /// How many different states of the files could not be used.
    failures: AtomicU64,
}

/// What servers follow their files with.
pub type ServerTls = Live<ServerConfig>;

/// What clients follow their files with.
pub type ClientTls = Live<ClientConfig>;

/// When certificates in force expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Our own certificate, or an intermediate that comes with it if that is earlier.
    pub own: SystemTime,
    /// The CA's certificate; of several, the one that expires first.
    pub ca: SystemTime,
}

/// What a look at the files brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The files are those in force, or are known not to be usable.
    Unchanged,
    /// New files are in force from now on.
    Reloaded,
    /// The files changed and cannot be used; what was in force stays in force.
    Refused {
        /// Which file, what is wrong with it, and the way out.
        reason: String,
    },
}

struct Loaded<C> {
    config: Arc<C>,
    expiry: Option<Expiry>,
}

struct Source<C> {
    files: Files,
    peers: Peers,
    load: fn(&Files, &Peers) -> Result<C, LoadError>,
    seen: Mutex<Seen>,
}

/// What the last look saw.
struct Seen {
    /// What the files held when they were loaded.
    contents: Contents,
    /// Why that could not be used, if it could not.
    refused: Option<String>,
}

/// What the files hold, or why they cannot be read.
type Contents = [Result<Vec<u8>, io::ErrorKind>; 3];

impl ServerTls {
    /// Loads a server's files, see [`load_server`].
    pub fn server(files: Files, peers: Peers) -> Result<Self, LoadError> {
        Self::following(files, peers, load_server)
    }
}

impl ClientTls {
    /// Loads a client's files, see [`load_client`].
    pub fn client(files: Files, peers: Peers) -> Result<Self, LoadError> {
        Self::following(files, peers, load_client)
    }
}

impl<C> From<Arc<C>> for Live<C> {
    /// A configuration that stays as it is.
    fn from(config: Arc<C>) -> Self {
        Self::new(Loaded { config, expiry: None }, None)
    }
}

impl<C> Live<C> {
    /// What the next connection uses.
    pub fn current(&self) -> Arc<C> {
        Arc::clone(&self.current.load().config)
    }

    /// Whether there are files to follow.
    pub fn is_fixed(&self) -> bool {
        self.source.is_none()
    }

    /// When the certificates in force expire; `None` where there are no files.
    pub fn expiry(&self) -> Option<Expiry> {
        self.current.load().expiry
    }

    /// How often new files came in force.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How often files were found changed, but not usable.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Looks at the files, and takes them into use where they changed and are good. Reads the disk.
    ///
    /// Files that are written one after the other do not fit together for a moment, and a certificate's time may not
    /// have come yet: what was refused is tried again at every call, and told again only where the reason is another.
    pub fn refresh(&self) -> Refresh {
        let Some(source) = &self.source else { return Refresh::Unchanged };
        let mut seen = match source.seen.try_lock() {
            Ok(seen) => seen,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is looking.
            Err(TryLockError::WouldBlock) => return Refresh::Unchanged,
        };
        // Read before they are loaded: what is written in between is seen by the next look.
        let contents = contents(&source.files);
        if contents == seen.contents && seen.refused.is_none() {
            return Refresh::Unchanged;
        }
        seen.contents = contents;
        match source.load() {
            Ok(loaded) => {
                self.current.store(Arc::new(loaded));
                self.reloads.fetch_add(1, Ordering::Relaxed);
                seen.refused = None;
                Refresh::Reloaded
            }
            Err(error) => self.refuse(&mut seen, error.to_string()),
        }
    }

    fn refuse(&self, seen: &mut Seen, reason: String) -> Refresh {
        if seen.refused.as_ref() == Some(&reason) {
            return Refresh::Unchanged;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        seen.refused = Some(reason.clone());
        Refresh::Refused { reason }
    }

    fn following(
        files: Files,
        peers: Peers,
        load: fn(&Files, &Peers) -> Result<C, LoadError>,
    ) -> Result<Self, LoadError> {
        let seen = Mutex::new(Seen { contents: contents(&files), refused: None });
        let source = Source { files, peers, load, seen };
        Ok(Self::new(source.load()?, Some(source)))
    }

    fn new(loaded: Loaded<C>, source: Option<Source<C>>) -> Self {
        let current = ArcSwap::from_pointee(loaded);
        Self { current, source, reloads: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }
}

impl<C> Source<C> {
    fn load(&self) -> Result<Loaded<C>, LoadError> {
        let config = Arc::new((self.load)(&self.files, &self.peers)?);
        let expiry = Expiry { own: earliest_expiry(&self.files.cert)?, ca: earliest_expiry(&self.files.ca)? };
        Ok(Loaded { config, expiry: Some(expiry) })
    }
}

impl<C> fmt::Debug for Live<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.source.as_ref().map(|source| &source.files);
        f.debug_struct("Live").field("files", &files).field("reloads", &self.reloads()).finish_non_exhaustive()
    }
}

fn contents(files: &Files) -> Contents {
    let read = |file: &Path| fs::read(file).map_err(|error| error.kind());
    [read(&files.cert), read(&files.key), read(&files.ca)]
}
