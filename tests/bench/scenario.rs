//! How large, how long; and the processes of one measurement: a fleet, a Weir, a webhook.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::server::{Ask, Counts, ROLE, Role};
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

/// How large and how long.
pub(crate) struct Plan {
    pub(crate) clusters: usize,
    pub(crate) jobs_per_cluster: usize,
    pub(crate) poll: Duration,
    pub(crate) checkpoints: Duration,
    /// Polls before anything is measured.
    pub(crate) warm_up: u32,
    pub(crate) rounds: u32,
    pub(crate) polls_per_round: u32,
    pub(crate) failures: usize,
    /// Over which they are spread.
    pub(crate) failing_for: Duration,
    /// Looks at each cluster that the step is measured with.
    pub(crate) looks: usize,
    /// Days of history that are written and replayed.
    pub(crate) history_days: i64,
}

impl Plan {
    /// About four minutes.
    pub(crate) fn full() -> Plan {
        Plan {
            clusters: 50,
            jobs_per_cluster: 20,
            poll: Duration::from_secs(10),
            checkpoints: Duration::from_mins(1),
            warm_up: 3,
            rounds: 4,
            polls_per_round: 3,
            failures: 240,
            failing_for: Duration::from_mins(1),
            looks: 30,
            history_days: 7,
        }
    }

    /// About a minute, with figures that are less sure.
    pub(crate) fn quick() -> Plan {
        Plan {
            warm_up: 2,
            rounds: 2,
            polls_per_round: 1,
            failures: 40,
            failing_for: Duration::from_secs(8),
            looks: 6,
            history_days: 1,
            ..Plan::full()
        }
    }

    /// Of all clusters.
    pub(crate) fn jobs(&self) -> usize {
        self.clusters * self.jobs_per_cluster
    }

    /// What takes this many polls, per job and poll.
    pub(crate) fn per_job_poll(&self, total: f64, polls: u32) -> f64 {
        total / (self.jobs() as f64 * f64::from(polls))
    }

    /// The configuration of a Weir that watches these clusters.
    pub(crate) fn config(&self, urls: &[String], hook: &str) -> String {
        let source = |(i, url): (usize, &String)| {
            format!("  - flink: {{ name: c{i:02}, urls: [{url:?}] }}\n")
        };
        let sources: String = urls.iter().enumerate().map(source).collect();
        format!(
            "poll: {{ interval: {}s, timeout: 5s }}\nsources:\n{sources}\
             route: {{ receiver: hook, group_by: [\"...\"], group_wait: 0s }}\n\
             storm: {{ incidents: 100000 }}\n\
             receivers:\n  - name: hook\n    channels:\n      - webhook: {{ url: {hook:?} }}\n",
            self.poll.as_secs()
        )
    }
}

/// A fleet, the Weir that watches it, and what hears of it.
pub(crate) struct Scene {
    pub(crate) fleet: Role,
    pub(crate) weir: Weir,
    pub(crate) hook: Webhook,
    pub(crate) urls: Vec<String>,
}

impl Scene {
    /// Starts all of it; with `backlog` every job's source reports lag.
    pub(crate) async fn open(plan: &Plan, dir: &Path, backlog: Option<u64>) -> Result<Scene> {
        let mut fleet = Role::start(ROLE)?;
        let open = Ask::Open {
            clusters: plan.clusters,
            jobs: plan.jobs_per_cluster,
            checkpoints_ms: plan.checkpoints.as_millis() as i64,
            backlog,
        };
        let urls: Vec<String> = fleet.ask(&open).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        let binary = Path::new(env!("CARGO_BIN_EXE_weir"));
        let weir =
            Weir::start_logging(binary, dir, &plan.config(&urls, &hook.url()), "info").await?;
        Ok(Scene { fleet, weir, hook, urls })
    }

    /// The fleet's counters.
    pub(crate) async fn counts(&mut self) -> Result<Counts> {
        self.fleet.ask(&Ask::Counts).await
    }

    /// Stops all of it.
    pub(crate) async fn close(self) -> Result<()> {
        self.weir.stop().await?;
        self.fleet.close().await
    }
}
