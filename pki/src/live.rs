//! A TLS configuration that follows its files: what is on disk counts for the next connection, and never breaks those
//! that are open.
//!
//! The whole configuration is replaced, session tickets with it, so that no session which an old CA vouched for can be
//! resumed under a new one. Whoever owns it calls [`Live::refresh`] now and then; there is no task here.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::{ClientConfig, ServerConfig};

use crate::{
    Expiry, Files, LoadError, PeerName, Peers,
    contents::Contents,
    files::read_certificates,
    load::{client_config, server_config},
    peers,
};

/// How often to look at the files unless there is a reason to do otherwise. A look costs six small reads; a new
/// certificate is issued hours before the old one expires.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// A TLS configuration that follows its files, or one that is fixed.
pub struct Live<C> {
    /// What the next connection uses.
    current: ArcSwap<Loaded<C>>,
    /// Where it comes from; none where it is fixed.
    source: Option<Source<C>>,
    /// Why what the files hold cannot be used, while it cannot.
    refusal: ArcSwapOption<String>,
    /// How often the configuration was replaced.
    reloads: AtomicU64,
    /// How many different states of the files could not be used.
    failures: AtomicU64,
}

/// What servers follow their files with.
pub type ServerTls = Live<ServerConfig>;

/// What clients follow their files with.
pub type ClientTls = Live<ClientConfig>;

/// What a look at the files brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Everything usable in the files is in force, or they are known not to be usable.
    Unchanged,
    /// New files are in force from now on, or other CAs of the same file: one has expired, or another's time has come.
    Reloaded,
    /// The files changed, or a CA in them expired, and they cannot be used; what was in force stays in force.
    Refused {
        /// Which file, what is wrong with it, and the way out.
        reason: String,
    },
}

struct Loaded<C> {
    config: Arc<C>,
    expiry: Option<Expiry>,
    /// What our own certificate is called.
    names: BTreeSet<PeerName>,
}

struct Source<C> {
    files: Files,
    peers: Peers,
    load: Load<C>,
    /// What the files held when they were last read.
    seen: Mutex<Contents>,
}

type Load<C> = fn(&Files, &Contents, &Peers) -> Result<(C, Expiry), LoadError>;

impl ServerTls {
    /// Loads a server's files, see [`crate::load_server`].
    pub fn server(files: Files, peers: Peers) -> Result<Self, LoadError> {
        Self::following(files, peers, server_config)
    }
}

impl ClientTls {
    /// Loads a client's files, see [`crate::load_client`].
    pub fn client(files: Files, peers: Peers) -> Result<Self, LoadError> {
        Self::following(files, peers, client_config)
    }
}

impl<C> From<Arc<C>> for Live<C> {
    /// A configuration that stays as it is.
    fn from(config: Arc<C>) -> Self {
        Self::new(Loaded { config, expiry: None, names: BTreeSet::new() }, None)
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
        self.current.load().expiry.clone()
    }

    /// Why what the files hold cannot be used, while it cannot: a process that is started again would end.
    pub fn refusal(&self) -> Option<Arc<String>> {
        self.refusal.load_full()
    }

    /// The names in our own certificate, one of which peers ask for; empty where there are no files.
    pub fn names(&self) -> BTreeSet<PeerName> {
        self.current.load().names.clone()
    }

    /// How often new files came in force.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How often files were found changed, but not usable.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Looks at the files, and takes them into use where they changed and are good, or where the time of a CA in them
    /// has come or is over. Reads the disk.
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
        let contents = match Contents::read(&source.files) {
            Ok(contents) if contents == *seen && self.refusal.load().is_none() && !self.is_outdated() => {
                return Refresh::Unchanged;
            }
            Ok(contents) => contents,
            // The next look finds them written.
            Err(LoadError::Changing { .. }) => return Refresh::Unchanged,
            Err(error) => return self.refuse(error.to_string()),
        };
        let loaded = source.load(&contents);
        *seen = contents;
        match loaded {
            Ok(loaded) => {
                self.current.store(Arc::new(loaded));
                self.reloads.fetch_add(1, Ordering::Relaxed);
                self.refusal.store(None);
                Refresh::Reloaded
            }
            Err(error) => self.refuse(error.to_string()),
        }
    }

    fn is_outdated(&self) -> bool {
        self.current.load().expiry.as_ref().is_some_and(|expiry| expiry.is_outdated(SystemTime::now()))
    }

    fn refuse(&self, reason: String) -> Refresh {
        if self.refusal.load().as_deref() == Some(&reason) {
            return Refresh::Unchanged;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.refusal.store(Some(Arc::new(reason.clone())));
        Refresh::Refused { reason }
    }

    fn following(files: Files, peers: Peers, load: Load<C>) -> Result<Self, LoadError> {
        let contents = Contents::read(&files)?;
        let loaded = loaded(&files, &contents, &peers, load)?;
        Ok(Self::new(loaded, Some(Source { files, peers, load, seen: Mutex::new(contents) })))
    }

    fn new(loaded: Loaded<C>, source: Option<Source<C>>) -> Self {
        let current = ArcSwap::from_pointee(loaded);
        let refusal = ArcSwapOption::empty();
        Self { current, source, refusal, reloads: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }
}

impl<C> Source<C> {
    fn load(&self, contents: &Contents) -> Result<Loaded<C>, LoadError> {
        loaded(&self.files, contents, &self.peers, self.load)
    }
}

fn loaded<C>(files: &Files, contents: &Contents, peers: &Peers, load: Load<C>) -> Result<Loaded<C>, LoadError> {
    let (config, expiry) = load(files, contents, peers)?;
    let own = read_certificates(&files.cert, &contents.cert)?;
    let names = own.first().map(peers::names).unwrap_or_default();
    Ok(Loaded { config: Arc::new(config), expiry: Some(expiry), names })
}

impl<C> fmt::Debug for Live<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.source.as_ref().map(|source| &source.files);
        f.debug_struct("Live").field("files", &files).field("reloads", &self.reloads()).finish_non_exhaustive()
    }
}
