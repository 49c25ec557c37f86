//! Applications on a real Flink 2.3: what is told of a program that threw before it had a job, and
//! what is not told twice; and that an older Flink is asked for them once.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use weir::clock::{Clock, SystemClock};
use weir::model::{Demand, JobKey, JobState, Truth, Verdict};
use weir::rules::kinds::{About, Condition, Facts};
use weir::sources::Source;
use weir::sources::flink::{FlinkConfig, FlinkSource};
use weir::tracker::{JobTrack, Tracker};

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::{ENTRY_CLASS, JobSpec};
use crate::testbed::story::SOON;
use crate::testbed::time;

/// A source and what became of its looks.
struct Watch {
    source: FlinkSource,
    tracker: Tracker,
    clock: SystemClock,
    /// Requests of the last look.
    requests: u32,
}

impl Watch {
    fn of(flink: &Flink) -> Result<Watch> {
        let config = FlinkConfig::at("prod", flink.rest_urls());
        let source = FlinkSource::new(config, Duration::from_secs(10), "test")?;
        let (tracker, clock) = (Tracker::default(), SystemClock::anchored(None));
        Ok(Watch { source, tracker, clock, requests: 0 })
    }

    async fn look(&mut self, demand: &Demand) {
        let snapshot = self.source.poll(demand, self.clock.now()).await;
        self.requests = snapshot.requests;
        self.tracker.step(self.clock.now(), &snapshot);
    }

    fn job(&self, name: &str) -> Result<&JobTrack> {
        let key = JobKey::new("prod", "", "", name);
        self.tracker.job(&key).with_context(|| format!("{name} was never seen"))
    }

    fn judge(&self, job: &str, when: Value) -> Result<Verdict> {
        let when: Condition = serde_json::from_value(when)?;
        let key = JobKey::new("prod", "", "", job);
        let facts = self.tracker.job_facts(&key, self.clock.now());
        let facts = facts.with_context(|| format!("{job} was never seen"))?;
        Ok(when.judge(&Facts { asks_why: true, ..Facts::of(About::Job(facts)) }))
    }
}

/// What `start_failed` demands, and what `job_finished` does on top.
fn demand() -> Demand {
    Demand {
        counters: true,
        checkpoints: true,
        failures: true,
        job_type: true,
        applications: true,
        ..Demand::default()
    }
}

/// Starts the test job as an application, without waiting for anything.
async fn start(flink: &Flink, jar: &str, request: Value, spec: &JobSpec) -> Result<String> {
    let mut request = request;
    request["programArgsList"] = Value::from(spec.args());
    let answer = flink.rest().post(&format!("/jars/{jar}/run-application"), &request).await?;
    Ok(answer["applicationid"].as_str().context("no application")?.to_owned())
}

async fn ended(flink: &Flink, id: &str, status: &str) -> Result<Value> {
    time::wait_for(&format!("application {status}"), SOON, || async {
        let listing = flink.rest().get("/applications/overview").await?;
        let all = listing["applications"].as_array().context("no list")?;
        Ok(all.iter().find(|a| a["id"] == id && a["status"] == status).cloned())
    })
    .await
}

#[tokio::test]
async fn a_program_that_throws_before_it_has_a_job_is_told_once() -> Result<()> {
    let flink = Flink::start(FlinkOptions::version("2.3.0")).await?;
    let control = |name: &str| Control::new(&flink.dir().join(format!("control-{name}")));
    let spec = |name: &str| Ok::<_, anyhow::Error>(JobSpec::new(name, &control(name)?));
    let mut watch = Watch::of(&flink)?;
    let quiet = flink.submit(&spec("quiet")?).await?;
    flink.rest().wait_until_healthy(&quiet, SOON).await?;
    watch.look(&demand()).await;
    ensure!(watch.tracker.job_count() == 1, "the application of a job is no job of its own");

    let jar = flink.upload_job().await?;
    let broken = spec("broken")?;
    broken.control.fail_main()?;
    let id = start(&flink, &jar, json!({}), &broken).await?;
    ended(&flink, &id, "FAILED").await?;
    watch.look(&demand()).await;
    let verdict = watch.judge(ENTRY_CLASS, json!({ "start_failed": {} }))?;
    ensure!(verdict.truth == Truth::True, "{verdict:?}");
    let error = verdict.evidence["start_error"].as_str().unwrap_or_default();
    ensure!(error.contains("IllegalStateException: no table orders_v2"), "{error}");
    ensure!(error.contains("TestJob.main(TestJob.java"), "{error}");
    for _ in 0..3 {
        watch.look(&demand()).await;
    }
    ensure!(watch.job(ENTRY_CLASS)?.failures_total == 1, "{:?}", watch.job(ENTRY_CLASS)?);

    // An application whose job failed: the job tells of it, and nothing else does.
    let lost = spec("lost")?;
    let nowhere = json!({ "savepointPath": "file:///nowhere/chk-7" });
    let id = start(&flink, &jar, nowhere, &lost).await?;
    let failed = ended(&flink, &id, "FAILED").await?;
    ensure!(failed["jobs"] == json!({ "FAILED": 1 }), "{failed}");
    watch.look(&demand()).await;
    ensure!(watch.judge("lost", json!({ "start_failed": {} }))?.truth == Truth::True);
    let main = watch.job(ENTRY_CLASS)?;
    ensure!((main.runs.len(), main.failures_total) == (1, 1), "{main:?}");

    // A later one of the same name gets as far as its job.
    let id = start(&flink, &jar, json!({}), &spec("mended")?).await?;
    let job = time::wait_for("job of the application", SOON, || async {
        let details = flink.rest().get(&format!("/applications/{id}")).await?;
        Ok(details["jobs"][0]["jid"].as_str().map(str::to_owned))
    })
    .await?;
    flink.rest().wait_until_healthy(&job, SOON).await?;
    watch.look(&demand()).await;
    ensure!(watch.job(ENTRY_CLASS)?.state() == JobState::Finished);
    for (job, kind) in [
        (ENTRY_CLASS, "start_failed"),
        (ENTRY_CLASS, "job_finished"),
        (ENTRY_CLASS, "job_missing"),
        (ENTRY_CLASS, "duplicate_job"),
        ("mended", "start_failed"),
        ("quiet", "start_failed"),
    ] {
        let verdict = watch.judge(job, json!({ kind: {} }))?;
        ensure!(verdict.truth != Truth::True, "{job} {kind}: {verdict:?}");
    }
    ensure!(watch.tracker.job_count() == 4, "quiet, lost, mended and the start that failed");

    // Nobody asks for applications where no rule wants them. Now and then a look asks more of a job.
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        watch.look(&demand()).await;
        with.push(watch.requests);
        watch.look(&Demand { applications: false, ..demand() }).await;
        without.push(watch.requests);
    }
    let least = |looks: &[u32]| looks.iter().min().copied().unwrap_or_default();
    ensure!(least(&with) == least(&without) + 1, "requests: {with:?} with, {without:?} without");
    flink.stop().await
}

#[tokio::test]
async fn an_application_cluster_whose_program_throws_is_told_too() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let spec = JobSpec::new("orders", &Control::new(folder.path())?);
    spec.control.fail_main()?;
    // Or Flink would end with it, and nobody could see anything.
    let stays = ("execution.shutdown-on-application-finish".to_owned(), "false".to_owned());
    let options = FlinkOptions::version("2.3.0");
    let options = FlinkOptions { application: Some(spec), conf: vec![stays], ..options };
    let flink = Flink::start(options).await?;
    let failed = time::wait_for("failed application", SOON, || async {
        let listing = flink.rest().get("/applications/overview").await?;
        Ok((listing["applications"][0]["status"] == "FAILED").then_some(()))
    });
    failed.await?;
    let mut watch = Watch::of(&flink)?;
    watch.look(&demand()).await;
    let verdict = watch.judge(ENTRY_CLASS, json!({ "start_failed": {} }))?;
    let error = verdict.evidence.get("start_error").and_then(Value::as_str).unwrap_or_default();
    ensure!(error.contains("no table orders_v2"), "{verdict:?}");
    ensure!(watch.tracker.job_count() == 1);
    flink.stop().await
}

#[tokio::test]
async fn a_flink_without_applications_is_asked_for_them_once() -> Result<()> {
    let flink = Flink::start(FlinkOptions::version("1.20.5")).await?;
    let refused = flink.rest().get("/applications/overview").await.unwrap_err().to_string();
    ensure!(refused.contains("404"), "{refused}");
    let mut watch = Watch::of(&flink)?;
    let mut requests = Vec::new();
    for _ in 0..4 {
        watch.look(&Demand { applications: true, ..Demand::default() }).await;
        requests.push(watch.requests);
    }
    // The listing and the cluster; at first its configuration, and the question.
    ensure!(requests == [4, 2, 2, 2], "{requests:?}");
    flink.stop().await
}
