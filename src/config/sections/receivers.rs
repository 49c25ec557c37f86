//! Who is told, and by which channels.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use super::fallback;
use super::general::{Delivery, StormConfig, zone};
use super::summary::SummaryConfig;
use crate::config::de::At;
use crate::model::ChannelId;
use crate::notify::channels::ChannelConfig;
use crate::notify::{ChannelPlan, Language, ReceiverPlan};
use crate::yaml::findings::Findings;

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverConfig {
    /// Name that routes refer to.
    pub name: At<String>,
    /// Language of its messages; the file's if left out.
    pub language: Option<Language>,
    /// Zone of its times; the file's if left out.
    pub time_zone: Option<At<String>>,
    /// `shadow`: everything but the sending; the file's if left out.
    pub delivery: Option<Delivery>,
    /// When many openings become one message; the file's if left out.
    pub storm: Option<StormConfig>,
    /// Channel that is told what another one of this receiver could not be told: the name of one of
    /// its own, which is then told nothing else, or `receiver/channel`.
    pub fallback: Option<At<String>>,
    /// When every try of a channel has failed for so long it counts as down; 2m. What it refuses for
    /// good goes to the fallback at once.
    #[serde(default, with = "crate::config::de::duration::optional")]
    #[schemars(with = "Option<String>")]
    pub fallback_after: Option<Duration>,
    /// Tells regularly what happened, also when all was quiet; never if left out.
    pub summary: Option<SummaryConfig>,
    /// Where its messages go; none: they are recorded and told to nobody.
    #[serde(default)]
    pub channels: Vec<At<ChannelConfig>>,
}

/// What a receiver takes from the file if it says nothing itself.
#[derive(Debug)]
pub(in crate::config) struct Defaults {
    pub(in crate::config) language: Language,
    pub(in crate::config) zone: TimeZone,
    pub(in crate::config) delivery: Delivery,
}

/// A receiver's channels, to be built; the pipeline knows the rest.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Name.
    pub name: String,
    /// Channels in order, under the names the pipeline knows them by.
    pub channels: Vec<(ChannelId, ChannelConfig)>,
}

/// Receivers as the pipeline and as the composition root see them.
#[derive(Debug, Default)]
pub(in crate::config) struct Receivers {
    pub(in crate::config) plans: BTreeMap<String, ReceiverPlan>,
    pub(in crate::config) receivers: Vec<Receiver>,
}

pub(in crate::config) fn build(
    written: Vec<ReceiverConfig>,
    defaults: &Defaults,
    findings: &mut Findings,
) -> Receivers {
    let mut all = Receivers::default();
    let mut wanted = Vec::new();
    for raw in written {
        let name = raw.name.value.clone();
        if name.is_empty() {
            findings.error(raw.name.place, "a receiver has an empty name", None);
        }
        if all.plans.contains_key(&name) {
            findings.error(
                raw.name.place,
                format!("two receivers are named `{name}`"),
                Some("give each its own name, or join their channels".to_owned()),
            );
        }
        if let Some(fallback) = raw.fallback.clone() {
            let after = raw.fallback_after.unwrap_or(fallback::AFTER);
            wanted.push(fallback::Wanted { receiver: name.clone(), fallback, after });
        }
        let (plan, receiver) = build_one(raw, defaults, findings);
        all.plans.entry(name).or_insert(plan);
        all.receivers.push(receiver);
    }
    fallback::link(&mut all.plans, wanted, findings);
    all
}

fn build_one(
    raw: ReceiverConfig,
    defaults: &Defaults,
    findings: &mut Findings,
) -> (ReceiverPlan, Receiver) {
    let name = raw.name.value;
    let mut names = BTreeSet::new();
    let mut plans = Vec::new();
    let mut channels = Vec::new();
    for At { value: channel, place } in raw.channels {
        if !names.insert(channel.name().to_owned()) {
            findings.error(
                place,
                format!("receiver `{name}` has two channels named `{}`", channel.name()),
                Some("a channel is named by its kind: add `name:` to one of them".to_owned()),
            );
        }
        if let Err(error) = channel.check() {
            findings.error(place, error.to_string(), None);
        }
        let endpoint = channel.endpoint().unwrap_or_else(|error| {
            // A missing file was reported at its own place already.
            if !findings.marked(place) {
                findings.error(place, error.to_string(), None);
            }
            String::new()
        });
        let id = ChannelId { receiver: name.clone(), channel: channel.name().to_owned() };
        plans.push(ChannelPlan {
            id: id.clone(),
            kind: channel.kind().to_owned(),
            endpoint,
            budgets: channel.budgets(),
            send_resolved: channel.send_resolved(),
            per_incident: channel.per_incident(),
            resend: channel.resend(),
            standby: false,
            marks: channel.marks(),
            fallback: None,
            edits: channel.edits(),
        });
        channels.push((id, channel));
    }
    let plan = ReceiverPlan {
        name: name.clone(),
        language: raw.language.unwrap_or(defaults.language),
        zone: raw.time_zone.map_or_else(|| defaults.zone.clone(), |z| zone(&z, findings)),
        shadow: raw.delivery.unwrap_or(defaults.delivery) == Delivery::Shadow,
        storm: raw.storm.map(|s| s.build(findings)),
        summary: raw.summary.and_then(|s| s.build(findings)),
        channels: plans,
    };
    (plan, Receiver { name, channels })
}
