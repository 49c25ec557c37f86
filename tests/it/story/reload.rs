//! Another configuration while the story goes on.

use std::time::Duration;

use proptest::prelude::*;
use weir::model::*;
use weir::rules::{RuleSet, RuleSource, parse};

use super::bench::{Bench, Setup};
use super::world::{Fail, SimRun, World};
use super::{CALM, HOUR, MINUTE, SECOND, START, draw, looping, run_story, world_with};
use NoticeReason::{FirstLook, Opened, Resolved};

/// When `dead` dies in these stories.
const DEATH: i64 = START + CALM;

fn dead_world() -> World {
    let mut world = world_with(Vec::new(), None);
    let run = SimRun {
        fails: vec![Fail { at: DEATH, back: None }],
        ..SimRun::healthy("d", START - HOUR)
    };
    world.jobs.insert("dead".to_owned(), vec![run]);
    world
}

fn dead_job(setup: Setup) -> Bench {
    let mut bench = Bench::new(setup, vec![dead_world()]);
    bench.begin(START);
    bench
}

fn reasons(bench: &Bench, channel: &str) -> Vec<NoticeReason> {
    bench.told(channel).iter().flat_map(|r| r.text.named.clone()).map(|(_, r)| r).collect()
}

fn open(bench: &Bench) -> usize {
    bench.kept.incidents.values().filter(|i| i.is_open()).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// The same configuration again, at any turns: nothing is written, sent or decided otherwise.
    #[test]
    fn the_same_again_changes_nothing(
        seed in any::<u64>(),
        spacing_s in prop_oneof![5_i64..60, 60_i64..400],
        count in 3_usize..20,
        hold_s in prop_oneof![Just(0_u64), 1_u64..60],
        dies in any::<bool>(),
        budget in prop_oneof![Just(None), (1_u32..4).prop_map(Some)],
    ) {
        let spacing = spacing_s * SECOND;
        let fails = looping(seed, START + CALM, count, spacing, (spacing / 3).min(60_000), dies);
        let last = fails.last().unwrap().at;
        let resubmitted = dies.then_some(last + 4 * MINUTE);
        let per = Duration::from_mins(10);
        let setup = Setup {
            hold_ms: hold_s * 1_000,
            budget: budget.map(|messages| weir::notify::Budget { messages, per }),
            ..Setup::default()
        };
        let end = last + 45 * MINUTE;
        let world = world_with(fails, resubmitted);
        let plain = run_story(setup.clone(), world.clone(), end, &[]);
        let mut reloaded = Bench::new(setup, vec![world]);
        reloaded.reloads = (0..200).map(|n| 1 + draw(seed, n, plain.turns)).collect();
        reloaded.begin(START);
        reloaded.run(end);
        prop_assert_eq!(plain.turns, reloaded.turns);
        prop_assert_eq!(format!("{:?}", plain.received), format!("{:?}", reloaded.received));
        prop_assert_eq!(format!("{:?}", plain.kept), format!("{:?}", reloaded.kept));
    }
}

#[test]
fn a_removed_rule_ends_its_incident_unwatched_and_one_that_is_added_begins_anew() {
    let mut bench = dead_job(Setup::default());
    bench.run(DEATH + 10 * MINUTE);
    assert_eq!((open(&bench), reasons(&bench, "bot").len()), (1, 1));
    bench.setup.without = Some("JobFailed");
    bench.reload(DEATH + 10 * MINUTE);
    bench.run(DEATH + 30 * MINUTE);
    let ended: Vec<_> = bench.kept.incidents.values().filter_map(|i| i.end_reason).collect();
    assert_eq!(ended, [EndReason::Unwatched]);
    bench.setup.without = None;
    bench.reload(DEATH + 30 * MINUTE);
    bench.run(DEATH + 50 * MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened, Resolved, Opened]);
    assert_eq!(reasons(&bench, "mail"), [Opened, Resolved, Opened]);
    assert_eq!(bench.kept.incidents.len(), 2);
}

#[test]
fn another_member_holds_the_incident_of_a_removed_rule() {
    let fails = looping(7, START + CALM, 6, 4 * MINUTE, 5_000, true);
    let last = fails.last().unwrap().at;
    let mut bench = Bench::new(Setup::default(), vec![world_with(fails, None)]);
    bench.begin(START);
    bench.run(last + 3 * MINUTE);
    let before = reasons(&bench, "bot");
    assert_eq!(open(&bench), 1);
    bench.setup.without = Some("JobFailed");
    bench.reload(last + 3 * MINUTE);
    bench.run(last + 6 * MINUTE);
    assert_eq!(open(&bench), 1, "it still loops");
    assert_eq!(reasons(&bench, "bot"), before);
}

#[test]
fn a_firing_rule_that_changed_goes_on_without_a_message() {
    let mut bench = dead_job(Setup::default());
    bench.run(DEATH + 10 * MINUTE);
    bench.setup.hold_ms = 20 * 60_000;
    bench.reload(DEATH + 10 * MINUTE);
    bench.run(DEATH + HOUR);
    assert_eq!(open(&bench), 1);
    assert_eq!(reasons(&bench, "bot"), [NoticeReason::Opened]);
}

fn only_the_loop(rules: &mut RuleSet) {
    rules.rules.retain(|r| r.id.alert == "JobFailingRepeatedly");
}

/// A condition nobody can judge: the job does not report this number.
fn cannot_judge_the_loop(rules: &mut RuleSet) {
    only_the_loop(rules);
    let text = "groups: [{ name: g, rules: [{ alert: A, when: { metric: { scope: job, id: \
                nowhere, above: 1 } } }] }]";
    let other = parse(&[RuleSource { file: "other.yaml", text }]).unwrap();
    rules.rules[0].when = other.rules[0].when.clone();
}

/// Unknown freezes what a condition began, not what another one did: where the new condition of a
/// firing rule stays unknown although the job is seen, somebody has to let go.
#[test]
fn a_changed_rule_that_cannot_judge_does_not_fire_for_ever() {
    for silent_for in [0, 2 * HOUR] {
        let fails = looping(7, START + CALM, 3, 2 * MINUTE, 5_000, false);
        let changed = fails.last().unwrap().at + MINUTE;
        let mut world = world_with(fails, None);
        world.silent = Some((changed + MINUTE, changed + MINUTE + silent_for));
        let setup = Setup { edit: only_the_loop, ..Setup::default() };
        let mut bench = Bench::new(setup, vec![world]);
        bench.begin(START);
        bench.run(changed);
        assert_eq!((open(&bench), reasons(&bench, "bot")), (1, vec![Opened]));
        let incident = *bench.kept.incidents.keys().next().unwrap();
        let state = |bench: &Bench| {
            let told = bench.told("bot").into_iter().flat_map(|r| r.text.named.clone());
            let told: Vec<_> = told.filter(|n| n.0 == incident).map(|n| n.1).collect();
            (bench.kept.incidents[&incident].end_reason, told)
        };
        bench.setup.edit = cannot_judge_the_loop;
        bench.reload(changed);
        bench.run(changed + silent_for + 4 * MINUTE);
        assert_eq!(state(&bench), (None, vec![Opened]), "given time, and while nobody could see");
        bench.restart(changed + silent_for + 4 * MINUTE);
        bench.run(changed + silent_for + 20 * MINUTE);
        assert_eq!(state(&bench), (Some(EndReason::Unwatched), vec![Opened, Resolved]));
        assert!(bench.kept.load(Ts(changed)).alerts.is_empty());
    }
}

/// One that can judge after a while goes on as if nothing had happened.
#[test]
fn a_changed_rule_that_judges_late_goes_on() {
    let fails = looping(7, START + CALM, 60, 2 * MINUTE, 5_000, false);
    let changed = fails[3].at + MINUTE;
    let setup = Setup { edit: only_the_loop, ..Setup::default() };
    let mut bench = Bench::new(setup, vec![world_with(fails, None)]);
    bench.begin(START);
    bench.run(changed);
    bench.setup.edit = cannot_judge_the_loop;
    bench.reload(changed);
    bench.run(changed + 4 * MINUTE);
    bench.setup.edit = only_the_loop;
    bench.reload(changed + 4 * MINUTE);
    bench.run(changed + 30 * MINUTE);
    assert_eq!((open(&bench), reasons(&bench, "bot")), (1, vec![Opened]));
    let alerts = bench.kept.load(Ts(changed)).alerts;
    assert!(alerts.len() == 1 && !alerts[0].outdated, "{alerts:?}");
}

#[test]
fn a_rule_that_is_not_about_the_job_any_more_does_not_say_that_it_recovered() {
    let mut bench = dead_job(Setup::default());
    bench.run(DEATH + 10 * MINUTE);
    bench.setup.edit = |rules| {
        for rule in &mut rules.rules {
            rule.matchers = vec![Matcher::parse("job_name!=\"dead\"").unwrap()];
        }
    };
    bench.reload(DEATH + 10 * MINUTE);
    bench.run(DEATH + 15 * MINUTE);
    let ended: Vec<_> = bench.kept.incidents.values().filter_map(|i| i.end_reason).collect();
    assert_eq!(ended, [EndReason::Unwatched]);
}

/// A pending alert of a rule that judges as before keeps its time, and says what the rule says now;
/// where `for` changed, it starts anew.
#[test]
fn a_pending_alert_keeps_its_time_unless_the_judgement_changed() {
    let opened = |edit: Option<fn(&mut weir::rules::RuleSet)>| {
        let setup =
            Setup { hold_ms: 5 * 60_000, group_wait_ms: 0, poll_ms: SECOND, ..Setup::default() };
        let mut bench = dead_job(setup);
        bench.run(DEATH + 4 * MINUTE);
        assert_eq!(bench.kept.incidents.len(), 0);
        if let Some(edit) = edit {
            bench.setup.edit = edit;
            bench.reload(DEATH + 4 * MINUTE);
        }
        bench.run(DEATH + 20 * MINUTE);
        let incident = bench.kept.incidents.values().next().unwrap().clone();
        ((incident.opened_at.0 - DEATH) / SECOND, incident)
    };
    let (plain, _) = opened(None);
    assert!((300..303).contains(&plain), "{plain}");
    let (labelled, incident) = opened(Some(|rules| {
        for rule in &mut rules.rules {
            rule.labels.set("team", "payments");
        }
    }));
    assert_eq!(labelled, plain);
    assert_eq!(incident.labels.get("team"), "payments");
    let (changed, _) = opened(Some(|rules| {
        for rule in &mut rules.rules {
            rule.hold = Duration::from_secs(299);
        }
    }));
    assert!((539..542).contains(&changed), "{changed}");
}

#[test]
fn a_firing_alert_gets_the_new_words_without_a_message() {
    let mut bench = dead_job(Setup::default());
    bench.run(DEATH + 10 * MINUTE);
    bench.setup.edit = |rules| {
        for rule in &mut rules.rules {
            rule.annotations.add("runbook", "read {{job_name}}").unwrap();
            rule.labels.set("team", "payments");
        }
    };
    bench.reload(DEATH + 10 * MINUTE);
    bench.run(DEATH + 12 * MINUTE);
    let incident = bench.kept.incidents.values().next().unwrap();
    assert_eq!(incident.labels.get("team"), "payments");
    assert_eq!(incident.members[0].annotations["runbook"], "read dead");
    assert_eq!(reasons(&bench, "bot"), [NoticeReason::Opened]);
}

#[test]
fn a_channel_that_left_hears_the_end_of_what_it_was_told_and_nothing_else() {
    let mut world = world_with(Vec::new(), None);
    let dies =
        |at| SimRun { fails: vec![Fail { at, back: None }], ..SimRun::healthy("d", START - HOUR) };
    let back = DEATH + 30 * MINUTE;
    world.jobs.insert("dead".to_owned(), vec![dies(DEATH), SimRun::healthy("e", back)]);
    let late = SimRun { id: "l".to_owned(), ..dies(DEATH + 20 * MINUTE) };
    world.jobs.insert("late".to_owned(), vec![late]);
    let mut bench = Bench::new(Setup::default(), vec![world]);
    bench.begin(START);
    bench.run(DEATH + 10 * MINUTE);
    bench.setup.mail = false;
    bench.reload(DEATH + 10 * MINUTE);
    let mail = ChannelId { receiver: "team".to_owned(), channel: "mail".to_owned() };
    bench.run(DEATH + 25 * MINUTE);
    assert!(bench.engine().pipeline().plan(&mail).is_some(), "it still owes an end");
    bench.run(back + HOUR);
    assert_eq!(reasons(&bench, "mail"), [Opened, Resolved]);
    assert_eq!(reasons(&bench, "bot"), [Opened, Opened, Resolved]);
    assert!(bench.engine().pipeline().plan(&mail).is_none());
    assert!(!bench.engine().pipeline().health().contains_key(&mail));
    assert!(bench.kept.notices.values().all(|n| n.outcome != Outcome::Pending));
}

#[test]
fn what_waits_for_a_channel_that_left_is_still_told() {
    let setup = Setup { group_wait_ms: 10 * 60_000, ..Setup::default() };
    let mut bench = dead_job(setup);
    bench.run(DEATH + 5 * MINUTE);
    assert!(reasons(&bench, "mail").is_empty());
    bench.setup.mail = false;
    bench.reload(DEATH + 5 * MINUTE);
    bench.run(DEATH + 20 * MINUTE);
    assert_eq!(reasons(&bench, "mail"), [NoticeReason::Opened]);
}

#[test]
fn a_source_that_left_takes_its_incidents_with_it_and_comes_back_as_new() {
    let mut other = World::new("other");
    other.jobs.insert("calm".to_owned(), vec![SimRun::healthy("o0", START - HOUR)]);
    let mut bench = Bench::new(Setup::default(), vec![other, dead_world()]);
    bench.begin(START);
    bench.run(DEATH + 10 * MINUTE);
    let mut prod = bench.worlds.remove(1);
    let late = prod.poll(DEATH + 10 * MINUTE);
    let now = DEATH + 10 * MINUTE;
    bench.reload(now);
    bench.look(now + 100, late);
    let ended: Vec<_> = bench.kept.incidents.values().filter_map(|i| i.end_reason).collect();
    assert_eq!(ended, [EndReason::Unwatched]);
    assert!(bench.engine().tracker().source("prod").is_none(), "a late look is no look");
    bench.run(DEATH + 20 * MINUTE);
    prod.forget();
    bench.worlds.push(prod);
    bench.reload(DEATH + 20 * MINUTE);
    bench.run(DEATH + 40 * MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened, Resolved, FirstLook]);
}

/// Weir itself tells of a source it cannot reach while no rule does, and takes it back in any case.
#[test]
fn a_rule_about_sources_takes_over_what_weir_told_itself() {
    for (until, turns_firing) in [(9, false), (30, true)] {
        let mut world = dead_world();
        world.jobs.clear();
        world.silent = Some((DEATH, DEATH + until * MINUTE));
        let setup = Setup { without: Some("ClusterUnreachable"), ..Setup::default() };
        let mut bench = Bench::new(setup, vec![world]);
        bench.begin(START);
        bench.run(DEATH + 8 * MINUTE);
        assert_eq!(open(&bench), 1, "told after five minutes");
        bench.setup.without = None;
        bench.reload(DEATH + 8 * MINUTE);
        bench.run(DEATH + until * MINUTE);
        let rules = bench.kept.incidents.values().flat_map(|i| &i.members);
        let taken = rules.filter(|m| m.rule.alert == "ClusterUnreachable").count();
        assert_eq!((open(&bench), taken > 0), (1, turns_firing), "{until}m");
        bench.run(DEATH + until * MINUTE + HOUR);
        assert_eq!(open(&bench), 0, "{until}m");
        assert_eq!(reasons(&bench, "bot"), [Opened, Resolved], "{until}m");
    }
}

/// What was sent counts, whatever is reloaded.
#[test]
fn a_budget_survives() {
    let per = Duration::from_hours(1);
    let budget = Some(weir::notify::Budget { messages: 1, per });
    let setup = Setup { budget, apart: true, group_wait_ms: 0, ..Setup::default() };
    let mut bench = dead_job(setup.clone());
    let run = SimRun {
        fails: vec![Fail { at: DEATH + 10 * MINUTE, back: None }],
        ..SimRun::healthy("s", START - HOUR)
    };
    bench.worlds[0].jobs.insert("second".to_owned(), vec![run]);
    bench.run(DEATH + 5 * MINUTE);
    assert_eq!(bench.told("bot").len(), 1);
    for minute in 5..50 {
        bench.run(DEATH + minute * MINUTE);
        bench.setup.mail = minute % 2 == 0;
        bench.reload(DEATH + minute * MINUTE);
    }
    assert_eq!(bench.told("bot").len(), 1);
    bench.run(DEATH + 2 * HOUR);
    assert_eq!(bench.told("bot").len(), 2);
}
