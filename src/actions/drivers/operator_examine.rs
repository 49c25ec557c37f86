//! Whether the Flink Kubernetes Operator's resources are there, and may be patched: asked of the API
//! server, which answers without anything being done (`SelfSubjectAccessReview`).

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

use super::KubernetesAccess;
use super::examine::{Finding, MOST, NOWHERE, Sight};
use super::operator_guard::Kind;
use crate::http::one_line;

/// Longest error that is passed on, in characters.
const LONGEST: usize = 400;
const GROUP: &str = "flink.apache.org";

/// Looks at each namespace and kind of resource the jobs are made of; of those of one name, one.
pub(super) async fn examine(
    servers: &BTreeMap<String, KubernetesAccess>,
    source: Option<&str>,
    timeout: Duration,
    jobs: &[Sight],
) -> Vec<Finding> {
    let mut places: BTreeMap<(&str, &str, &str), (Kind, &str)> = BTreeMap::new();
    for job in jobs {
        let kind = Kind::of_job(&job.job, &job.cluster, &job.namespace, &job.job_name);
        let place = (source.unwrap_or(&job.cluster), job.namespace.as_str(), kind.plural());
        places.entry(place).or_insert((kind, &job.job_name));
    }
    if places.is_empty() {
        return vec![Ok(NOWHERE.to_owned())];
    }
    let mut found = Vec::new();
    for ((server, namespace, _), (kind, name)) in places.into_iter().take(MOST) {
        let looking = look(servers, server, namespace, kind, name);
        let late = || format!("{server}: no answer within {} s", timeout.as_secs());
        // Several questions, each of which may take that long.
        let looked = tokio::time::timeout(timeout * 4, looking).await;
        let looked = looked.unwrap_or_else(|_| Err(late()));
        found.push(looked.map_err(|error| one_line(&error, LONGEST)));
    }
    found
}

async fn look(
    servers: &BTreeMap<String, KubernetesAccess>,
    server: &str,
    namespace: &str,
    kind: Kind,
    name: &str,
) -> Finding {
    let access = servers.get(server).ok_or_else(|| {
        format!(
            "its jobs are shown by `{server}`, which is no source of kind kubernetes (name the one \
             whose operator runs them under `source`)"
        )
    })?;
    if namespace.is_empty() {
        return Err(format!("{name} has no namespace: no operator runs it"));
    }
    let client = access().await?;
    let said = |error: kube::Error| match error {
        // What a login program printed may hold a token.
        kube::Error::Auth(_) => format!("{server}: no credentials (check the kubeconfig)"),
        error => format!("{server}: {error} (check the API server)"),
    };
    let version = format!("{GROUP}/v1beta1");
    let kinds = match client.list_api_group_resources(&version).await {
        Ok(list) => list.resources,
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(said(error)),
    };
    if !kinds.iter().any(|known| known.name == kind.plural()) {
        return Err(format!(
            "{server} has no {} of {version} (install the operator and its CRDs)",
            kind.name()
        ));
    }
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    for (verb, role, file) in
        [("get", "weir", "read-only.yaml"), ("patch", "weir-restart", "restart.yaml")]
    {
        let review = review(verb, namespace, kind, name);
        let answer = reviews.create(&PostParams::default(), &review).await.map_err(said)?;
        if !answer.status.is_some_and(|status| status.allowed) {
            return Err(format!(
                "Weir may not {verb} {}.{GROUP} in namespace {namespace} (apply the Role `{role}` of \
                 deploy/kubernetes/{file} there)",
                kind.plural()
            ));
        }
    }
    Ok(format!("{server} lets Weir patch {} in namespace {namespace}", kind.plural()))
}

fn review(verb: &str, namespace: &str, kind: Kind, name: &str) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        group: Some(GROUP.to_owned()),
        resource: Some(kind.plural().to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}
