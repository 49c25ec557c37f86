//! The routing tree, as Alertmanager's, with everything inherited filled in.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::escalate::{self, EscalateConfig};
use super::route_hours;
use crate::config::de::At;
use crate::model::{Hours, Labels, Matcher};
use crate::notify::{GroupBy, Route};
use crate::rules::IntervalBook;
use crate::yaml::findings::Findings;
use crate::yaml::suggest;
use crate::yaml::tree::{Place, excerpt};

/// As written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// Who is told; the parent's if left out.
    pub receiver: Option<At<String>>,
    /// All must hold; none: everything.
    pub matchers: Vec<At<String>>,
    /// Try the following siblings too.
    #[serde(rename = "continue")]
    pub continues: bool,
    /// Labels whose incidents share a message; `["..."]`: all labels.
    pub group_by: Option<Vec<At<String>>>,
    /// Wait before the first message of a new group; 30s. The seconds of the look that found it
    /// count as waited, up to half of this.
    #[serde(with = "crate::config::de::duration::optional_or_zero")]
    #[schemars(with = "Option<String>")]
    pub group_wait: Option<Duration>,
    /// Wait between messages of a group; 5m.
    #[serde(with = "crate::config::de::duration::optional")]
    #[schemars(with = "Option<String>")]
    pub group_interval: Option<Duration>,
    /// First repetition, then twice this, then daily; 4h.
    #[serde(with = "crate::config::de::duration::optional")]
    #[schemars(with = "Option<String>")]
    pub repeat_interval: Option<Duration>,
    /// Children; the first that matches wins unless it continues.
    pub routes: Vec<At<RouteConfig>>,
    /// Names of `time_intervals` in which nothing is told on this route: it is told afterwards, if
    /// it is still so. Not inherited, not on the root.
    pub mute_time_intervals: Vec<At<String>>,
    /// Names of `time_intervals` outside of which nothing is told on this route. Not inherited, not
    /// on the root.
    pub active_time_intervals: Vec<At<String>>,
    /// `09:00`, `Mon-Fri 09:00`: what is not critical is kept for one digest then, on the receiver's
    /// clock. Inherited; `never` takes it back.
    pub hold_until: Option<At<String>>,
    /// Who is told next while nobody acknowledges: `[{ after: 15m, receiver: lead }]`, in order of
    /// time. Inherited; `[]` takes it back.
    pub escalate: Option<Vec<At<EscalateConfig>>>,
}

/// What routes refer to by name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// All receivers, broken ones included.
    pub(crate) receivers: &'a BTreeSet<String>,
    /// The file's time intervals.
    pub(crate) intervals: &'a IntervalBook,
}

/// The root when nothing is said.
pub(crate) fn root(receiver: &str) -> Route {
    Route {
        id: "0".to_owned(),
        receiver: receiver.to_owned(),
        matchers: Vec::new(),
        continues: false,
        group_by: GroupBy::Labels(vec!["cluster".to_owned()]),
        group_wait: Duration::from_secs(30),
        group_interval: Duration::from_mins(5),
        repeat_interval: Duration::from_hours(4),
        hours: Hours::default(),
        hold_until: None,
        escalate: Vec::new(),
        routes: Vec::new(),
    }
}

/// Builds the tree.
pub(crate) fn build(written: &At<RouteConfig>, known: Known<'_>, findings: &mut Findings) -> Route {
    if let Some(first) = written.value.matchers.first() {
        findings.error(
            first.place,
            "the root route matches everything",
            Some("move `matchers` to a route under `routes`".to_owned()),
        );
    }
    if written.value.continues {
        findings.error(written.place, "the root route has no siblings to continue to", None);
    }
    if written.value.receiver.is_none() {
        findings.error(
            written.place,
            "the root route has no `receiver`",
            Some("it takes what no other route does: add `receiver:`".to_owned()),
        );
    }
    route_hours::check_root(&written.value, findings);
    let parent = root("");
    node(written, &parent, "0".to_owned(), known, findings)
}

fn node(
    written: &At<RouteConfig>,
    parent: &Route,
    id: String,
    known: Known<'_>,
    findings: &mut Findings,
) -> Route {
    let raw = &written.value;
    let receiver = match &raw.receiver {
        None => parent.receiver.clone(),
        Some(name) => {
            check_receiver(name, known.receivers, findings);
            name.value.clone()
        }
    };
    let escalate = raw.escalate.as_deref();
    let escalate =
        escalate::build(escalate, &parent.escalate, &receiver, known.receivers, findings);
    let mut route = Route {
        id,
        receiver,
        escalate,
        matchers: super::matchers(&raw.matchers, findings),
        continues: raw.continues,
        group_by: match &raw.group_by {
            None => parent.group_by.clone(),
            Some(labels) => group_by(labels, findings),
        },
        group_wait: raw.group_wait.unwrap_or(parent.group_wait),
        group_interval: raw.group_interval.unwrap_or(parent.group_interval),
        repeat_interval: raw.repeat_interval.unwrap_or(parent.repeat_interval),
        hours: route_hours::build(raw, known.intervals, findings),
        hold_until: route_hours::hold_until(raw, parent.hold_until, findings),
        routes: Vec::new(),
    };
    for (i, child) in raw.routes.iter().enumerate() {
        let child_route = node(child, &route, format!("{}.{i}", route.id), known, findings);
        // A matcher that cannot be read would make a route match more than it says.
        if is_readable(&child.value) {
            check_reachable(&child_route, &route.routes, &raw.routes, child.place, findings);
        }
        route.routes.push(child_route);
    }
    route
}

pub(super) fn check_receiver(name: &At<String>, known: &BTreeSet<String>, findings: &mut Findings) {
    if known.contains(&name.value) {
        return;
    }
    let near = suggest::nearest(&name.value, known.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "add it under `receivers`".to_owned(),
        None => {
            let names: Vec<String> = known.iter().take(10).map(|n| format!("`{n}`")).collect();
            format!("known: {}", names.join(", "))
        }
    };
    findings.error(name.place, format!("unknown receiver `{}`", excerpt(&name.value)), Some(hint));
}

fn group_by(labels: &[At<String>], findings: &mut Findings) -> GroupBy {
    if let Some(all) = labels.iter().find(|l| l.value == "...") {
        if labels.len() > 1 {
            findings.error(
                all.place,
                "`...` stands for all labels already",
                Some("write `group_by: [\"...\"]` or name the labels".to_owned()),
            );
        }
        return GroupBy::All;
    }
    let mut seen = BTreeSet::new();
    for label in labels {
        if !seen.insert(label.value.as_str()) {
            findings.error(
                label.place,
                format!("`group_by` names `{}` twice", excerpt(&label.value)),
                Some("remove one".to_owned()),
            );
        }
    }
    GroupBy::Labels(labels.iter().map(|l| l.value.clone()).collect())
}

/// Reports a route when an earlier sibling takes everything it matches.
fn check_reachable(
    route: &Route,
    earlier: &[Route],
    written: &[At<RouteConfig>],
    place: Place,
    findings: &mut Findings,
) {
    let taker = earlier.iter().zip(written).find(|(before, raw)| {
        !before.continues
            && is_readable(&raw.value)
            && before.matchers.iter().all(|m| implied(m, &route.matchers))
    });
    if let Some((_, raw)) = taker {
        findings.error(
            place,
            format!(
                "unreachable route: the one in line {} takes everything it matches",
                raw.place.line
            ),
            Some("put it before that one, or add `continue: true` there".to_owned()),
        );
    }
}

/// Whether `matcher` holds wherever all of `others` do; only what is plain to see.
fn implied(matcher: &Matcher, others: &[Matcher]) -> bool {
    others.iter().filter(|other| other.name == matcher.name).any(|other| {
        other == matcher
            || other.exact_value().is_some_and(|value| {
                let mut labels = Labels::default();
                labels.set(&matcher.name, value);
                matcher.matches(&labels)
            })
    })
}

/// Whether each of its matchers could be read.
fn is_readable(raw: &RouteConfig) -> bool {
    raw.matchers.iter().all(|text| Matcher::parse_all(&text.value).is_ok())
}
