//! The way to the API server: a kubeconfig, or the service account of a pod.

use std::path::Path;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::config::KubernetesConfig;
use super::watch::QUIET;
use crate::http::{install_tls, one_line, redact_url};

/// A client, and the address it asks.
pub(super) struct Connection {
    pub(super) client: kube::Client,
    pub(super) server: String,
}

/// Reads the credentials and makes a client; asks nobody yet. What went wrong comes with the way
/// out.
pub(super) async fn connect(
    config: &KubernetesConfig,
    timeout: Duration,
) -> Result<Connection, String> {
    install_tls();
    let mut settings = match (&config.kubeconfig_file, &config.context) {
        (None, None) => Config::incluster().map_err(|error| {
            format!(
                "not in a pod, or its service account is not mounted: {} (set `kubeconfig_file`, \
                 or `automountServiceAccountToken: true`)",
                one_line(&error.to_string(), 200)
            )
        })?,
        (file, context) => from_file(file.as_deref(), context.as_deref()).await?,
    };
    settings.connect_timeout = Some(timeout);
    settings.write_timeout = Some(timeout);
    // A watch says something within its own time limit, if only that it ends.
    settings.read_timeout = Some(QUIET);
    settings.reset_reader_on_write = true;
    // Watches have a patience of their own, and what keeps them waiting must be known.
    settings.default_retry = false;
    let server = redact_url(&settings.cluster_url.to_string()).trim_end_matches('/').to_owned();
    let client = kube::Client::try_from(settings).map_err(|error| match error {
        kube::Error::ProxyProtocolDisabled { .. }
        | kube::Error::ProxyProtocolUnsupported { .. } => {
            format!(
                "the `proxy-url` of the cluster {server} in the kubeconfig is not supported (use a \
                 network path without one)"
            )
        }
        error => format!(
            "the way to the API server {server} cannot be set up: {} (check the certificates and \
             the user of the context)",
            one_line(&error.to_string(), 200)
        ),
    })?;
    Ok(Connection { client, server })
}

async fn from_file(file: Option<&Path>, context: Option<&str>) -> Result<Config, String> {
    let shown = file.map_or("kubeconfig".to_owned(), |file| file.display().to_string());
    let fail = |error: &dyn std::fmt::Display| {
        let why = one_line(&error.to_string(), 200);
        match context {
            Some(context) => format!(
                "{shown}, context `{context}`: {why} (`kubectl config get-contexts` lists those there are)"
            ),
            None => format!("{shown}: {why} (check `kubeconfig_file`, or name a `context`)"),
        }
    };
    let kubeconfig = match file {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let kubeconfig = kubeconfig.map_err(|error| fail(&error))?;
    let context = context.map(str::to_owned);
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let names_proxy = kubeconfig
        .clusters
        .iter()
        .any(|named| named.cluster.as_ref().is_some_and(|cluster| cluster.proxy_url.is_some()));
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|error| fail(&error))?;
    if !names_proxy {
        // The environment is not looked at, here as elsewhere.
        config.proxy_url = None;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_context_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
                    clusters: [{ name: a, cluster: { server: 'https://127.0.0.1:6443' } }]\n\
                    users: [{ name: a, user: { token: very-secret } }]\n\
                    contexts: [{ name: a, context: { cluster: a, user: a } }]\n";
        std::fs::write(&file, text).unwrap();
        let mut config = KubernetesConfig { kubeconfig_file: Some(file), ..Default::default() };
        let server = connect(&config, Duration::from_secs(1)).await.map(|c| c.server);
        assert_eq!(server.as_deref(), Ok("https://127.0.0.1:6443"));
        config.context = Some("b".to_owned());
        let error = connect(&config, Duration::from_secs(1)).await.err().unwrap();
        assert!(error.contains("context `b`") && error.contains("get-contexts"), "{error}");
        config.kubeconfig_file = Some(dir.path().join("none"));
        let error = connect(&config, Duration::from_secs(1)).await.err().unwrap();
        assert!(error.contains("none"), "{error}");
    }
}
