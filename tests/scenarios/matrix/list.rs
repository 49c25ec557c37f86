//! All scenarios, and the cluster each is played on.

use futures_util::future::LocalBoxFuture;

use anyhow::Result;

use super::play::{checkpoints, data, ends, failures, platform, quiet, starts};
use super::stage::{Stage, Wish};
use super::verdict::Act;

type Together = for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, Result<Act>>;
type Alone = for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, Result<Act>>;

/// How a scenario is played.
pub(crate) enum Play {
    /// On one cluster with others, at the same time.
    Together(Together),
    /// On a cluster of its own.
    Alone(fn() -> Wish, Alone),
}

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) play: Play,
}

macro_rules! together {
    ($name:literal, $play:path) => {
        Scenario { name: $name, play: Play::Together(|stage| Box::pin($play(stage))) }
    };
}

macro_rules! alone {
    ($name:literal, $wish:expr, $play:path) => {
        Scenario { name: $name, play: Play::Alone($wish, |stage| Box::pin($play(stage))) }
    };
}

/// The cluster of all that do not disturb each other.
pub(crate) fn shared(scenarios: usize) -> Wish {
    // Two live runs of one name, and a job that is submitted again, want a second slot.
    let slots = u32::try_from(scenarios).unwrap_or(u32::MAX).saturating_add(4);
    // Small buffers are full soon, so that a slow sink is felt soon.
    Wish::session(1, slots).with("taskmanager.memory.segment-size", "4kb")
}

fn small() -> Wish {
    Wish::session(1, 2)
}

/// In the order in which they are played.
pub(crate) const ALL: &[Scenario] = &[
    together!("clean-failure", failures::clean),
    together!("two-failures", failures::two_failures),
    together!("slow-loop", failures::slow_loop),
    together!("fast-loop", failures::fast_loop),
    together!("failure-rate", failures::failure_rate),
    together!("exponential-delay", failures::exponential_delay),
    together!("class-missing", failures::class_missing),
    together!("checkpoint-timeout", checkpoints::timeout),
    together!("checkpoint-failures", checkpoints::failures),
    together!("checkpoint-stuck", checkpoints::stuck),
    together!("no-checkpoints", checkpoints::none),
    together!("stuck-source", data::stuck_source),
    together!("backpressure", data::backpressure),
    together!("bad-savepoint", starts::bad_savepoint),
    together!("jar-throws", starts::jar_throws),
    together!("two-live-runs", ends::two_live_runs),
    together!("finished-streaming", ends::finished_streaming),
    together!("finished-bounded", ends::finished_bounded),
    together!("finished-batch", ends::finished_batch),
    together!("cancel", ends::cancel),
    together!("stop-with-savepoint", ends::stop_with_savepoint),
    together!("resubmitted", ends::resubmitted),
    together!("resubmitted-empty", ends::resubmitted_empty),
    alone!("out-of-memory", small, failures::out_of_memory),
    alone!(
        "out-of-memory-exit",
        || small().with("taskmanager.jvm-exit-on-oom", "true"),
        failures::out_of_memory_exit
    ),
    alone!("taskmanager-killed", small, platform::taskmanager_killed),
    alone!("no-slots", small, platform::no_slots),
    alone!("jobmanager-gone", small, platform::jobmanager_gone),
    alone!("jobmanager-killed", small, platform::jobmanager_killed),
    alone!("jobmanager-killed-ha", || Wish { ha: true, ..small() }, platform::jobmanager_killed_ha),
    alone!("application-throws", starts::application, starts::application_throws),
    alone!("rescale", quiet::adaptive, quiet::rescale),
    alone!("quiet", quiet::adaptive, quiet::quiet),
];
