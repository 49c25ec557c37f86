//! What was told and why not, what happened, and what it looks like: asked of a running Weir, which
//! is killed in between.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Recovery, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::webhook::{Received, Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

async fn says(dir: &Path, words: &[&str], parts: &[&str]) -> Result<String> {
    let (code, out, err) = ask(dir, words).await?;
    tools::note(&format!("weir {}\n{out}", words.join(" ")));
    ensure!(code == 0, "{words:?} ended with {code}: {out} {err}");
    for part in parts {
        ensure!(out.contains(part), "{words:?} lacks {part:?}: {out}");
    }
    Ok(out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_and_why_not_is_answered_also_after_a_kill() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
    std::fs::write(dir.join("rules.yaml"), story::JOB_FAILED)?;
    let config = story::config(&hook, (&fleet, 1), "interval: 500ms, timeout: 5s", "1s");
    let mut weir = Weir::start(crate::binary(), dir, &config).await?;
    story::ready(&weir).await?;
    story::after_polls(&weir, 2).await?;

    let failure = Failure::new("com.example.PoisonRecordException", "bad amount");
    fleet.fail_job(0, 1, &failure, Recovery::AfterMs(100));
    story::until(&weir, "the failure is seen", "jobs", |jobs| {
        jobs.iter().any(|job| job["failures"] == 1 && job["state"] == "RUNNING")
    })
    .await?;
    fleet.kill_job(0, 0, &failure);
    story::until(&weir, "it is told", "notices?state=sent", |all| !all.is_empty()).await?;

    for again in [false, true] {
        if again {
            weir.kill9().await?;
            weir.resume().await?;
            story::ready(&weir).await?;
            story::after_polls(&weir, 2).await?;
        }
        says(
            dir,
            &["notices", "--job", "job-0", "--since", "1h"],
            &[
                "#1 JobFailed (critical) · job:c0/job-0 · ",
                "for team/webhook: sent",
                "JobFailed fired ",
                "→ opened incident #1 ",
                "→ grouped for ",
                "→ in message 1 ",
                "→ accepted by team/webhook at the first try ",
            ],
        )
        .await?;
        let of_rule = ["notices", "--rule", "story/JobFailed", "--receiver", "team"];
        says(dir, &of_rule, &["#1 JobFailed"]).await?;
        let chinese = ["notices", "--incident", "1", "--language", "zh"];
        says(
            dir,
            &chinese,
            &["发给 team/webhook: 已发送", "产生告警 #1 ", "team/webhook 已接受（第 1 次尝试）"],
        )
        .await?;
        says(
            dir,
            &["notices", "--job", "job-1"],
            &[
                "no notices",
                "why · c0/job-1",
                "- no rule matched",
                "nearest: JobFailed is not true for job:c0/job-1: the job is RUNNING",
                "- the routes send it to team",
            ],
        )
        .await?;
        let report = says(
            dir,
            &["report", "--since", "1d"],
            &[
                "incidents  1 opened (1 critical), 0 over, 0 too brief to tell, 1 open now",
                "messages   1 sent",
                "receiver team\n  1 incident; notices: 1 sent\n  messages: 1 sent; by kind: 1 incident",
                "1 notice, 1 incident, 1 failure  c0/job-0",
                "1 notice, 1 incident  JobFailed",
            ],
        )
        .await?;
        ensure!(
            report.contains("failures   2 in 2 jobs; 1 job recovered without an incident"),
            "{report}"
        );
        says(dir, &["report", "--language", "zh"], &["失败   2 次，涉及 2 个作业"]).await?;
    }

    let json = says(dir, &["notices", "--job", "job-0", "--output", "json"], &[]).await?;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(json["notices"][0]["path"].as_array().is_some_and(|p| p.len() == 5), "{json}");
    ensure!(json["notices"][0]["severity"] == "critical" && json["why"].is_null(), "{json}");
    let json = says(dir, &["report", "--output", "json"], &[]).await?;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(json["failures"] == 2 && json["opened"]["critical"] == 1, "{json}");
    let (code, out, err) = ask(dir, &["notices", "--job", "job-9"]).await?;
    ensure!(code == 1 && err.contains("no job is named `job-9`"), "{code}: {out} {err}");

    says(
        dir,
        &["render", "--incident", "1", "--channel", "console"],
        &["[CRITICAL] job-0 ", "PoisonRecordException: bad amount", "Weir alert"],
    )
    .await?;
    let bytes = says(dir, &["render", "--incident", "1"], &["\"version\": \"4\""]).await?;
    let body: Value = serde_json::from_str(&bytes)?;
    ensure!(body["alerts"][0]["labels"]["job_name"] == "job-0", "{body}");
    for (file, part) in
        [("m.html", "<!DOCTYPE html>"), ("m.eml", "Subject: "), ("m.txt", "【紧急】job-0")]
    {
        let words =
            ["render", "--incident", "1", "--channel", "email", "--language", "zh", "-o", file];
        says(dir, &words, &[]).await?;
        let written = std::fs::read_to_string(dir.join(file))?;
        ensure!(written.contains(part), "{file}: {written}");
    }
    let (code, _, err) = ask(dir, &["render", "--incident", "77"]).await?;
    ensure!(code == 1 && err.contains("no incident #77"), "{code}: {err}");
    weir.stop().await
}

#[tokio::test]
async fn samples_are_rendered_with_a_configuration_alone() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    says(dir, &["render"], &["[CRITICAL] ro-cn-sync keeps failing", "Weir alert"]).await?;
    let quiet = ["render", "--sample", "quiet", "--language", "zh"];
    says(dir, &quiet, &["【周报】7 天，0 起告警，监控 62 个作业", "一切平稳"]).await?;
    let card = ["render", "--sample", "summary", "--channel", "feishu_bot", "-o", "card.json"];
    says(dir, &card, &[]).await?;
    let card: Value = serde_json::from_slice(&std::fs::read(dir.join("card.json"))?)?;
    ensure!(card["msg_type"] == "interactive", "{card}");
    let folder = dir.join("own/console/en");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("body.txt.hbs"), "mine: {{title}}")?;
    says(dir, &["render", "--template-dir", "own"], &["mine: [CRITICAL]"]).await?;
    std::fs::write(folder.join("body.txt.hbs"), "{{titel}}")?;
    for (words, part) in [
        (vec!["render", "--template-dir", "own"], "titel"),
        (vec!["render", "--sample", "nothing"], "no sample is named `nothing`"),
        (vec!["render", "--channel", "pigeon"], "no channel `pigeon` is configured"),
        (vec!["render", "-o", "x.pdf"], "(this channel has .txt)"),
    ] {
        let (code, out, err) = ask(dir, &words).await?;
        ensure!(code == 2 && err.contains(part), "{words:?} ended with {code}: {out} {err}");
    }
    Ok(())
}

fn summaries(hook: &Webhook) -> Vec<Received> {
    let all = hook.accepted().into_iter();
    all.filter(|received| received.body()["weir"]["kind"] == "summary").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_missed_while_weir_was_dead_comes_once() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let fleet = Fleet::start(FleetOptions::of(1, 2, Version::V2_2)).await?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    // The next full minute that leaves time to start.
    let due = (time::epoch_ms() as i64 + 45_000).div_euclid(60_000) * 60_000 + 60_000;
    let clock = jiff::Timestamp::from_millisecond(due)?.to_zoned(jiff::tz::TimeZone::UTC);
    let summary = format!("    summary: {{ at: \"{}\" }}\n", clock.strftime("%H:%M"));
    let config = story::config(&hook, (&fleet, 1), "interval: 500ms, timeout: 5s", "0s");
    let config = config.replace("  - name: team\n", &format!("  - name: team\n{summary}"));
    ensure!(config.contains("summary"), "{config}");
    let mut weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    let failure = Failure::new("java.io.IOException", "disk gone");
    fleet.fail_job(0, 1, &failure, Recovery::AfterMs(100));
    story::until(&weir, "the failure is seen", "jobs", |jobs| {
        jobs.iter().any(|job| job["failures"] == 1)
    })
    .await?;
    weir.kill9().await?;
    ensure!(
        summaries(&hook).is_empty() && (time::epoch_ms() as i64) < due,
        "too slow for this test"
    );
    time::wait_for("the time of the summary", 2 * SOON, || async {
        Ok((time::epoch_ms() as i64 > due).then_some(()))
    })
    .await?;
    weir.resume().await?;
    time::wait_for("the summary", SOON, || async {
        Ok((!summaries(&hook).is_empty()).then_some(()))
    })
    .await?;
    weir.kill9().await?;
    weir.resume().await?;
    story::ready(&weir).await?;
    story::after_polls(&weir, 4).await?;
    let heard = summaries(&hook);
    let keys: BTreeSet<Option<String>> =
        heard.iter().map(|r| r.idempotency_key().map(str::to_owned)).collect();
    ensure!(keys.len() == 1, "{keys:?}");
    ensure!(heard.iter().all(|copy| copy.raw == heard[0].raw), "two texts under one key");
    let body = heard[0].body();
    tools::note(&body.to_string());
    let said = &body["weir"]["summary"];
    ensure!(said["failures"] == 1 && said["mended_jobs"] == 1, "{body}");
    ensure!(body["status"] == "resolved" && body["weir"]["jobs_watched"] == 2, "{body}");
    let messages = story::list(&weir, "messages").await?;
    let told = messages.iter().filter(|m| m["kind"] == "summary" && m["state"] == "sent").count();
    ensure!(told == 1 && messages.len() == 1, "{messages:?}");
    weir.stop().await
}
