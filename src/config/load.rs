//! From the text of a file to a configuration, or to everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::env::{self, Env};
use super::fingerprint::Fingerprints;
use super::raw::RawConfig;
use super::sections::general::zone;
use super::sections::heartbeat::HeartbeatConfig;
use super::sections::receivers::Defaults;
use super::sections::{
    inhibit, job_labels, later, receivers, restarts, route, rule_files, schedules, source_files,
    sources,
};
use super::{Config, checks};
use crate::model::Problem;
use crate::notify::{ReceiverPlan, Route, Settings};
use crate::rules::{IntervalBook, build_intervals, build_overrides};
use crate::yaml::findings::Findings;
use crate::yaml::reader;
use crate::yaml::tree::{self, Node, Place};

/// A larger file is not a configuration.
const MAX_BYTES: u64 = 4 << 20;
/// What ended is known for so long after a start.
const MOST_REMIND_AFTER: Duration = Duration::from_hours(24);

/// The text of a file, bounded. `way_out`: where it cannot be read.
pub(super) fn text(path: &Path, way_out: &str) -> Result<String, Vec<Problem>> {
    let wrong = |what: String, hint: &str| {
        let file = path.display().to_string();
        let hint = Some(hint.to_owned());
        vec![Problem { file, line: 0, column: 0, what, hint, warning: false }]
    };
    let too_large = || wrong("the file is larger than 4 MiB".to_owned(), "is it the right file?");
    let unreadable =
        |error: std::io::Error| wrong(format!("cannot read the file: {error}"), way_out);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    String::from_utf8(bytes)
        .map_err(|_| wrong("the file is not UTF-8".to_owned(), "save it as UTF-8"))
}

/// Reads, expands, checks and validates.
pub(super) fn parse(
    text: &str,
    file: &str,
    env: Env<'_>,
) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let mut findings = Findings::new(file);
    if text.len() as u64 > MAX_BYTES {
        let hint = "is it the right file?".to_owned();
        findings.error(Place::default(), "the file is larger than 4 MiB", hint);
        return findings.finish(None);
    }
    let Some(mut tree) = tree_of(text, &mut findings) else { return findings.finish(None) };
    let base = Path::new(file).parent().unwrap_or(Path::new(""));
    env::expand(&mut tree, env, &mut findings);
    checks::prepare(&mut tree, base, env("HOME").as_deref());
    later::check(&tree, &mut findings);
    checks::check(&tree, &mut findings);
    let Some(raw) = reader::read::<RawConfig>(&tree, &mut findings) else {
        return findings.finish(None);
    };
    let config = build(raw, &tree, file, env, &mut findings);
    if findings.only_warnings() {
        for (what, hint) in super::warnings(&config) {
            findings.warn(Place::default(), what, hint);
        }
    }
    findings.finish(Some(config))
}

/// The values of a file, or why it is none.
pub(super) fn tree_of(text: &str, findings: &mut Findings) -> Option<Node> {
    match tree::read(text) {
        Ok((tree, twice)) => {
            for (place, key) in twice {
                let key = tree::excerpt(&key);
                let hint = "keep one of them".to_owned();
                findings.error(place, format!("key `{key}` is given twice"), hint);
            }
            Some(tree)
        }
        Err(error) => {
            let index = usize::try_from(error.place.line).unwrap_or(0).saturating_sub(1);
            let hint = if let Some(hint) = error.hint {
                hint
            } else if text.lines().nth(index).is_some_and(|line| line.contains("${")) {
                "inside `{ }` and `[ ]`, put `${…}` in quotes"
            } else {
                "this is no YAML; further mistakes may follow"
            };
            findings.error(error.place, error.what, hint.to_owned());
            None
        }
    }
}

fn build(raw: RawConfig, tree: &Node, file: &str, env: Env<'_>, findings: &mut Findings) -> Config {
    let base = Path::new(file).parent().unwrap_or(Path::new(""));
    let top = Place { line: 1, column: 1 };
    let names_none = |key: &str| tree.get(key).is_none_or(Node::is_empty);
    if names_none("sources") && names_none("source_files") {
        findings.error(
            place_of(tree, "sources"),
            "`sources` is empty",
            "name what to watch: `sources: [{ flink: { name: prod, urls: [\"http://jm:8081\"] } }]`"
                .to_owned(),
        );
    }
    if tree.get("receivers").is_none_or(Node::is_empty) {
        findings.error(
            place_of(tree, "receivers"),
            "`receivers` is empty",
            "name who is told: `receivers: [{ name: me, channels: [console] }]`".to_owned(),
        );
    }
    let zone = raw.time_zone.as_ref().map_or(TimeZone::UTC, |name| zone(name, findings));
    let schedules = schedules::build(raw.schedules, &zone, findings);
    let defaults = Defaults { language: raw.language, zone, delivery: raw.delivery };
    let built = receivers::build(raw.receivers, &defaults, findings);
    // As written, so that a receiver with a mistake is not unknown as well.
    let known: BTreeSet<String> = tree
        .get("receivers")
        .map_or(&[][..], Node::items)
        .iter()
        .filter_map(|r| r.get("name")?.text().map(str::to_owned))
        .collect();
    let only = known.iter().next().filter(|_| known.len() == 1);
    let mut time_intervals = IntervalBook::new();
    build_intervals(raw.time_intervals, &mut time_intervals, findings);
    let stores = restarts::stores(raw.checkpoint_stores, findings);
    let restarts = restarts::build(raw.restarts, raw.restart_limits, &time_intervals, findings);
    let restarts = super::Restarts { stores, ..restarts };
    let names = route::Known { receivers: &known, intervals: &time_intervals };
    let route = match (&raw.route, only) {
        (Some(written), _) => route::build(written, names, findings),
        (None, Some(only)) => route::root(only),
        (None, None) => {
            // Missing for another reason: a mistake inside, or nobody to route to.
            if tree.get("route").is_none_or(Node::is_empty) && !known.is_empty() {
                findings.error(
                    top,
                    "`route` is missing",
                    "say who is told by default: `route: { receiver: … }`".to_owned(),
                );
            }
            route::root("")
        }
    };
    warn_unused(tree, &route, &built.plans, findings);
    let web = raw.web.build(findings);
    let mut fingerprints = Fingerprints::of(tree);
    let mut names = BTreeSet::new();
    let mut sources = sources::build(raw.sources, &mut names, findings);
    let lists = source_files::Lists { patterns: &raw.source_files, base, env };
    let source_files = lists.watched();
    sources.extend(lists.read(&mut names, &mut fingerprints, findings));
    let job_labels = job_labels::build(raw.job_labels, findings);
    let mut incidents = raw.incidents.build(route.group_interval);
    if incidents.remind_after > MOST_REMIND_AFTER {
        findings.error(
            place_of(tree, "incidents"),
            "`incidents.remind_after` is longer than a day",
            "write at most `24h`, or `0s` for no reminder".to_owned(),
        );
    }
    let of_sources = sources.iter().flat_map(|s| s.labels().keys().map(String::as_str));
    let set: BTreeSet<&str> = of_sources.chain(job_labels.names()).collect();
    incidents.inbound = raw.inbound.build(findings);
    incidents.inhibit = inhibit::build(raw.inhibit_rules, &set, findings);
    Config {
        overrides: build_overrides(raw.overrides, tree, file, &time_intervals, findings),
        time_intervals,
        schedules,
        restarts,
        store: raw.store.build(findings),
        history: raw.history.build(findings),
        poll: raw.poll,
        delivery: raw.delivery,
        sources,
        source_files,
        job_labels,
        people: raw.people,
        rule_files: rule_files::expand(&raw.rule_files, base, findings),
        templates: rule_files::templates(raw.templates.as_ref(), base, findings),
        incidents,
        notify: Settings {
            receivers: built.plans,
            shadow: raw.delivery == super::Delivery::Shadow,
            route,
            storm: raw.storm.build(findings),
            external_url: web.external_url.clone(),
            links: None,
        },
        web,
        receivers: built.receivers,
        heartbeat: raw.heartbeat.and_then(|h| HeartbeatConfig::build(h, findings)),
        self_monitoring: raw.self_monitoring,
        fingerprints,
    }
}

fn place_of(tree: &Node, key: &str) -> Place {
    let entry = tree.entries().iter().find(|e| e.key == key);
    entry.map_or(Place { line: 1, column: 1 }, |e| e.place)
}

/// Warns of receivers nobody routes to.
fn warn_unused(
    tree: &Node,
    route: &Route,
    plans: &BTreeMap<String, ReceiverPlan>,
    findings: &mut Findings,
) {
    let mut used = BTreeSet::new();
    let channels = plans.values().flat_map(|receiver| &receiver.channels);
    used.extend(channels.filter_map(|c| Some(c.fallback.as_ref()?.to.receiver.as_str())));
    let mut left = vec![route];
    while let Some(route) = left.pop() {
        used.insert(route.receiver.as_str());
        used.extend(route.escalate.iter().map(|step| step.receiver.as_str()));
        left.extend(&route.routes);
    }
    for receiver in tree.get("receivers").map_or(&[][..], Node::items) {
        if let Some(name) = receiver.get("name")
            && let Some(text) = name.text()
            && !used.contains(text)
        {
            findings.warn(
                name.place,
                format!("no route leads to receiver `{}`", tree::excerpt(text)),
                "name it in `route`, or remove it".to_owned(),
            );
        }
    }
}
