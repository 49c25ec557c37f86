//! Stories of what goes wrong on the way to people, and of trouble that comes back.

use weir::model::*;
use weir::rules::{RuleSet, RuleSource, parse};

use super::bench::{Bench, CHANNELS, Setup};
use super::world::{Fail, SimRun, World};
use super::{CALM, HOUR, MINUTE, SECOND, START, looping, run_story, world_with};

fn reasons(bench: &Bench, channel: &str, aspect: &str) -> Vec<NoticeReason> {
    let named = bench.told(channel).into_iter().flat_map(|r| r.text.named.clone());
    let about = |id: &u64| bench.kept.incidents[id].aspect.as_str() == aspect;
    named.filter(|(id, _)| about(id)).map(|(_, reason)| reason).collect()
}

fn mended(dies: bool) -> (World, i64) {
    let fails = looping(3, START + CALM, 6, 20 * SECOND, 5 * SECOND, dies);
    let last = fails.last().unwrap().at;
    (world_with(fails, dies.then_some(last + 12 * MINUTE)), last)
}

fn bench_of(world: World) -> Bench {
    let mut bench = Bench::new(Setup::default(), vec![world]);
    bench.begin(START);
    bench
}

/// An opening the vendor refuses for good was not told: that channel hears of no end either.
#[test]
fn a_refused_opening_is_not_resolved_and_harms_nobody_else() {
    let (world, last) = mended(false);
    let mut bench = bench_of(world);
    bench.answer = |m| {
        if m.to.channel == "mail" && m.frozen.body.contains("\"opened\"") {
            return SendOutcome::Rejected { error: "550 no such user".to_owned() };
        }
        SendOutcome::Delivered
    };
    bench.run(last + HOUR);
    assert_eq!(reasons(&bench, "mail", "failure"), []);
    let both = [NoticeReason::Opened, NoticeReason::Resolved];
    assert_eq!(reasons(&bench, "bot", "failure"), both);
    let failed: Vec<_> =
        bench.kept.notices.values().filter(|n| n.outcome == Outcome::Failed).collect();
    assert!(!failed.is_empty());
    assert!(failed.iter().all(|n| n.error.as_deref() == Some("550 no such user")));
}

/// A rise that still waited for its group when the incident ended is not told, and says why.
#[test]
fn a_rise_that_waited_too_long_says_so() {
    let at = START + CALM;
    let fail = |n: i64| Fail { at: at + n * 5 * SECOND, back: Some(at + n * 5 * SECOND + 2_000) };
    let mut fails: Vec<Fail> = (0..3).map(fail).collect();
    fails.push(Fail { at: at + MINUTE, back: None });
    let mut bench = bench_of(world_with(fails, Some(at + 80 * SECOND)));
    bench.run(at + HOUR);
    let both = [NoticeReason::Opened, NoticeReason::Resolved];
    assert_eq!(reasons(&bench, "bot", "failure"), both);
    let is_rise = |n: &&Notice| n.reason == NoticeReason::Worse && n.to.channel == "bot";
    let rises: Vec<_> = bench.kept.notices.values().filter(is_rise).collect();
    assert_eq!(rises.len(), 1, "{:?}", bench.kept.notices);
    assert_eq!(rises[0].outcome, Outcome::Muted);
    assert_eq!(rises[0].held_by.as_deref(), Some("it was over before this was told"));
}

/// News for a channel that left the configuration end, with the reason.
#[test]
fn a_channel_that_left_the_configuration_leaves_nothing_pending() {
    let (world, last) = mended(true);
    let mut bench = bench_of(world);
    bench.answer = |m| match m.to.channel.as_str() {
        "mail" => SendOutcome::Retry { after_ms: None, error: "timeout".to_owned() },
        _ => SendOutcome::Delivered,
    };
    bench.run(last + 2 * MINUTE);
    assert!(bench.kept.notices.values().any(|n| n.outcome == Outcome::Pending));
    bench.setup.mail = false;
    bench.restart(last + 2 * MINUTE);
    bench.run(last + HOUR);
    for notice in bench.kept.notices.values() {
        assert!(notice.outcome != Outcome::Pending, "{notice:?}");
        if notice.to.channel == "mail" {
            assert_eq!(notice.error.as_deref(), Some("its channel left the configuration"));
        }
    }
    assert!(bench.kept.messages.values().all(|m| m.state != MessageState::Due));
    assert_eq!(bench.count("bot", NoticeReason::Resolved), 1);
}

/// A channel that never answers well costs its own retries, not a turn every few milliseconds.
#[test]
fn waiting_for_a_channel_wakes_nobody() {
    let (world, last) = mended(true);
    let mut bench = bench_of(world);
    bench.answer = |m| match m.to.channel.as_str() {
        "mail" => SendOutcome::Retry { after_ms: None, error: "timeout".to_owned() },
        _ => SendOutcome::Delivered,
    };
    bench.run(last + 6 * HOUR);
    let polls = (last + 6 * HOUR - START) as u64 / 10_000;
    assert!(bench.turns < polls + 1_000, "{} turns for {polls} polls", bench.turns);
    // The end of its trouble is told by the one that works.
    assert!(bench.kept.incidents.values().any(|i| i.rule == "WeirChannelFailing"));
}

/// The root's receiver only records; whoever is left hears that a channel is broken. Where all only
/// record, that is recorded too.
#[test]
fn a_broken_channel_is_told_to_somebody_who_hears() {
    let (live, none): (&[_], &[_]) =
        (&[("ads", false), ("ops", false)], &[("ads", false), ("ops", true)]);
    for (more, heard) in [(live, true), (none, false)] {
        let (world, last) = mended(true);
        let mut bench = Bench::new(Setup { shadow: true, more, ..Setup::default() }, vec![world]);
        bench.begin(START);
        bench.answer = |m| match m.to.channel.as_str() {
            "ads" => SendOutcome::Retry { after_ms: None, error: "401".to_owned() },
            _ => SendOutcome::Delivered,
        };
        bench.run(last + 6 * HOUR);
        assert_eq!(bench.count("ops", NoticeReason::Opened) > 0, heard, "{:?}", bench.received);
        let of = |to: &str| {
            let incidents = &bench.kept.incidents;
            let is_it = |n: &&Notice| incidents[&n.incident].rule == "WeirChannelFailing";
            bench.kept.notices.values().filter(is_it).any(|n| n.to.receiver == to)
        };
        assert_eq!(of("ops"), heard, "{:?}", bench.kept.notices);
        assert_eq!(of("team"), !heard, "{:?}", bench.kept.notices);
    }
}

/// Cancelled in the middle of a loop: the incident ends as such.
#[test]
fn a_cancelled_job_ends_its_incident() {
    let (mut world, last) = mended(false);
    for run in world.jobs.get_mut("orders").unwrap() {
        run.canceled = Some(last + SECOND);
    }
    let bench = run_story(Setup::default(), world, last + HOUR, &[]);
    let incident = bench.kept.incidents.values().find(|i| i.aspect.as_str() == "failure").unwrap();
    assert_eq!(incident.end_reason, Some(EndReason::Ended));
    for channel in CHANNELS {
        let told = [NoticeReason::Opened, NoticeReason::Resolved];
        assert_eq!(reasons(&bench, channel, "failure"), told);
    }
}

/// Somebody cancelled it in good health: asked about once, unless it was retired.
#[test]
fn a_cancelled_job_is_reminded_of_once_and_a_retired_one_never() {
    for (retired, expected) in [(false, 1), (true, 0)] {
        let mut world = world_with(Vec::new(), None);
        world.jobs.get_mut("orders").unwrap()[0].canceled = Some(START + 10 * MINUTE);
        let mut bench = bench_of(world);
        bench.run(START + HOUR);
        if retired {
            let retire = Action::Retire { job: "orders".to_owned(), comment: String::new() };
            bench.command(START + HOUR, "r", retire).unwrap().unwrap();
        }
        bench.run(START + 40 * HOUR);
        let reminders = bench.kept.incidents.values().filter(|i| i.rule == "JobStillStopped");
        assert_eq!(reminders.count(), expected, "retired: {retired}");
        for channel in CHANNELS {
            assert_eq!(bench.told(channel).len(), expected, "{channel}, retired: {retired}");
        }
    }
}

/// What comes back within half an hour continues its incident: told once as reopened, the second
/// time as flapping, and then once when it has settled.
#[test]
fn trouble_that_comes_back_is_one_incident() {
    let mut world = World::new("prod");
    let mut runs = Vec::new();
    for n in 0..5 {
        let start = START + n * 18 * MINUTE;
        let at = start + 3 * MINUTE;
        let fails = vec![Fail { at, back: None }];
        runs.push(SimRun { fails, ..SimRun::healthy(&format!("r{n}"), start) });
    }
    runs.push(SimRun::healthy("r5", START + 90 * MINUTE));
    world.jobs.insert("orders".to_owned(), runs);
    let bench = run_story(Setup::default(), world, START + 4 * HOUR, &[]);
    for channel in CHANNELS {
        use NoticeReason::{Flapping, Opened, Reopened, Resolved};
        let told = [Opened, Resolved, Reopened, Resolved, Flapping, Resolved];
        assert_eq!(reasons(&bench, channel, "failure"), told, "{channel}");
    }
    let failure: Vec<_> =
        bench.kept.incidents.values().filter(|i| i.aspect.as_str() == "failure").collect();
    assert_eq!(failure.len(), 1);
    assert_eq!(failure[0].occurrences, 5);
}

/// A rule that left the rule files takes its incident with it, although the job is still dead.
#[test]
fn an_incident_of_a_rule_that_is_gone_ends_unwatched() {
    let mut world = world_with(Vec::new(), None);
    let fails = vec![Fail { at: START + CALM, back: None }];
    let run = SimRun { fails, ..SimRun::healthy("d", START - HOUR) };
    world.jobs.insert("dead".to_owned(), vec![run]);
    let mut bench = bench_of(world);
    bench.run(START + 10 * MINUTE);
    let open = |bench: &Bench| bench.kept.incidents.values().filter(|i| i.is_open()).count();
    assert_eq!(open(&bench), 1);
    bench.setup.without = Some("JobFailed");
    bench.restart(START + 10 * MINUTE);
    bench.run(START + 30 * MINUTE);
    assert_eq!(open(&bench), 0);
    let ended: Vec<_> = bench.kept.incidents.values().filter_map(|i| i.end_reason).collect();
    assert_eq!(ended, [EndReason::Unwatched]);
    assert_eq!(reasons(&bench, "bot", "failure"), [NoticeReason::Opened, NoticeReason::Resolved]);
}

/// A job that ended on purpose is forgotten a day after it was last listed, with its alerts.
#[test]
fn a_job_that_is_forgotten_takes_its_alerts_with_it() {
    let edit = |rules: &mut RuleSet| {
        let text = "groups: [{ name: g, rules: [{ alert: Cancelled, labels: { severity: info }, \
                    when: { job_state: { any_of: [CANCELED] } } }] }]";
        *rules = parse(&[RuleSource { file: "own.yaml", text }]).unwrap();
    };
    let mut bench =
        Bench::new(Setup { edit, ..Setup::default() }, vec![world_with(Vec::new(), None)]);
    let mut last = START;
    for (at, state) in [
        (0, Some(JobState::Running)),
        (MINUTE, Some(JobState::Canceled)),
        (2 * MINUTE, None),
        (23 * HOUR, None),
        (25 * HOUR, None),
        (25 * HOUR + MINUTE, None),
    ] {
        last = START + at;
        let mut look = bench.worlds[0].poll(last);
        look.runs.extend(state.map(|state| RunObservation {
            key: JobKey::new("prod", "", "", "gone"),
            name: "gone".to_owned(),
            cluster: "prod".to_owned(),
            flink_cluster: "prod".to_owned(),
            flink_job_name: "gone".to_owned(),
            run: RunId { start_time: START - HOUR, job_id: "g".to_owned() },
            state,
            ..RunObservation::default()
        }));
        bench.look(last, look);
        let alerts = bench.kept.load(Ts(last)).alerts.len();
        let fires = (MINUTE..25 * HOUR).contains(&at);
        assert_eq!(alerts, usize::from(fires), "after {} min", at / MINUTE);
        assert_eq!(bench.engine().rules().alerts().count(), alerts);
    }
    bench.restart(last + SECOND);
    assert_eq!(bench.engine().rules().alerts().count(), 0);
    let ended: Vec<_> = bench.kept.incidents.values().map(|i| i.end_reason).collect();
    assert_eq!(ended, [Some(EndReason::Unwatched)]);
}
