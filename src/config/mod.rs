//! From `weir.yaml` to a validated [`Config`], or to everything that is wrong with it.
//!
//! The text becomes a tree whose values know their places (`tree`); variables are expanded in
//! the tree, never in the text (`env`); checks by the name of a key run on it (`checks`); serde
//! types are read from it with every mistake reported, not just the first (`reader`); then each
//! section is validated. Nothing here reads a secret or reaches the network.

pub mod de;
pub mod sections;

mod checks;
mod env;
mod fingerprint;
mod glob;
mod load;
mod raw;
mod schema;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use crate::notify::channels::ChannelConfig;
pub use crate::sources::SourceConfig;
pub use crate::sources::flink::FlinkConfig;
pub use crate::yaml::Place;
pub use env::{Env, process_env};
pub use fingerprint::Fingerprints;
pub use raw::RawConfig;
pub use schema::schema;
pub use sections::general::{Delivery, Person, Poll, SelfMonitoring};
pub use sections::heartbeat::{Heartbeat, HeartbeatMethod};
pub use sections::history::History;
pub use sections::job_labels::JobLabels;
pub use sections::receivers::Receiver;
pub use sections::restarts::Restarts;
pub use sections::rule_files::{RuleFile, SHIPPED, is_test, shipped_name, unknown_shipped};
pub use sections::source_files::{ListStamp, SourceFiles};
pub use sections::store::Store;
pub use sections::web::{Access, Token, Web};
pub use watch::for_watch;

use crate::model::{Problem, Schedules};
use crate::notify::channels::{Handles, People};
use crate::rules::{IntervalBook, Override};

/// Everything Weir was told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Weir remembers.
    pub store: Store,
    /// How much of what was seen is kept.
    pub history: History,
    /// Weir's own address, and who may use it.
    pub web: Web,
    /// How often sources are looked at.
    pub poll: Poll,
    /// Whether messages leave the house; per receiver in [`crate::notify::ReceiverPlan::shadow`].
    pub delivery: Delivery,
    /// Where jobs are looked at, those of lists included.
    pub sources: Vec<SourceConfig>,
    /// Where the lists are.
    pub source_files: SourceFiles,
    /// Whose job is it.
    pub job_labels: JobLabels,
    /// How owners are reached, by name.
    pub people: BTreeMap<String, Person>,
    /// Rule files, [`SHIPPED`] among them for the shipped rules; none: those only.
    pub rule_files: Vec<RuleFile>,
    /// Changes to rules for some jobs.
    pub overrides: Vec<Override>,
    /// Hours by name.
    pub time_intervals: IntervalBook,
    /// When jobs are meant to run.
    pub schedules: Schedules,
    /// Which jobs are started again, when, and how.
    pub restarts: Restarts,
    /// Folder of templates; none: the shipped templates.
    pub templates: Option<PathBuf>,
    /// Lifecycle of incidents.
    pub incidents: crate::incidents::Settings,
    /// Receivers, routes, storms as the pipeline knows them.
    pub notify: crate::notify::Settings,
    /// Receivers with the configurations their channels are built from.
    pub receivers: Vec<Receiver>,
    /// The dead man's switch.
    pub heartbeat: Option<Heartbeat>,
    /// When Weir talks about itself.
    pub self_monitoring: SelfMonitoring,
    /// To tell what differs from another configuration.
    pub fingerprints: Fingerprints,
}

impl Config {
    /// How channels mention owners.
    pub fn mentions(&self) -> People {
        let handles = |(name, person): (&String, &Person)| {
            let Person { feishu, email, slack, dingtalk, wecom } = person.clone();
            (name.clone(), Handles { feishu, slack, dingtalk, wecom, email })
        };
        People::new(self.people.iter().map(handles))
    }
}

/// Reads the configuration file: it and the warnings, or everything that is wrong.
///
/// # Errors
/// All problems at once, warnings included, in the order of the file.
pub fn load(path: &Path, env: Env<'_>) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let text = load::text(path, "name it with `--config FILE`")?;
    load::parse(&text, &path.display().to_string(), env)
}

/// Like [`load()`] for a text; `file` is what problems name, and paths are relative to its folder.
///
/// # Errors
/// As [`load()`].
pub fn parse(text: &str, file: &str, env: Env<'_>) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    load::parse(text, file, env)
}

/// What a valid configuration lacks to be trusted, each with the way out.
pub fn warnings(config: &Config) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if config.heartbeat.is_none() {
        found.push((
            "nobody would know that Weir itself is dead".to_owned(),
            "add `heartbeat: { url: … }` of a service that misses the calls".to_owned(),
        ));
    }
    if config.notify.receivers.values().all(|r| r.channels.is_empty()) {
        found.push((
            "no receiver has a channel: nobody is told of anything".to_owned(),
            "add one under `channels`".to_owned(),
        ));
    }
    let (history, store) = (&config.history, &config.store);
    if history.enabled && history.max_size > store.max_size / 2 {
        found.push((
            "`history.max_size` is more than half of `store.max_size`: incidents may be deleted \
             early to make room"
                .to_owned(),
            "make `history.max_size` smaller, or `store.max_size` larger".to_owned(),
        ));
    }
    found
}
