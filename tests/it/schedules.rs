//! Jobs that are meant to run at some hours only, on a running Weir.

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, ToSpan as _, Zoned, tz::TimeZone};
use serde_json::Value;

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

/// The shipped rules' conditions without their patience.
const RULES: &str = "
groups:
  - name: story
    rules:
      - alert: JobAbsent
        when: { job_absent: {} }
        labels: { severity: critical }
      - alert: JobOutsideHours
        when: { job_outside_hours: {} }
        labels: { severity: warning }
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: critical }
      - alert: JobMissing
        when: { job_missing: {} }
        labels: { severity: critical }
";

const ZONE: &str = "Asia/Kolkata";

/// Hours on the clock of the zone, counted from now.
fn hours(from: i64, to: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "the program under test goes by the real clock")]
    let now: Zoned = Timestamp::now().to_zoned(TimeZone::get(ZONE).unwrap());
    let clock = |hours: i64| now.checked_add(hours.hours()).unwrap().strftime("%H:%M").to_string();
    format!("{}-{}", clock(from), clock(to))
}

fn schedules(inside: &str, outside: &str) -> String {
    format!(
        "time_zone: {ZONE}
schedules:
  - {{ matchers: ['job_name=~\"{inside}\"'], running: \"{}\" }}
  - {{ matchers: ['job_name=~\"{outside}\"'], running: [\"{}\"] }}
  - {{ matchers: ['job_name=\"nobody\"'], running: \"Mon 08:00-09:00\", time_zone: UTC }}
",
        hours(-6, 6),
        hours(6, 12)
    )
}

fn told(hook: &Webhook) -> Vec<(String, String)> {
    let news = hook.accepted().iter().flat_map(story::told).collect::<Vec<_>>();
    news.into_iter().map(|(_, reason, job)| (reason, job)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_decide_what_is_missed_and_what_is_in_the_way() -> Result<()> {
    let dir = tempfile::tempdir()?;
    // 0 … 2 are to run now, 3 … 5 are not, 6 always.
    let fleet = Fleet::start(FleetOptions::of(1, 7, Version::V1_20)).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), RULES)?;
    for job in [1, 3, 6] {
        fleet.cancel_job(0, job);
    }
    let rest = story::config(&hook, (&fleet, 1), "interval: 500ms, timeout: 5s", "0s");
    let rest = rest.replace("group_by: [cluster]", "group_by: ['...']");
    let config = schedules("job-[012]", "job-[345]") + &rest;
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    let heard = |reason: &'static str, job: &'static str| {
        let (hook, weir) = (&hook, &weir);
        async move {
            time::wait_for(&format!("{reason} of {job}"), SOON, || async {
                let found = told(hook).iter().any(|(r, j)| r == reason && j == job);
                Ok(found.then_some(()))
            })
            .await
            .with_context(|| format!("{:?}\n{}", told(hook), weir.log_tail()))
        }
    };
    // What the first look shows is one report; job-1, job-4 and job-5 are in it.
    story::until(&weir, "three incidents", "incidents", |all| all.len() == 3).await?;
    heard("first_look", "job-4").await?;
    fleet.cancel_job(0, 2);
    heard("opened", "job-2").await?;
    fleet.cancel_job(0, 4);
    heard("resolved", "job-4").await?;
    fleet.kill_job(0, 5, &Failure::new("java.io.IOException", "the disk is full"));
    heard("opened", "job-5").await?;
    story::after_polls(&weir, 3).await?;
    let open = story::list(&weir, "incidents?state=open").await?;
    let mut open: Vec<String> = open
        .iter()
        .map(|i| format!("{} {}", i["rule"].as_str().unwrap(), i["job"].as_str().unwrap()))
        .collect();
    open.sort();
    ensure!(open == ["JobAbsent c0/job-1", "JobAbsent c0/job-2", "JobFailed c0/job-5"], "{open:?}");

    let jobs = story::list(&weir, "jobs").await?;
    let of = |name: &str| jobs.iter().find(|job| job["name"] == name).unwrap()["schedule"].clone();
    ensure!(of("job-1")["now"] == "inside" && of("job-3")["now"] == "outside", "{jobs:#?}");
    ensure!(of("job-6") == Value::Null, "{jobs:#?}");
    let status = weir.get("/api/v1/status").await?;
    let idle = status["idle_schedules"][0].as_str().unwrap_or_default();
    ensure!(idle == "3: job_name=\"nobody\", Mon 08:00-09:00 UTC", "{status:#}");
    let (code, out, err) = ask(dir.path(), &["explain", "job-3"]).await?;
    let line = format!("schedule {} {ZONE}: outside now, until ", hours(6, 12));
    // The minute may have changed since the configuration was written.
    let same = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    ensure!(code == 0 && same(&out).starts_with(&same(&line)), "{out} {err}");
    ensure!(out.contains("JobAbsent") && out.contains("it need not run"), "{out}");

    // Other hours, by a reload: who was missed is not, and the other way round.
    let path = dir.path().join("weir.yaml");
    let before = std::fs::read_to_string(&path)?;
    let swapped = before
        .replace("job-[012]", "job-x")
        .replace("job-[345]", "job-[012]")
        .replace("job-x", "job-[345]");
    std::fs::write(&path, swapped)?;
    #[expect(clippy::disallowed_methods, reason = "as any client of the API")]
    let client = reqwest::Client::new();
    let reply = client.post(weir.url("/-/reload")).send().await?;
    ensure!(reply.status().is_success(), "{}", reply.text().await?);
    heard("resolved", "job-1").await?;
    heard("resolved", "job-2").await?;
    heard("opened", "job-3").await?;
    heard("opened", "job-0").await?;
    let ended = story::list(&weir, "incidents?job=c0%2Fjob-2").await?;
    ensure!(ended[0]["end_reason"] == "ended" && ended[0]["aspect"] == "schedule", "{ended:#?}");
    weir.stop().await
}
