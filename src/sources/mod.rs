//! Sources: where jobs are looked at. A source turns wire answers into a [`Snapshot`] by pure
//! functions and never decides anything about alerts.
//!
//! To add one: a module with a `Config` that implements `Settings`, its `mod`, and its line in
//! `sources!` below. Nothing else names it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{Demand, FailedRun, Snapshot, Time};

mod allowance;
pub mod flink;
pub mod history_server;
pub mod inventory;
pub mod kubernetes;
pub mod yarn;

pub use allowance::Allowance;

/// One configured source. Polls of one source never overlap.
pub trait Source: Send {
    /// Its configured name.
    fn name(&self) -> &str;

    /// Told, before its first look, of its jobs whose newest run failed, as they are remembered. A
    /// source that tells every time how a job does has no use for it.
    fn recall(&mut self, _failed: &[FailedRun]) {}

    /// Time between two looks, where it has its own.
    fn interval(&self) -> Option<Duration> {
        None
    }

    /// What there is to be seen at it.
    fn shows(&self) -> Shows {
        Shows::Jobs
    }

    /// What it was not allowed to read at its last look though all else was seen, with the way out.
    fn lacks(&self) -> Option<&str> {
        None
    }

    /// Looks once. Never fails: what went wrong is in the snapshot. Bounded in time and memory.
    fn poll<'a>(&'a mut self, demand: &'a Demand, now: Time) -> BoxFuture<'a, Snapshot>;
}

/// What there is to be seen at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Jobs as they are.
    Jobs,
    /// More about jobs that others show. Looked at before those, so that what it says is known when
    /// the first job is judged.
    Inventory,
    /// How runs ended that nobody shows any more: `Demand::ends` is for it. Looked at as early.
    Ends,
}

/// Why a source cannot be set up, with the way out; never with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

/// What the configuration of every kind of source can tell.
pub(crate) trait Settings {
    /// Its configured name: the `cluster` of what it shows.
    fn name(&self) -> &str;
    /// Labels of everything it shows.
    fn labels(&self) -> &BTreeMap<String, String>;
    /// What is wrong beyond the shape, each with the way out.
    fn problems(&self) -> Vec<(String, String)>;
    /// The running source. `allowance`: what holds where the source says nothing of its own; `poller`:
    /// names this process in snapshots.
    fn build(&self, allowance: Allowance, poller: &str) -> Result<Box<dyn Source>, BuildError>;
}

/// The one list of sources.
macro_rules! sources {
    ($($(#[doc = $doc:literal])* $kind:ident => $variant:ident($config:ty)),* $(,)?) => {
        /// One source: its kind and its configuration.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        // A handful of them, read once: boxes would save nothing.
        #[expect(clippy::large_enum_variant)]
        pub enum SourceConfig {
            $($(#[doc = $doc])* $variant($config),)*
        }

        impl SourceConfig {
            /// All kinds, for error messages and documentation.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($kind)),*];

            /// Its kind, such as `flink`.
            pub fn kind(&self) -> &'static str {
                match self { $(SourceConfig::$variant(_) => stringify!($kind),)* }
            }

            fn settings(&self) -> &dyn Settings {
                match self { $(SourceConfig::$variant(config) => config,)* }
            }
        }
    };
}

sources! {
    /// A Flink cluster, reached by REST.
    flink => Flink(flink::FlinkConfig),
    /// The Flink applications of a YARN cluster.
    yarn => Yarn(yarn::YarnConfig),
    /// A Kubernetes cluster: native Flink and the Flink Kubernetes Operator.
    kubernetes => Kubernetes(kubernetes::KubernetesConfig),
    /// StreamPark's database: whose jobs they are, and how they should be.
    streampark => Streampark(inventory::StreamparkConfig),
    /// Dinky's database: whose jobs they are, and how they should be.
    dinky => Dinky(inventory::DinkyConfig),
    /// Flink's `HistoryServer`: how jobs ended whose cluster is gone.
    history_server => HistoryServer(history_server::HistoryServerConfig),
}

impl SourceConfig {
    /// Its configured name.
    pub fn name(&self) -> &str {
        self.settings().name()
    }

    /// Labels of everything it shows.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        self.settings().labels()
    }

    /// What is wrong with it beyond its shape: what, and the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        self.settings().problems()
    }

    /// Sets the source up. `allowance`: what holds where it says nothing of its own; `poller` names this
    /// process in its snapshots.
    ///
    /// # Errors
    /// When an address or a setting makes no sense, or certificates cannot be read.
    pub fn build(&self, allowance: Allowance, poller: &str) -> Result<Box<dyn Source>, BuildError> {
        self.settings().build(allowance, poller)
    }
}
