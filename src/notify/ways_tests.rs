//! Ways through a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::*;
use crate::model::{ChannelId, DayTime, Hours, Matcher, TimeInterval, TimeIntervals};
use crate::notify::{ChannelPlan, GroupBy, Language, ReceiverPlan, Storm};

/// Saturday, 02:00 UTC.
const NOW: Ts = Ts(1_795_226_400_000);

fn route(id: &str, receiver: &str, matchers: &[&str], routes: Vec<Route>) -> Route {
    Route {
        id: id.to_owned(),
        receiver: receiver.to_owned(),
        matchers: matchers.iter().map(|m| Matcher::parse(m).unwrap()).collect(),
        continues: false,
        group_by: GroupBy::Labels(vec!["cluster".to_owned()]),
        group_wait: Duration::from_secs(30),
        group_interval: Duration::from_mins(5),
        repeat_interval: Duration::from_hours(4),
        hours: Hours::default(),
        hold_until: None,
        escalate: Vec::new(),
        routes,
    }
}

fn settings(route: Route) -> Settings {
    let receiver = |name: &str, shadow, kinds: &[&str]| {
        let channel = |kind: &&str| ChannelPlan {
            id: ChannelId { receiver: name.to_owned(), channel: (*kind).to_owned() },
            kind: (*kind).to_owned(),
            endpoint: String::new(),
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
            name: name.to_owned(),
            language: Language::En,
            zone: TimeZone::get("Asia/Shanghai").unwrap(),
            shadow,
            storm: None,
            summary: None,
            channels: kinds.iter().map(channel).collect(),
        };
        (name.to_owned(), plan)
    };
    Settings {
        receivers: BTreeMap::from([
            receiver("all", false, &["email"]),
            receiver("ads", false, &["feishu_bot", "email"]),
            receiver("none", false, &[]),
            receiver("dark", true, &["email"]),
        ]),
        shadow: false,
        route,
        storm: Storm::default(),
        external_url: None,
        links: None,
    }
}

#[test]
fn a_way_names_its_path_and_its_hours() {
    let mut night = route("0.0.0", "ads", &["severity!=critical"], Vec::new());
    let part = TimeInterval { times: vec![(60, 360)], ..TimeInterval::default() };
    night.hours.mute =
        vec![Arc::new(TimeIntervals { name: "night".to_owned(), parts: vec![part] })];
    night.hold_until = Some(DayTime::parse("09:00").unwrap());
    night.continues = true;
    let twice = route("0.0.1", "ads", &[], Vec::new());
    let ads = route("0.0", "ads", &["team=ads"], vec![night, twice]);
    let settings = settings(route("0", "all", &[], vec![ads]));
    let labels = Labels::from([("team", "ads"), ("cluster", "prod"), ("severity", "warning")]);
    let ways = settings.ways(&labels, NOW);
    let ids = |way: &Way| way.path.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&ways[0]), ["0", "0.0", "0.0.0"]);
    assert_eq!(ids(&ways[1]), ["0", "0.0", "0.0.1"]);
    assert_eq!(ways[0].path[1].matchers, ["team=ads"]);
    assert_eq!((ways[0].again, ways[1].again), (false, true));
    assert_eq!(ways[0].muted_by.as_deref(), Some("night"));
    assert_eq!(ways[0].muted_until, Some(NOW + Duration::from_hours(4)));
    // It is past nine there.
    assert_eq!(ways[0].held_until, Some(NOW + Duration::from_hours(23)));
    assert_eq!(ways[0].group, Labels::from([("cluster", "prod")]));
    assert_eq!(ways[0].channels.len(), 2);
    let labels = Labels::from([("team", "ads"), ("severity", "critical")]);
    assert_eq!(
        settings.ways(&labels, NOW).iter().map(ids).collect::<Vec<_>>(),
        [["0", "0.0", "0.0.1"]]
    );
    let other = settings.ways(&Labels::default(), NOW);
    assert_eq!(ids(&other[0]), ["0"]);
    assert_eq!(other[0].receiver, "all");
}

#[test]
fn a_way_names_who_is_told_next() {
    let step = |minutes, receiver: &str, severity| Escalation {
        after: Duration::from_mins(minutes),
        receiver: receiver.to_owned(),
        severity,
    };
    let mut root = route("0", "all", &[], Vec::new());
    root.escalate = vec![
        step(5, "all", Severity::Info),
        step(15, "ads", Severity::Critical),
        step(45, "none", Severity::Warning),
    ];
    let onward = |root: &Route, severity: &str| {
        let ways = settings(root.clone()).ways(&Labels::from([("severity", severity)]), NOW);
        let steps = ways[0].escalate.iter();
        steps.map(|s| (s.after.as_secs() / 60, s.receiver.clone())).collect::<Vec<_>>()
    };
    assert_eq!(onward(&root, "critical"), [(15, "ads".to_owned()), (45, "none".to_owned())]);
    assert_eq!(onward(&root, "warning"), [(45, "none".to_owned())]);
    assert_eq!(onward(&root, "info"), []);
    // What only records wakes nobody who is sent to.
    root.receiver = "dark".to_owned();
    assert_eq!(onward(&root, "critical"), []);
}

#[test]
fn nobody_is_a_receiver_without_channels_or_in_shadow() {
    for (receiver, heard) in [("all", true), ("none", false), ("dark", false), ("gone", false)] {
        let settings = settings(route("0", receiver, &[], Vec::new()));
        assert_eq!(settings.reaches_somebody(&Labels::default()), heard, "{receiver}");
        let ways = settings.ways(&Labels::default(), NOW);
        assert_eq!(ways.iter().any(Way::is_heard), heard, "{receiver}");
    }
}
