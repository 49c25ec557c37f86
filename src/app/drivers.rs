//! From the entries under `restarts` to running drivers.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use crate::actions::drivers::{ApiAccess, Driver, DriverConfig, FlinkAccess, Parts};
use crate::actions::stores::Stores;
use crate::actions::{Drivers, Performer};
use crate::config::{Config, SourceConfig};
use crate::http::HttpConfig;

/// Whoever does what restarts want done.
///
/// # Errors
/// Names the entry whose driver cannot be built, and why.
pub(super) fn drivers(config: &Config) -> Result<Arc<dyn Performer>> {
    let parts = parts(config);
    let stores = Stores::build(&config.restarts.stores);
    let stores = stores.map_err(|e| anyhow!("checkpoint_stores: {e}"))?;
    let mut built = Drivers { drivers: std::collections::BTreeMap::new(), stores };
    for (name, driver) in &config.restarts.drivers {
        let running = driver.build(&parts);
        let running = running.map_err(|e| anyhow!("restarts: `{name}`: {}: {e}", driver.kind()))?;
        built.drivers.insert(name.clone(), running);
    }
    Ok(Arc::new(built))
}

/// A driver, or why it cannot be built.
pub type Built = Result<Arc<dyn Driver>, String>;

/// Each driver with the name of its entry and its kind.
pub fn each_driver(config: &Config) -> Vec<(String, &'static str, Built)> {
    let parts = parts(config);
    let one = |(name, driver): &(String, DriverConfig)| {
        let built = driver.build(&parts).map_err(|error| error.to_string());
        (name.clone(), driver.kind(), built)
    };
    config.restarts.drivers.iter().map(one).collect()
}

/// How the sources are reached.
fn parts(config: &Config) -> Parts {
    let mut parts = Parts::default();
    let allowance = config.poll.allowance();
    for source in &config.sources {
        let name = source.name().to_owned();
        match source {
            SourceConfig::Flink(flink) => {
                let access = FlinkAccess { urls: flink.urls.clone(), http: flink.http(allowance) };
                parts.flink.insert(name, access);
            }
            SourceConfig::Kubernetes(kubernetes) => {
                let (kubernetes, timeout) = (kubernetes.clone(), allowance.timeout);
                let access: crate::actions::drivers::KubernetesAccess = Arc::new(move || {
                    let kubernetes = kubernetes.clone();
                    Box::pin(async move { kubernetes.client(timeout).await })
                });
                parts.kubernetes.insert(name, access);
            }
            SourceConfig::Streampark(inventory) => {
                parts.inventories.insert(name, api(source.kind(), &inventory.0, allowance.timeout));
            }
            SourceConfig::Dinky(inventory) => {
                parts.inventories.insert(name, api(source.kind(), &inventory.0, allowance.timeout));
            }
            SourceConfig::Yarn(_) | SourceConfig::HistoryServer(_) => {}
        }
    }
    parts
}

fn api(
    kind: &str,
    inventory: &crate::sources::inventory::InventoryConfig,
    timeout: std::time::Duration,
) -> ApiAccess {
    ApiAccess {
        kind: kind.to_owned(),
        url: inventory.api_url.clone(),
        token: inventory.token.clone(),
        token_file: inventory.token_file.clone(),
        http: HttpConfig {
            tls: inventory.tls.clone(),
            timeout: Some(inventory.timeout.unwrap_or(timeout)),
            ..HttpConfig::default()
        },
    }
}
