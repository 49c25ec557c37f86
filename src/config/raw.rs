//! The whole file as written; also the source of its JSON schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::de::At;
use super::sections::general::{Delivery, Person, Poll, SelfMonitoring, StormConfig};
use super::sections::heartbeat::HeartbeatConfig;
use super::sections::history::HistoryConfig;
use super::sections::inbound::InboundConfig;
use super::sections::incidents::IncidentsConfig;
use super::sections::inhibit::InhibitRuleConfig;
use super::sections::job_labels::JobLabelConfig;
use super::sections::later::NotBuiltYet;
use super::sections::receivers::ReceiverConfig;
use super::sections::restarts::{LimitsConfig, RestartConfig};
use super::sections::route::RouteConfig;
use super::sections::rule_files::RuleFileConfig;
use super::sections::schedules::ScheduleConfig;
use super::sections::store::StoreConfig as WeirStore;
use super::sections::web::WebConfig;
use crate::actions::stores::StoreConfig;
use crate::notify::Language;
use crate::rules::{RawOverride, RawTimeIntervals};
use crate::sources::SourceConfig;

/// Weir's configuration file.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// Where Weir remembers.
    pub store: WeirStore,
    /// How much of what was seen is kept, for `weir replay`.
    pub history: HistoryConfig,
    /// Weir's own address.
    pub web: WebConfig,
    /// How often sources are looked at.
    pub poll: Poll,
    /// Language of messages.
    pub language: Language,
    /// Zone of the times in messages; UTC.
    pub time_zone: Option<At<String>>,
    /// `shadow`: everything but the sending.
    pub delivery: Delivery,
    /// Where jobs are looked at.
    pub sources: Vec<At<SourceConfig>>,
    /// Lists of more of them, relative to this file, with `*`: YAML or JSON, read again when they
    /// change. An entry is one as under `sources`, or Prometheus' `{ targets, labels }`.
    pub source_files: Vec<At<String>>,
    /// Whose job is it.
    pub job_labels: Vec<At<JobLabelConfig>>,
    /// How owners are reached.
    pub people: BTreeMap<String, Person>,
    /// Rule files, relative to this file, with `*`; `shipped` stands for the shipped rules, and so
    /// does none at all.
    pub rule_files: Vec<At<RuleFileConfig>>,
    /// Changes to rules for some jobs.
    pub overrides: Vec<At<RawOverride>>,
    /// Folder of templates, relative to this file; none: the shipped templates.
    pub templates: Option<At<String>>,
    /// Lifecycle of incidents.
    pub incidents: IncidentsConfig,
    /// Alerts posted from outside, by Prometheus say.
    pub inbound: InboundConfig,
    /// Who is told of what.
    pub route: Option<At<RouteConfig>>,
    /// Who can be told.
    pub receivers: Vec<ReceiverConfig>,
    /// When many openings become one message.
    pub storm: StormConfig,
    /// The dead man's switch.
    pub heartbeat: Option<At<HeartbeatConfig>>,
    /// When Weir talks about itself.
    pub self_monitoring: SelfMonitoring,
    /// Alertmanager's: hours by name, for routes and rules.
    pub time_intervals: Vec<RawTimeIntervals>,
    /// When jobs are meant to run, where that is not always: absent outside of the hours is fine,
    /// absent within them and running outside of them is told. A job's schedule is the first that
    /// matches.
    pub schedules: Vec<At<ScheduleConfig>>,
    /// Alertmanager's: what mutes what, beside Flink's own causality, which is built in.
    pub inhibit_rules: Vec<At<InhibitRuleConfig>>,
    /// Which jobs are started again, when, and how.
    pub restarts: Vec<At<RestartConfig>>,
    /// How many restarts may be on their way at once.
    pub restart_limits: LimitsConfig,
    /// Where checkpoints are that Weir can look for, beside the folders of its own host.
    pub checkpoint_stores: Vec<At<StoreConfig>>,
    /// Not built yet.
    pub maintenance: NotBuiltYet,
}
