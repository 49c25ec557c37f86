//! A job of the Flink Kubernetes Operator: a new nonce in its `FlinkDeployment` or `FlinkSessionJob`,
//! patched on the version that was judged. The operator then replaces the run itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::core::Status;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::operator_examine;
use super::operator_guard::{self as guard, Kind, Verdict};
use super::{
    BuildError, Driver, Finding, KubernetesAccess, LookedUp, Order, Parts, Settings, Sight,
    Started, Traits,
};
use crate::http::one_line;

/// The API server answers at once, or something is wrong.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The operator writes its status all the time: a patch that comes too late is judged anew.
const TRIES: u32 = 5;
/// Longest error that is passed on, in characters.
const LONGEST: usize = 400;

/// A job of the Flink Kubernetes Operator.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Source of kind `kubernetes` whose API server has it. Default: the one that shows the job.
    pub source: Option<String>,
    /// Longest time of one request. Default: 10s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

impl Settings for Config {
    fn traits(&self) -> Traits {
        Traits { in_place: true, ..Traits::default() }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let zero = self.timeout.is_some_and(|timeout| timeout.is_zero());
        let zero = zero.then_some(("`timeout` is zero", "write a time such as 10s"));
        zero.into_iter().map(|(what, hint)| (what.to_owned(), hint.to_owned())).collect()
    }

    fn build(&self, parts: &Parts) -> Result<Arc<dyn Driver>, BuildError> {
        if let Some(name) = &self.source
            && !parts.kubernetes.contains_key(name)
        {
            let known = parts.kubernetes.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(BuildError(format!(
                "no source of kind kubernetes is named `{name}` (there are: {known})"
            )));
        }
        Ok(Arc::new(FlinkOperator {
            source: self.source.clone(),
            timeout: self.timeout.unwrap_or(TIMEOUT),
            servers: parts.kubernetes.clone(),
        }))
    }
}

struct FlinkOperator {
    source: Option<String>,
    timeout: Duration,
    servers: BTreeMap<String, KubernetesAccess>,
}

/// A request that failed.
enum Failed {
    /// What the API server said.
    Said(Box<Status>),
    /// It said nothing.
    Silent(String),
}

/// One resource, and the way to it.
struct Resource<'a> {
    api: Api<DynamicObject>,
    kind: Kind,
    order: &'a Order,
    timeout: Duration,
}

impl FlinkOperator {
    async fn resource<'a>(&self, order: &'a Order) -> Result<Resource<'a>, String> {
        let name = self.source.as_ref().unwrap_or(&order.cluster);
        let access = self.servers.get(name).ok_or_else(|| {
            format!(
                "{} is shown by `{name}`, which is no source of kind kubernetes (name the one whose \
                 operator runs it under `source`)",
                order.job
            )
        })?;
        if order.namespace.is_empty() {
            return Err(format!("{} has no namespace: no operator runs it", order.job));
        }
        let client = match tokio::time::timeout(self.timeout, access()).await {
            Ok(client) => client.map_err(|error| one_line(&error, LONGEST))?,
            Err(_) => return Err(format!("no credentials for {name} in time")),
        };
        let kind = Kind::of(order);
        let gvk = GroupVersionKind::gvk("flink.apache.org", "v1beta1", kind.name());
        let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural());
        let api = Api::namespaced_with(client, &order.namespace, &resource);
        Ok(Resource { api, kind, order, timeout: self.timeout })
    }

    async fn begin(&self, order: &Order) -> Result<Started, Started> {
        let refused = |error: String| Started::Refused { error, unreadable: false };
        let resource = self.resource(order).await.map_err(refused)?;
        for _ in 0..TRIES {
            let object = resource.read().await;
            let object = object.map_err(|failed| refused(resource.explain("get", &failed)))?;
            let (patch, nonce_at, nonce) = match guard::judge(&object, order, resource.kind) {
                Verdict::Marked => return Ok(accepted(&object, order)),
                Verdict::Leave(why) => return Err(why),
                Verdict::Patch { patch, nonce_at, nonce } => (patch, nonce_at, nonce),
            };
            match resource.patch(&patch).await {
                Ok(object) if object.pointer(nonce_at).and_then(Value::as_u64) == Some(nonce) => {
                    return Ok(Started::Accepted { job_id: None });
                }
                Ok(_) => {
                    let field = nonce_at.rsplit('/').next().unwrap_or_default();
                    return Err(refused(format!(
                        "this operator's {} has no `{field}` (upgrade it and its CRDs)",
                        resource.kind.name()
                    )));
                }
                Err(Failed::Said(status)) if status.code == 409 => {}
                Err(failed) => {
                    let error = resource.explain("patch", &failed);
                    return Err(if is_refusal(&failed) {
                        refused(error)
                    } else {
                        Started::Unclear { error }
                    });
                }
            }
        }
        Err(refused(format!(
            "{} {}/{} was changed by others each time it was to be patched (try again)",
            resource.kind.name(),
            order.namespace,
            order.job_name
        )))
    }
}

fn accepted(object: &Value, order: &Order) -> Started {
    Started::Accepted { job_id: settled_run(object, order) }
}

/// The run of this restart, once the operator has taken the change up.
fn settled_run(object: &Value, order: &Order) -> Option<String> {
    let is_done = object["metadata"]["generation"] == object["status"]["observedGeneration"]
        && object["status"]["reconciliationStatus"]["state"] == "DEPLOYED";
    is_done.then(|| guard::new_run(object, order)).flatten()
}

/// The API server has surely not done it.
fn is_refusal(failed: &Failed) -> bool {
    match failed {
        // A webhook that fails lets nothing through, whatever its status.
        Failed::Said(status) => {
            (400..500).contains(&status.code) || status.message.contains("failed calling webhook")
        }
        Failed::Silent(_) => false,
    }
}

impl Resource<'_> {
    async fn read(&self) -> Result<Value, Failed> {
        self.ask(self.api.get(&self.order.job_name)).await
    }

    async fn patch(&self, patch: &Value) -> Result<Value, Failed> {
        let params = PatchParams { field_manager: Some("weir".to_owned()), ..Default::default() };
        self.ask(self.api.patch(&self.order.job_name, &params, &Patch::Merge(patch))).await
    }

    async fn ask(
        &self,
        asking: impl Future<Output = kube::Result<DynamicObject>>,
    ) -> Result<Value, Failed> {
        let silent = |why: &str| Failed::Silent(one_line(why, 200));
        match tokio::time::timeout(self.timeout, asking).await {
            Ok(Ok(object)) => serde_json::to_value(object).map_err(|e| silent(&e.to_string())),
            Ok(Err(kube::Error::Api(status))) => Err(Failed::Said(status)),
            // What a login program printed may hold a token.
            Ok(Err(kube::Error::Auth(error))) => {
                let said = error.to_string();
                Err(silent(said.split(": Output").next().unwrap_or_default()))
            }
            Ok(Err(error)) => Err(silent(&error.to_string())),
            Err(_) => Err(silent(&format!("no answer within {} s", self.timeout.as_secs()))),
        }
    }

    fn explain(&self, verb: &str, failed: &Failed) -> String {
        explain(self.kind, self.order, verb, failed)
    }
}

/// What went wrong, and the way out.
fn explain(kind: Kind, order: &Order, verb: &str, failed: &Failed) -> String {
    let (name, plural, namespace) = (kind.name(), kind.plural(), &order.namespace);
    let at = format!("{name} {namespace}/{}", order.job_name);
    let status = match failed {
        Failed::Silent(why) => {
            let text = format!("cannot {verb} {at}: {why} (check the API server)");
            return one_line(&text, LONGEST);
        }
        Failed::Said(status) => status,
    };
    let said = one_line(&status.message, 240);
    // Whoever checks changes may answer 403 too; of rights it is `User "x" cannot patch resource …`.
    let of_rights = said.contains(&format!(" cannot {verb} resource "));
    let text = match status.code {
        401 => {
            "the API server refuses Weir's credentials (401) (check those of the kubeconfig, or of \
                the pod's service account)"
                .to_owned()
        }
        403 if of_rights => {
            let (role, file) = match verb {
                "get" => ("weir", "read-only.yaml"),
                _ => ("weir-restart", "restart.yaml"),
            };
            format!(
                "Weir may not {verb} {plural}.flink.apache.org in namespace {namespace} (403) (apply \
                 the Role `{role}` of deploy/kubernetes/{file} there)"
            )
        }
        404 => format!(
            "there is no {at} (404): this driver restarts what the Flink Kubernetes Operator runs"
        ),
        code => format!("cannot {verb} {at}: the API server answered {code}: {said}"),
    };
    one_line(&text, LONGEST)
}

impl Driver for FlinkOperator {
    fn start<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Started> {
        self.begin(order).map(|begun| begun.unwrap_or_else(|ended| ended)).boxed()
    }

    fn examine<'a>(&'a self, jobs: &'a [Sight]) -> BoxFuture<'a, Vec<Finding>> {
        let source = self.source.as_deref();
        operator_examine::examine(&self.servers, source, self.timeout, jobs).boxed()
    }

    fn look_up<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, LookedUp> {
        async move {
            let resource = match self.resource(order).await {
                Ok(resource) => resource,
                Err(error) => return LookedUp::Undecided { error },
            };
            match resource.read().await {
                Ok(object) if guard::is_marked(&object, order) => {
                    LookedUp::Found { job_id: settled_run(&object, order) }
                }
                Ok(_) => LookedUp::Absent,
                Err(failed) => LookedUp::Undecided { error: resource.explain("get", &failed) },
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, message: &str) -> Failed {
        Failed::Said(Box::new(Status { code, message: message.to_owned(), ..Status::default() }))
    }

    #[test]
    fn only_what_was_surely_not_done_is_refused() {
        for (failed, expected) in [
            (said(400, "admission webhook \"v\" denied the request: bad"), true),
            (said(403, "flinkdeployments is forbidden"), true),
            (said(422, "invalid"), true),
            (said(429, "too many requests"), true),
            (said(500, "failed calling webhook \"validation.flink.apache.org\": refused"), true),
            (said(500, "etcdserver: request timed out"), false),
            (said(503, "apiserver is shutting down"), false),
            (said(504, "timeout"), false),
            (Failed::Silent("no answer within 10 s".to_owned()), false),
        ] {
            let text = match &failed {
                Failed::Said(status) => status.message.clone(),
                Failed::Silent(why) => why.clone(),
            };
            assert_eq!(is_refusal(&failed), expected, "{text}");
        }
    }

    #[test]
    fn what_is_refused_is_told_with_the_way_out() {
        let order = super::guard::tests::order(None);
        let rights = "flinkdeployments.flink.apache.org \"orders\" is forbidden: User \"u\" cannot \
                      patch resource \"flinkdeployments\" in API group \"flink.apache.org\"";
        let policy = "flinkdeployments.flink.apache.org \"orders\" is forbidden: \
                      ValidatingAdmissionPolicy 'p' with binding 'p' denied request: not at night";
        for (verb, failed, text) in [
            ("patch", said(403, rights), "Role `weir-restart` of deploy/kubernetes/restart.yaml"),
            ("get", said(403, &rights.replace("patch", "get")), "`weir` of deploy/kubernetes/read"),
            ("patch", said(403, policy), "answered 403: flinkdeployments"),
            ("patch", said(422, policy), "denied request: not at night"),
            ("get", said(404, "not found"), "there is no FlinkDeployment flink/orders (404)"),
            ("get", said(401, "Unauthorized"), "refuses Weir's credentials (401)"),
            ("patch", Failed::Silent("no answer within 10 s".to_owned()), "check the API server"),
        ] {
            let told = explain(Kind::Deployment, &order, verb, &failed);
            assert!(told.contains(text), "{told}");
        }
    }

    #[test]
    fn mistakes_are_told_with_the_way_out() {
        let config = |text: &str| serde_saphyr::from_str::<Config>(text).unwrap();
        assert!(config("{}").problems().is_empty() && config("{}").traits().in_place);
        assert_eq!(config("{ timeout: 0s }").problems().len(), 1);
        let error = config("{ source: tke }").build(&Parts::default()).err().unwrap();
        assert!(error.0.contains("no source of kind kubernetes is named `tke`"), "{error}");
        assert!(serde_saphyr::from_str::<Config>("{ namespace: flink }").is_err());
    }
}
