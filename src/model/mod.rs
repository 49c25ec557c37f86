//! Pure nouns: what the rest of the crate talks about. No decisions, no I/O, no clock.

mod alert;
mod change;
mod command;
mod day_time;
mod demand;
mod doing;
mod errand;
mod failed_run;
mod history;
mod hours;
mod incident;
mod inventory;
mod job;
mod labels;
mod matcher_text;
mod message;
mod metric;
mod notice;
mod observation;
mod posted;
mod problem;
mod report;
mod restart;
mod schedule;
mod seen_by;
mod severity;
mod silence;
mod subject;
mod time;
mod time_interval;
mod week_hours;
mod words;

pub use alert::{Alert, AlertState, Evidence, RuleId, Truth, Verdict, Why};
pub use change::{Change, Loaded};
pub use command::{Action, Command, Hits, Refusal, Replied, Reply};
pub use day_time::{DayTime, DayTimeError};
pub use demand::Demand;
pub use doing::{Both, Doing, Tally};
pub use errand::{Errand, LookedUp, OfInventory, Order, Started, Stopped, Task, Told, passes};
pub use failed_run::FailedRun;
pub use history::{HistoryChunk, HistoryPage};
pub use hours::Hours;
pub use incident::{
    Acknowledgement, CheckpointRef, EndReason, Incident, IncidentState, Member, RootCause,
};
pub use inventory::{DeployMode, InventoryCheckpoint, InventoryEntry, Says};
pub use job::{JobKey, JobState, RunId, TaskCounts};
pub use labels::{Labels, Matcher, MatcherError, matches_all};
pub use message::{
    Attempt, Frozen, MAX_RECEIPT, Manner, Message, MessageKind, MessageState, SendOutcome,
};
pub use metric::{Across, MetricKey, MetricQuery, MetricScope, Vertices};
pub use notice::{ChannelId, KnownBy, Notice, NoticeReason, Outcome, Step};
pub use observation::{
    CheckpointStats, CheckpointSummary, ClusterObservation, Completeness, Counters, Failure, Lag,
    Metrics, PlatformWait, RunObservation, Seen, Snapshot, SourceClock,
};
pub use posted::Posted;
pub use problem::Problem;
pub use report::{BySeverity, Held, Noisy, ReceiverReport, Report};
pub use restart::{AskedBy, Restart, RestartState, RestoreFrom};
pub use schedule::{Schedule, Schedules, Standing};
pub use seen_by::SeenBy;
pub use severity::Severity;
pub use silence::{Silence, SilenceState, SilenceWish, Until};
pub use subject::{Aspect, Subject};
pub use time::{Time, Ts};
pub use time_interval::{Range, TimeInterval, TimeIntervals};
pub use week_hours::{WeekHours, WeekHoursError};
