//! What a user writes about a Kubernetes cluster.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::KubernetesSource;
use super::names::{self, Template};
use super::selector::Selector;
use crate::http::{AuthConfig, HttpConfig, TlsConfig};
use crate::sources::{Allowance, BuildError, Settings, Source};

/// A Kubernetes cluster: Flink's own deployments (application and session mode) and those of the
/// Flink Kubernetes Operator, found and watched by the API server, each asked by its REST API.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KubernetesConfig {
    /// Name of the source; the `cluster` of its jobs.
    pub name: String,
    /// Namespaces to look into. Default: all of them, which takes a `ClusterRole`.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// File that says how to reach the API server. Default: as a pod does, by its service account;
    /// where `context` is given, `$KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig_file: Option<PathBuf>,
    /// Context of that file. Default: its current one.
    pub context: Option<String>,
    /// Labels of everything seen here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Labels of the `FlinkDeployment`, `FlinkSessionJob` or `Deployment` that become labels of its
    /// jobs, such as `team` or `example.com/team` (which becomes `example_com_team`).
    #[serde(default)]
    pub object_labels: Vec<String>,
    /// Only what carries these labels, as `kubectl -l` takes them: `team=ads,env!=dev,!batch`.
    pub selector: Option<String>,
    /// Address of Flink's web UI as people reach it, with `{{namespace}}` and `{{name}}` of the
    /// deployment. Default: the address Weir asks.
    pub ui_url: Option<String>,
    /// Address Weir asks for Flink's REST API, with `{{namespace}}` and `{{name}}`: that of an
    /// ingress, say. Default: what the `Service` of the deployment says.
    pub rest_url: Option<String>,
    /// How Weir identifies itself to Flink's REST API. To the API server it does as the kubeconfig
    /// or the service account says.
    pub auth: Option<AuthConfig>,
    /// Certificates for Flink's REST API.
    pub tls: Option<TlsConfig>,
    /// HTTP proxy on the way to Flink's REST API. The environment is not looked at.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Longest time one request to Flink or the API server may take, such as `5s`. Default:
    /// `poll.timeout`.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// Requests in a second at most, of each Flink cluster. Default: `poll.requests_per_second`.
    pub requests_per_second: Option<NonZeroU32>,
    /// Headers sent with every request to Flink's REST API.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
}

impl KubernetesConfig {
    /// What the HTTP client for Flink's REST API needs; `allowance` hold where this source has
    /// none.
    pub fn http(&self, allowance: impl Into<Allowance>) -> HttpConfig {
        let allowance = allowance.into();
        HttpConfig {
            auth: self.auth.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(self.timeout.unwrap_or(allowance.timeout)),
            headers: self.headers.clone(),
            pace: allowance.pace(self.requests_per_second),
        }
    }

    /// A client of its API server; asks nobody yet.
    ///
    /// # Errors
    /// When the kubeconfig or the service account cannot be used; the text says the way out.
    pub async fn client(&self, timeout: Duration) -> Result<kube::Client, String> {
        let timeout = self.timeout.unwrap_or(timeout);
        Ok(super::connect::connect(self, timeout).await?.client)
    }

    /// What is wrong beyond the shape, each with the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: String, hint: &str| found.push((what, hint.to_owned()));
        if self.name.is_empty() {
            add("`name` is empty".to_owned(), "name the cluster as people do");
        }
        for namespace in self.namespaces.iter().filter(|n| !names::is_namespace(n)) {
            add(
                format!("`namespaces` holds `{namespace}`, which is no name of a namespace"),
                "name them one by one; leave `namespaces` out for all of them",
            );
        }
        if self.context.as_deref() == Some("") {
            add("`context` is empty".to_owned(), "name a context, or leave it out");
        }
        for label in &self.object_labels {
            if let Err(what) = names::job_label(label) {
                add(
                    format!("`object_labels` holds `{label}`, {what}"),
                    "name keys of labels, such as `team` or `example.com/team`",
                );
            }
        }
        if let Some(Err(what)) = self.selector.as_deref().map(Selector::parse) {
            add(
                format!("`selector` cannot be read: {what}"),
                "write it as `team=ads,env!=dev,!batch`",
            );
        }
        for (key, template) in [("ui_url", &self.ui_url), ("rest_url", &self.rest_url)] {
            if let Some(Err(what)) = template.as_deref().map(Template::parse) {
                add(
                    format!("`{key}` {what}"),
                    "write it as https://{{name}}.{{namespace}}.flink.example.com/",
                );
            }
        }
        found
    }
}

impl Settings for KubernetesConfig {
    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    fn problems(&self) -> Vec<(String, String)> {
        KubernetesConfig::problems(self)
    }

    fn build(&self, allowance: Allowance, poller: &str) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(KubernetesSource::new(self.clone(), allowance, poller)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_as_documented() {
        let config: KubernetesConfig = serde_saphyr::from_str(
            "name: tke\nnamespaces: [flink]\nkubeconfig_file: /home/a/.kube/config\ncontext: tke\n\
             labels: { env: prod }\nobject_labels: [team, example.com/owner]\nselector: 'team=ads,!batch'\n\
             ui_url: 'https://flink.example.com/{{namespace}}/{{name}}/'\n\
             rest_url: 'https://{{name}}.{{namespace}}.flink.example.com'\ntimeout: 3s",
        )
        .unwrap();
        assert!(config.problems().is_empty());
        assert_eq!(config.http(Duration::from_secs(5)).timeout, Some(Duration::from_secs(3)));
        let unknown = serde_saphyr::from_str::<KubernetesConfig>("name: a\nnamespace: b");
        assert!(unknown.unwrap_err().to_string().contains("namespace"));
        let least: KubernetesConfig = serde_saphyr::from_str("name: tke").unwrap();
        assert!(least.problems().is_empty());
    }

    #[test]
    fn mistakes_are_named_with_the_way_out() {
        type Change<'c> = &'c dyn Fn(&mut KubernetesConfig);
        let with = |change: Change<'_>| {
            let mut config = KubernetesConfig { name: "tke".to_owned(), ..Default::default() };
            change(&mut config);
            config.problems()
        };
        let cases: [(Change<'_>, &str); 9] = [
            (&|c| c.name.clear(), "`name` is empty"),
            (&|c| c.namespaces = vec!["*".to_owned()], "no name of a namespace"),
            (&|c| c.context = Some(String::new()), "`context` is empty"),
            (&|c| c.object_labels = vec!["job_name".to_owned()], "Weir's own"),
            (&|c| c.object_labels = vec!["a b".to_owned()], "no key of a label"),
            (&|c| c.selector = Some("a in (b)".to_owned()), "cannot be read"),
            (&|c| c.ui_url = Some("flink.example.com".to_owned()), "`ui_url`"),
            (&|c| c.rest_url = Some("https://{{cluster}}/".to_owned()), "{{cluster}}"),
            (&|c| c.rest_url = Some("https://u:p@{{name}}/".to_owned()), "credentials"),
        ];
        for (change, what) in cases {
            let found = with(change);
            assert!(found.len() == 1 && found[0].0.contains(what), "{what}: {found:?}");
        }
    }
}
