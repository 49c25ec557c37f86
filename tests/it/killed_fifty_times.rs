//! Jobs fail, die and recover again and again while Weir is killed again and again and its channels
//! misbehave: no opening and no resolution is lost, and what was on the wire is repeated byte for
//! byte under its own key. `WEIR_KILLS=1000` kills it that often.

mod channels;
mod instants;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::sync::watch;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Recovery, Version};
use crate::testbed::story::{self, Dice};
use crate::testbed::webhook::{Received, Webhook, read_persisted};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

use channels::Channels;
use instants::Instants;

/// Unless `WEIR_KILLS` says otherwise.
const KILLS: usize = 50;
/// However slow the machine is, so long for each kill is enough; then it is over.
const EACH: Duration = Duration::from_millis(2_500);
const JOBS: usize = 4;
/// Longest wait for news of one job. Each life begins anew to see that it is well: where the machine
/// is slow, many of them see nothing.
const LATEST: Duration = Duration::from_mins(8);

/// What happened to one job, by its script.
#[derive(Default)]
struct Truth {
    failures: u64,
    deaths: usize,
}

/// Incidents that were told of, by job and reason.
type Heard = BTreeMap<(String, String), BTreeSet<u64>>;

/// Keeps what the webhook hears. It is read once: there will be thousands.
async fn listen(hook: Arc<Webhook>, heard: watch::Sender<Heard>) {
    let mut read = 0;
    loop {
        let news = hook.after(read).await;
        read += news.len();
        heard.send_modify(|heard| {
            for (incident, reason, job) in news.iter().filter(|r| r.accepted).flat_map(story::told)
            {
                heard.entry((job, reason)).or_default().insert(incident);
            }
        });
    }
}

/// One job's life until `over`: a few failures, death, restarted once people know; again once they
/// know that it is well. Weir may be dead at any of these moments.
async fn live(
    fleet: Arc<Fleet>,
    news: watch::Receiver<Heard>,
    job: usize,
    over: Arc<AtomicBool>,
) -> Result<Truth> {
    let mut dice = Dice(job as u64 + 1);
    let mut truth = Truth::default();
    let name = format!("job-{job}");
    let failure = Failure::new("com.example.PoisonRecordException", "bad amount");
    let heard = |reasons: &'static [&'static str], times: usize| {
        let (mut news, name) = (news.clone(), name.clone());
        async move {
            let told = |heard: &Heard| {
                let of = |reason: &&str| heard.get(&(name.clone(), (*reason).to_owned()));
                reasons.iter().filter_map(of).map(BTreeSet::len).sum::<usize>() >= times
            };
            let told = tokio::time::timeout(LATEST, news.wait_for(told)).await;
            let what = format!("no {reasons:?} number {times} of job-{job} within {LATEST:?}");
            told.context(what)??;
            anyhow::Ok(())
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
        tokio::time::sleep(Duration::from_millis(dice.below(2500))).await;
        fleet.submit_again(0, job);
        heard(&["resolved"], truth.deaths).await?;
        tokio::time::sleep(Duration::from_millis(dice.below(2500))).await;
    }
    Ok(truth)
}

fn kills() -> usize {
    let asked = std::env::var_os("WEIR_KILLS").and_then(|text| text.to_str()?.parse().ok());
    asked.unwrap_or(KILLS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_doubled_but_the_one_in_flight() -> Result<()> {
    let seed = time::epoch_ms();
    tools::note(&format!("seed {seed}"));
    let dir = tempfile::tempdir()?;
    let persist = dir.path().join("received.jsonl");
    let channels = Channels::start(seed, &persist).await?;
    let fleet = Arc::new(Fleet::start(FleetOptions::of(1, JOBS, Version::V1_20)).await?);
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let config = format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
storm: {{ incidents: 1000, within: 1s }}
self_monitoring: {{ failing_after: 2h }}
route: {{ receiver: team, group_by: ["..."], group_wait: 0s, group_interval: 1s }}
{}{}"#,
        channels.section(),
        story::sources(&fleet, 1)
    );
    let mut weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;

    let over = Arc::new(AtomicBool::new(false));
    let (heard, news) = watch::channel(Heard::new());
    let listener = tokio::spawn(listen(channels.hook.clone(), heard));
    let lives: Vec<_> = (0..JOBS)
        .map(|job| tokio::spawn(live(fleet.clone(), news.clone(), job, over.clone())))
        .collect();
    let mut dice = Dice(seed);
    let (wanted, mut instants, began) = (kills(), Instants::default(), time::now());
    while instants.count() < wanted && time::since(began) < EACH * wanted as u32 {
        // Every other life gets as far as it takes to do something, however slow the machine is.
        if instants.count().is_multiple_of(2) {
            tokio::time::sleep(Duration::from_millis(50 + dice.below(1_000))).await;
        } else {
            story::ready(&weir).await?;
            story::after_polls(&weir, dice.below(6)).await?;
            tokio::time::sleep(Duration::from_millis(dice.below(500))).await;
        }
        let was_ready = weir.answer("/-/ready").await.map(|(status, _)| status);
        // Not always just after an answer.
        tokio::time::sleep(Duration::from_millis(dice.below(30))).await;
        weir.kill9().await?;
        instants.note(was_ready.ok(), &dir.path().join("weir.db")).await?;
        weir.launch().await?;
        // One whose job waits for what never comes is not waited for to the end.
        if lives.iter().any(tokio::task::JoinHandle::is_finished) {
            break;
        }
    }
    let (kills, took) = (instants.count(), time::since(began));
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
    let jobs = story::list(&weir, "jobs").await?;
    let known: BTreeMap<String, u64> = jobs
        .iter()
        .map(|j| (j["name"].as_str().unwrap_or("").to_owned(), j["failures"].as_u64().unwrap_or(0)))
        .collect();
    weir.stop().await?;
    listener.abort();

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
    let ids: BTreeSet<u64> = incidents.iter().filter_map(|i| i["id"].as_u64()).collect();
    let others = channels.judge(&messages, &ids, kills).with_context(|| format!("seed {seed}"))?;
    tools::note(&format!(
        "{kills} kills in {} s ({instants}); {} failures, {} deaths, {} incidents: 0 openings and 0 \
         resolutions lost; webhook with a key: {} messages, {repeats} repeated ({unanswered} answers \
         lost), 0 doubled; {others}",
        took.as_secs(),
        failures.values().sum::<u64>(),
        deaths.values().sum::<u64>(),
        incidents.len(),
        by_key.len(),
    ));
    ensure!(kills * 2 >= wanted, "seed {seed}: {kills} of {wanted} kills in {took:?}");
    ensure!(known == failures, "seed {seed}: counted {known:?}, happened {failures:?}");
    // An incident begins with the death; failures before it that Flink mended are not its own.
    for (job, counted) in &counted {
        let (least, most) = (deaths[job], failures[job]);
        ensure!((least..=most).contains(counted), "seed {seed}: {job} {least} {counted} {most}");
    }
    Ok(())
}
