//! Recorded answers and garbage through the pure path.

use proptest::prelude::*;
use serde::de::DeserializeOwned;

use crate::model::{JobState, Ts};

use super::observe;
use super::wire;

macro_rules! fixture {
    ($version:literal, $name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/flink-",
            $version,
            "/source-",
            $name,
            ".json"
        ))
    };
}

/// The same answer of both recorded versions.
macro_rules! both {
    ($name:literal) => {
        [fixture!("1.20.5", $name), fixture!("2.2.1", $name)]
    };
}

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_listing_is_read() {
    for json in both!("jobs_overview") {
        let listing: wire::JobsOverview = read(json);
        let rows: Vec<_> = listing.jobs.into_iter().filter_map(observe::row).collect();
        assert!(rows.len() >= 6);
        let of = |name: &str| rows.iter().find(|r| r.name == name).unwrap();
        assert!(of("ck-good").is_healthy());
        assert_eq!((of("ck-good").end_time, of("ck-good").tasks.total), (None, 6));
        assert_eq!(of("give-up").state, JobState::Failed);
        assert!(of("give-up").end_time.is_some() && of("give-up").now.is_none());
        let wall = Ts(of("ck-good").now.unwrap() - 3_600_000);
        assert_eq!(observe::clock(&rows, wall, None).unwrap().offset_ms, 3_600_000);
    }
}

#[test]
fn cluster_and_version_are_read() {
    for (json, version) in both!("config").into_iter().zip(["1.20.5", "2.2.1"]) {
        let config: wire::ClusterConfig = read(json);
        assert_eq!(config.flink_version.as_deref(), Some(version));
        assert_eq!(config.features.and_then(|f| f.web_history), Some(false));
    }
    for json in both!("overview") {
        let overview: wire::ClusterOverview = read(json);
        let cluster = observe::cluster("prod", Some(&overview));
        assert_eq!((cluster.taskmanagers, cluster.slots_total), (Some(1), Some(6)));
    }
}

#[test]
fn counters_are_read_and_minus_one_is_none() {
    for json in both!("restart-loop.metrics") {
        let metrics: Vec<wire::Metric> = read(json);
        let counters = observe::counters(&metrics).unwrap();
        assert!(counters.restarts.is_some_and(|n| n > 0));
        assert_eq!(counters.completed_checkpoints, Some(0));
        assert_eq!((counters.last_checkpoint_id, counters.last_checkpoint_completed), (None, None));
        assert_eq!(counters.last_checkpoint_path, None);
    }
    for json in both!("ck-good.metrics") {
        let metrics: Vec<wire::Metric> = read(json);
        let counters = observe::counters(&metrics).unwrap();
        assert!(counters.last_checkpoint_path.is_some_and(|p| p.contains("/chk-")));
    }
    assert_eq!(observe::counters(&[]), None);
}

#[test]
fn checkpoints_are_read() {
    for (checkpoints, config) in
        both!("ck-loop.checkpoints").into_iter().zip(both!("ck-good.ckconfig"))
    {
        let policy = observe::policy(&read(config));
        assert_eq!(policy.retained_on_cancel, Some(true));
        let stats = observe::checkpoints(read(checkpoints), Some(policy)).unwrap();
        assert_eq!(stats.interval_ms, Some(3000));
        let latest = stats.latest_completed.unwrap();
        assert!(!latest.discarded && latest.ended_at > latest.triggered_at);
        assert!(stats.restored_from.is_some_and(|r| r.path.is_some() && r.ended_at.is_some()));
    }
    for json in both!("restart-loop.checkpoints") {
        let stats = observe::checkpoints(read(json), None).unwrap();
        assert!(stats.latest_completed.is_none());
        let failed = stats.recent_failed.first().unwrap();
        assert_eq!(failed.failure.as_deref(), Some("Checkpoint Coordinator is suspending."));
    }
}

#[test]
fn a_job_without_periodic_checkpoints_has_none() {
    let off = observe::policy(&read(r#"{"interval":9223372036854775807}"#));
    assert_eq!((off.off, off.interval_ms), (true, None));
    let none = r#"{"counts":{"completed":0},"latest":{"completed":null,"savepoint":null}}"#;
    assert_eq!(observe::checkpoints(read(none), Some(off)), None);
    let savepoint =
        r#"{"latest":{"savepoint":{"id":3,"is_savepoint":true,"external_path":"s3://x"}}}"#;
    assert!(observe::checkpoints(read(savepoint), Some(off)).is_some());
    assert!(observe::checkpoints(read(none), None).is_some());
}

#[test]
fn the_last_entry_of_a_job_that_gave_up_names_the_true_cause() {
    for json in both!("give-up.exceptions") {
        let failures = observe::failures(read(json));
        assert_eq!(failures.len(), 3);
        let gave_up: Vec<bool> = failures.iter().map(|f| f.gave_up).collect();
        assert_eq!(gave_up, [true, false, false]);
        for failure in &failures {
            assert_eq!(failure.class, "java.lang.IllegalStateException");
            assert_eq!(failure.message, "boom at 100 value 100");
            assert_eq!(failure.frame.as_deref(), Some("T$Slow.map(T.java:8)"));
            assert!(failure.taskmanager.as_deref().is_some_and(|t| t.starts_with("localhost:")));
            assert!(failure.task.as_deref().is_some_and(|t| t.starts_with("slow-map")));
        }
        assert!(failures.is_sorted_by(|a, b| a.at >= b.at));
    }
}

#[test]
fn old_fields_are_a_fallback() {
    let old = r#"{"root-exception":"a.XException: x\n\tat a.B.c(B.java:1)","timestamp":7,
        "all-exceptions":[]}"#;
    let failures = observe::failures(read(old));
    assert_eq!((failures.len(), failures[0].at, failures[0].message.as_str()), (1, 7, "x"));
    let healthy = r#"{"root-exception":null,"timestamp":null,"exceptionHistory":{"entries":[]}}"#;
    assert!(observe::failures(read(healthy)).is_empty());
    // Up to 1.18 the newest failure is only there while its restart is awaited.
    let waiting = |root: i64| {
        format!(
            r#"{{"root-exception":"a.XException: x\n\tat a.B.c(B.java:1)","timestamp":{root},
            "exceptionHistory":{{"entries":[{{"timestamp":1000,"taskName":"t",
            "exceptionName":"a.XException","stacktrace":"a.XException: x\n"}}]}}}}"#
        )
    };
    for (root, times) in
        [(5000, vec![5000, 1000]), (1000, vec![1000]), (900, vec![1000]), (1095, vec![1000])]
    {
        let found = observe::failures(read(&waiting(root)));
        assert_eq!(found.iter().map(|f| f.at).collect::<Vec<_>>(), times);
    }
    let hollow = r#"{"exceptionHistory":{"entries":[{"timestamp":9,
        "exceptionName":"org.apache.flink.runtime.JobException",
        "stacktrace":"org.apache.flink.runtime.JobException: Recovery is suppressed by X(1)\n",
        "concurrentExceptions":[{"timestamp":8,"stacktrace":"a.YError: y\n","taskName":"t",
        "endpoint":"(unassigned)","taskManagerId":"tm-1"}]}]}}"#;
    let found = observe::failures(read(hollow)).remove(0);
    assert_eq!((found.class.as_str(), found.gave_up, found.at), ("a.YError", true, 9));
    assert_eq!((found.task.as_deref(), found.taskmanager.as_deref()), (Some("t"), Some("tm-1")));
}

#[test]
fn sources_are_the_vertices_without_inputs() {
    for json in both!("ck-good.job") {
        let graph = observe::graph(&read(json));
        let place = |n: &super::named::Node| (n.is_source, n.is_sink, n.parallelism);
        let mut places: Vec<_> = graph.iter().map(place).collect();
        places.sort_unstable();
        assert_eq!(places, [(false, false, 2), (false, true, 2), (true, false, 2)]);
    }
    let no_plan = r#"{"vertices":[{"id":"a"},{"id":"b/../c"},{}]}"#;
    let graph = observe::graph(&read(no_plan));
    assert!(graph.len() == 1 && graph[0].id == "a" && graph[0].is_source && graph[0].is_sink);
}

#[test]
fn the_offset_does_not_jitter() {
    let row = |now: i64| {
        let row = format!(
            r#"{{"jid":"a","state":"RUNNING","start-time":1000,"duration":{}}}"#,
            now - 1000
        );
        vec![observe::row(read(&row)).unwrap()]
    };
    let wall = 10_000_000;
    let mut last = None;
    for (raw, offset) in [
        (300, 0),
        (1400, 0),
        (-1400, 0),
        (1600, 2000),
        (900, 2000),
        (400, 0),
        (-3_599_700, -3_600_000),
    ] {
        let clock = observe::clock(&row(wall + raw), Ts(wall), last).unwrap();
        assert_eq!(clock.offset_ms, offset, "raw {raw}");
        last = Some(clock.offset_ms);
    }
    assert_eq!(observe::clock(&[], Ts(wall), None), None);
    assert_eq!(observe::clock(&[], Ts(wall), Some(2000)).unwrap().now, wall + 2000);
}

#[test]
fn strange_values_cost_a_field_not_the_listing() {
    let json = r#"{"jobs":[{"jid":"a","name":null,"start-time":"NaN","duration":-1,"state":"NAPPING",
        "tasks":{"total":"2","running":1.0,"failed":{}},"last-modification":[1]},{"name":"x"},
        {"jid":"../../etc"}],"more":1}"#;
    let listing: wire::JobsOverview = read(json);
    let rows: Vec<_> = listing.jobs.into_iter().filter_map(observe::row).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].name.as_str(), rows[0].state), ("a", JobState::Unknown));
    assert_eq!((rows[0].tasks.total, rows[0].tasks.running, rows[0].tasks.failed), (2, 1, 0));
    assert!(serde_json::from_str::<wire::JobsOverview>(r#"{"errors":[]}"#).is_err());
}

/// Everything pure there is, over one text.
fn digest(json: &str) {
    if let Ok(listing) = serde_json::from_str::<wire::JobsOverview>(json) {
        let rows: Vec<_> = listing.jobs.into_iter().filter_map(observe::row).collect();
        observe::clock(&rows, Ts(i64::MIN), Some(i64::MAX));
        assert!(rows.iter().filter(|r| r.is_healthy()).count() <= rows.len());
    }
    if let Ok(answer) = serde_json::from_str(json) {
        observe::failures(answer);
    }
    if let Ok(answer) = serde_json::from_str(json) {
        observe::checkpoints(answer, None);
    }
    if let Ok(answer) = serde_json::from_str::<wire::CheckpointConfig>(json) {
        observe::policy(&answer);
    }
    if let Ok(answer) = serde_json::from_str::<wire::ClusterOverview>(json) {
        observe::cluster("x", Some(&answer));
    }
    if let Ok(answer) = serde_json::from_str::<wire::JobDetail>(json) {
        observe::graph(&answer);
    }
    if let Ok(answer) = serde_json::from_str::<Vec<wire::Metric>>(json) {
        observe::counters(&answer);
        observe::cpu_time(&answer);
    }
    if let Ok(answer) = serde_json::from_str::<Vec<wire::Aggregate>>(json) {
        let demand = crate::model::Demand { lag: true, ..Default::default() };
        let wanted = super::wanted::Wanted::of(&demand);
        let mut node = super::named::Node { is_source: true, ..Default::default() };
        node.choose(&wanted.vertex, &answer);
        let calls =
            super::named::NamedCalls { discover: true, often: true, slow: true, waits: false };
        super::named::fold(&wanted, &[node], &[Some(answer)], calls);
    }
}

/// JSON with Flink's keys and anybody's values.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let key = prop::sample::select(vec![
        "jobs",
        "jid",
        "name",
        "start-time",
        "end-time",
        "duration",
        "state",
        "tasks",
        "total",
        "running",
        "finished",
        "last-modification",
        "exceptionHistory",
        "entries",
        "stacktrace",
        "timestamp",
        "concurrentExceptions",
        "root-exception",
        "counts",
        "latest",
        "completed",
        "history",
        "id",
        "status",
        "interval",
        "externalization",
        "value",
        "sum",
        "plan",
        "nodes",
        "trigger_timestamp",
        "external_path",
        "vertices",
        "inputs",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["RUNNING", "FAILED", "NaN", "n/a", "-1", "COMPLETED", "a"])
            .prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_survived(value in any_json()) {
        digest(&value.to_string());
        digest(&serde_json::json!({ "jobs": [value] }).to_string());
        digest(&serde_json::json!({ "exceptionHistory": { "entries": [value] } }).to_string());
        digest(&serde_json::json!([value]).to_string());
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        digest(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_cut_of_an_answer_is_survived(cut in 0usize..20_000) {
        for json in both!("give-up.exceptions").into_iter().chain(both!("ck-loop.checkpoints")) {
            digest(json.get(..cut).unwrap_or(json));
        }
    }
}
