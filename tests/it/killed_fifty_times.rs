//! Jobs fail, die and recover again and again while Weir is killed again and again and its channels
//! misbehave: no opening and no resolution is lost, and what was on the wire is repeated byte for
//! byte under its own key. `WEIR_KILLS=1000` kills it that often.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::testbed::faults::Fault;
use crate::testbed::feishu::{self, Bot, Feishu};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Recovery, Version};
use crate::testbed::story::{self, Dice, SOON};
use crate::testbed::webhook::{Received, Webhook, WebhookOptions, read_persisted};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

/// Unless `WEIR_KILLS` says otherwise.
const KILLS: usize = 50;
const JOBS: usize = 4;

/// What happened to one job, by its script.
#[derive(Default)]
struct Truth {
    failures: u64,
    deaths: usize,
}

/// One job's life until `over`: a few failures, death, restarted once people know; again once they
/// know that it is well. Weir may be dead at any of these moments.
async fn live(
    fleet: Arc<Fleet>,
    hook: Arc<Webhook>,
    job: usize,
    over: Arc<AtomicBool>,
) -> Result<Truth> {
    let mut dice = Dice(job as u64 + 1);
    let mut truth = Truth::default();
    let name = format!("job-{job}");
    let failure = Failure::new("com.example.PoisonRecordException", "bad amount");
    let heard = |reasons: &'static [&'static str], times: usize| {
        let (hook, name) = (hook.clone(), name.clone());
        async move {
            time::wait_for(&format!("news {reasons:?} number {times} of {name}"), SOON, || async {
                let news: BTreeSet<(u64, String, String)> =
                    hook.accepted().iter().flat_map(story::told).collect();
                let ours = news.iter().filter(|n| n.2 == name && reasons.contains(&&*n.1));
                Ok((ours.count() >= times).then_some(()))
            })
            .await
        }
    };
    while !over.load(Ordering::SeqCst) {
        for _ in 0..dice.below(4) {
            let recovery = Recovery::AfterMs(dice.below(300) as i64);
            fleet.fail_job(0, job, &failure, recovery);
            truth.failures += 1;
            tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        }
        fleet.kill_job(0, job, &failure);
        truth.failures += 1;
        truth.deaths += 1;
        heard(&["opened", "reopened"], truth.deaths).await?;
        tokio::time::sleep(Duration::from_millis(dice.below(1500))).await;
        fleet.submit_again(0, job);
        heard(&["resolved"], truth.deaths).await?;
        tokio::time::sleep(Duration::from_millis(dice.below(1500))).await;
    }
    Ok(truth)
}

fn kills() -> usize {
    let asked = std::env::var_os("WEIR_KILLS").and_then(|text| text.to_str()?.parse().ok());
    asked.unwrap_or(KILLS)
}

/// A bot that refuses, breaks, and takes cards without saying so.
async fn bot(seed: u64) -> Result<Feishu> {
    let bot = Feishu::start([Bot::new("bot")]).await?;
    bot.faults().shares(
        seed,
        &[
            (200, Fault::code(feishu::FREQUENCY_LIMITED, "frequency limited")),
            (50, Fault::status(503)),
            (50, Fault::AcceptThenDrop),
        ],
    );
    Ok(bot)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_doubled_but_the_one_in_flight() -> Result<()> {
    let seed = time::epoch_ms();
    tools::note(&format!("seed {seed}"));
    let dir = tempfile::tempdir()?;
    let persist = dir.path().join("received.jsonl");
    let options = WebhookOptions { persist: Some(persist.clone()), ..WebhookOptions::default() };
    let hook = Arc::new(Webhook::start(options).await?);
    hook.faults().shares(seed, &[(50, Fault::status(503)), (50, Fault::AcceptThenDrop)]);
    let feishu = bot(seed).await?;
    let fleet = Arc::new(Fleet::start(FleetOptions::of(1, JOBS, Version::V1_20)).await?);
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let poll = "interval: 500ms, timeout: 5s";
    let config = story::config(&hook, (&fleet, 1), poll, "0s");
    let channel = format!("      - feishu_bot: {{ url: \"{}\" }}\nsources:", feishu.url("bot"));
    let config = config.replacen("sources:", &channel, 1);
    let config = format!(
        "{config}storm: {{ incidents: 1000, within: 1s }}\nself_monitoring: {{ failing_after: 1h }}\n"
    );
    let began = time::now();
    let mut weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    // On a busy machine, too, it lives long enough to do something now and then.
    let alive = 2_000 + 2 * time::since(began).as_millis() as u64;

    let over = Arc::new(AtomicBool::new(false));
    let lives: Vec<_> = (0..JOBS)
        .map(|job| tokio::spawn(live(fleet.clone(), hook.clone(), job, over.clone())))
        .collect();
    let mut dice = Dice(seed);
    let kills = kills();
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(50 + dice.below(alive))).await;
        weir.kill9().await?;
        weir.launch().await?;
    }
    over.store(true, Ordering::SeqCst);
    let mut failures = BTreeMap::new();
    let mut deaths: BTreeMap<String, u64> = BTreeMap::new();
    for (job, life) in lives.into_iter().enumerate() {
        let truth = match life.await? {
            Ok(truth) => truth,
            Err(error) => {
                let mut picture = format!("seed {seed}\n");
                // It has just been started; without it there is less to see, and still the error.
                story::ready(&weir).await.ok();
                for what in ["sources", "jobs", "incidents", "notices", "messages"] {
                    for row in story::list(&weir, what).await.unwrap_or_default() {
                        writeln!(picture, "{what}: {row}")?;
                    }
                }
                return Err(error.context(picture));
            }
        };
        ensure!(truth.deaths > 0, "seed {seed}: job-{job} never died");
        failures.insert(format!("job-{job}"), truth.failures);
        deaths.insert(format!("job-{job}"), truth.deaths as u64);
    }
    story::until(&weir, "end of all incidents", "incidents", |all| {
        all.iter().all(|i| i["state"] == "resolved")
    })
    .await?;
    story::until(&weir, "nothing pending", "notices?state=pending", <[_]>::is_empty).await?;
    let incidents = story::all(&weir, "incidents").await?;
    let notices = story::all(&weir, "notices").await?;
    for notice in &notices {
        let told = notice["outcome"] == "sent" || notice["outcome"] == "folded";
        ensure!(told, "seed {seed}: {notice:#}");
    }
    let messages = story::all(&weir, "messages").await?;
    let cards = messages.iter().filter(|m| m["channel"] == "feishu_bot").count();
    let jobs = story::list(&weir, "jobs").await?;
    let known: BTreeMap<String, u64> = jobs
        .iter()
        .map(|j| (j["name"].as_str().unwrap_or("").to_owned(), j["failures"].as_u64().unwrap_or(0)))
        .collect();
    weir.stop().await?;

    let received = read_persisted(&persist)?;
    let mut by_key: BTreeMap<&str, Vec<&Received>> = BTreeMap::new();
    for one in received.iter().filter(|r| r.accepted) {
        by_key.entry(one.idempotency_key().context("no key")?).or_default().push(one);
    }
    let mut times_told: BTreeMap<(u64, String), usize> = BTreeMap::new();
    let mut repeats = 0;
    for (key, copies) in &by_key {
        repeats += copies.len() - 1;
        ensure!(copies.iter().all(|c| c.raw == copies[0].raw), "seed {seed}: {key} has two texts");
        for (incident, reason, _) in story::told(copies[0]) {
            *times_told.entry((incident, reason)).or_default() += 1;
        }
    }
    let unanswered = received.iter().filter(|r| r.accepted && r.unanswered).count();
    let most = kills + unanswered;
    ensure!(repeats <= most, "seed {seed}: {repeats} repeats by {kills} kills, {unanswered} lost");
    // Without a key each of these is a second card; with one the receiver knows it again.
    let arrived = feishu.accepted();
    let lost = arrived.iter().filter(|r| r.fault == Some(Fault::AcceptThenDrop)).count();
    let doubled = arrived.len().checked_sub(cards).context("a card is missing")?;
    ensure!(doubled <= kills + lost, "seed {seed}: {doubled} doubled, {lost} answers lost");
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for incident in &incidents {
        let id = incident["id"].as_u64().context("no id")?;
        for reason in ["opened", "resolved"] {
            let times = times_told.get(&(id, reason.to_owned())).copied().unwrap_or(0);
            ensure!(times == 1, "seed {seed}: #{id} {reason} told {times} times: {incident:#}");
        }
        let job = incident["labels"]["job_name"].as_str().context("no job")?.to_owned();
        *counted.entry(job).or_default() += incident["occurrences"].as_u64().unwrap_or(0);
    }
    tools::note(&format!(
        "{kills} kills, {} incidents, 0 openings and 0 resolutions lost; webhook with a key: {} \
         messages, {repeats} repeated ({unanswered} answers lost), 0 doubled; bot without one: \
         {cards} cards, {doubled} doubled ({lost} answers lost), {} requests; failures {failures:?}",
        incidents.len(),
        by_key.len(),
        feishu.received().len(),
    ));
    ensure!(known == failures, "seed {seed}: counted {known:?}, happened {failures:?}");
    // An incident begins with the death; failures before it that Flink mended are not its own.
    for (job, counted) in &counted {
        let (least, most) = (deaths[job], failures[job]);
        ensure!((least..=most).contains(counted), "seed {seed}: {job} {least} {counted} {most}");
    }
    Ok(())
}
