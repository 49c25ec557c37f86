//! Every metric with its help text and labels.

/// Prometheus' metric types, as far as they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, until the process (or the job) starts anew.
    Counter,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Name.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Type.
    pub kind: Kind,
    /// Label names, in order.
    pub labels: &'static [&'static str],
}

const JOB: &[&str] = &["cluster", "namespace", "flink_cluster", "job_name"];
const SOURCE: &[&str] = &["source"];

macro_rules! table {
    ($($id:ident $kind:ident $name:literal $labels:expr, $help:literal;)*) => {
        $(pub(super) const $id: &Metric =
            &Metric { name: $name, help: $help, kind: Kind::$kind, labels: $labels };)*
        /// All metrics but the process' own.
        pub const METRICS: &[&Metric] = &[$($id),*];
    };
}

table! {
    BUILD_INFO Gauge "weir_build_info" &["version"], "Version of Weir; always 1.";
    STORE_WRITABLE Gauge "weir_store_writable" &[],
        "Whether the store takes writes (1) or nothing is decided or told at the moment (0).";
    RELOAD_OK Gauge "weir_config_last_reload_successful" &[],
        "Whether the last reload of the configuration was taken (1) or the old one goes on (0).";
    RELOADED_AT Gauge "weir_config_last_reload_success_timestamp_seconds" &[],
        "When the configuration in force was read: at the start or by the last reload that was taken.";
    JOB_STATE Gauge "weir_job_state" &["cluster", "namespace", "flink_cluster", "job_name", "state"],
        "Last known state of a job: exactly one series per job, always 1.";
    JOB_RESTARTS Counter "weir_job_restarts_total" JOB,
        "Restarts of the job's current run as Flink counts them.";
    JOB_FAILURES Counter "weir_job_failures_total" JOB,
        "Distinct failures of the job since Weir has known it.";
    JOB_CHECKPOINT_AGE Gauge "weir_job_checkpoint_age_seconds" JOB,
        "Age of the job's last completed checkpoint.";
    JOB_LAG Gauge "weir_job_lag_records" JOB, "Records the job's sources have not read yet.";
    JOB_LIVE_RUNS Gauge "weir_job_live_runs" JOB,
        "Live runs under the job's name; more than one is a duplicate.";
    INCIDENTS Gauge "weir_incidents" &["aspect", "severity", "state"],
        "Incidents that are open or acknowledged.";
    FAILURES_SEEN Counter "weir_failures_seen_total" &[],
        "Distinct failures of all jobs since the process started.";
    NOTICES Counter "weir_notices_total" &["receiver", "channel", "outcome", "reason"],
        "Notices that reached their outcome since the process started.";
    NOTICES_PENDING Gauge "weir_notices_pending" &[], "Notices that wait to be told.";
    MESSAGES_DUE Gauge "weir_messages_due" &[], "Messages written but not yet accepted.";
    CHANNEL_FAILING Gauge "weir_channel_failing" &["receiver", "channel"],
        "Whether every try on the channel fails at the moment.";
    CHANNEL_ATTEMPTS Counter "weir_channel_attempts_total" &["receiver", "channel"],
        "Tries to send begun since the process started.";
    GUARD_TRIPS Counter "weir_wire_guard_trips_total" &[],
        "Times the guard behind the exact budget had to step in; anything but 0 is a bug.";
    SOURCE_UP Gauge "weir_source_up" SOURCE, "Whether the last poll saw everything.";
    POLL_DURATION Gauge "weir_poll_duration_seconds" SOURCE, "Duration of the last poll.";
    POLLS Counter "weir_polls_total" &["source", "outcome"],
        "Polls since the process started, by outcome (ok, failed).";
    POLL_BYTES Gauge "weir_poll_bytes" SOURCE, "Body bytes the last poll received.";
    SOURCE_FROZEN Gauge "weir_source_metrics_frozen" SOURCE,
        "Whether the cluster's metrics stand still, so that facts from them are unknown.";
    CLOCK_OFFSET Gauge "weir_source_clock_offset_seconds" SOURCE,
        "The cluster's clock minus Weir's.";
    INBOUND Counter "weir_inbound_alerts_total" &["outcome"],
        "Alerts posted from outside, each time: taken, invalid, or refused so that they are sent again.";
    RESTARTS Counter "weir_restarts_total" &["outcome"],
        "Restarts by Weir that ended since the process started, by outcome (verified, failed, unknown, dropped).";
    RESTARTS_OPEN Gauge "weir_restarts" &["state"], "Restarts by Weir that are not over, by state.";
    RESTARTS_PAUSED Gauge "weir_restarts_paused" &[],
        "Whether somebody has paused all automatic restarts (1) or not (0).";
}
