//! What drivers are built from besides their own configuration: how the sources are reached.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::BuildError;
use crate::http::HttpConfig;

/// How the sources of the configuration are reached, by their names.
#[derive(Clone, Default)]
pub struct Parts {
    /// Flink clusters.
    pub flink: BTreeMap<String, FlinkAccess>,
    /// Web interfaces of inventories.
    pub inventories: BTreeMap<String, ApiAccess>,
    /// Kubernetes clusters.
    pub kubernetes: BTreeMap<String, KubernetesAccess>,
}

/// Makes a client of a Kubernetes cluster; asks nobody yet. The error says the way out.
pub type KubernetesAccess =
    Arc<dyn Fn() -> BoxFuture<'static, Result<kube::Client, String>> + Send + Sync>;

/// A Flink cluster by REST.
#[derive(Debug, Clone)]
pub struct FlinkAccess {
    /// Addresses of its `JobManagers`.
    pub urls: Vec<String>,
    /// How they are asked.
    pub http: HttpConfig,
}

/// The web interface of an inventory.
#[derive(Debug, Clone)]
pub struct ApiAccess {
    /// `streampark` or `dinky`.
    pub kind: String,
    /// Its address.
    pub url: Option<String>,
    /// Its token.
    pub token: Option<SecretString>,
    /// File with that token, read anew for each order.
    pub token_file: Option<PathBuf>,
    /// How it is asked.
    pub http: HttpConfig,
}

impl Parts {
    /// The Flink cluster of this name.
    pub(super) fn flink(&self, name: &str) -> Result<&FlinkAccess, BuildError> {
        let known = || self.flink.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.flink.get(name).ok_or_else(|| {
            BuildError(format!(
                "no source of kind flink is named `{name}` (there are: {})",
                known()
            ))
        })
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}
