//! Tasks that throw: once, in loops slow and fast, for good, and for want of memory or a class.

use std::time::Duration;

use anyhow::Result;

use super::super::stage::{SOON, Stage, spec};
use super::super::verdict::Act;
use super::platform;
use crate::testbed::control::Control;
use crate::testbed::job::{JobSpec, RestartStrategy};

/// The shipped rule counts three; what was before is no loop yet.
const LOOP: usize = 3;

fn restarting(name: &str, control: &Control, delay: Duration) -> JobSpec {
    let restart = RestartStrategy::FixedDelay { attempts: 1_000_000, delay };
    JobSpec { restart, ..spec(name, control) }
}

async fn looping(stage: &Stage, name: &str, spec: &JobSpec, after: Duration) -> Result<Act> {
    stage.run(spec).await?;
    spec.control.crash_on(after)?;
    Ok(Act::on(name).began(stage.failure(&spec.control, LOOP).await?))
}

pub(crate) async fn clean(stage: &Stage) -> Result<Act> {
    let name = "clean-failure";
    let control = stage.control(name)?;
    let spec = JobSpec { restart: RestartStrategy::None, ..spec(name, &control) };
    let id = stage.run(&spec).await?;
    control.crash_on(Duration::ZERO)?;
    stage.flink.rest().wait_for_state(&id, &["FAILED"], SOON).await?;
    Ok(Act::on(name).began(stage.failure(&control, 1).await?))
}

/// It recovers by itself, and that is no news.
pub(crate) async fn two_failures(stage: &Stage) -> Result<Act> {
    let name = "two-failures";
    let control = stage.control(name)?;
    let spec = restarting(name, &control, stage.poll.mul_f32(1.5));
    let id = stage.run(&spec).await?;
    control.crash_times(LOOP - 1, stage.poll.mul_f32(2.5))?;
    let began = stage.failure(&control, LOOP - 1).await?;
    stage.flink.rest().wait_until_healthy(&id, SOON).await?;
    Ok(Act::on(name).began(began))
}

pub(crate) async fn slow_loop(stage: &Stage) -> Result<Act> {
    let name = "slow-loop";
    let control = stage.control(name)?;
    let spec = restarting(name, &control, stage.poll.mul_f32(1.5));
    looping(stage, name, &spec, stage.poll.mul_f32(2.5)).await
}

pub(crate) async fn fast_loop(stage: &Stage) -> Result<Act> {
    let name = "fast-loop";
    let control = stage.control(name)?;
    let spec = restarting(name, &control, stage.poll / 20);
    looping(stage, name, &spec, stage.poll / 20).await
}

pub(crate) async fn failure_rate(stage: &Stage) -> Result<Act> {
    let name = "failure-rate";
    let control = stage.control(name)?;
    let (interval, delay) = (Duration::from_mins(5), Duration::from_secs(1));
    let restart = RestartStrategy::FailureRate { max: 3, interval, delay };
    let spec = JobSpec { restart, ..spec(name, &control) };
    let id = stage.run(&spec).await?;
    control.crash_on(Duration::from_millis(500))?;
    let third = stage.failure(&control, LOOP).await?;
    stage.flink.rest().wait_for_state(&id, &["FAILED"], SOON).await?;
    let last = stage.failure(&control, control.failures()?).await?;
    Ok(Act::on(name).began(third).began_for("JobFailed", last))
}

/// It runs for long enough in between to complete checkpoints.
pub(crate) async fn exponential_delay(stage: &Stage) -> Result<Act> {
    let name = "exponential-delay";
    let control = stage.control(name)?;
    let restart = RestartStrategy::ExponentialDelay {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(5),
        reset_after: Duration::from_hours(1),
    };
    let spec = JobSpec { restart, ..spec(name, &control) };
    looping(stage, name, &spec, stage.poll.mul_f32(2.5)).await
}

/// It compiles, it is submitted, and its first task finds that a class is not in the jar.
pub(crate) async fn class_missing(stage: &Stage) -> Result<Act> {
    let name = "class-missing";
    let control = stage.control(name)?;
    control.miss_connector()?;
    stage
        .flink
        .submit(&JobSpec { restart: RestartStrategy::Flinks, ..spec(name, &control) })
        .await?;
    Ok(Act::on(name).began(stage.failure(&control, LOOP).await?))
}

pub(crate) async fn out_of_memory(stage: &mut Stage) -> Result<Act> {
    let name = "out-of-memory";
    let control = stage.control(name)?;
    stage.run(&spec(name, &control)).await?;
    control.use_up_heap()?;
    Ok(Act::on(name).began(stage.failure(&control, LOOP).await?))
}

/// The same where the `TaskManager` is told to end on it, as containers are.
pub(crate) async fn out_of_memory_exit(stage: &mut Stage) -> Result<Act> {
    let name = "out-of-memory-exit";
    let control = stage.control(name)?;
    let id = stage.run(&spec(name, &control)).await?;
    control.use_up_heap()?;
    Ok(Act::on(name).began(platform::taskmanager_gone(stage, &id).await?))
}
