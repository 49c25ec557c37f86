use super::*;

pub(in crate::actions::drivers) fn order(from: Option<&str>) -> Order {
    Order {
        restart: 1,
        handle: "ab".repeat(16),
        job: JobKey::new("tke", "flink", "", "orders"),
        job_name: "orders".to_owned(),
        flink_job_name: "Main".to_owned(),
        cluster: "tke".to_owned(),
        namespace: "flink".to_owned(),
        flink_cluster: "orders".to_owned(),
        labels: crate::model::Labels::default(),
        dead: Some("cd".repeat(16)),
        from: from.map(str::to_owned),
        version: None,
        inventory: None,
        may_cancel: true,
    }
}

/// A failed job the operator has left alone.
fn failed() -> Value {
    json!({
        "metadata": { "name": "orders", "namespace": "flink", "generation": 4, "resourceVersion": "99" },
        "spec": {
            "restartNonce": 7,
            "job": { "state": "running", "upgradeMode": "last-state", "savepointRedeployNonce": 3 },
            "flinkConfiguration": { "taskmanager.numberOfTaskSlots": "2" },
        },
        "status": {
            "observedGeneration": 4,
            "lifecycleState": "FAILED",
            "reconciliationStatus": { "state": "DEPLOYED" },
            "jobStatus": { "state": "FAILED", "jobId": "cd".repeat(16) },
        },
    })
}

/// `failed()` with this put at a JSON pointer's place.
fn with(pointer: &str, value: &Value) -> Value {
    let mut object = failed();
    let parts: Vec<String> =
        pointer.split('/').skip(1).map(|part| part.replace("~1", "/")).collect();
    let mut place = &mut object;
    for part in parts {
        place = &mut place[part];
    }
    *place = value.clone();
    object
}

/// `refused`, `alive`, `patch` or `marked`, and the text.
fn said(object: &Value, order: &Order, kind: Kind) -> (&'static str, String) {
    match judge(object, order, kind) {
        Verdict::Marked => ("marked", String::new()),
        Verdict::Patch { patch, .. } => ("patch", patch.to_string()),
        Verdict::Leave(Started::Refused { error, .. }) => ("refused", error),
        Verdict::Leave(Started::Alive { seen }) => ("alive", seen),
        Verdict::Leave(other) => panic!("{other:?}"),
    }
}

#[test]
fn whatever_could_start_a_second_run_or_lose_state_is_left_alone() {
    let other = json!("ee".repeat(16));
    let table = [
        ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"), "refused", "being deleted"),
        (
            "/metadata/ownerReferences",
            json!([{ "kind": "FlinkBlueGreenDeployment", "name": "orders" }]),
            "refused",
            "FlinkBlueGreenDeployment",
        ),
        (
            "/metadata/labels",
            json!({ "flink/blue-green-deployment-type": "Blue" }),
            "refused",
            "FlinkBlueGreenDeployment",
        ),
        ("/spec/job", Value::Null, "refused", "session cluster"),
        ("/spec/job/state", json!("suspended"), "refused", "suspended"),
        (
            "/spec/flinkConfiguration",
            json!({ "kubernetes.operator.job.restart.failed": "true" }),
            "refused",
            "`kubernetes.operator.job.restart.failed` is on",
        ),
        (
            "/spec/flinkConfiguration",
            json!({ "kubernetes": { "operator": { "cluster.health-check": { "enabled": true } } } }),
            "refused",
            "`kubernetes.operator.cluster.health-check.enabled` is on",
        ),
        (
            "/spec/flinkConfiguration",
            json!({ "kubernetes.operator": { "job.restart.failed": "false" } }),
            "patch",
            "",
        ),
        ("/metadata/generation", json!(5), "alive", "not yet taken up"),
        ("/status/observedGeneration", Value::Null, "alive", "not yet taken up"),
        ("/status", Value::Null, "alive", "not yet taken up"),
        ("/status/reconciliationStatus/state", json!("UPGRADING"), "alive", "UPGRADING"),
        ("/status/reconciliationStatus/state", json!("ROLLING_BACK"), "alive", "ROLLING_BACK"),
        ("/status/reconciliationStatus/state", json!("ROLLED_BACK"), "patch", ""),
        ("/status/lifecycleState", json!("UPGRADING"), "alive", "UPGRADING"),
        ("/status/lifecycleState", json!("CREATED"), "alive", "CREATED"),
        ("/status/lifecycleState", json!("SUSPENDED"), "alive", "SUSPENDED"),
        ("/status/lifecycleState", json!("OF_TOMORROW"), "alive", "OF_TOMORROW"),
        ("/status/lifecycleState", json!("STABLE"), "patch", ""),
        ("/status/jobStatus/state", json!("CANCELED"), "refused", "cancelled"),
        ("/status/jobStatus/state", json!("FINISHED"), "refused", "finished"),
        // The operator looks once a minute: the dead run may still be called running.
        ("/status/jobStatus/state", json!("RUNNING"), "patch", ""),
        ("/status/jobStatus/state", json!("RECONCILING"), "patch", ""),
        (
            "/status/jobStatus",
            json!({ "state": "RUNNING", "jobId": other }),
            "alive",
            "RUNNING as eeee",
        ),
        (
            "/status/jobStatus",
            json!({ "state": "OF_TOMORROW", "jobId": other }),
            "alive",
            "OF_TOMORROW as eeee",
        ),
        ("/status/jobStatus", json!({ "state": "FAILED", "jobId": other }), "patch", ""),
        ("/status/jobStatus", Value::Null, "patch", ""),
        ("/spec/job/upgradeMode", json!("stateless"), "patch", ""),
        ("/metadata/annotations", json!({ "weir/restart": "ab".repeat(16) }), "marked", ""),
        ("/metadata/annotations", json!({ "weir/restart": "of another one" }), "patch", ""),
    ];
    let order = order(Some("s3://b/chk-7"));
    assert_eq!(said(&failed(), &order, Kind::Deployment).0, "patch");
    for (pointer, value, expected, text) in table {
        let (verdict, says) = said(&with(pointer, &value), &order, Kind::Deployment);
        assert_eq!(verdict, expected, "{pointer} = {value}: {says}");
        assert!(says.contains(text), "{pointer} = {value}: {says}");
    }
}

#[test]
fn a_marked_resource_is_never_patched_again() {
    // Whatever became of it meanwhile.
    for (pointer, value) in [
        ("/spec/restartNonce", json!(12)),
        ("/status/jobStatus/state", json!("FAILED")),
        ("/metadata/generation", json!(9)),
        ("/spec/job/state", json!("suspended")),
    ] {
        let mut object = with(pointer, &value);
        object["metadata"]["annotations"] = json!({ "weir/restart": "ab".repeat(16) });
        assert_eq!(judge(&object, &order(None), Kind::Deployment), Verdict::Marked, "{pointer}");
    }
}

#[test]
fn from_a_path_the_operator_is_told_to_deploy_anew_from_it() {
    let order = order(Some("s3://b/chk-7"));
    let Verdict::Patch { patch, nonce_at, nonce } = judge(&failed(), &order, Kind::Deployment)
    else {
        panic!("not patched");
    };
    assert_eq!(patch.pointer(nonce_at).and_then(Value::as_u64), Some(nonce));
    assert_eq!(
        patch,
        json!({
            "metadata": { "resourceVersion": "99", "annotations": { "weir/restart": order.handle } },
            "spec": { "job": {
                "initialSavepointPath": "s3://b/chk-7", "savepointRedeployNonce": nonce,
            } },
        })
    );
}

#[test]
fn from_nothing_only_what_keeps_no_state_is_restarted() {
    let order = order(None);
    for (mode, expected) in [
        (json!("last-state"), "refused"),
        (json!("savepoint"), "refused"),
        (json!("stateless"), "patch"),
        (Value::Null, "patch"),
    ] {
        let object = with("/spec/job/upgradeMode", &mode);
        assert_eq!(said(&object, &order, Kind::Deployment).0, expected, "{mode}");
    }
    let stateless = with("/spec/job/upgradeMode", &json!("stateless"));
    let Verdict::Patch { patch, nonce_at, nonce } = judge(&stateless, &order, Kind::Deployment)
    else {
        panic!("not patched");
    };
    assert_eq!(nonce_at, "/spec/restartNonce");
    assert_eq!(patch["spec"], json!({ "restartNonce": nonce }));
}

#[test]
fn a_session_job_is_the_one_of_its_session() {
    let mut order = order(Some("s3://b/chk-7"));
    assert_eq!(Kind::of(&order), Kind::Deployment);
    order.job = JobKey::new("tke", "flink", "sess", "orders");
    assert_eq!(Kind::of(&order), Kind::SessionJob);
    let object = with("/spec/deploymentName", &json!("sess"));
    assert_eq!(said(&object, &order, Kind::SessionJob).0, "patch");
    let object = with("/spec/deploymentName", &json!("other"));
    assert_eq!(said(&object, &order, Kind::SessionJob).0, "refused");
}

#[test]
fn a_nonce_goes_with_its_handle() {
    assert_ne!(nonce("a"), nonce("b"));
    for n in 0..2_000 {
        let nonce = nonce(&format!("{n:032x}"));
        assert!((1..=MOST).contains(&nonce), "{nonce}");
    }
    // Its mark is gone, with all annotations: the nonce tells.
    let order = order(Some("s3://b/chk-7"));
    let at = "/spec/job/savepointRedeployNonce";
    let object = with(at, &json!(nonce(&order.handle)));
    assert_eq!(judge(&object, &order, Kind::Deployment), Verdict::Marked);
    let other = with(at, &json!(nonce("another one")));
    assert_eq!(said(&other, &order, Kind::Deployment).0, "patch");
}
