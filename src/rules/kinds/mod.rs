//! The kinds of conditions. Each is one file; adding one is that file and one line below.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{Demand, Labels, Truth, Verdict, Why};
use crate::tracker::{ClusterFacts, JobFacts, SourceFacts};

mod amount;
mod cause;
mod compare;
#[cfg(test)]
mod evidence_tests;
mod hours;
mod job_type;
mod named;
mod print;
mod span;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod watch;
mod words;

pub use amount::Amount;
pub use cause::{ClassPattern, TextPattern};
pub use compare::CompareTo;
pub use consumer_stuck::ConsumerState;
pub use inventory_drift::Drift;
pub use job_type::JobType;
pub use lag::LagUnit;
pub use metric::OverWindow;
pub use print::Print;
pub use span::Span;

/// What a condition is judged on, and whether somebody wants to know why.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// About what.
    pub about: About<'a>,
    /// Somebody asks why: judgements carry their values and words whatever they are.
    pub asks_why: bool,
    /// The subject's labels, put together only where a condition looks at them.
    pub labels: Option<LabelsOf<'a>>,
}

/// How to come by a subject's labels.
#[derive(Clone, Copy)]
pub struct LabelsOf<'a>(pub &'a dyn Fn() -> Labels);

impl std::fmt::Debug for LabelsOf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LabelsOf")
    }
}

impl<'a> Facts<'a> {
    /// For judging alone.
    pub fn of(about: About<'a>) -> Facts<'a> {
        Facts { about, asks_why: false, labels: None }
    }

    /// The same with the subject's labels; without them a job has those its source found out.
    #[must_use]
    pub fn with_labels(self, labels: &'a dyn Fn() -> Labels) -> Facts<'a> {
        Facts { labels: Some(LabelsOf(labels)), ..self }
    }

    /// The value of one of the subject's labels, empty where it has none.
    pub fn label(&self, name: &str) -> String {
        match (self.labels, self.about) {
            (Some(LabelsOf(labels)), _) => labels().get(name).to_owned(),
            (None, About::Job(job)) => job.job.labels.get(name).to_owned(),
            (None, _) => String::new(),
        }
    }

    /// True with the values that make it so, or false. Nearly every judgement is a false one, of
    /// which nobody asks the reason: its values are not even put together.
    pub fn verdict<W: Into<Why>>(&self, holds: bool, why: impl FnOnce() -> W) -> Verdict {
        let truth = if holds { Truth::True } else { Truth::False };
        if !holds && !self.asks_why {
            return Verdict::bare(truth);
        }
        let mut why: Why = why().into();
        if !self.asks_why {
            return Verdict { truth, evidence: why.evidence, why: None };
        }
        if holds {
            why.near = Some(1.0);
        }
        Verdict { truth, evidence: why.evidence.clone(), why: Some(Box::new(why)) }
    }

    /// Unknown, and why.
    pub fn unknown(&self, words: impl FnOnce() -> String) -> Verdict {
        self.silent(Truth::Unknown, words)
    }

    /// Not applicable, and why.
    pub fn not_applicable(&self, words: impl FnOnce() -> String) -> Verdict {
        self.silent(Truth::NotApplicable, words)
    }

    /// False for a reason that is no number, and why.
    pub fn no(&self, words: impl FnOnce() -> String) -> Verdict {
        self.silent(Truth::False, words)
    }

    fn silent(&self, truth: Truth, words: impl FnOnce() -> String) -> Verdict {
        let why = self.asks_why.then(|| Box::new(Why::default().words(words())));
        Verdict { why, ..Verdict::bare(truth) }
    }
}

/// A subject with its facts.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// A job.
    Job(JobFacts<'a>),
    /// A source.
    Source(SourceFacts<'a>),
    /// A Flink cluster.
    Cluster(ClusterFacts<'a>),
}

/// Which subjects a kind is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each job.
    Jobs,
    /// Each job, and each Flink cluster as a whole.
    JobsAndClusters,
    /// Each Flink cluster as a whole.
    Clusters,
    /// Each source.
    Sources,
}

/// A kind of condition.
pub trait Kind {
    /// What it is about.
    fn scope(&self) -> Scope {
        Scope::Jobs
    }
    /// The aspect of its alerts unless the rule sets one.
    fn aspect(&self) -> &'static str;
    /// What it needs from the sources.
    fn demand(&self) -> Demand;
    /// Whether it holds.
    fn judge(&self, facts: &Facts<'_>) -> Verdict;
    /// What is wrong with its parameters, if anything.
    fn problem(&self) -> Option<String> {
        None
    }
    /// Names of the values a true judgement may carry: what annotations can say.
    fn evidence(&self) -> Vec<&'static str> {
        Vec::new()
    }
    /// The time it looks back over, where it is judged by what happened within one.
    fn span(&self) -> Option<Duration> {
        None
    }
    /// The time for which it is true at most, where that is limited whatever happens.
    fn lasts(&self) -> Option<Duration> {
        None
    }
    /// The limit of something that is watched going on, where shorter ones come and go unseen
    /// between two looks.
    fn patience(&self) -> Option<(&'static str, Duration)> {
        None
    }
    /// Why it can never be true where sources are looked at this often, if so.
    fn impossible(&self, poll: Duration) -> Option<String> {
        let span = self.span().filter(|span| *span < poll * 2)?;
        Some(format!("a window of {span:?} is shorter than two polls of {poll:?}"))
    }
    /// The conditions it is made of.
    fn members(&self) -> Vec<&Condition> {
        Vec::new()
    }
}

/// Declares the kinds: a module, an externally tagged variant and the dispatch for each.
macro_rules! rule_kinds {
    ($($module:ident: $variant:ident),* $(,)?) => {
        $(mod $module; pub use $module::$variant;)*

        /// A condition: exactly one kind.
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Condition {
            $(#[doc = concat!("See [`", stringify!($variant), "`].")] $variant($variant)),*
        }

        impl Condition {
            /// Names of all kinds.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($module)),*];

            /// The kind's name.
            pub fn name(&self) -> &'static str {
                match self { $(Condition::$variant(_) => stringify!($module)),* }
            }

            fn kind(&self) -> &dyn Kind {
                match self { $(Condition::$variant(kind) => kind),* }
            }
        }
    };
}

rule_kinds! {
    job_state: JobState,
    job_missing: JobMissing,
    job_finished: JobFinished,
    job_absent: JobAbsent,
    job_outside_hours: JobOutsideHours,
    start_failed: StartFailed,
    start_stuck: StartStuck,
    crash_loop: CrashLoop,
    failure_rate: FailureRate,
    checkpoint_age: CheckpointAge,
    checkpoint_failures: CheckpointFailures,
    checkpoint_stuck: CheckpointStuck,
    checkpointing_disabled: CheckpointingDisabled,
    restored_from_scratch: RestoredFromScratch,
    lag: Lag,
    consumer_stuck: ConsumerStuck,
    throughput_drop: ThroughputDrop,
    throughput_stalled: ThroughputStalled,
    metric: Metric,
    source_unreachable: SourceUnreachable,
    flink_cluster_unreachable: FlinkClusterUnreachable,
    duplicate_job: DuplicateJob,
    inventory_drift: InventoryDrift,
    tasks_not_running: TasksNotRunning,
    taskmanagers_lost: TaskmanagersLost,
    jobmanager_restarted: JobmanagerRestarted,
    all: All,
    any: Any,
    not: Not,
}

impl Condition {
    /// What it is about.
    pub fn scope(&self) -> Scope {
        self.kind().scope()
    }

    /// Default aspect.
    pub fn aspect(&self) -> &'static str {
        self.kind().aspect()
    }

    /// What it needs from the sources.
    pub fn demand(&self) -> Demand {
        self.kind().demand()
    }

    /// Whether it holds.
    pub fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let verdict = self.kind().judge(facts);
        debug_assert!(
            verdict.truth != Truth::True || facts.asks_why || self.declares(&verdict),
            "`{}` does not declare all of its values: {:?}",
            self.name(),
            verdict.evidence
        );
        verdict
    }

    fn declares(&self, verdict: &Verdict) -> bool {
        let names = self.evidence();
        verdict.evidence.keys().all(|name| names.contains(&name.as_str()))
    }

    /// Names of the values a true judgement may carry.
    pub fn evidence(&self) -> Vec<&'static str> {
        self.kind().evidence()
    }

    /// Why it can never be true where sources are looked at this often, if so.
    pub fn impossible(&self, poll: Duration) -> Option<String> {
        let own = self.kind().impossible(poll).map(|why| format!("{}: {why}", self.name()));
        own.or_else(|| self.members().into_iter().find_map(|member| member.impossible(poll)))
    }

    /// What makes it hasty where sources are looked at this often, if anything: its limit is over
    /// before it was seen twice. A member of `not` that is true early makes nothing true early.
    pub fn hasty(&self, poll: Duration) -> Option<String> {
        if matches!(self, Condition::Not(_)) {
            return None;
        }
        let Some((name, limit)) = self.kind().patience() else {
            return self.members().into_iter().find_map(|member| member.hasty(poll));
        };
        let what = || {
            let kind = self.name();
            format!("{kind}.{name} of {limit:?} is shorter than two polls of {poll:?}")
        };
        (limit < poll * 2).then(what)
    }

    /// The longest time it or any of its members looks back over.
    pub fn span(&self) -> Option<Duration> {
        self.kind().span().max(self.members().into_iter().filter_map(Condition::span).max())
    }

    /// The time for which it is true at most, where that is limited whatever happens.
    pub fn lasts(&self) -> Option<Duration> {
        self.kind().lasts()
    }

    /// The conditions it is made of: none for most kinds.
    pub fn members(&self) -> Vec<&Condition> {
        self.kind().members()
    }

    /// What is wrong with its parameters.
    pub fn problem(&self) -> Option<String> {
        self.kind().problem()
    }
}

/// Evidence from pairs.
macro_rules! evidence {
    ($($key:literal: $value:expr),* $(,)?) => {{
        let mut evidence = crate::model::Evidence::new();
        $(evidence.insert($key.to_owned(), serde_json::json!($value));)*
        evidence
    }};
}
pub(crate) use evidence;

/// Why nothing is known of a job now.
pub(crate) fn why_not_fresh(job: &JobFacts<'_>) -> String {
    let source = job.source;
    match source.failing_since {
        Some(since) => {
            let since = words::at(job.time, since.steady);
            let error = source.error.as_deref().unwrap_or("no reason given");
            format!("{} cannot be reached since {since}: {error}", source.name)
        }
        None if source.unseen.contains_key(&job.job.flink_cluster) => {
            let why = source.unseen.get(&job.job.flink_cluster).map_or("", String::as_str);
            format!("{} could not be looked into: {why}", job.job.flink_cluster)
        }
        None if source.last_success.is_none() => format!("{} was not seen yet", source.name),
        None => "the last look was incomplete and did not show this job".to_owned(),
    }
}

/// The job facts, or the judgement to give where there are none to be had.
macro_rules! fresh_job {
    ($facts:expr) => {
        match $facts.about {
            crate::rules::kinds::About::Job(job) if job.is_fresh() => job,
            crate::rules::kinds::About::Job(job) => {
                return $facts.unknown(|| crate::rules::kinds::why_not_fresh(&job));
            }
            _ => return $facts.not_applicable(|| "this condition is about jobs".to_owned()),
        }
    };
}
pub(crate) use fresh_job;

/// The value of a fact, or the judgement to give where there is none.
macro_rules! known {
    ($facts:expr, $fact:expr, $what:literal) => {
        match $fact {
            crate::tracker::Fact::Known(value) => value,
            crate::tracker::Fact::Unknown => {
                return $facts.unknown(|| concat!($what, " is not known at the moment").to_owned());
            }
            crate::tracker::Fact::NotApplicable => {
                return $facts.not_applicable(|| concat!("this job has no ", $what).to_owned());
            }
        }
    };
}
pub(crate) use known;
