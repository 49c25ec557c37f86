//! From a [`View`] to metric families.

use std::collections::BTreeMap;

use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};

use super::table::{self, Kind, METRICS, Metric};
use super::{Health, Posts};
use crate::engine::{JobView, RestartCounts, View};
use crate::model::RestartState;
use crate::store::words;

/// Series of one scrape, by metric.
#[derive(Default)]
struct Scrape(BTreeMap<&'static str, Vec<proto::Metric>>);

impl Scrape {
    fn add(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        let pairs = metric.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut series = proto::Metric::from_label(pairs.collect());
        match metric.kind {
            Kind::Gauge => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                series.set_gauge(gauge);
            }
            Kind::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                series.set_counter(counter);
            }
        }
        self.0.entry(metric.name).or_default().push(series);
    }

    fn flag(&mut self, metric: &'static Metric, labels: &[&str], on: bool) {
        self.add(metric, labels, if on { 1.0 } else { 0.0 });
    }

    /// In the order of the table; a family without series is left out.
    fn families(mut self) -> Vec<MetricFamily> {
        let family = |metric: &&Metric| {
            let mut family = MetricFamily::default();
            family.set_name(metric.name.to_owned());
            family.set_help(metric.help.to_owned());
            family.set_field_type(match metric.kind {
                Kind::Gauge => MetricType::GAUGE,
                Kind::Counter => MetricType::COUNTER,
            });
            family.set_metric(self.0.remove(metric.name)?);
            Some(family)
        };
        METRICS.iter().filter_map(family).collect()
    }
}

/// All families but the process' own.
pub(super) fn families(view: &View, health: &Health, posts: &Posts) -> Vec<MetricFamily> {
    let mut scrape = Scrape::default();
    scrape.add(table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    scrape.flag(table::STORE_WRITABLE, &[], health.store_error.is_none());
    scrape.flag(table::RELOAD_OK, &[], health.reload_error.is_none());
    if let Some(at) = health.reloaded_at {
        scrape.add(table::RELOADED_AT, &[], at.0 as f64 / 1_000.0);
    }
    scrape.add(table::FAILURES_SEEN, &[], view.failures_seen as f64);
    scrape.add(table::NOTICES_PENDING, &[], view.pending_notices as f64);
    scrape.add(table::MESSAGES_DUE, &[], view.due_messages as f64);
    scrape.add(table::GUARD_TRIPS, &[], view.guard_trips as f64);
    for (outcome, count) in posts.counts() {
        scrape.add(table::INBOUND, &[outcome], count as f64);
    }
    jobs(&mut scrape, view);
    incidents(&mut scrape, view);
    sources(&mut scrape, view);
    restarts(&mut scrape, &view.restarts);
    for ((to, outcome, reason), count) in &view.notice_counts {
        let labels = [&to.receiver, &to.channel, outcome.as_str(), reason.as_str()];
        scrape.add(table::NOTICES, &labels, *count as f64);
    }
    for (to, channel) in &view.channels {
        let labels = [to.receiver.as_str(), &to.channel];
        scrape.flag(table::CHANNEL_FAILING, &labels, channel.failing_since.is_some());
        scrape.add(table::CHANNEL_ATTEMPTS, &labels, channel.attempts as f64);
    }
    scrape.families()
}

fn jobs(scrape: &mut Scrape, view: &View) {
    let now = view.at.map_or(crate::model::Ts(0), |at| at.wall);
    // Two keys can share the four labels (a session and an application cluster of one name).
    // The same series twice would cost the whole scrape, so the worse job stands for both.
    let mut shown: BTreeMap<[&str; 4], &JobView> = BTreeMap::new();
    // A job that is gone leaves no series.
    for job in view.jobs.values().filter(|job| !job.missing) {
        let labels =
            [job.cluster.as_str(), job.namespace.as_str(), job.flink_cluster.as_str(), &job.name];
        let shown = shown.entry(labels).or_insert(job);
        if job.state.badness() > shown.state.badness() {
            *shown = job;
        }
    }
    for (labels, job) in shown {
        let [cluster, namespace, flink_cluster, name] = labels;
        let state = [cluster, namespace, flink_cluster, name, job.state.as_str()];
        scrape.add(table::JOB_STATE, &state, 1.0);
        scrape.add(table::JOB_FAILURES, &labels, job.failures_total as f64);
        scrape.add(table::JOB_LIVE_RUNS, &labels, f64::from(job.live_runs));
        if let Some(restarts) = job.restarts {
            scrape.add(table::JOB_RESTARTS, &labels, restarts as f64);
        }
        if let Some(age) = job.checkpoint_age_seconds(now) {
            scrape.add(table::JOB_CHECKPOINT_AGE, &labels, age);
        }
        if let Some(lag) = job.lag_records {
            scrape.add(table::JOB_LAG, &labels, lag);
        }
    }
}

fn incidents(scrape: &mut Scrape, view: &View) {
    let mut counts: BTreeMap<[&str; 3], u64> = BTreeMap::new();
    for incident in view.incidents.values().filter(|i| i.is_open()) {
        let state = words::incident_state(incident.state);
        let labels = [incident.aspect.as_str(), incident.severity.as_str(), state];
        *counts.entry(labels).or_default() += 1;
    }
    for (labels, count) in counts {
        scrape.add(table::INCIDENTS, &labels, count as f64);
    }
}

fn sources(scrape: &mut Scrape, view: &View) {
    for (name, source) in &view.sources {
        let name = name.as_str();
        scrape.flag(table::SOURCE_UP, &[name], source.up);
        scrape.flag(table::SOURCE_FROZEN, &[name], source.metrics_frozen);
        scrape.add(table::POLL_DURATION, &[name], f64::from(source.poll_ms) / 1000.0);
        scrape.add(table::POLL_BYTES, &[name], source.poll_bytes as f64);
        scrape.add(table::POLLS, &[name, "failed"], source.polls_failed as f64);
        scrape.add(table::POLLS, &[name, "ok"], source.polls_ok as f64);
        if let Some(offset) = source.clock_offset_ms {
            scrape.add(table::CLOCK_OFFSET, &[name], offset as f64 / 1000.0);
        }
    }
}

/// Every state, also without a restart: a counter that begins at 1 looks to Prometheus as if nothing
/// had happened.
fn restarts(scrape: &mut Scrape, counts: &RestartCounts) {
    for state in RestartState::ALL {
        let (metric, counted) = if state.is_open() {
            (table::RESTARTS_OPEN, &counts.open)
        } else {
            (table::RESTARTS, &counts.ended)
        };
        let count = counted.get(&state).copied().unwrap_or(0);
        scrape.add(metric, &[state.as_str()], count as f64);
    }
    scrape.flag(table::RESTARTS_PAUSED, &[], counts.paused);
}
