//! Healthy jobs that people work on: nothing of it is news.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use super::super::stage::{SOON, Stage, Wish, spec};
use super::super::verdict::Act;
use super::ends;
use crate::testbed::flink_conf::Version;
use crate::testbed::job::JobSpec;
use crate::testbed::time;

/// Times everything is done in the quiet run.
const ROUNDS: usize = 2;

/// The scheduler that can rescale a running job, without its patience.
pub(crate) fn adaptive() -> Wish {
    let prefix = "jobmanager.adaptive-scheduler";
    let mut wish = Wish::session(1, 5).with("jobmanager.scheduler", "adaptive");
    for key in [
        "resource-stabilization-timeout",
        "scaling-interval.min",
        "executing.cooldown-after-rescaling",
        "executing.resource-stabilization-timeout",
        "submission.resource-stabilization-timeout",
        "rescale-trigger.max-delay",
    ] {
        wish = wish.with(&format!("{prefix}.{key}"), "1 s");
    }
    wish
}

async fn vertices(stage: &Stage, id: &str) -> Result<Vec<(String, u64)>> {
    let job = stage.flink.rest().get(&format!("/jobs/{id}")).await?;
    let vertices = job["vertices"].as_array().context("a job without vertices")?;
    let of =
        |vertex: &Value| Some((vertex["id"].as_str()?.to_owned(), vertex["parallelism"].as_u64()?));
    Ok(vertices.iter().filter_map(of).collect())
}

async fn runs_with(stage: &Stage, id: &str, parallelism: u64) -> Result<()> {
    time::wait_for(&format!("parallelism {parallelism}"), SOON, || async {
        let all = vertices(stage, id).await?;
        Ok((!all.is_empty() && all.iter().all(|(_, p)| *p == parallelism)).then_some(()))
    })
    .await?;
    stage.flink.rest().wait_until_healthy(id, SOON).await
}

/// As a person or an autoscaler does it.
async fn rescale_to(stage: &Stage, id: &str, parallelism: u64) -> Result<()> {
    let bound = json!({ "parallelism": { "lowerBound": 1, "upperBound": parallelism } });
    let all = vertices(stage, id).await?;
    let wanted: Map<String, Value> = all.into_iter().map(|(v, _)| (v, bound.clone())).collect();
    let path = format!("/jobs/{id}/resource-requirements");
    stage.flink.rest().put(&path, &Value::from(wanted)).await?;
    runs_with(stage, id, parallelism).await
}

/// The call came with 1.18.
fn by_rest(stage: &Stage) -> bool {
    stage.flink.release() >= Version(1, 18)
}

pub(crate) async fn rescale(stage: &mut Stage) -> Result<Act> {
    let name = "rescale";
    let mut spec = spec(name, &stage.control(name)?);
    if by_rest(stage) {
        spec.parallelism = 2;
        let id = stage.run(&spec).await?;
        let began = time::now_ms();
        for parallelism in [4, 1, 3] {
            rescale_to(stage, &id, parallelism).await?;
            stage.polls(1).await?;
        }
        return Ok(Act::on(name).of_cluster().began(began));
    }
    // It wants more than there is, and takes more as soon as it comes.
    spec.parallelism = 8;
    let id = stage.run(&spec).await?;
    runs_with(stage, &id, 5).await?;
    let began = time::now_ms();
    stage.flink.start_taskmanager().await?;
    runs_with(stage, &id, 8).await?;
    Ok(Act::on(name).of_cluster().began(began))
}

pub(crate) async fn quiet(stage: &mut Stage) -> Result<Act> {
    let names = ["quiet-rescaled", "quiet-stopped", "quiet-cancelled"];
    let mut specs: Vec<JobSpec> = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    for name in names {
        let spec = spec(name, &stage.control(name)?);
        ids.push(stage.run(&spec).await?);
        specs.push(spec);
    }
    let [rescaled, stopped, cancelled] = &mut ids[..] else { unreachable!("three names") };
    let began = time::now_ms();
    for round in 0..ROUNDS {
        if by_rest(stage) {
            rescale_to(stage, rescaled, if round % 2 == 0 { 2 } else { 1 }).await?;
        }
        for (id, name, spec) in [(&mut *stopped, 1, &specs[1]), (&mut *cancelled, 2, &specs[2])] {
            let path = if name == 1 {
                ends::stop(stage, id).await?
            } else {
                ends::cancel_and_keep(stage, id).await?
            };
            *id = stage.run(&JobSpec { savepoint_path: Some(path), ..spec.clone() }).await?;
        }
    }
    for id in [rescaled, stopped, cancelled] {
        ensure!(stage.flink.exceptions(id).await?.is_empty(), "a job of the quiet run failed");
    }
    let mut act = Act::on(names[0]).of_cluster().began(began);
    act.jobs = names.map(str::to_owned).to_vec();
    Ok(act)
}
