//! Every truth and standing with its words, in their order, and that asking changes nothing.

use super::*;
use crate::engine::Input;
use crate::model::{
    CheckpointStats, CheckpointSummary, Completeness, Failure, JobKey, JobState, Lag, Loaded,
    RunId, RunObservation, Seen, Snapshot, SourceClock, TaskCounts,
};
use crate::notify::Composers;
use crate::rules::{RuleSource, parse};

/// 2023-11-14T22:13:20Z
pub(in crate::engine) const T0: i64 = 1_700_000_000_000;

const RULES: &str = "
groups:
  - name: g
    rules:
      - alert: Repeatedly
        when: { failure_rate: { count: 3, window: 30m } }
        labels: { severity: critical }
      - alert: Stalled
        when: { checkpoint_age: { above: 10m } }
        for: 1m
      - alert: Failed
        when: { job_state: { any_of: [FAILED] } }
        for: 5m
        keep_firing_for: 1m
      - alert: OfTeamRo
        when: { job_state: { any_of: [FAILED] } }
        matchers: ['team=\"ro\"']
      - alert: Behind
        when: { lag: { above: 1000, growing_for: 15m } }
      - alert: Unreachable
        when: { source_unreachable: {} }
        for: 1m
";

const CONFIG: &str = "
sources:
  - flink: { name: prod, urls: [\"http://127.0.0.1:1\"] }
receivers:
  - { name: me, channels: [console] }
";

fn engine() -> Engine {
    engine_of(CONFIG)
}

pub(in crate::engine) fn engine_of(config: &str) -> Engine {
    let (config, _) = crate::config::parse(config, "weir.yaml", &|_| None).unwrap();
    let rules = parse(&[RuleSource { file: "rules.yaml", text: RULES }]).unwrap();
    let settings = crate::app::engine_settings(&config);
    Engine::new(settings, rules, Composers::new(), &Loaded::default())
}

/// A job as a look shows it: times in seconds from the start.
#[derive(Clone, Default)]
pub(in crate::engine) struct Job<'a> {
    pub(in crate::engine) name: &'a str,
    pub(in crate::engine) failed: bool,
    pub(in crate::engine) failures: &'a [i64],
    /// None: not checkpointing.
    pub(in crate::engine) checkpoint: Option<i64>,
    pub(in crate::engine) lag: Option<f64>,
}

fn run(job: &Job<'_>) -> RunObservation {
    let failure = |second: &i64| Failure {
        at: T0 + second * 1000,
        task: Some(format!("map (1/1) - execution #{second}")),
        class: "E".to_owned(),
        message: String::new(),
        frame: None,
        taskmanager: None,
        gave_up: false,
    };
    let stats = |second| CheckpointStats {
        interval_ms: Some(60_000),
        completed: Some(7),
        latest_completed: Some(CheckpointSummary {
            id: 7,
            ended_at: Some(T0 + second * 1000),
            ..CheckpointSummary::default()
        }),
        ..CheckpointStats::default()
    };
    RunObservation {
        key: JobKey::new("prod", "", "", job.name),
        name: job.name.to_owned(),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: job.name.to_owned(),
        run: RunId { start_time: T0 - 3_600_000, job_id: format!("id-{}", job.name) },
        state: if job.failed { JobState::Failed } else { JobState::Running },
        tasks: TaskCounts { total: 2, running: 2, ..TaskCounts::default() },
        checkpoints: job.checkpoint.map_or(Seen::NotApplicable, |at| Seen::Fresh(stats(at))),
        failures: Seen::Fresh(job.failures.iter().rev().map(failure).collect()),
        lag: job
            .lag
            .map_or(Seen::NotApplicable, |records| Seen::Fresh(Lag { records: Some(records) })),
        ..RunObservation::default()
    }
}

pub(in crate::engine) fn look(second: i64, jobs: &[Job<'_>]) -> (Time, Input) {
    let now = T0 + second * 1000;
    let snapshot = Snapshot {
        completeness: Completeness::Complete,
        clock: Some(SourceClock { now, offset_ms: 0 }),
        runs: jobs.iter().map(run).collect(),
        ..Snapshot::failed("prod", "p", String::new(), false)
    };
    (Time::at(now), Input::Snapshot(Box::new(snapshot)))
}

pub(in crate::engine) fn no_look(second: i64) -> (Time, Input) {
    let snapshot = Snapshot::failed("prod", "p", "connection refused".to_owned(), false);
    (Time::at(T0 + second * 1000), Input::Snapshot(Box::new(snapshot)))
}

fn after(looks: Vec<(Time, Input)>) -> Engine {
    let mut engine = engine();
    for (time, input) in looks {
        engine.step(time, input);
    }
    engine
}

fn about(job: &str, rule: &str) -> Question {
    Question {
        job: Some(job.to_owned()),
        rule: Some(rule.to_owned()),
        limit: 10,
        ..Question::default()
    }
}

fn one(engine: &Engine, second: i64, job: &str, rule: &str) -> Explanation {
    let answer = engine.explain(Time::at(T0 + second * 1000), &about(job, rule)).unwrap();
    assert_eq!(answer.explanations.len(), 1, "{answer:?}");
    answer.explanations.into_iter().next().unwrap()
}

pub(in crate::engine) const WELL: Job<'static> =
    Job { name: "a", failed: false, failures: &[], checkpoint: None, lag: None };

fn at(second: i64) -> Ts {
    Ts(T0 + second * 1000)
}

use crate::model::Ts;

#[test]
fn the_table_of_reasons() {
    let failing = Job { failures: &[30, 90], ..WELL };
    let thrice = Job { failures: &[30, 90, 100], ..WELL };
    let dead = Job { failed: true, ..WELL };
    let checkpoints = |at| Job { checkpoint: Some(at), ..WELL };
    let lagging = Job { lag: Some(5_000.0), ..WELL };
    let (t, f, u, n) = (Truth::True, Truth::False, Truth::Unknown, Truth::NotApplicable);
    let inactive = Standing::Inactive;
    for (looks, asked_at, rule, truth, standing, words) in [
        (
            vec![look(0, &[WELL]), look(120, &[WELL])],
            120,
            "Repeatedly",
            f,
            inactive,
            "no failure within 30 min; 3 make it true",
        ),
        (
            vec![look(0, &[WELL]), look(120, std::slice::from_ref(&failing))],
            125,
            "Repeatedly",
            f,
            inactive,
            "2 failures within 30 min; the 3rd makes it true if before 2023-11-14T22:43:50Z",
        ),
        (
            vec![look(0, &[WELL]), look(120, std::slice::from_ref(&thrice))],
            125,
            "Repeatedly",
            t,
            Standing::Firing { since: at(120), kept_until: None },
            // The gaps are 60 s and 10 s.
            "3 failures within 30 min; false from 2023-11-14T22:17:00Z on if none follows",
        ),
        (
            vec![look(0, &[checkpoints(-60)]), look(60, &[checkpoints(0)])],
            65,
            "Stalled",
            f,
            inactive,
            "last checkpoint completed 65 s ago; the limit is 10 min; true from \
             2023-11-14T22:23:20Z on if none completes",
        ),
        (vec![look(0, &[WELL])], 0, "Stalled", n, inactive, "this job has no checkpointing"),
        (
            vec![look(0, &[WELL]), look(90, std::slice::from_ref(&dead))],
            100,
            "Failed",
            t,
            Standing::Pending { since: at(90), fires_at: Some(at(390)) },
            "the job is FAILED; true while it is FAILED",
        ),
        (
            vec![
                look(0, &[WELL]),
                look(90, std::slice::from_ref(&dead)),
                look(390, std::slice::from_ref(&dead)),
                look(400, &[WELL]),
            ],
            410,
            "Failed",
            f,
            Standing::Firing { since: at(90), kept_until: Some(at(450)) },
            "the job is RUNNING; true while it is FAILED",
        ),
        (
            vec![look(0, &[WELL]), look(90, std::slice::from_ref(&dead)), no_look(100)],
            110,
            "Failed",
            u,
            Standing::Pending { since: at(90), fires_at: None },
            "prod cannot be reached since 2023-11-14T22:15:00Z: connection refused",
        ),
        (
            vec![look(0, std::slice::from_ref(&lagging)), look(60, std::slice::from_ref(&lagging))],
            60,
            "Behind",
            u,
            inactive,
            "5000 records behind; true above 1000; whether it grows is known once it was watched \
             for 15 min",
        ),
        (
            vec![look(0, &[WELL])],
            0,
            "OfTeamRo",
            n,
            inactive,
            "the rule's matcher team=\"ro\" keeps it from this subject",
        ),
        (vec![look(0, &[WELL])], 0, "Unreachable", n, inactive, "this rule is about sources"),
    ] {
        let found = one(&after(looks), asked_at, "a", rule).reason;
        assert_eq!((found.truth, found.standing), (truth, standing), "{rule}: {}", found.why.words);
        assert_eq!(found.why.words, words, "{rule}");
    }
}

#[test]
fn a_firing_alert_names_its_incident() {
    let thrice = Job { failures: &[30, 90, 100], ..WELL };
    let engine = after(vec![look(0, &[WELL]), look(120, &[thrice])]);
    let found = one(&engine, 125, "a", "g/Repeatedly/critical");
    let incident = found.incident.unwrap();
    assert_eq!(
        (incident.id, incident.state, incident.inhibited_by),
        (1, IncidentState::Open, None)
    );
    assert_eq!(found.reason.why.evidence["count"], 3);
}

#[test]
fn what_is_nearest_comes_first() {
    let jobs = |failures: &'static [i64]| {
        [
            Job { failures, ..WELL },
            Job { name: "b", checkpoint: Some(20), ..WELL },
            Job { name: "c", checkpoint: Some(-500), ..WELL },
            Job { name: "d", failed: failures.len() > 1, ..WELL },
        ]
    };
    let engine = after(vec![look(0, &jobs(&[])), look(90, &jobs(&[30, 80]))]);
    let everything = Question { limit: 100, ..Question::default() };
    let answer = engine.explain(Time::at(T0 + 90_000), &everything).unwrap();
    let order: Vec<String> = answer
        .explanations
        .iter()
        .take(4)
        .map(|e| format!("{} {} {:?}", e.subject, e.rule.alert, e.reason.why.near))
        .collect();
    assert_eq!(
        order,
        [
            "job:prod/d Failed Some(1.0)",
            "job:prod/c Stalled Some(0.9833333333333333)",
            "job:prod/a Repeatedly Some(0.6666666666666666)",
            "job:prod/d Repeatedly Some(0.3333333333333333)",
        ]
    );
    let ranks: Vec<u8> = answer.explanations.iter().map(|e| rank(&e.reason)).collect();
    assert!(ranks.is_sorted(), "{ranks:?}");
    let few = engine.explain(Time::at(T0 + 90_000), &Question { limit: 2, ..everything }).unwrap();
    assert_eq!(few.explanations[..], answer.explanations[..2]);
    assert_eq!(few.counts, answer.counts, "what is left out is counted");
    // What may not all be looked at: what has alerts comes first, the rest is counted.
    let now = Time::at(T0 + 90_000);
    let question = Question { limit: 99, ..Question::default() };
    let bounded = engine.explain_within(6, now, &question).unwrap();
    assert_eq!(bounded.explanations[0], answer.explanations[0], "pending");
    let subjects: BTreeSet<&Subject> = bounded.explanations.iter().map(|e| &e.subject).collect();
    assert_eq!(subjects.len(), 1);
    assert_eq!(bounded.counts.not_judged % 6, 0);
    assert!(bounded.counts.not_judged > 0 && answer.counts.not_judged == 0);
    let reports = engine.rule_reports_within(6, now);
    assert_eq!(reports[2].counts.pending, 1, "alerts are known without a judgement");
    assert_eq!(reports[2].counts.not_judged, bounded.counts.not_judged / 6);
    let reports = engine.rule_reports(now);
    let pending: Vec<usize> = reports.iter().map(|r| r.counts.pending).collect();
    assert_eq!(pending, [0, 0, 1, 0, 0, 0]);
    assert_eq!(reports[1].counts.not_applicable, 2, "two of four do not checkpoint");
}

#[test]
fn a_source_is_asked_about_by_name() {
    let engine = after(vec![look(0, &[WELL]), no_look(10)]);
    let question = Question { source: Some("prod".into()), limit: 10, ..Question::default() };
    let answer = engine.explain(Time::at(T0 + 20_000), &question).unwrap();
    let [found] = &answer.explanations[..] else { panic!("{answer:?}") };
    assert_eq!(found.subject, Subject::Source("prod".into()));
    assert_eq!(
        found.reason.why.words,
        "every look has failed since 2023-11-14T22:13:30Z (connection refused); true until one \
         succeeds"
    );
    for (question, error) in [
        (about("nobody", "Failed"), "no job is named `nobody`"),
        (about("a", "failed"), "no rule is named `failed`; did you mean Failed?"),
        (
            Question { source: Some("prd".into()), ..Question::default() },
            "no source is named `prd`; did you mean prod?",
        ),
    ] {
        assert_eq!(engine.explain(Time::at(T0), &question).unwrap_err().to_string(), error);
    }
}

#[test]
fn asking_changes_nothing() {
    let story = || {
        let dead = Job { failed: true, failures: &[30, 90, 100], ..WELL };
        let late = |at| Job { name: "b", checkpoint: Some(at), ..WELL };
        vec![
            look(0, &[WELL, late(-10)]),
            look(60, &[Job { failures: &[30], ..WELL }, late(-10)]),
            look(120, &[Job { failures: &[30, 90, 100], ..WELL }, late(-10)]),
            no_look(130),
            look(200, &[dead.clone(), late(-10)]),
            look(700, &[dead.clone(), late(-10)]),
            look(800, &[dead, late(790)]),
            look(900, &[WELL]),
        ]
    };
    let told = |asks: bool| {
        let mut engine = engine();
        let mut told = Vec::new();
        for (time, input) in story() {
            told.push(format!("{:?}", engine.step(time, input)));
            if asks {
                for second in [0, 45, 3_600] {
                    let later = Time::at(time.wall.0 + second * 1000);
                    engine.explain(later, &Question { limit: 9, ..Question::default() }).unwrap();
                    engine.explain(later, &about("a", "Failed")).unwrap();
                    engine.rule_reports(later);
                }
            }
        }
        told
    };
    assert!(told(false).concat().contains("Repeatedly"), "the story has alerts");
    assert_eq!(told(false), told(true));
}
