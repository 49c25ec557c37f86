//! From a test as written to a story that can be played, or to what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::build_job::{self, Places};
use super::metrics;
use super::raw::{RawCluster, RawExpect, RawSource, RawTest, RawTests};
use super::timeline::{Line, Timeline};
use super::times::{Moment, Spans};
use super::world::{SimCluster, SimSource, World};
use crate::config::sections::{inhibit, route, schedules};
use crate::engine::EngineSettings;
use crate::model::{ChannelId, Demand, Labels};
use crate::notify::{self, ChannelPlan, Language, ReceiverPlan, Route};
use crate::rules::kinds::Span;
use crate::rules::{IntervalBook, LabelBook, RuleSet, build_intervals};
use crate::yaml::findings::Findings;
use crate::yaml::{At, Place, suggest};

/// The receiver when nobody says who is told.
const RECEIVER: &str = "team";
/// The source when nobody names it.
const SOURCE: &str = "prod";
/// The channel of every receiver.
pub(super) const CHANNEL: &str = "console";
/// Monday, so that nothing in a story depends on when it is played.
const START: &str = "2026-01-05T00:00:00Z";
/// A story longer than this is a mistake.
const LONGEST: Duration = Duration::from_hours(366 * 24);
/// Looks at jobs in one story: a month of one job, looked at every ten seconds.
const MAX_LOOKS: i64 = 300_000;

/// A test, ready to be played.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) rules: RuleSet,
    pub(super) world: World,
    pub(super) settings: EngineSettings,
    pub(super) poll: i64,
    pub(super) until: i64,
    pub(super) expect: RawExpect,
}

/// Builds all tests of a file.
pub(super) fn build(raw: RawTests, rules: &RuleSet, findings: &mut Findings) -> Vec<Story> {
    if raw.tests.is_empty() {
        let hint = "add `tests: [{ name: …, expect: … }]`".to_owned();
        findings.error(Place { line: 1, column: 1 }, "no tests", hint);
    }
    let mut names = BTreeSet::new();
    let mut stories = Vec::new();
    for mut test in raw.tests {
        let name = &test.value.name;
        if !names.insert(name.value.clone()) {
            let hint = "give each its own name, so that `--run` finds it".to_owned();
            findings.error(name.place, format!("two tests are named `{}`", name.value), hint);
        }
        test.value.poll = test.value.poll.or(raw.poll);
        test.value.interval = test.value.interval.or(raw.interval);
        stories.push(one(test, rules, findings));
    }
    stories
}

fn one(test: At<RawTest>, rules: &RuleSet, findings: &mut Findings) -> Story {
    let At { value: raw, place } = test;
    let rules = in_force(&raw, rules, findings);
    let demand = rules.demand();
    let poll = raw.poll.map_or(10_000, Span::millis).max(1);
    let interval = raw.interval.map_or(60_000, Span::millis).max(1);
    let epoch = epoch(raw.start.as_ref(), findings);
    let sources = sources(&raw, findings);
    let until = raw.until.map_or_else(|| last_named(&raw, interval), |m| m.0);
    let longest = LONGEST.as_millis() as i64;
    if until > longest {
        let hint = "a year is the most".to_owned();
        findings.error(place, "the story is longer than a year", hint);
    }
    let until = until.min(longest);
    let looks = (until / poll).saturating_add(1);
    let jobs = raw.jobs.len().max(sources.len()) as i64;
    if looks.saturating_mul(jobs) > MAX_LOOKS {
        let what = format!("the story takes {looks} looks at {jobs} jobs, more than {MAX_LOOKS}");
        let hint = "look more rarely, such as `poll: 1m`, or end it sooner with `until`";
        findings.error(place, what, hint.to_owned());
    }
    let mut world = World { epoch, sources, ..World::default() };
    let places = Places { interval, until: if findings.only_warnings() { until } else { 0 } };
    for job in &raw.jobs {
        if let Some(run) = build_job::build(job, &raw.jobs, places, &world, &demand, findings) {
            world.runs.push(run);
        }
    }
    clusters(&raw, interval, &demand, &mut world, findings);
    world.add_inventory();
    let settings = settings(&raw, &world, findings);
    check_expectations(&raw, &rules, &settings, (poll, until), findings);
    Story {
        name: raw.name.value,
        place,
        rules,
        world,
        settings,
        poll,
        until,
        expect: raw.expect.value,
    }
}

fn in_force(raw: &RawTest, rules: &RuleSet, findings: &mut Findings) -> RuleSet {
    let known: BTreeSet<&str> = rules.rules.iter().map(|r| r.id.alert.as_str()).collect();
    for named in &raw.rules {
        check_alert(&named.value, named.place, &known, findings);
    }
    let mut set = rules.clone();
    if !raw.rules.is_empty() {
        set.rules.retain(|rule| raw.rules.iter().any(|named| named.value == rule.id.alert));
    }
    set
}

/// An expectation of an alert nobody has would hold by a slip of the pen.
fn check_alert(name: &str, place: Place, known: &BTreeSet<&str>, findings: &mut Findings) {
    if known.contains(name) {
        return;
    }
    let near = suggest::nearest(name, known.iter().copied());
    let hint = near.map_or_else(
        || "see `rule_files`, and `rules` of this test".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    findings.error(place, format!("no rule in force is named `{name}`"), hint);
}

fn check_expectations(
    raw: &RawTest,
    rules: &RuleSet,
    settings: &EngineSettings,
    (poll, until): (i64, i64),
    findings: &mut Findings,
) {
    let known: BTreeSet<&str> = rules.rules.iter().map(|r| r.id.alert.as_str()).collect();
    let expect = &raw.expect.value;
    for never in expect.never.iter().filter(|never| never.value != "*") {
        check_alert(&never.value, never.place, &known, findings);
    }
    for at in &expect.alerts {
        let named = at.value.firing.iter().chain(&at.value.pending).flatten();
        for alert in named {
            check_alert(&alert.value.alert, alert.place, &known, findings);
        }
        if at.value.firing.is_none() && at.value.pending.is_none() {
            let hint = "add `firing: [...]` or `pending: [...]`; `firing: []` for none".to_owned();
            findings.error(at.place, "nothing is expected here", hint);
        }
        if at.value.at.is_some() == at.value.during.is_some() {
            let hint = "write `at: 12m`, or `during: 10m-20m`".to_owned();
            findings.error(at.place, "expected either `at` or `during`", hint);
        }
        let spans = at.value.during.as_ref().map_or(0, |d| d.last().0);
        if at.value.at.map_or(spans, |m| m.0) > until {
            let what = format!("this is after the end of the story at {}", Moment(until));
            findings.error(at.place, what, "move `until`".to_owned());
        } else if at.value.during.as_ref().is_some_and(|d| !d.all_hold_one_of(poll, until)) {
            let what = "no look is in this span, so nothing is held against what is expected";
            let hint = format!("there is one every {}; write a longer span", Moment(poll));
            findings.error(at.place, what, hint);
        }
    }
    for message in expect.messages.iter().flat_map(|m| &m.value) {
        let Some(receiver) = &message.value.receiver else { continue };
        let known = &settings.notify.receivers;
        if !known.contains_key(receiver) {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            let hint = format!("known: {}; name it in `route`", names.join(", "));
            findings.error(message.place, format!("nobody routes to `{receiver}`"), hint);
        }
    }
    let empty = expect.alerts.is_empty()
        && expect.never.is_empty()
        && expect.incidents.is_none()
        && expect.messages.is_none();
    if empty {
        let hint = "add `alerts`, `never`, `incidents` or `messages`".to_owned();
        findings.error(raw.expect.place, "nothing is expected of this story", hint);
    }
}

fn epoch(start: Option<&At<String>>, findings: &mut Findings) -> i64 {
    let text = start.map_or(START, |s| s.value.as_str());
    if let Ok(at) = text.parse::<Timestamp>() {
        return at.as_millisecond();
    }
    let what = format!("`{}` is no time", crate::yaml::tree::excerpt(text));
    findings.error(
        start.map_or(Place::default(), |s| s.place),
        what,
        format!("write it as {START}"),
    );
    0
}

fn sources(raw: &RawTest, findings: &mut Findings) -> Vec<SimSource> {
    let mut found: Vec<SimSource> = Vec::new();
    for source in std::iter::once(&raw.source).chain(&raw.more_sources) {
        let RawSource { name, labels, version, unreachable, starting, partial, metrics_frozen } =
            source.clone();
        let name = name.unwrap_or_else(|| SOURCE.to_owned());
        if found.iter().any(|known| known.name == name) {
            let hint = "each of `more_sources` needs its own `name`".to_owned();
            findings.error(raw.name.place, format!("two sources are named `{name}`"), hint);
        }
        found.push(SimSource {
            name,
            is_inventory: false,
            labels: Labels(labels),
            version: version.unwrap_or_else(|| "2.2.1".to_owned()),
            unreachable,
            starting,
            partial,
            frozen: metrics_frozen,
        });
    }
    found
}

/// The source a job or cluster names; the first where it names none.
pub(super) fn source_of(
    named: Option<&At<String>>,
    sources: &[SimSource],
    findings: &mut Findings,
) -> usize {
    let Some(named) = named else { return 0 };
    sources.iter().position(|s| s.name == named.value).unwrap_or_else(|| {
        let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
        let hint = format!("known: {}; add it to `more_sources`", known.join(", "));
        findings.error(named.place, format!("unknown source `{}`", named.value), hint);
        0
    })
}

fn clusters(
    raw: &RawTest,
    interval: i64,
    demand: &Demand,
    world: &mut World,
    findings: &mut Findings,
) {
    let line = |written: &Option<At<Timeline>>, usual: f64, findings: &mut Findings| {
        let usual = Timeline::Series(vec![super::series::Sample::Number(usual)]);
        match written {
            None => Line::new(&usual, interval),
            Some(at) => {
                metrics::check_numbers(at, findings);
                Line::new(&at.value, interval)
            }
        }
    };
    for written in &raw.clusters {
        let source = source_of(written.source.as_ref(), &world.sources, findings);
        let usual = world.sources.get(source).map(|s| s.name.clone()).unwrap_or_default();
        world.clusters.push(SimCluster {
            source,
            name: written.name.clone().unwrap_or(usual),
            taskmanagers: line(&written.taskmanagers, 4.0, findings),
            slots_total: line(&written.slots_total, 16.0, findings),
            slots_available: line(&written.slots_available, 8.0, findings),
            unreachable: written.unreachable.clone(),
            jobmanager_restarts: written.jobmanager_restarts.iter().map(|m| m.0).collect(),
            metrics: metrics::lines(&written.metrics, true, interval, demand, findings),
        });
    }
    // Those nobody described.
    let of_jobs = world.runs.iter().map(|r| (r.source, r.flink_cluster.clone()));
    let own = world.sources.iter().enumerate().map(|(i, s)| (i, s.name.clone()));
    let own = own.filter(|(i, _)| !world.clusters.iter().any(|c| c.source == *i));
    for (source, name) in of_jobs.chain(own).collect::<BTreeSet<_>>() {
        if world.clusters.iter().any(|c| c.source == source && c.name == name) {
            continue;
        }
        let RawCluster { taskmanagers, slots_total, slots_available, .. } = RawCluster::default();
        world.clusters.push(SimCluster {
            source,
            name,
            taskmanagers: line(&taskmanagers, 4.0, findings),
            slots_total: line(&slots_total, 16.0, findings),
            slots_available: line(&slots_available, 8.0, findings),
            unreachable: Spans::default(),
            jobmanager_restarts: Vec::new(),
            metrics: Vec::new(),
        });
    }
}

fn settings(raw: &RawTest, world: &World, findings: &mut Findings) -> EngineSettings {
    let mut hours = IntervalBook::new();
    build_intervals(raw.time_intervals.clone(), &mut hours, findings);
    let route = route(raw, &hours, findings);
    let mut incidents = raw.incidents.build(route.group_interval);
    let set = world.sources.iter().flat_map(|s| s.labels.0.keys().map(String::as_str)).collect();
    incidents.inhibit = inhibit::build(raw.inhibit_rules.clone(), &set, findings);
    let language = raw.language.unwrap_or_default();
    let mut labels = LabelBook::default();
    for source in &world.sources {
        labels.sources.insert(source.name.clone(), source.labels.clone());
    }
    labels.job_labels = Arc::new(|_| {});
    EngineSettings {
        sources: world.sources.iter().map(|s| (s.name.clone(), s.kind().to_owned())).collect(),
        incidents,
        notify: notify::Settings {
            receivers: receivers(&route, language, raw),
            shadow: false,
            storm: raw.storm.build(findings),
            external_url: None,
            links: None,
            route,
        },
        labels,
        schedules: schedules::build(raw.schedules.clone(), &TimeZone::UTC, findings),
        failing_after: crate::config::SelfMonitoring::default().failing_after,
        restarts: crate::actions::Settings::default(),
    }
}

fn route(raw: &RawTest, hours: &IntervalBook, findings: &mut Findings) -> Route {
    let waits = [raw.group_wait, raw.group_interval, raw.repeat_interval];
    let Some(written) = &raw.route else {
        let mut route = route::root(RECEIVER);
        let wait = |wait: Option<Moment>, usual: Duration| {
            wait.map_or(usual, |m| Duration::from_millis(u64::try_from(m.0).unwrap_or(0)))
        };
        let [group_wait, group_interval, repeat_interval] = waits;
        route.group_wait = wait(group_wait, route.group_wait);
        route.group_interval = wait(group_interval, route.group_interval);
        route.repeat_interval = wait(repeat_interval, route.repeat_interval);
        return route;
    };
    if waits.iter().any(Option::is_some) {
        let hint = "move `group_wait` and the like into it".to_owned();
        findings.error(written.place, "this test has a `route` of its own", hint);
    }
    // Whoever is named is a receiver here: what its channels are does not matter.
    let mut known = BTreeSet::new();
    let mut left = vec![&written.value];
    while let Some(node) = left.pop() {
        known.extend(node.receiver.iter().map(|r| r.value.clone()));
        let steps = node.escalate.iter().flatten();
        known.extend(steps.map(|step| step.value.receiver.value.clone()));
        left.extend(node.routes.iter().map(|child| &child.value));
    }
    route::build(written, route::Known { receivers: &known, intervals: hours }, findings)
}

fn receivers(route: &Route, language: Language, raw: &RawTest) -> BTreeMap<String, ReceiverPlan> {
    let mut plans = BTreeMap::new();
    let mut named = BTreeSet::new();
    let mut left = vec![route];
    while let Some(node) = left.pop() {
        left.extend(&node.routes);
        named.insert(node.receiver.clone());
        named.extend(node.escalate.iter().map(|step| step.receiver.clone()));
    }
    for name in named {
        let own = raw.receivers.get(&name).and_then(|r| r.language);
        let id = ChannelId { receiver: name.clone(), channel: CHANNEL.to_owned() };
        let channel = ChannelPlan {
            endpoint: id.to_string(),
            id,
            kind: CHANNEL.to_owned(),
            budgets: Vec::new(),
            send_resolved: true,
            per_incident: false,
            resend: None,
            standby: false,
            marks: false,
            fallback: None,
            edits: None,
        };
        let plan = ReceiverPlan {
            name: name.clone(),
            language: own.unwrap_or(language),
            zone: TimeZone::UTC,
            shadow: false,
            storm: None,
            summary: None,
            channels: vec![channel],
        };
        plans.insert(name, plan);
    }
    plans
}

/// The last time a test names anywhere.
fn last_named(raw: &RawTest, interval: i64) -> i64 {
    let mut last = Moment(0);
    let mut hear = |moment: Moment| last = last.max(moment);
    for source in std::iter::once(&raw.source).chain(&raw.more_sources) {
        for spans in
            [&source.unreachable, &source.starting, &source.partial, &source.metrics_frozen]
        {
            hear(spans.last());
        }
    }
    for cluster in &raw.clusters {
        let lines = [&cluster.taskmanagers, &cluster.slots_total, &cluster.slots_available];
        for line in lines.into_iter().flatten().chain(cluster.metrics.values()) {
            hear(line.value.last(interval));
        }
        hear(cluster.unreachable.last());
        cluster.jobmanager_restarts.iter().copied().for_each(&mut hear);
    }
    for job in &raw.jobs {
        hear(build_job::last_named(&job.value, interval));
    }
    let expect = &raw.expect.value;
    for at in &expect.alerts {
        hear(at.value.at.unwrap_or_default());
        hear(at.value.during.as_ref().map(super::times::Spans::last).unwrap_or_default());
    }
    for incident in expect.incidents.iter().flat_map(|i| &i.value) {
        hear(incident.value.opened.unwrap_or_default());
        if let Some(super::raw_expect::RawEnd::At(moment)) = incident.value.resolved {
            hear(moment);
        }
    }
    for message in expect.messages.iter().flat_map(|m| &m.value) {
        hear(message.value.at.unwrap_or_default());
    }
    last.0
}
