//! Prometheus, as far as Alertmanager sees of it: rules are judged every 15 s, what fires is sent
//! then and again each minute with an end four minutes ahead, what is over for a quarter of an hour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::plot::Plot;
use crate::testbed::alertmanager::Alertmanager;
use crate::testbed::time::now_ms;

const EVALUATION: Duration = Duration::from_secs(15);
const RESEND: Duration = Duration::from_mins(1);
const AHEAD: Duration = Duration::from_mins(4);
const KEPT: Duration = Duration::from_mins(15);

fn rfc3339(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).map(|t| t.to_string()).unwrap_or_default()
}

/// One alert: from its first event on.
struct Firing {
    labels: Value,
    annotations: Value,
    starts: i64,
    /// Over when nothing new has happened until then.
    until: Option<i64>,
    ended: Option<i64>,
    sent: Option<i64>,
}

impl Firing {
    /// What is to be sent now, if anything.
    fn due(&mut self, now: i64, plot: Plot) -> Option<Value> {
        let ms = |real| plot.ms(real) as i64;
        if self.ended.is_none() && self.until.is_some_and(|until| until <= now) {
            self.end(now);
        }
        if self.sent.is_some_and(|sent| now - sent < ms(RESEND)) {
            return None;
        }
        self.sent = Some(now);
        Some(json!({
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": rfc3339(self.starts),
            "endsAt": rfc3339(self.ended.unwrap_or(now + ms(AHEAD))),
            "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=flink_jobmanager_job_numRestarts&g0.tab=1",
        }))
    }

    fn end(&mut self, now: i64) {
        if self.ended.is_none() {
            (self.ended, self.sent) = (Some(now), None);
        }
    }
}

type Alerts = Mutex<BTreeMap<(String, String), Firing>>;

/// Sends until it is dropped.
pub(crate) struct Feed {
    alerts: Arc<Alerts>,
    alertmanager: Arc<Alertmanager>,
    task: JoinHandle<Result<()>>,
}

impl Feed {
    /// Begins to judge.
    pub(crate) fn start(alertmanager: Alertmanager, plot: Plot) -> Feed {
        let (alerts, alertmanager) = (Arc::new(Alerts::default()), Arc::new(alertmanager));
        let task = tokio::spawn(send(Arc::clone(&alerts), Arc::clone(&alertmanager), plot));
        Feed { alerts, alertmanager, task }
    }

    /// It fires from the next judging on; for so long after the last event, or until it is well.
    pub(crate) fn fire(&self, cluster: &str, job: &str, name: &str, lasts: Option<Duration>) {
        let now = now_ms();
        let until = lasts.map(|lasts| now + lasts.as_millis() as i64);
        let mut alerts = self.alerts.lock().expect("no panic while locked");
        let known = alerts.get_mut(&(name.to_owned(), job.to_owned()));
        if let Some(firing) = known.filter(|firing| firing.ended.is_none()) {
            firing.until = until;
            return;
        }
        let labels = json!({
            "alertname": name, "severity": "critical", "source": "flink", "cluster": cluster,
            "flink_cluster": cluster, "job_name": job,
        });
        let annotations = json!({
            "summary": format!("{job} failed: java.io.IOException: the broker is gone"),
            "description": "Look at the cause, then start it from the last checkpoint.",
        });
        let firing = Firing { labels, annotations, starts: now, until, ended: None, sent: None };
        alerts.insert((name.to_owned(), job.to_owned()), firing);
    }

    /// It is over.
    pub(crate) fn well(&self, job: &str, name: &str) {
        let mut alerts = self.alerts.lock().expect("no panic while locked");
        if let Some(firing) = alerts.get_mut(&(name.to_owned(), job.to_owned())) {
            firing.end(now_ms());
        }
    }

    /// Nothing fires any more.
    pub(crate) fn is_quiet(&self) -> bool {
        let alerts = self.alerts.lock().expect("no panic while locked");
        alerts.values().all(|firing| firing.ended.is_some())
    }

    /// The version of who is fed.
    pub(crate) async fn version(&self) -> Result<String> {
        self.alertmanager.version().await
    }

    /// Ends both. An error of the sending is an error of the story.
    pub(crate) async fn close(self) -> Result<()> {
        let Feed { alertmanager, task, .. } = self;
        if task.is_finished() {
            return task.await?;
        }
        task.abort();
        task.await.ok();
        match Arc::try_unwrap(alertmanager) {
            Ok(alertmanager) => alertmanager.stop().await,
            Err(_) => Ok(()),
        }
    }
}

async fn send(alerts: Arc<Alerts>, alertmanager: Arc<Alertmanager>, plot: Plot) -> Result<()> {
    let mut ticks = tokio::time::interval(plot.scaled(EVALUATION));
    let kept = plot.ms(KEPT) as i64;
    loop {
        ticks.tick().await;
        let now = now_ms();
        let due: Vec<Value> = {
            let mut alerts = alerts.lock().expect("no panic while locked");
            alerts.retain(|_, firing| firing.ended.is_none_or(|at| now - at < kept));
            alerts.values_mut().filter_map(|firing| firing.due(now, plot)).collect()
        };
        if !due.is_empty() {
            alertmanager.post(&due).await?;
        }
    }
}
