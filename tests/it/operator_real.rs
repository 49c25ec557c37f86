//! The driver `flink_operator` beside a real API server, with exactly the rights of `deploy/`. What the
//! operator itself would do, the test does; what happens between two requests, a line in between.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, bail, ensure};
use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use weir::actions::drivers::{Driver, DriverConfig, Finding, KubernetesAccess, Parts, Sight};
use weir::model::JobKey;
use weir::model::{LookedUp, Order, Started};

use crate::testbed::kube::Kube;
use crate::testbed::net::{Line, Served};
use crate::testbed::story::SOON;
use crate::testbed::table::Rows;
use crate::testbed::time;

const WHO: &str = "system:serviceaccount:weir:weir";
const TOKEN: &str = "weir-token";
const READ_ONLY: &str = include_str!("../../deploy/kubernetes/read-only.yaml");
const RESTART: &str = include_str!("../../deploy/kubernetes/restart.yaml");
const ALL: &str = "/apis/flink.apache.org/v1beta1/namespaces/flink";
const DEAD: &str = "0123456789abcdef0123456789abcdef";
const NEW: &str = "fedcba9876543210fedcba9876543210";
const FROM: &str = "s3://flink-state/prod/chk-42";

/// What is done to the next patch on its way.
enum Trick {
    /// Somebody else is quicker: with this, at this path.
    Before(String, Value),
    /// It arrives, and its answer does not.
    CutAfter,
    /// A field of `spec.job` the API server has never heard of is dropped, as old definitions do.
    Drop(&'static str),
}

/// Between the driver and the API server.
struct Between {
    kube: Kube,
    trick: Mutex<Option<Trick>>,
    patches: Mutex<u32>,
}

async fn forward(
    State(between): State<Arc<Between>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let token = head.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let token = token.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let mut body: Option<Value> = serde_json::from_slice(&body).ok();
    let mut trick = None;
    if head.method == Method::PATCH {
        *between.patches.lock().unwrap() += 1;
        trick = between.trick.lock().unwrap().take();
    }
    match &trick {
        Some(Trick::Before(path, change)) => {
            between.kube.admin(Method::PATCH, path, Some(change)).await.unwrap();
        }
        Some(Trick::Drop(field)) => {
            let job = body.as_mut().and_then(|body| body["spec"]["job"].as_object_mut());
            job.unwrap().remove(*field);
        }
        Some(Trick::CutAfter) | None => {}
    }
    let answer = between.kube.ask(&token, head.method, &path, body.as_ref()).await;
    if matches!(trick, Some(Trick::CutAfter)) {
        line.cut();
    }
    let Ok((status, value)) = answer else { return StatusCode::BAD_GATEWAY.into_response() };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn driver(url: String) -> Arc<dyn Driver> {
    let access: KubernetesAccess = Arc::new(move || {
        let url = url.clone();
        async move {
            let mut config = kube::Config::new(url.parse().unwrap());
            config.auth_info.token = Some(TOKEN.to_owned().into());
            // A request whose answer is lost is not sent again.
            config.default_retry = false;
            kube::Client::try_from(config).map_err(|error| error.to_string())
        }
        .boxed()
    });
    let mut parts = Parts::default();
    parts.kubernetes.insert("tke".to_owned(), access);
    let config: DriverConfig = serde_saphyr::from_str("flink_operator: { timeout: 5s }").unwrap();
    config.build(&parts).unwrap()
}

fn order(restart: u64, session: &str, name: &str) -> Order {
    Order {
        restart,
        handle: format!("{restart:032x}"),
        job: JobKey::new("tke", "flink", session, name),
        job_name: name.to_owned(),
        flink_job_name: "Main".to_owned(),
        cluster: "tke".to_owned(),
        namespace: "flink".to_owned(),
        flink_cluster: name.to_owned(),
        labels: weir::model::Labels::default(),
        dead: Some(DEAD.to_owned()),
        from: Some(FROM.to_owned()),
        version: None,
        inventory: None,
        may_cancel: true,
    }
}

/// What is found when the driver is looked over for a job.
async fn found(driver: &dyn Driver, order: &Order) -> Result<Finding> {
    let sight = Sight {
        job: order.job.clone(),
        job_name: order.job_name.clone(),
        cluster: order.cluster.clone(),
        namespace: order.namespace.clone(),
        inventory: None,
    };
    let mut found = driver.examine(&[sight]).await;
    ensure!(found.len() == 1, "{found:?}");
    Ok(found.remove(0))
}

/// A failed job, as the operator leaves it.
fn failed(kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": "flink.apache.org/v1beta1", "kind": kind,
        "metadata": { "name": name, "namespace": "flink" },
        "spec": { "deploymentName": "sess", "job": { "state": "running", "upgradeMode": "last-state" } },
        "status": said_by_operator(1, "FAILED", DEAD),
    })
}

fn said_by_operator(generation: u64, state: &str, job_id: &str) -> Value {
    json!({
        "observedGeneration": generation,
        "lifecycleState": if state == "FAILED" { "FAILED" } else { "STABLE" },
        "reconciliationStatus": { "state": "DEPLOYED" },
        "jobStatus": { "state": state, "jobId": job_id },
    })
}

fn refused(started: Started) -> Result<String> {
    match started {
        Started::Refused { error, unreadable: false } => Ok(error),
        other => bail!("not refused: {other:?}"),
    }
}

/// A policy, and waits until it counts.
async fn forbid_old_paths(kube: &Kube) -> Result<()> {
    let root = "/apis/admissionregistration.k8s.io/v1";
    let rule = json!({ "apiGroups": ["flink.apache.org"], "apiVersions": ["v1beta1"],
        "operations": ["UPDATE"], "resources": ["flinkdeployments"] });
    let is_old = "has(object.spec.job.initialSavepointPath) && \
                  object.spec.job.initialSavepointPath.startsWith('s3://old/')";
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": "frozen" },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [rule] },
            "validations": [{ "expression": format!("!({is_old})"), "reason": "Forbidden",
                "message": "that bucket is frozen" }],
        },
    });
    kube.admin(Method::POST, &format!("{root}/validatingadmissionpolicies"), Some(&policy)).await?;
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": "frozen" },
        "spec": { "policyName": "frozen", "validationActions": ["Deny"] },
    });
    let at = format!("{root}/validatingadmissionpolicybindings");
    kube.admin(Method::POST, &at, Some(&binding)).await?;
    kube.make(&failed("FlinkDeployment", "scratch")).await?;
    let change = json!({ "spec": { "job": { "initialSavepointPath": "s3://old/chk-0" } } });
    let at = format!("{ALL}/flinkdeployments/scratch");
    time::wait_for("the policy", SOON, || async {
        let (status, _) = kube.ask("admin-token", Method::PATCH, &at, Some(&change)).await?;
        // Until it counts, another change is needed for another look.
        let back = json!({ "spec": { "job": { "initialSavepointPath": null } } });
        kube.admin(Method::PATCH, &at, Some(&back)).await?;
        Ok((status >= 400).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make e2e: compiles kube-apiserver, takes many minutes"]
async fn the_operator_is_asked_once_and_with_no_more_rights_than_needed() -> Result<()> {
    weir::http::install_tls();
    let kube = Kube::start(&[(TOKEN, WHO)]).await?;
    kube.define_flink_kinds().await?;
    for name in ["flink", "weir"] {
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        kube.make(&namespace).await?;
    }
    let orders = failed("FlinkDeployment", "orders");
    for object in
        [&orders, &failed("FlinkSessionJob", "clicks"), &failed("FlinkDeployment", "views")]
    {
        kube.make(object).await?;
    }
    let mut rows = Rows::of("Kubernetes", &kube.version().await?);
    let (trick, patches) = (Mutex::new(None), Mutex::new(0));
    let between = Arc::new(Between { kube, trick, patches });
    let kube = &between.kube;
    let router = Router::new().fallback(forward).with_state(Arc::clone(&between));
    let served = Served::start(router).await?;
    let driver = driver(format!("http://{}", served.addr()));
    let at = format!("{ALL}/flinkdeployments/orders");
    let play = |trick| *between.trick.lock().unwrap() = Some(trick);
    let patches = || *between.patches.lock().unwrap();

    // Without rights it says which, and reading is not enough.
    let first = order(1, "", "orders");
    let started = time::now();
    let said = found(&*driver, &first).await?.err().context("it is well")?;
    ensure!(said.contains("may not get flinkdeployments") && said.contains("read-only"), "{said}");
    let error = refused(driver.start(&first).await)?;
    ensure!(
        error.contains("may not get flinkdeployments.flink.apache.org in namespace flink (403)")
    );
    ensure!(error.contains("read-only.yaml"), "{error}");
    ensure!(matches!(driver.look_up(&first).await, LookedUp::Undecided { .. }));
    rows.add("a restart by an account without rights", &error, time::since(started));
    kube.apply(READ_ONLY).await?;
    let error = time::wait_for("the right to read", SOON, || async {
        let error = refused(driver.start(&first).await)?;
        Ok(error.contains("may not patch").then_some(error))
    })
    .await?;
    ensure!(error.contains("restart.yaml"), "{error}");
    let said = found(&*driver, &first).await?.err().context("it is well")?;
    ensure!(said.contains("may not patch") && said.contains("restart.yaml"), "{said}");
    rows.add("a restart by an account that may only read", &error, time::since(started));
    ensure!(driver.look_up(&first).await == LookedUp::Absent, "nothing was done");

    kube.apply(RESTART).await?;
    time::wait_for("the right to restart", SOON, || async {
        match driver.start(&first).await {
            Started::Accepted { job_id: None } => Ok(Some(())),
            other => refused(other).map(|_| None),
        }
    })
    .await?;
    let said = found(&*driver, &first).await?;
    let may = "tke lets Weir patch flinkdeployments in namespace flink";
    ensure!(said.as_deref() == Ok(may), "{said:?}");
    let object = kube.admin(Method::GET, &at, None).await?;
    let nonce = object["spec"]["job"]["savepointRedeployNonce"].as_u64();
    ensure!(nonce.is_some_and(|nonce| nonce > 0), "{object:#}");
    ensure!(object["spec"]["job"]["initialSavepointPath"] == FROM, "{object:#}");
    ensure!(object["spec"]["job"]["upgradeMode"] == "last-state", "nothing else is changed");
    ensure!(object["metadata"]["annotations"]["weir/restart"] == *first.handle, "{object:#}");
    ensure!(object["metadata"]["generation"] == 2, "{object:#}");

    // The same order again changes nothing; another one has to wait for the operator.
    let sent = patches();
    ensure!(driver.start(&first).await == Started::Accepted { job_id: None });
    ensure!(driver.look_up(&first).await == LookedUp::Found { job_id: None });
    let second = order(2, "", "orders");
    ensure!(driver.look_up(&second).await == LookedUp::Absent);
    ensure!(matches!(driver.start(&second).await, Started::Alive { .. }));
    ensure!(patches() == sent, "a patch was sent");
    ensure!(kube.admin(Method::GET, &at, None).await? == object, "it was changed");

    // The operator has taken it up, and the new run has an id.
    kube.say(&orders, &said_by_operator(2, "RUNNING", NEW)).await?;
    let run = Some(NEW.to_owned());
    ensure!(driver.look_up(&first).await == LookedUp::Found { job_id: run.clone() });
    ensure!(driver.start(&first).await == Started::Accepted { job_id: run });
    let Started::Alive { seen } = driver.start(&second).await else { bail!("it runs") };
    ensure!(seen.contains(NEW), "{seen}");
    ensure!(patches() == sent, "a patch was sent");

    // It fails again; the operator writes between the look and the patch: judged anew, then done.
    kube.say(&orders, &said_by_operator(2, "FAILED", NEW)).await?;
    let second = Order { dead: Some(NEW.to_owned()), ..second };
    let note = json!({ "status": { "lifecycleState": "FAILED", "error": "{}" } });
    play(Trick::Before(format!("{at}/status"), note));
    ensure!(driver.start(&second).await == Started::Accepted { job_id: None });
    ensure!(patches() == sent + 2, "it was tried once more");
    let object = kube.admin(Method::GET, &at, None).await?;
    ensure!(object["spec"]["job"]["savepointRedeployNonce"].as_u64() != nonce, "{object:#}");
    kube.say(&orders, &said_by_operator(3, "FAILED", NEW)).await?;

    // Somebody suspends it between the look and the patch: left alone.
    let third = Order { dead: Some(NEW.to_owned()), ..order(3, "", "orders") };
    let suspended = json!({ "spec": { "job": { "state": "suspended" } } });
    play(Trick::Before(at.clone(), suspended));
    let error = refused(driver.start(&third).await)?;
    ensure!(error.contains("is suspended"), "{error}");
    ensure!(driver.look_up(&third).await == LookedUp::Absent);

    // A job of a session; its answer is lost.
    let clicks = order(4, "sess", "clicks");
    play(Trick::CutAfter);
    let started = driver.start(&clicks).await;
    ensure!(matches!(&started, Started::Unclear { .. }), "{started:?}");
    ensure!(driver.look_up(&clicks).await == LookedUp::Found { job_id: None });
    let sent = patches();
    ensure!(driver.start(&clicks).await == Started::Accepted { job_id: None });
    ensure!(patches() == sent, "it was restarted twice");
    let path = format!("{ALL}/flinksessionjobs/clicks");
    let object = kube.admin(Method::GET, &path, None).await?;
    ensure!(object["metadata"]["generation"] == 2, "{object:#}");

    // Somebody's own rules for such changes.
    forbid_old_paths(kube).await?;
    let views = order(7, "", "views");
    let old = Order { from: Some("s3://old/chk-1".to_owned()), ..views };
    let asked = time::now();
    let error = refused(driver.start(&old).await)?;
    ensure!(error.contains("denied request: that bucket is frozen"), "{error}");
    ensure!(!error.contains("restart.yaml"), "{error}");
    rows.add("a restart that a policy of the cluster denies", &error, time::since(asked));

    // Definitions that do not know the field; a job nobody knows; an API server that is gone.
    play(Trick::Drop("savepointRedeployNonce"));
    let error = refused(driver.start(&order(5, "", "views")).await)?;
    ensure!(error.contains("no `savepointRedeployNonce`"), "{error}");
    let asked = time::now();
    let error = refused(driver.start(&order(6, "", "nobody")).await)?;
    ensure!(error.contains("there is no FlinkDeployment flink/nobody (404)"), "{error}");
    rows.add("a restart of a job the operator does not run", &error, time::since(asked));
    drop(served);
    let error = refused(driver.start(&first).await)?;
    ensure!(error.contains("check the API server"), "{error}");
    ensure!(matches!(driver.look_up(&first).await, LookedUp::Undecided { .. }));
    drop(driver);
    let between = Arc::into_inner(between).context("the line is still held")?;
    between.kube.stop().await?;
    rows.write()
}
