//! The stories: what happens to the jobs, what an alert per event would be, and what must be told.

use std::time::Duration;

use anyhow::Result;

use super::stage::Stage;
use super::told::{Edited, Outcome};
use crate::testbed::fleet::{Failure, Fault, Recovery};
use crate::testbed::story::Dice;
use crate::testbed::time::{now_ms, wait_for};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// Prometheus' rule for failures looks back so far.
const LOOKS_BACK: Duration = Duration::from_mins(5);
/// Weir's `for` of a cluster that cannot be reached.
const UNREACHABLE_FOR: Duration = Duration::from_mins(2);

/// One story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plot {
    CrashLoop,
    Outage,
    Applications,
    Unreachable,
    Flapping,
    Planned,
}

/// What the play notes down.
#[derive(Clone, Copy, Default)]
pub(crate) struct Marks {
    /// Messages if each event were one.
    pub(crate) events: usize,
    /// When what is to be told became true (the third failure, the end of a `for`), epoch ms.
    pub(crate) true_ms: i64,
    /// Jobs that showed as unknown while their cluster was.
    pub(crate) unknown: usize,
}

impl Plot {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Plot::CrashLoop => "one job fails each 30 s for 1 h",
            Plot::Outage => "200 jobs of one cluster fail within 10 s",
            Plot::Applications => {
                "60 application clusters lose their jobs at once, back after 10 min"
            }
            Plot::Unreachable => "cluster of 100 jobs unreachable for 10 min, then back",
            Plot::Flapping => "one job dies and is started again, about each minute for 1 h",
            Plot::Planned => "planned restart of 50 jobs, five at a time",
        }
    }

    /// So many times faster than life: what lasts an hour most, what has many jobs to look at less.
    /// Two hundred jobs that failed are asked for their causes, a source no faster than 200 requests
    /// a second however fast the story is: it is played as it happens.
    pub(crate) fn scale(self) -> u32 {
        match self {
            Plot::CrashLoop | Plot::Flapping => 60,
            Plot::Applications | Plot::Planned => 20,
            Plot::Unreachable => 5,
            Plot::Outage => 1,
        }
    }

    /// A time of the story as it is played.
    pub(crate) fn scaled(self, real: Duration) -> Duration {
        real / self.scale()
    }

    /// The same as both configurations have it.
    pub(crate) fn ms(self, real: Duration) -> u128 {
        self.scaled(real).as_millis()
    }

    pub(crate) fn must(self) -> &'static str {
        match self {
            Plot::CrashLoop => "2; 1 edited in place where the channel can",
            Plot::Unreachable => "2",
            Plot::Outage => "≤ 2 in the first minute, each under 20 KB, all 200 findable",
            Plot::Applications => "1 opening, 1 resolution, all 60 findable",
            Plot::Flapping => "≤ 3",
            Plot::Planned => "0",
        }
    }

    /// Whether Weir told what it must.
    pub(crate) fn holds(self, outcome: &Outcome) -> bool {
        let (told, marks) = (&outcome.weir, outcome.marks);
        let (clusters, jobs) = self.size();
        let all = told.found == clusters * jobs;
        let count = told.messages.len();
        told.refused() == 0
            && match self {
                Plot::CrashLoop => {
                    let one = |e: Edited| (e.messages, e.replies, e.refused) == (1, 0, 0);
                    count == 2 && outcome.edited.is_some_and(one)
                }
                Plot::Unreachable => count == 2 && marks.unknown == jobs,
                Plot::Outage => {
                    let minute = told.within(marks.true_ms, self.scaled(MINUTE));
                    minute <= 2 && count > 0 && all
                }
                Plot::Applications => count == 2 && all,
                Plot::Flapping => (1..=3).contains(&count),
                Plot::Planned => count == 0,
            }
    }

    /// Clusters, and jobs of each.
    pub(crate) fn size(self) -> (usize, usize) {
        match self {
            Plot::CrashLoop | Plot::Flapping => (1, 1),
            Plot::Outage => (1, 200),
            Plot::Applications => (60, 1),
            Plot::Unreachable => (1, 100),
            Plot::Planned => (1, 50),
        }
    }

    /// Whether all is well again at its end.
    pub(crate) fn ends_well(self) -> bool {
        self != Plot::Outage
    }

    /// Makes it happen.
    pub(crate) async fn play(self, stage: &Stage) -> Result<Marks> {
        match self {
            Plot::CrashLoop => Ok(crash_loop(stage).await),
            Plot::Outage => Ok(outage(stage).await),
            Plot::Applications => Ok(applications(stage).await),
            Plot::Unreachable => unreachable(stage).await,
            Plot::Flapping => Ok(flapping(stage).await),
            Plot::Planned => Ok(planned(stage).await),
        }
    }
}

/// How long the job takes to come back decides nothing: ten seconds.
async fn crash_loop(stage: &Stage) -> Marks {
    let mut marks = Marks { events: 120, ..Marks::default() };
    let mut ticks = tokio::time::interval(stage.scaled(HOUR) / 120);
    let back = stage.scaled(Duration::from_secs(10)).as_millis() as i64;
    let failure = Failure::new("com.example.PoisonRecordException", "bad amount");
    for n in 1..=120 {
        ticks.tick().await;
        let at = stage.fleet.fail_job(0, 0, &failure, Recovery::AfterMs(back));
        stage.alert(0, 0, "JobFailing", Some(stage.scaled(LOOKS_BACK)));
        if n == 3 {
            marks.true_ms = at;
        }
    }
    marks
}

async fn outage(stage: &Stage) -> Marks {
    let failure = Failure::new("java.io.IOException", "the broker is gone");
    let mut ticks = tokio::time::interval(stage.scaled(Duration::from_secs(10)) / 20);
    let mut marks = Marks { events: 200, ..Marks::default() };
    for ten in 0..20 {
        ticks.tick().await;
        for job in ten * 10..ten * 10 + 10 {
            let at = stage.fleet.kill_job(0, job, &failure);
            stage.alert(0, job, "JobFailed", None);
            if job == 0 {
                marks.true_ms = at;
            }
        }
    }
    // What follows the first messages, if anything does.
    tokio::time::sleep(stage.scaled(MINUTE * 2)).await;
    marks
}

async fn applications(stage: &Stage) -> Marks {
    let failure = Failure::new("java.lang.IllegalStateException", "the ResourceManager is gone");
    let clusters = Plot::Applications.size().0;
    let at: Vec<i64> = (0..clusters)
        .map(|cluster| {
            stage.alert(cluster, 0, "JobFailed", None);
            stage.fleet.kill_job(cluster, 0, &failure)
        })
        .collect();
    tokio::time::sleep(stage.scaled(MINUTE * 10)).await;
    for cluster in 0..clusters {
        stage.fleet.submit_again(cluster, 0);
        stage.well(cluster, 0, "JobFailed");
    }
    let true_ms = at.first().copied().unwrap_or_default();
    Marks { events: 60, true_ms, unknown: 0 }
}

async fn unreachable(stage: &Stage) -> Result<Marks> {
    let jobs = Plot::Unreachable.size().1;
    let began = stage.fleet.cluster_fault(0, Some(Fault::Refuse));
    for job in 0..jobs {
        stage.alert(0, job, "JobNotRunning", None);
    }
    let until = stage.scaled(MINUTE * 10);
    let unknown = wait_for("unknown jobs", until, || async {
        let unknown = stage.unknown_jobs().await?;
        Ok((unknown == jobs).then_some(unknown))
    });
    let unknown = unknown.await.unwrap_or_default();
    let spent = Duration::from_millis((now_ms() - began).max(0) as u64);
    tokio::time::sleep(until.saturating_sub(spent)).await;
    stage.fleet.cluster_fault(0, None);
    for job in 0..jobs {
        stage.well(0, job, "JobNotRunning");
    }
    let pending = stage.scaled(UNREACHABLE_FOR).as_millis() as i64;
    Ok(Marks { events: 2 * jobs, true_ms: began + pending, unknown })
}

/// Not to the second: what is in step with an interval of either would always look the same to it.
async fn flapping(stage: &Stage) -> Marks {
    let failure = Failure::new("java.io.IOException", "lease expired");
    let mut dice = Dice(7);
    let mut marks = Marks::default();
    let began = now_ms();
    while now_ms() - began < stage.scaled(HOUR).as_millis() as i64 {
        let at = stage.fleet.kill_job(0, 0, &failure);
        stage.alert(0, 0, "JobFailed", None);
        marks.events += 1;
        if marks.events == 1 {
            marks.true_ms = at;
        }
        let mut seconds = || Duration::from_secs(20 + dice.below(21));
        // The first time it stays down for longer than the group waits: something is to be told.
        let first =
            if marks.events == 1 { seconds().max(Duration::from_secs(40)) } else { seconds() };
        tokio::time::sleep(stage.scaled(first)).await;
        stage.fleet.submit_again(0, 0);
        stage.well(0, 0, "JobFailed");
        tokio::time::sleep(stage.scaled(seconds())).await;
    }
    marks
}

/// Cancelled, away for a minute, started again from the last checkpoint.
async fn planned(stage: &Stage) -> Marks {
    let jobs = Plot::Planned.size().1;
    let true_ms = now_ms();
    for first in (0..jobs).step_by(5) {
        let five = first..(first + 5).min(jobs);
        for job in five.clone() {
            stage.fleet.cancel_job(0, job);
            stage.alert(0, job, "JobNotRunning", None);
        }
        tokio::time::sleep(stage.scaled(MINUTE)).await;
        for job in five {
            stage.fleet.submit_again(0, job);
            stage.well(0, job, "JobNotRunning");
        }
    }
    Marks { events: jobs, true_ms, unknown: 0 }
}
