//! A ResourceManager, the Weir that watches it, and what hears of it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::server::{Ask, ROLE};
use super::{CHECKPOINTS, POLL};
use crate::cost::cpu_seconds;
use crate::server::Role;
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::yarn_standin::Counts;

/// How often Weir is asked whether a poll has ended.
const GLANCE: Duration = Duration::from_millis(250);

/// How the JobManagers are reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// At the addresses they registered.
    Direct,
    /// Through the ResourceManager's web proxy.
    Proxy,
}

/// What Weir says of its last poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    /// How many there were.
    pub(super) count: u64,
    pub(super) seconds: f64,
    pub(super) jobs: usize,
}

/// What had been used and asked at the end of a poll.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) poll: Poll,
    pub(super) counts: Counts,
    /// CPU seconds of Weir.
    pub(super) cpu: f64,
}

pub(super) struct Scene {
    pub(super) apps: usize,
    pub(super) yarn: Role,
    pub(super) weir: Weir,
    pub(super) hook: Webhook,
    /// Of the ResourceManager, and of the HTTP proxy to JobManagers.
    pub(super) url: String,
    /// Weir's folder.
    _dir: TempDir,
}

impl Scene {
    pub(super) async fn open(apps: usize, way: Way) -> Result<Scene> {
        let mut yarn = Role::start(ROLE)?;
        let checkpoints_ms = CHECKPOINTS.as_millis() as i64;
        let url: String = yarn.ask(&Ask::Open { apps, checkpoints_ms }).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        let jobmanagers = match way {
            Way::Direct => format!("proxy_url: {url:?}"),
            Way::Proxy => "via: proxy".to_owned(),
        };
        let config = format!(
            "poll: {{ interval: {}s, timeout: 5s }}\nsources:\n  - yarn: {{ name: yarn, \
             resource_managers: [{url:?}], jobmanagers: {{ {jobmanagers} }} }}\n\
             route: {{ receiver: hook, group_by: [\"...\"], group_wait: 0s }}\n\
             storm: {{ incidents: 100000 }}\n\
             receivers:\n  - name: hook\n    channels:\n      - webhook: {{ url: {:?} }}\n",
            POLL.as_secs(),
            hook.url()
        );
        let dir = tempfile::tempdir()?;
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_weir"));
        let weir = Weir::start_logging(binary, dir.path(), &config, "info").await?;
        Ok(Scene { apps, yarn, weir, hook, url, _dir: dir })
    }

    pub(super) fn pid(&self) -> Result<u32> {
        self.weir.pid()
    }

    /// What Weir says of its last poll.
    pub(super) async fn poll(&self) -> Result<Poll> {
        let said = self.weir.get("/api/v1/sources").await?;
        let source = &said[0];
        let number = |name: &str| source[name].as_u64().unwrap_or(0);
        Ok(Poll {
            count: number("polls_ok") + number("polls_failed"),
            seconds: source["poll_duration_seconds"]
                .as_f64()
                .context("no poll_duration_seconds")?,
            jobs: number("jobs") as usize,
        })
    }

    /// Waits until so many polls more have ended; what had been used by then, at the end of each.
    pub(super) async fn polls(&mut self, more: u64) -> Result<Vec<Mark>> {
        let mut marks = Vec::new();
        let mut seen = self.poll().await?.count;
        let last = seen + more;
        let limit = POLL * 4 * u32::try_from(more)?;
        let began = time::now();
        while seen < last {
            anyhow::ensure!(time::since(began) < limit, "no {more} polls within {limit:?}");
            tokio::time::sleep(GLANCE).await;
            let poll = self.poll().await?;
            if poll.count > seen {
                seen = poll.count;
                marks.push(self.mark(poll).await?);
            }
        }
        Ok(marks)
    }

    pub(super) async fn mark(&mut self, poll: Poll) -> Result<Mark> {
        let cpu = cpu_seconds(self.pid()?)?;
        Ok(Mark { poll, counts: self.yarn.ask(&Ask::Counts).await?, cpu })
    }

    /// Waits for the end of the first poll.
    pub(super) async fn settle_first(&self, limit: Duration) -> Result<Poll> {
        self.until("first poll", limit, |poll| poll.count > 0).await
    }

    /// Waits until a poll has shown every application's job.
    pub(super) async fn settle(&self, limit: Duration) -> Result<Poll> {
        self.until("poll that shows all", limit, |poll| poll.jobs >= self.apps).await
    }

    async fn until(
        &self,
        what: &str,
        limit: Duration,
        is_enough: impl Fn(&Poll) -> bool,
    ) -> Result<Poll> {
        let look = || async { Ok(Some(self.poll().await?).filter(&is_enough)) };
        time::wait_for(what, limit, look).await.with_context(|| self.weir.log_tail())
    }

    pub(super) async fn close(self) -> Result<()> {
        self.weir.stop().await?;
        self.yarn.close().await
    }
}
