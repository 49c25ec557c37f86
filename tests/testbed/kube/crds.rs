//! The kinds of the Flink Kubernetes Operator: names, scope and subresources are real, the fields
//! are whatever is written.

use std::time::Duration;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::time;
use super::Kube;

/// Kind, plural, short names.
const KINDS: [(&str, &str, &[&str]); 4] = [
    ("FlinkDeployment", "flinkdeployments", &["flinkdep"]),
    ("FlinkSessionJob", "flinksessionjobs", &["sessionjob"]),
    ("FlinkStateSnapshot", "flinkstatesnapshots", &["flinksnp"]),
    ("FlinkBlueGreenDeployment", "flinkbluegreendeployments", &["flinkbgdep"]),
];
const GROUP: &str = "flink.apache.org";
const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const SOON: Duration = Duration::from_mins(1);

impl Kube {
    /// Defines the operator's kinds and waits until they are served.
    ///
    /// # Errors
    /// When they are refused, or there already.
    pub(crate) async fn define_flink_kinds(&self) -> Result<()> {
        for (kind, plural, short) in KINDS {
            self.admin(Method::POST, PATH, Some(&definition(kind, plural, short))).await?;
        }
        for (_, plural, _) in KINDS {
            let path = format!("/apis/{GROUP}/v1beta1/{plural}");
            time::wait_for(plural, SOON, || async {
                self.admin(Method::GET, &path, None).await.map(Some)
            })
            .await?;
        }
        Ok(())
    }
}

fn definition(kind: &str, plural: &str, short: &[&str]) -> Value {
    let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{GROUP}") },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "plural": plural,
                "singular": kind.to_lowercase(),
                "shortNames": short,
            },
            "versions": [{
                "name": "v1beta1",
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": { "spec": anything, "status": anything },
                } },
            }],
        },
    })
}
