//! What the command line says instead of a scenario's file.

use super::Scenario;

/// What the command line says instead of the file.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Clients, each with a stream of its own
    #[arg(long, value_name = "N")]
    pub(crate) clients: Option<u32>,
    /// Keys that exist before the clients connect
    #[arg(long, value_name = "K")]
    pub(crate) keys: Option<u32>,
    /// Datastore transactions a second
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<f64>,
    /// Keys written by each transaction
    #[arg(long, value_name = "B")]
    pub(crate) transaction: Option<u32>,
    /// How long writes go on
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<f64>,
    /// Whether clients that come back resume their TLS sessions
    #[arg(long, value_name = "true|false")]
    pub(crate) tls_resumption: Option<bool>,
    /// Whether clients take what typha sends compressed with zstd
    #[arg(long, value_name = "true|false")]
    pub(crate) zstd: Option<bool>,
}

impl Overrides {
    pub(super) fn apply(&self, scenario: &mut Scenario) {
        fn set<T: Copy>(field: &mut T, value: Option<T>) {
            *field = value.unwrap_or(*field);
        }
        set(&mut scenario.clients, self.clients);
        set(&mut scenario.keys, self.keys);
        set(&mut scenario.rate, self.rate);
        set(&mut scenario.transaction, self.transaction);
        set(&mut scenario.seconds, self.seconds);
        set(&mut scenario.tls_resumption, self.tls_resumption);
        set(&mut scenario.zstd, self.zstd);
    }
}
