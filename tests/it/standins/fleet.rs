use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::client;
use crate::testbed::fleet::{
    Failure, Fault, Fleet, FleetOptions, Kind, Recovery, VERTICES, Version,
};
use crate::testbed::time;

/// 2026-11-21, and one second after a checkpoint.
const T0: i64 = 1_795_219_700_000;

fn options(version: Version) -> FleetOptions {
    FleetOptions {
        versions: vec![version],
        age_ms: 61_000,
        virtual_now_ms: Some(T0),
        ..FleetOptions::default()
    }
}

async fn start(version: Version) -> Fleet {
    Fleet::start(options(version)).await.unwrap()
}

async fn get(fleet: &Fleet, path: &str) -> Value {
    let response = client().get(format!("{}{path}", fleet.url(0))).send().await.unwrap();
    response.json().await.unwrap()
}

fn recorded(version: Version, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let path = path.join(format!("flink-{version}")).join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
}

/// Every key with its path and the type of its value, rows of arrays taken together.
fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, out: &mut BTreeSet<String>) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(items) => {
                for item in items {
                    walk(item, &format!("{path}[]"), out);
                }
                "array"
            }
            Value::Object(map) => {
                map.iter().for_each(|(k, v)| walk(v, &format!("{path}/{k}"), out));
                "object"
            }
        };
        out.insert(format!("{path}: {kind}"));
    }
    let mut out = BTreeSet::new();
    walk(value, "", &mut out);
    out
}

#[track_caller]
fn same_shape(ours: &Value, real: &Value, what: &str) {
    let (ours, real) = (shape(ours), shape(real));
    let missing: Vec<_> = real.difference(&ours).collect();
    let invented: Vec<_> = ours.difference(&real).collect();
    assert!(missing.is_empty() && invented.is_empty(), "{what}: {missing:?} / {invented:?}");
}

#[tokio::test]
async fn answers_have_the_recorded_keys() {
    for version in [Version::V1_20, Version::V2_2] {
        let fleet = start(version).await;
        let jid = fleet.jid(0, 0);
        let job = format!("/jobs/{jid}");
        let v0 = VERTICES[0].0;
        let ids = recorded(version, "job-metric-ids");
        let ids: BTreeSet<_> =
            ids.as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
        let all = ids.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let cases = [
            ("config", "/config".to_owned()),
            ("overview", "/v1/overview".to_owned()),
            ("jobs-overview", "/jobs/overview".to_owned()),
            ("jobs", "/jobs".to_owned()),
            ("taskmanagers", "/taskmanagers".to_owned()),
            ("job-running", job.clone()),
            ("job-status", format!("{job}/status")),
            ("job-metrics", format!("{job}/metrics?get={all}")),
            ("job-metric-ids", format!("/v1{job}/metrics")),
            ("checkpoints-config", format!("{job}/checkpoints/config")),
            ("exceptions-none", format!("{job}/exceptions?maxExceptions=5")),
            ("jobmanager-metrics", "/jobmanager/metrics?get=Status.JVM.Memory.Heap.Used%2CStatus.JVM.Memory.Heap.Max,taskSlotsAvailable,numRunningJobs".to_owned()),
            ("subtask-metrics", format!("{job}/vertices/{v0}/subtasks/metrics?get=numRecordsInPerSecond,busyTimeMsPerSecond&agg=sum,max,min,avg")),
            ("job-unknown", "/jobs/00000000000000000000000000000000".to_owned()),
            ("no-such-path", "/nosuch".to_owned()),
        ];
        for (name, path) in cases {
            let what = format!("{version} {name}");
            same_shape(&get(&fleet, &path).await, &recorded(version, name), &what);
        }
        let ours = get(&fleet, &format!("{job}/metrics")).await;
        let ours: BTreeSet<_> =
            ours.as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ours, ids, "metric ids of {version}");

        let boom = Failure::new("java.lang.IllegalStateException", "boom");
        fleet.fail_job(0, 0, &boom, Recovery::AtOnce);
        let what = format!("{version} checkpoints");
        let real = recorded(version, "checkpoints-restored");
        same_shape(&get(&fleet, &format!("{job}/checkpoints")).await, &real, &what);
        fleet.kill_job(0, 0, &boom);
        let what = format!("{version} exceptions");
        let real = recorded(version, "exceptions-gave-up");
        same_shape(&get(&fleet, &format!("{job}/exceptions")).await, &real, &what);
        let ended = get(&fleet, &format!("{job}/metrics?get={all}")).await;
        assert_eq!(ended, recorded(version, "job-metrics-ended"));
    }
}

#[tokio::test]
async fn a_job_without_any_checkpoint_has_the_recorded_keys() {
    for version in [Version::V1_20, Version::V2_2] {
        let slow = Some(3_600_000);
        let options = FleetOptions { checkpoint_interval_ms: slow, ..options(version) };
        let fleet = Fleet::start(options).await.unwrap();
        fleet.fail_checkpoint(0, 0, "Checkpoint Coordinator is suspending.");
        let ours = get(&fleet, &format!("/jobs/{}/checkpoints", fleet.jid(0, 0))).await;
        same_shape(&ours, &recorded(version, "checkpoints-failed"), "no checkpoint");
    }
}

#[tokio::test]
async fn versions_differ_where_flink_differs() {
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let oldest = start("1.15.4".parse().unwrap()).await;
    let newest = start("2.3.0".parse().unwrap()).await;
    let (old_job, new_job) =
        (format!("/jobs/{}", oldest.jid(0, 0)), format!("/jobs/{}", newest.jid(0, 0)));
    assert!(get(&oldest, &format!("{old_job}/status")).await["errors"].is_array());
    assert_eq!(get(&newest, &format!("{new_job}/status")).await["status"], "RUNNING");
    let old = get(&oldest, &format!("{old_job}/exceptions")).await;
    assert!(keys(&old).contains("root-exception"));
    let new = get(&newest, &format!("{new_job}/exceptions")).await;
    assert!(!keys(&new).contains("root-exception"));
    let old = get(&oldest, "/jobs/overview").await;
    assert!(!keys(&old["jobs"][0]).contains("pending-operators"));
    let new = get(&newest, "/jobs/overview").await;
    assert!(keys(&new["jobs"][0]).contains("schedulerType"));
    let ask = "metrics?get=numRestarts,fullRestarts,numRescales,lastCompletedCheckpointId";
    let ids = |v: Value| -> Vec<String> {
        v.as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        ids(get(&oldest, &format!("{old_job}/{ask}")).await),
        ["numRestarts", "fullRestarts"]
    );
    assert_eq!(
        ids(get(&newest, &format!("{new_job}/{ask}")).await),
        ["numRestarts", "numRescales", "lastCompletedCheckpointId"]
    );
}

#[tokio::test]
async fn a_life_of_a_job() {
    let fleet = start(Version::V2_2).await;
    let jid = fleet.jid(0, 0);
    let boom = Failure::new("java.lang.IllegalStateException", "boom");
    let state = async || get(&fleet, &format!("/jobs/{jid}/status")).await["status"].clone();
    let metric = async |id: &str| {
        let answer = get(&fleet, &format!("/jobs/{jid}/metrics?get={id}")).await;
        answer[0]["value"].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(metric("numberOfCompletedCheckpoints").await, "6");
    fleet.set_now(T0 + 10_000);
    assert_eq!(metric("lastCompletedCheckpointId").await, "7");

    let changed = fleet.fail_job(0, 0, &boom, Recovery::AfterMs(1000));
    assert_eq!(fleet.mark(0, 0).unwrap().shown_ms, None);
    assert_eq!(state().await, "RESTARTING");
    assert!(fleet.mark(0, 0).unwrap().shown_ms.unwrap() >= changed);
    assert_eq!(metric("numRestarts").await, "1");
    fleet.set_now(T0 + 11_000);
    assert_eq!(state().await, "RUNNING");
    fleet.set_now(T0 + 22_000);
    let checkpoints = get(&fleet, &format!("/jobs/{jid}/checkpoints")).await;
    assert_eq!(checkpoints["latest"]["restored"]["id"], 7);
    assert_eq!(checkpoints["latest"]["completed"]["id"], 8);
    let path = format!("file:/data/flink/ck/{jid}/chk-8");
    assert_eq!(checkpoints["latest"]["completed"]["external_path"], path.as_str());

    fleet.fail_job(0, 0, &boom, Recovery::Never);
    fleet.set_now(T0 + 122_000);
    assert_eq!(state().await, "RESTARTING");
    assert_eq!(metric("restartingTime").await, "100000");
    fleet.recover_job(0, 0);
    assert_eq!(state().await, "RUNNING");
    fleet.set_now(T0 + 134_000);
    assert_eq!(metric("lastCompletedCheckpointId").await, "9");

    fleet.freeze_checkpoints(0, 0);
    fleet.set_now(T0 + 600_000);
    let checkpoints = get(&fleet, &format!("/jobs/{jid}/checkpoints")).await;
    assert_eq!(checkpoints["counts"]["in_progress"], 1);
    assert_eq!(checkpoints["latest"]["completed"]["id"], 9);
    assert_eq!(checkpoints["history"][0]["status"], "IN_PROGRESS");

    fleet.freeze_metrics(0);
    fleet.kill_job(0, 0, &boom);
    assert_eq!(metric("numRestarts").await, "2", "a frozen store still answers");
    fleet.thaw_metrics(0);
    assert_eq!(metric("numRestarts").await, "none");
    assert_eq!(state().await, "FAILED");
    let newest = get(&fleet, &format!("/jobs/{jid}/exceptions?maxExceptions=1")).await;
    assert_eq!(newest["exceptionHistory"]["truncated"], true);
    let trace = newest["exceptionHistory"]["entries"][0]["stacktrace"].as_str().unwrap();
    assert!(trace.contains("Recovery is suppressed") && trace.contains("Caused by: java.lang"));

    let again = fleet.restart_job(0, 0);
    assert_ne!(again, jid);
    let overview = get(&fleet, "/jobs/overview").await;
    assert_eq!(overview["jobs"][0]["jid"], again.as_str());
    assert_eq!(
        (&overview["jobs"][1]["state"], &overview["jobs"][0]["state"]),
        (&"FAILED".into(), &"RUNNING".into())
    );
    fleet.forget_job(0, &jid);
    assert!(get(&fleet, &format!("/jobs/{jid}")).await["errors"].is_array());
    fleet.submit_again(0, 0);
    let overview = get(&fleet, "/jobs/overview").await;
    assert_eq!(overview["jobs"].as_array().unwrap().len(), 2, "two live runs of one job");
    fleet.finish_job(0, 0);
    assert_eq!(get(&fleet, "/overview").await["jobs-finished"], 1);
}

#[tokio::test]
async fn backlog_appears_when_it_is_reported() {
    let fleet = start(Version::V1_20).await;
    let path = format!(
        "/jobs/{}/vertices/{}/subtasks/metrics?get=busyTimeMsPerSecond,Source__orders.pendingRecords&agg=sum",
        fleet.jid(0, 0),
        VERTICES[0].0
    );
    assert_eq!(get(&fleet, &path).await, serde_json::json!([]), "one unknown id empties it all");
    fleet.set_backlog(0, 0, Some(5000));
    assert_eq!(
        get(&fleet, &path).await[1],
        serde_json::json!({ "id": "Source__orders.pendingRecords", "sum": 5000.0 })
    );
}

#[tokio::test]
async fn the_metric_store_lags_like_flinks() {
    let lag = FleetOptions { metrics_update_ms: 10_000, ..options(Version::V1_20) };
    let fleet = Fleet::start(lag).await.unwrap();
    let path = format!("/jobs/{}/metrics?get=numRestarts", fleet.jid(0, 0));
    let restarts = async || get(&fleet, &path).await[0]["value"].clone();
    assert_eq!(restarts().await, "0");
    fleet.fail_job(0, 0, &Failure::new("x.Boom", "boom"), Recovery::AtOnce);
    fleet.set_now(T0 + 9_000);
    assert_eq!(restarts().await, "0");
    fleet.set_now(T0 + 30_000);
    assert_eq!(restarts().await, "0", "the first read after a pause is as old as the pause");
    assert_eq!(restarts().await, "1");
}

#[tokio::test]
async fn a_failover_starts_counting_anew() {
    let fleet = start(Version::V2_2).await;
    let jid = fleet.jid(0, 0);
    fleet.fail_job(0, 0, &Failure::new("x.Boom", "boom"), Recovery::AtOnce);
    fleet.clock_offset(0, 3_600_000);
    fleet.fail_over(0);
    let overview = get(&fleet, "/jobs/overview").await;
    assert_eq!(overview["jobs"][0]["jid"], jid.as_str());
    assert_eq!(overview["jobs"][0]["start-time"], T0 + 3_600_000);
    let metrics = get(&fleet, &format!("/jobs/{jid}/metrics?get=numRestarts")).await;
    assert_eq!(metrics[0]["value"], "0");
    let checkpoints = get(&fleet, &format!("/jobs/{jid}/checkpoints")).await;
    assert!(checkpoints["latest"]["restored"].is_object());
    assert_eq!(checkpoints["counts"]["completed"], 0);
}

#[tokio::test]
async fn clusters_misbehave_one_by_one() {
    let fleet = Fleet::start(FleetOptions::of(2, 3, Version::V2_2)).await.unwrap();
    let ask = async || client().get(format!("{}/jobs/overview", fleet.url(0))).send().await;
    let with = |fault| fleet.cluster_fault(0, Some(fault));
    with(Fault::Html);
    assert!(ask().await.unwrap().text().await.unwrap().starts_with("<!DOCTYPE html>"));
    with(Fault::TruncatedJson);
    let cut = ask().await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.json::<Value>().await.is_err());
    with(Fault::HugeBody(1 << 20));
    let huge = ask().await.unwrap();
    assert_eq!(huge.content_length(), None);
    assert_eq!(huge.bytes().await.unwrap().len(), 1 << 20);
    with(Fault::RedirectNowhere);
    assert_eq!(ask().await.unwrap().status(), 302);
    with(Fault::Http503NoLeader);
    assert_eq!(ask().await.unwrap().status(), 503);
    with(Fault::Http500);
    assert_eq!(ask().await.unwrap().status(), 500);
    with(Fault::Refuse);
    assert!(ask().await.is_err());
    with(Fault::Hang);
    let before = fleet.requests(Kind::JobsOverview);
    let silent = async {
        // Only what has arrived can be left without an answer.
        let asked = || async { Ok((fleet.requests(Kind::JobsOverview) > before).then_some(())) };
        time::wait_for("it is asked", Duration::from_secs(30), asked).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tokio::select! {
        answer = ask() => panic!("answered: {answer:?}"),
        () = silent => {}
    }

    let other = client().get(format!("{}/jobs/overview", fleet.url(1))).send().await.unwrap();
    let other: Value = other.json().await.unwrap();
    assert_eq!(other["jobs"].as_array().unwrap().len(), 3, "the other cluster is well");
    fleet.cluster_fault(0, None);
    assert_eq!(ask().await.unwrap().status(), 200);
    assert!(client().get(Fleet::refused_url()).send().await.unwrap_err().is_connect());

    assert_eq!(fleet.requests(Kind::JobsOverview), 10);
    assert!(fleet.bytes(Kind::JobsOverview) > 1000);
    fleet.reset_counts();
    assert_eq!(fleet.totals(), (0, 0));
}
