use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::engine::{ChannelView, JobView, SourceView};
use crate::model::{
    IncidentState, JobKey, JobState, Labels, NoticeReason, Outcome, RestartState, Ts,
};
use crate::store::contract::samples;

fn job(cluster: &str, name: &str, state: JobState) -> Arc<JobView> {
    Arc::new(JobView {
        key: JobKey::new(cluster, "", "session", name),
        source: cluster.into(),
        cluster: cluster.into(),
        namespace: String::new(),
        flink_cluster: "session".into(),
        name: name.into(),
        flink_job_name: name.into(),
        state,
        all_running: true,
        stale: false,
        missing: false,
        live_runs: 1,
        job_id: "ab".into(),
        start_time: Ts(0),
        failures_total: 3,
        restarts: Some(2),
        last_checkpoint: None,
        checkpoint_from: Some(Ts(-12_500)),
        lag_records: Some(1000.0),
        labels: Labels::default(),
        inventory: None,
        seen_by: Vec::new(),
        schedule: None,
        ui_url: None,
    })
}

fn view(jobs: impl IntoIterator<Item = Arc<JobView>>) -> View {
    let mut view = View::default();
    for job in jobs {
        view.jobs.insert(job);
    }
    view
}

fn text(view: &View, health: &Health) -> String {
    encode(&build::families(view, health, &Posts::default()))
}

#[test]
fn a_small_view_reads_as_it_should() {
    let mut view = view([
        job("prod", "orders", JobState::Running),
        job("prod", "quote\" slash\\ line\n{x=\"1\"} 作业", JobState::Failed),
    ]);
    for (id, state) in [
        (1, IncidentState::Open),
        (2, IncidentState::Open),
        (3, IncidentState::Acknowledged),
        (4, IncidentState::Resolved),
    ] {
        view.incidents.insert(id, Arc::new(samples::incident(id, "orders", state, Ts(0))));
    }
    let source = SourceView {
        up: true,
        clock_offset_ms: Some(-1500),
        poll_ms: 250,
        polls_ok: 7,
        polls_failed: 1,
        poll_bytes: 2048,
        ..SourceView::default()
    };
    view.sources.insert("prod".into(), Arc::new(source));
    let failing = ChannelView { failing_since: Some(Ts(5)), attempts: 4, ..ChannelView::default() };
    view.channels.insert(samples::channel(), failing);
    view.notice_counts.insert((samples::channel(), Outcome::Sent, NoticeReason::Opened), 9);
    view.restarts.ended.insert(RestartState::Verified, 5);
    view.restarts.ended.insert(RestartState::Failed, 2);
    view.restarts.open.insert(RestartState::Approval, 1);
    view.restarts.paused = true;
    let health = Health { store_error: Some("full".into()), ..Health::default() };
    let text = text(&view, &health).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(text);
}

#[test]
fn hostile_names_stay_inside_their_quotes() {
    let text = text(&view([job("c", "a\"b\\c\nd", JobState::Running)]), &Health::default());
    assert!(text.contains(r#"job_name="a\"b\\c\nd""#), "{text}");
    assert_eq!(text.lines().filter(|l| l.starts_with("weir_job_state{")).count(), 1);
    for line in text.lines() {
        assert!(line.starts_with('#') || line.starts_with("weir_"), "{line}");
    }
}

#[test]
fn every_job_has_one_state_and_no_series_comes_twice() {
    let mut twin = (*job("c", "session", JobState::Failed)).clone();
    twin.key = JobKey::new("c", "", "", "session");
    let jobs = [job("c", "session", JobState::Running), Arc::new(twin)];
    let text = text(&view(jobs), &Health::default());
    let series: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    let names: BTreeSet<&str> =
        series.iter().filter_map(|l| l.rsplit_once(' ')).map(|(name, _)| name).collect();
    assert_eq!(names.len(), series.len());
    assert!(text.contains(r#"state="FAILED""#) && !text.contains(r#"state="RUNNING""#));
}

#[test]
fn a_gone_job_leaves_no_series_and_the_process_is_there() {
    let exporter = Exporter::new();
    let health = Health::default();
    assert!(exporter.render(&view([job("c", "a", JobState::Running)]), &health).contains("\"a\""));
    let text = exporter.render(&View::default(), &health);
    assert!(!text.contains("weir_job_"), "{text}");
    #[cfg(target_os = "linux")]
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
}

#[test]
fn names_follow_the_rules_of_prometheus() {
    let mut seen = BTreeSet::new();
    for metric in METRICS {
        assert!(seen.insert(metric.name), "{} twice", metric.name);
        assert!(metric.name.starts_with("weir_"), "{}", metric.name);
        assert_eq!(
            metric.kind == Kind::Counter,
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}
