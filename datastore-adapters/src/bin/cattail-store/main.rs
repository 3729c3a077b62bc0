//! `cattail-store`: the embedded datastore as a process. Flags, a listener, signals; the store itself is the library's.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use datastore_adapters::embedded::{self, Engine, TlsFiles};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

/// The file in the data directory.
const STORE_FILE: &str = "store.redb";

/// Cattail's embedded datastore: a small etcd for one machine, with nothing to install.
///
/// Keeps everything in one file and serves the part of the etcd v3 API that cattail needs, so that typha, cattailctl
/// and `etcdctl get|put|del|watch` reach it exactly as they reach etcd. For more than one machine use etcd.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 100)]
struct Args {
    /// The directory of the data; made if it is not there.
    #[arg(long, value_name = "DIR", env = "CATTAIL_STORE_DATA_DIR")]
    data_dir: PathBuf,

    /// Where to serve, as ADDRESS:PORT. Without TLS anyone who reaches it may read and write: keep it on loopback.
    #[arg(long, value_name = "ADDRESS:PORT", env = "CATTAIL_STORE_LISTEN", default_value = "127.0.0.1:2379")]
    listen: SocketAddr,

    /// Serve TLS with this certificate (PEM).
    #[arg(long, value_name = "FILE", env = "CATTAIL_STORE_CERT_FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "CATTAIL_STORE_KEY_FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,

    /// Accept only clients with a certificate of this CA (PEM).
    #[arg(long, value_name = "FILE", env = "CATTAIL_STORE_CA_FILE", requires = "cert_file")]
    ca_file: Option<PathBuf>,
}

impl Args {
    fn tls(&self) -> Option<TlsFiles> {
        let (cert_file, key_file) = self.cert_file.clone().zip(self.key_file.clone())?;
        Some(TlsFiles { cert_file, key_file, ca_file: self.ca_file.clone() })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cattail-store: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    // Before anything is announced: a signal that comes right after the announcement must find its handler.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let engine = Engine::open(args.data_dir.join(STORE_FILE))?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; is another store or etcd running there? --listen takes another address",
            args.listen
        )
    })?;
    if !args.listen.ip().is_loopback() && args.ca_file.is_none() {
        tracing::warn!(address = %args.listen, "anyone who reaches this address may read and write; --ca-file would ask for certificates");
    }
    let scheme = if args.cert_file.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}, data in {}", listener.local_addr()?, engine.path().display());
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    match args.tls() {
        Some(files) => embedded::serve_tls(engine, listener, &files, shutdown).await?,
        None => embedded::serve(engine, listener, shutdown).await?,
    }
    Ok(())
}
