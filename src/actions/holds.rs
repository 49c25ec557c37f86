//! What keeps a restart from being sent, in words.

use crate::model::{Both, JobState};

/// What follows from a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// There is nothing to restart.
    Over,
    /// Nothing more is done without a person.
    Stop,
    /// It is looked at again at the next turn.
    Wait,
}

/// One reason why a restart is not sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// It runs.
    Runs(JobState),
    /// Somebody ended it on purpose.
    Ended(JobState),
    /// Nobody can tell how it is.
    Unseen,
    /// It runs more than once.
    Twice(u32),
    /// It is neither well nor dead.
    NotDead(JobState),
    /// Gone from the listing, but not for long enough (seconds to go).
    Missing(u64),
    /// It ended just now: what it left is still being read.
    Settling,
    /// Another incident explains this one.
    Inhibited(u64),
    /// The platform restarts it by itself, or is at work on it.
    Platform(String),
    /// All restarts are paused.
    Paused(String),
    /// Maintenance holds restarts.
    Maintenance(u64),
    /// Not at this hour.
    Hours(String),
    /// As many as may be are on their way.
    Busy {
        /// In the job's own cluster.
        in_cluster: bool,
        /// How many are.
        on_way: usize,
    },
    /// It was dead already when Weir first looked.
    FirstLook,
    /// There are no attempts left.
    Exhausted(u32),
    /// It fails of the same cause after each restart.
    SameCause(u32, String),
    /// Its cause is one that no restart mends.
    NeverOn(String),
    /// Nothing to restore from.
    NoCheckpoint(Both),
    /// Nobody knows what became of the attempt before.
    Unknown(u64),
    /// Its driver needs an inventory that knows the job.
    NotInInventory,
    /// Somebody said that it is not to be restarted.
    Declined(String),
    /// It runs, and its driver cannot stop it.
    CannotStop,
    /// It was told to stop long ago, and has not ended.
    StillEnding,
}

impl Hold {
    /// What follows from it.
    pub fn weight(&self) -> Weight {
        match self {
            Hold::Runs(_) | Hold::Ended(_) => Weight::Over,
            Hold::Exhausted(_)
            | Hold::SameCause(..)
            | Hold::NeverOn(_)
            | Hold::NoCheckpoint(_)
            | Hold::Unknown(_)
            | Hold::NotInInventory
            | Hold::Declined(_)
            | Hold::CannotStop
            | Hold::StillEnding
            | Hold::FirstLook => Weight::Stop,
            Hold::Unseen
            | Hold::Twice(_)
            | Hold::NotDead(_)
            | Hold::Missing(_)
            | Hold::Settling
            | Hold::Inhibited(_)
            | Hold::Platform(_)
            | Hold::Paused(_)
            | Hold::Maintenance(_)
            | Hold::Hours(_)
            | Hold::Busy { .. } => Weight::Wait,
        }
    }

    /// Whether it holds what a person asks for by command, too.
    pub fn binds_people(&self) -> bool {
        !matches!(
            self,
            Hold::Ended(_)
                | Hold::Inhibited(_)
                | Hold::Paused(_)
                | Hold::Maintenance(_)
                | Hold::Hours(_)
                | Hold::FirstLook
                | Hold::Exhausted(_)
                | Hold::SameCause(..)
                | Hold::NeverOn(_)
                | Hold::Unknown(_)
                | Hold::Declined(_)
        )
    }

    /// Which guard it is, for `--dry-run` and the API.
    pub fn guard(&self) -> &'static str {
        match self {
            Hold::Runs(_) => "runs",
            Hold::Ended(_) => "ended",
            Hold::Unseen => "unseen",
            Hold::Twice(_) => "duplicate",
            Hold::NotDead(_) | Hold::Missing(_) | Hold::Settling => "proof_of_death",
            Hold::Inhibited(_) => "inhibited",
            Hold::Platform(_) => "platform",
            Hold::Paused(_) => "paused",
            Hold::Maintenance(_) => "maintenance",
            Hold::Hours(_) => "hours",
            Hold::Busy { .. } => "limits",
            Hold::FirstLook => "first_look",
            Hold::Exhausted(_) => "attempts",
            Hold::SameCause(..) => "same_cause",
            Hold::NeverOn(_) => "never_on",
            Hold::NoCheckpoint(_) => "checkpoint",
            Hold::Unknown(_) => "unknown",
            Hold::NotInInventory => "inventory",
            Hold::Declined(_) => "declined",
            Hold::CannotStop | Hold::StillEnding => "driver",
        }
    }

    /// For people.
    pub fn words(&self) -> Both {
        match self {
            Hold::Runs(state) => Both::new(format!("it is {state}"), format!("作业处于 {state}")),
            Hold::Ended(state) => Both::new(
                format!("somebody ended it: {state}"),
                format!("作业已被人为结束：{state}"),
            ),
            Hold::Unseen => {
                Both::new("it cannot be seen whether it is dead", "目前无法确认作业是否已停止")
            }
            Hold::Twice(runs) => Both::new(
                format!("{runs} runs of it are alive at once"),
                format!("同时有 {runs} 个存活的运行"),
            ),
            Hold::NotDead(state) => Both::new(
                format!("it is {state}, which is not dead"),
                format!("作业处于 {state}，尚未确认停止"),
            ),
            Hold::Missing(_) => Both::new(
                "it is gone from the list, and counts as dead once it has stayed away",
                "作业已从列表消失，持续未出现后视为停止",
            ),
            Hold::Settling => Both::new(
                "it ended just now, its last checkpoint is being read",
                "作业刚刚结束，正在读取最近的 checkpoint",
            ),
            Hold::Inhibited(id) => Both::new(
                format!("#{id} is the cause: restarting would not help"),
                format!("根因是 #{id}，重启无济于事"),
            ),
            Hold::Platform(who) => Both::new(
                format!("{who} restarts it by itself or is at work on it"),
                format!("{who} 会自行重启或正在处理该作业"),
            ),
            Hold::Paused(by) => {
                Both::new(format!("restarts are paused by {by}"), format!("{by} 已暂停所有重启"))
            }
            Hold::Maintenance(id) => Both::new(
                format!("maintenance (silence {id}) holds restarts"),
                format!("维护期（静默 {id}）内不重启"),
            ),
            Hold::Hours(name) => Both::new(
                format!("not at this hour ({name})"),
                format!("当前时段不允许重启（{name}）"),
            ),
            Hold::Busy { in_cluster: true, on_way } => Both::new(
                format!("{on_way} restarts of this cluster are on their way"),
                format!("该集群已有 {on_way} 个重启正在进行"),
            ),
            Hold::Busy { in_cluster: false, on_way } => Both::new(
                format!("{on_way} restarts are on their way"),
                format!("已有 {on_way} 个重启正在进行"),
            ),
            Hold::FirstLook => Both::new(
                "it was dead before Weir first looked: restart it by hand if it is wanted",
                "在 Weir 首次查看之前作业已停止，如需要请手动重启",
            ),
            Hold::Exhausted(attempts) => Both::new(
                format!("{attempts} attempts did not bring it back"),
                format!("已重启 {attempts} 次仍未恢复"),
            ),
            Hold::SameCause(times, cause) => Both::new(
                format!("it failed of the same cause after {times} restarts: {cause}"),
                format!("{times} 次重启后因同一原因失败：{cause}"),
            ),
            Hold::NeverOn(pattern) => Both::new(
                format!("no restart mends this cause (never_on: {pattern})"),
                format!("该原因无法通过重启修复（never_on: {pattern}）"),
            ),
            Hold::NoCheckpoint(why) => why.clone(),
            Hold::Unknown(id) => Both::new(
                format!("nobody knows whether restart {id} was taken: look at the platform"),
                format!("无法确认重启 {id} 是否已被接受，请到平台上查看"),
            ),
            Hold::Declined(by) => {
                Both::new(format!("{by} said not to restart it"), format!("{by} 已取消重启"))
            }
            Hold::CannotStop => Both::new(
                "it runs, and its driver cannot stop it",
                "作业仍在运行，其驱动无法停止它",
            ),
            Hold::StillEnding => Both::new(
                "it was told to stop 10 minutes ago and has not ended: it is started again when it has",
                "10 分钟前已要求停止，作业仍未结束；结束后会再启动",
            ),
            Hold::NotInInventory => Both::new(
                "the inventory its driver needs does not know it",
                "其驱动所需的清单中没有该作业",
            ),
        }
    }
}
