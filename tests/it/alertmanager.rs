//! A real Alertmanager: an alert per incident that stands as long as Weir says so, through a kill of
//! Weir, and ends with it; and nobody's store fills with what is only said again.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::alertmanager::{Alertmanager, unpacked};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{http, story, time, tools};

/// Tells at once, so that the test sees what Alertmanager makes of it.
fn routes(hook: &Webhook) -> String {
    format!(
        "route: {{ receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, \
         repeat_interval: 1h }}\nreceivers:\n  - name: hook\n    webhook_configs:\n      \
         - {{ url: \"{}\", send_resolved: true }}\n",
        hook.url()
    )
}

async fn alerts(am: &Alertmanager) -> Result<Vec<Value>> {
    let reply = http::client().get(format!("{}/api/v2/alerts", am.url())).send().await?;
    Ok(reply.error_for_status()?.json().await?)
}

async fn until(
    am: &Alertmanager,
    what: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> Result<Vec<Value>> {
    let found = time::wait_for(what, story::SOON, || async {
        let all = alerts(am).await?;
        Ok(wanted(&all).then_some(all))
    });
    match found.await {
        Ok(found) => Ok(found),
        Err(error) => Err(error.context(format!("{:#?}", alerts(am).await?))),
    }
}

fn updated(alert: &Value) -> &str {
    alert["updatedAt"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_stands_in_a_real_alertmanager_as_long_as_weir_says() -> Result<()> {
    if tools::require(&["apt-get", "dpkg-deb"]).is_err() {
        tools::note("no Debian here: nothing was tried on a real Alertmanager");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let am = Alertmanager::start(&unpacked().await?, &routes(&hook)).await?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let config = format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
language: zh
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s }}
route: {{ receiver: team, group_wait: 30s }}
receivers:
  - name: team
    channels:
      - alertmanager: {{ urls: ["{}"], resend_interval: 1s }}
{}"#,
        am.url(),
        story::sources(&fleet, 1)
    );
    let mut weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));

    // At once, whatever group_wait is: Alertmanager has its own.
    let found = until(&am, "the alert", |all| all.len() == 1).await?;
    let first = found.first().context("no alert")?.clone();
    tools::note(&format!("Alertmanager {} has {first:#}", am.version().await?));
    ensure!(first["labels"]["alertname"] == "JobFailed", "{first:#}");
    ensure!(first["labels"]["cluster"] == "c0" && first["labels"]["severity"] == "critical");
    let title = first["annotations"]["title"].as_str().unwrap_or_default();
    ensure!(title.contains("紧急"), "{title}");

    // It is said again, past the four seconds after which it would end by itself.
    let begin = time::now();
    let mut last = updated(&first).to_owned();
    while time::since(begin) < Duration::from_secs(5) {
        let now = until(&am, "the alert said again", |all| {
            all.len() == 1 && all.iter().all(|alert| updated(alert) > last.as_str())
        });
        last = now.await?.first().map(updated).unwrap_or_default().to_owned();
    }
    let notices = story::list(&weir, "notices").await?;
    ensure!(notices.len() == 1, "said again is no news: {notices:#?}");
    ensure!(story::list(&weir, "messages").await?.len() == 1, "nor is it kept");

    // Weir dies: the alert ends by itself. It comes back, and so does the same alert.
    weir.kill9().await?;
    until(&am, "an end without Weir", <[Value]>::is_empty).await?;
    weir.resume().await?;
    let again = until(&am, "the alert of the next Weir", |all| all.len() == 1).await?;
    ensure!(again.iter().all(|a| a["fingerprint"] == first["fingerprint"]), "{again:#?}");
    ensure!(again.iter().all(|a| a["startsAt"] == first["startsAt"]), "{again:#?}");

    fleet.restart_job(0, 0);
    story::until(&weir, "the resolution", "notices", |all| {
        all.iter().any(|n| n["reason"] == "resolved" && n["outcome"] == "sent")
    })
    .await?;
    until(&am, "the end", <[Value]>::is_empty).await?;
    let heard = hook.wait_for(
        |r| r.raw.contains("\"status\":\"resolved\"") && r.raw.contains("JobFailed"),
        story::SOON,
    );
    heard.await.context("Alertmanager told nobody of the end")?;
    let notices = story::list(&weir, "notices").await?;
    ensure!(notices.len() == 2, "{notices:#?}");
    weir.stop().await?;
    am.stop().await
}
