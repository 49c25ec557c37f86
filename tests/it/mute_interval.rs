//! A route that is muted for a while, with a real clock: who is told what, when, and what the
//! questions about it answer meanwhile.

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, Unit};
use serde_json::Value;
use weir::clock::{Clock as _, SystemClock};

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

fn now() -> Result<Timestamp> {
    Ok(Timestamp::from_millisecond(SystemClock::anchored(None).now().wall.0)?)
}

/// The first full minute that leaves time for what happens before it.
fn end_of_mute() -> Result<Timestamp> {
    let least = now()?.checked_add(jiff::SignedDuration::from_secs(25))?;
    let round = jiff::TimestampRound::new().smallest(Unit::Minute).mode(jiff::RoundMode::Ceil);
    Ok(least.round(round)?)
}

/// A day before the end, all in UTC, so that it is in force from the start.
fn interval(end: Timestamp) -> String {
    let clock = end.strftime("%H:%M").to_string();
    let before = "{ start_time: \"00:00\", end_time: \"CLOCK\" }".replace("CLOCK", &clock);
    let today = end.strftime("%A").to_string().to_lowercase();
    let yesterday = end - jiff::SignedDuration::from_hours(24);
    let yesterday = yesterday.strftime("%A").to_string().to_lowercase();
    let today = match clock.as_str() {
        "00:00" => String::new(),
        _ => format!("{{ times: [{before}], weekdays: [{today}] }}, "),
    };
    format!("[{today}{{ weekdays: [{yesterday}] }}]")
}

fn config(team: &Webhook, night: &Webhook, fleet: &Fleet, end: Timestamp) -> String {
    format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
time_intervals:
  - {{ name: rest, time_intervals: {interval} }}
route:
  receiver: team
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  routes:
    - {{ matchers: ['job_name="job-2"'], receiver: nobody }}
    - {{ matchers: ['job_name=~"job-[01]"'], receiver: night, mute_time_intervals: [rest] }}
receivers:
  - {{ name: team, channels: [webhook: {{ url: "{team}" }}] }}
  - {{ name: night, channels: [webhook: {{ url: "{night}" }}] }}
  - {{ name: nobody, channels: [] }}
{sources}"#,
        interval = interval(end),
        team = team.url(),
        night = night.url(),
        sources = story::sources(fleet, 1)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_when_a_mute_ends_is_told_then() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (team, night) = (
        Webhook::start(WebhookOptions::default()).await?,
        Webhook::start(WebhookOptions::default()).await?,
    );
    let fleet = Fleet::start(FleetOptions::of(1, 4, Version::V1_20)).await?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let end = end_of_mute()?;
    let text = config(&team, &night, &fleet, end);
    let weir = Weir::start(crate::binary(), dir.path(), &text).await?;
    story::ready(&weir).await?;

    for job in [0, 1, 3] {
        let gone = Failure::new("java.io.IOException", "the broker is gone");
        fleet.kill_job(0, job, &gone);
    }
    // Another route is not muted: what it tells shows that the muted one had its chance.
    heard(&weir, &team, "opened", "job-3").await?;
    let open = story::until(&weir, "three incidents", "incidents?state=open", |open| {
        open.iter().filter(|i| i["muted_by"] == "muted by time: rest").count() == 2
    })
    .await?;
    ensure!(open.len() == 3, "{open:#?}");

    let (code, out, err) = ask(dir.path(), &["routes", "job-0", "--severity", "critical"]).await?;
    tools::note(&out);
    ensure!(code == 0, "{code}: {out} {err}");
    for part in [
        "  0.1     job_name=~\"job-[01]\"\n",
        "→ night: webhook\n",
        "muted now by time: rest, until ",
    ] {
        ensure!(out.contains(part), "{part:?} is not in {out}");
    }
    let (code, out, _) = ask(dir.path(), &["routes", "--labels", "job_name=job-2"]).await?;
    ensure!(code == 1 && out.contains("nobody hears of it"), "{code}: {out}");
    let (code, out, _) = ask(dir.path(), &["jobs", "--unowned"]).await?;
    ensure!(code == 1 && out.lines().count() == 1 && out.contains("c0/job-2"), "{code}: {out}");
    let (code, out, _) = ask(dir.path(), &["jobs"]).await?;
    ensure!(code == 0 && out.lines().count() == 4, "{code}: {out}");

    // One of the two is well again before anybody was told.
    fleet.submit_again(0, 1);
    story::until(&weir, "job-1 is over", "incidents?state=resolved", |over| !over.is_empty())
        .await?;
    ensure!(now()? < end, "too slow: the mute was over before");
    ensure!(night.accepted().is_empty(), "{:?}", night.accepted());

    heard(&weir, &night, "opened", "job-0").await?;
    ensure!(now()? >= end, "told before the mute was over");
    fleet.submit_again(0, 0);
    heard(&weir, &night, "resolved", "job-0").await?;

    let told: Vec<_> = night.accepted().iter().flat_map(story::told).collect();
    ensure!(told.iter().all(|(_, _, job)| job == "job-0"), "{told:?}");
    ensure!(told.len() == 2, "{told:?}");
    let notices = story::list(&weir, "notices?receiver=night").await?;
    let of_one = |n: &&Value| n["outcome"] == "muted" && n["held_by"] == "muted by time: rest";
    ensure!(notices.iter().filter(of_one).count() == 1, "{notices:#?}");
    weir.stop().await
}

async fn heard(weir: &Weir, hook: &Webhook, reason: &str, job: &str) -> Result<()> {
    time::wait_for(&format!("{reason} of {job}"), 2 * SOON, || async {
        let told = hook.accepted();
        let mut news = told.iter().flat_map(story::told);
        Ok(news.any(|(_, why, name)| why == reason && name == job).then_some(()))
    })
    .await
    .with_context(|| weir.log_tail())
}
