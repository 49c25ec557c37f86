//! What nobody acknowledges goes on to the next receiver, once, through kill -9; what somebody has
//! does not, and the pager hears who has it.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::pagerduty::PagerDuty;
use crate::testbed::robot::Robot;
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Scene {
    fleet: Fleet,
    team: Webhook,
    lead: Webhook,
    pager: Robot<PagerDuty>,
    weir: Weir,
    dir: tempfile::TempDir,
}

impl Scene {
    async fn open(jobs: usize, after: &str) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, jobs, Version::V1_20)).await?;
        let team = Webhook::start(WebhookOptions::default()).await?;
        let lead = Webhook::start(WebhookOptions::default()).await?;
        let pager = PagerDuty::start(KEY).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
storm: {{ incidents: 1000, within: 1s }}
route:
  receiver: team
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  escalate: [{{ after: {after}, receiver: lead }}]
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
      - pagerduty: {{ url: "{}", routing_key: {KEY} }}
  - name: lead
    channels:
      - webhook: {{ url: "{}" }}
{}"#,
            team.url(),
            pager.url(""),
            lead.url(),
            story::sources(&fleet, 1)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, team, lead, pager, weir, dir })
    }

    fn die(&self, job: usize) {
        self.fleet.kill_job(0, job, &Failure::new("java.io.IOException", "the broker is gone"));
    }

    async fn cli(&self, args: &[&str]) -> Result<String> {
        let (code, out, err) = ask(self.dir.path(), args).await?;
        ensure!(code == 0, "{args:?}: {code} {out} {err}");
        Ok(out)
    }

    async fn pager_knows(&self, what: &str, is_so: impl Fn(&PagerDuty) -> bool) -> Result<()> {
        time::wait_for(what, SOON, || async { Ok(is_so(self.pager.vendor()).then_some(())) })
            .await
            .with_context(|| self.weir.log_tail())
    }
}

/// Reasons a hook was given for a job, in order.
fn reasons(hook: &Webhook, job: usize) -> Vec<String> {
    let name = format!("job-{job}");
    let news = hook.taken().iter().flat_map(story::told).collect::<Vec<_>>();
    news.into_iter().filter(|n| n.2 == name).map(|n| n.1).collect()
}

async fn heard(scene: &Scene, hook: &Webhook, job: usize, all: &[&str]) -> Result<()> {
    time::wait_for(&format!("{all:?} of job-{job}"), SOON, || async {
        Ok((reasons(hook, job) == all).then_some(()))
    })
    .await
    .with_context(|| format!("{:?}\n{}", reasons(hook, job), scene.weir.log_tail()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_acknowledges_goes_on_once_and_to_its_end() -> Result<()> {
    let mut scene = Scene::open(2, "8s").await?;
    let routes = scene.cli(&["routes", "job-0", "--severity", "critical"]).await?;
    ensure!(routes.contains("not acknowledged for 8s → lead: webhook"), "{routes}");

    // This one is taken at once, as the pager hears; the other one is nobody's.
    scene.die(1);
    heard(&scene, &scene.team, 1, &["opened"]).await?;
    let found = story::list(&scene.weir, "incidents?job=c0%2Fjob-1").await?;
    let number = found[0]["id"].to_string();
    scene.pager_knows("the alert", |pager| pager.open().len() == 1).await?;
    scene.cli(&["ack", &number, "--by", "ann"]).await?;
    let taken = |pager: &PagerDuty| pager.alerts().values().flatten().any(|a| a.acknowledged);
    scene.pager_knows("who has it", taken).await?;
    scene.die(0);
    heard(&scene, &scene.team, 0, &["opened"]).await?;
    scene.weir.kill9().await?;
    scene.weir.resume().await?;
    story::ready(&scene.weir).await?;
    heard(&scene, &scene.lead, 0, &["escalated"]).await?;
    let notice = story::list(&scene.weir, "notices?receiver=lead").await?;
    ensure!(notice.len() == 1 && notice[0]["reason"] == "escalated", "{notice:#?}");
    let way = scene.cli(&["notices", "--receiver", "lead"]).await?;
    ensure!(way.contains("escalated to lead after 8 s without acknowledgement"), "{way}");
    let body = scene.lead.accepted()[0].body();
    let title = body["weir"]["title"].as_str().unwrap_or_default().to_owned();
    ensure!(title.contains("nobody acknowledged it for"), "{body:#}");

    scene.weir.kill9().await?;
    scene.weir.resume().await?;
    story::ready(&scene.weir).await?;
    // Given back, its clock starts anew.
    scene.cli(&["unack", &number, "--by", "ann"]).await?;
    heard(&scene, &scene.lead, 1, &["escalated"]).await?;
    let again = |pager: &PagerDuty| pager.alerts().values().flatten().any(|a| a.triggers == 2);
    scene.pager_knows("that it is nobody's", again).await?;
    for job in 0..2 {
        scene.fleet.submit_again(0, job);
        heard(&scene, &scene.lead, job, &["escalated", "resolved"]).await?;
        heard(&scene, &scene.team, job, &["opened", "resolved"]).await?;
    }
    scene.pager_knows("the ends", |pager| pager.open().is_empty()).await?;
    // Who was told knows it before Weir knows that they do.
    let all_sent = |all: &[Value]| all.iter().all(|notice| notice["outcome"] == "sent");
    story::until(&scene.weir, "every notice sent", "notices", all_sent).await?;
    scene.weir.stop().await
}
