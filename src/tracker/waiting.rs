//! Why a run that has begun does not run.

use super::{JobFacts, platform_words};
use crate::model::{JobState, PlatformWait, RootCause};

/// What a run that does not run is waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// Which stage of its start it is in.
    pub stage: Stage<'a>,
    /// Tasks that do not run; zero where Flink has not made any yet.
    pub tasks: u32,
    /// Free slots of the Flink cluster.
    pub slots_available: Option<u32>,
}

/// The stages of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage<'a> {
    /// The platform has accepted it and has no place for its `JobManager` yet.
    Platform(&'a PlatformWait),
    /// The `JobManager` plans the job or reads its state.
    Initializing,
    /// Tasks wait for slots. `None`: not known.
    Slots {
        /// Free slots of the Flink cluster.
        free: Option<u32>,
        /// All slots of the Flink cluster.
        all: Option<u32>,
        /// `TaskManagers` of the Flink cluster.
        taskmanagers: Option<u32>,
    },
    /// Tasks have their slots and do not run yet.
    Deploying {
        /// So many.
        tasks: u32,
        /// Of so many.
        of: u32,
    },
    /// Anything else, with the newest root cause.
    State(JobState, Option<&'a RootCause>),
}

impl<'a> JobFacts<'a> {
    /// Why the run that counts does not run, from its state, its tasks and the slots.
    pub fn waiting(&self) -> Option<Waiting<'a>> {
        let run = self.listed_run().filter(|run| run.state.is_live() && !run.is_healthy())?;
        let mut clusters = self.source.clusters.iter();
        let cluster = clusters.find(|c| c.flink_cluster == self.job.flink_cluster);
        let free = cluster.and_then(|c| c.slots_available);
        let cause = self.run_cause();
        let tasks = run.tasks.total.saturating_sub(run.tasks.running + run.tasks.finished);
        let refused = cause.is_some_and(|c| c.class.ends_with("NoResourceAvailableException"));
        let scheduled = run.tasks.scheduled > 0 || run.state == JobState::Created;
        let stage = if let Some(waits) = &run.waits {
            Stage::Platform(waits)
        } else if run.state == JobState::Initializing {
            Stage::Initializing
        } else if refused || scheduled {
            Stage::Slots {
                free,
                all: cluster.and_then(|c| c.slots_total),
                taskmanagers: cluster.and_then(|c| c.taskmanagers),
            }
        } else if run.state == JobState::Running {
            let on_way = tasks.saturating_sub(run.tasks.created + run.tasks.failed);
            Stage::Deploying { tasks: on_way, of: run.tasks.total }
        } else {
            Stage::State(run.state, cause)
        };
        Some(Waiting { stage, tasks, slots_available: free })
    }
}

impl Waiting<'_> {
    /// For people: `waiting for slots: 4 tasks wait, 0 of 8 slots free`.
    pub fn words(&self) -> String {
        let (free, all) = match &self.stage {
            Stage::Platform(waits) => return platform_words::words(waits),
            Stage::Initializing => {
                return "initializing: the JobManager plans the job or reads its state".to_owned();
            }
            Stage::Deploying { tasks, of } => {
                return format!("{tasks} of {of} tasks are being deployed or restore their state");
            }
            Stage::State(state, None) => return state.to_string(),
            Stage::State(state, Some(cause)) => return format!("{state}: {}", cause.line()),
            Stage::Slots { taskmanagers: Some(0), .. } => {
                return format!("waiting for slots: {}no TaskManager", self.waiting_tasks());
            }
            Stage::Slots { free, all, .. } => (free, all),
        };
        let tasks = self.waiting_tasks();
        match (free, all) {
            (Some(free), Some(all)) => {
                format!("waiting for slots: {tasks}{free} of {all} slots free")
            }
            (Some(free), None) => format!("waiting for slots: {tasks}{free} slots free"),
            _ => format!("waiting for slots: {tasks}free slots not known"),
        }
    }

    /// The same in Chinese.
    pub fn words_zh(&self) -> String {
        let (free, all) = match &self.stage {
            Stage::Platform(waits) => return platform_words::words_zh(waits),
            Stage::Initializing => {
                return "正在初始化：JobManager 正在生成执行计划或读取状态".to_owned();
            }
            Stage::Deploying { tasks, of } => {
                return format!("{of} 个任务中有 {tasks} 个正在部署或恢复状态");
            }
            Stage::State(state, None) => return state.to_string(),
            Stage::State(state, Some(cause)) => return format!("{state}：{}", cause.line()),
            Stage::Slots { taskmanagers: Some(0), .. } => {
                return format!("等待 slot：{}没有 TaskManager", self.waiting_tasks_zh());
            }
            Stage::Slots { free, all, .. } => (free, all),
        };
        let tasks = self.waiting_tasks_zh();
        match (free, all) {
            (Some(free), Some(all)) => format!("等待 slot：{tasks}{all} 个 slot 中空闲 {free} 个"),
            (Some(free), None) => format!("等待 slot：{tasks}空闲 slot {free} 个"),
            _ => format!("等待 slot：{tasks}空闲 slot 数未知"),
        }
    }

    fn waiting_tasks(&self) -> String {
        if self.tasks == 0 { String::new() } else { format!("{} tasks wait, ", self.tasks) }
    }

    fn waiting_tasks_zh(&self) -> String {
        if self.tasks == 0 {
            String::new()
        } else {
            format!("{} 个任务在等待，", self.tasks)
        }
    }
}
