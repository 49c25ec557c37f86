//! Alerts from outside, told as tables and as random stories: what is sent, and what becomes news.

use proptest::prelude::*;

use super::*;
use crate::incidents::{Settings, Word};
use crate::model::{EndReason, NoticeReason, Severity};
use crate::store::MemoryStore;
use NoticeReason::{Flapping, Opened, Reopened, Resolved};

/// Seconds of the tables, as milliseconds of a day that is no beginning of anything.
const DAY: i64 = 1_795_219_200_000;

fn at(second: i64) -> Time {
    Time::at(DAY + second * 1_000)
}

fn posted(name: &str, ends: Option<i64>) -> Posted {
    Posted {
        labels: Labels::from([("alertname", name), ("severity", "critical")]),
        ends_at: ends.map(|second| at(second).wall),
        ..Posted::default()
    }
}

fn nobody(_: &Labels) -> Option<JobKey> {
    None
}

/// Incidents with the store beside them, turned as the engine turns them.
struct Desk {
    settings: Settings,
    incidents: Incidents,
    tracker: Tracker,
    memory: MemoryStore,
    told: Vec<(i64, NoticeReason)>,
    events: Vec<String>,
    /// Turns that wrote something.
    writes: usize,
    now: i64,
}

impl Desk {
    fn open(settings: Settings) -> Desk {
        let memory = MemoryStore::default();
        let mut desk = Desk {
            incidents: Incidents::restore(settings.clone(), &memory.load(at(0).steady)),
            settings,
            tracker: Tracker::default(),
            memory,
            told: Vec::new(),
            events: Vec::new(),
            writes: 0,
            now: 0,
        };
        desk.incidents.begin_inbound(at(0));
        desk
    }

    fn keep(&mut self, second: i64, stepped: Stepped) {
        let Stepped { mut changes, news } = stepped;
        for change in &changes {
            if let Change::Event { what, .. } = change {
                self.events.push(what.clone());
            }
        }
        if !changes.is_empty() {
            self.writes += 1;
            let value = at(second).steady.0.to_string();
            changes.push(Change::Meta { key: "steady".to_owned(), value });
        }
        self.memory.apply(changes);
        self.told.extend(news.into_iter().map(|news| (second, news.reason)));
    }

    /// All turns up to then, each at the second it asked for.
    fn pass(&mut self, second: i64) {
        while let Some(next) = self.incidents.next_inbound() {
            let next = ((next.0 - DAY) + 999) / 1_000;
            if next > second {
                break;
            }
            self.turn(next.max(self.now));
        }
        self.now = second;
    }

    fn turn(&mut self, second: i64) {
        self.now = second;
        let stepped = self.incidents.step_inbound(at(second), &self.tracker);
        self.keep(second, stepped);
    }

    /// As the shell does it: what says nothing new takes no turn.
    fn post(&mut self, second: i64, mut posted: Vec<Posted>) -> usize {
        self.pass(second);
        let left_out = self.incidents.thin(at(second), &mut posted);
        if posted.is_empty() {
            return left_out;
        }
        let sender = Sender { by: "prometheus", job: &nobody };
        let (no_room, stepped) = self.incidents.hear(at(second), &posted, sender);
        self.keep(second, stepped);
        left_out + no_room
    }

    /// kill -9, and a new process at that second.
    fn restart(&mut self, second: i64) {
        let loaded = self.memory.load(at(second).steady);
        self.incidents = Incidents::restore(self.settings.clone(), &loaded);
        self.incidents.begin_inbound(at(second));
        self.turn(second);
    }

    fn newest(&self) -> &Incident {
        self.incidents.iter().last().unwrap()
    }
}

enum Do {
    /// Posted at this second, ending at that one.
    Post(i64, Option<i64>),
    /// Posted each minute from one second to another, as Prometheus does: with an end in 4 minutes.
    Each(i64, i64),
    Restart(i64),
    /// Nobody turns the engine until then: its store could not be written.
    Stuck(i64),
}
use Do::{Each, Post, Restart, Stuck};

fn told(steps: &[Do]) -> Desk {
    let mut desk = Desk::open(Settings::default());
    for step in steps {
        match *step {
            Post(second, ends) => drop(desk.post(second, vec![posted("Slow", ends)])),
            Each(from, to) => {
                for second in (from..=to).step_by(60) {
                    desk.post(second, vec![posted("Slow", Some(second + 240))]);
                }
            }
            Restart(second) => desk.restart(second),
            Stuck(second) => desk.turn(second),
        }
    }
    desk.pass(100_000);
    desk
}

#[test]
fn the_table_of_what_is_sent() {
    // Quiet of 2 minutes is between what ends and what is over.
    for (name, steps, expected) in [
        (
            "one without an end has 5 minutes",
            vec![Post(0, None)],
            vec![(0, Opened), (420, Resolved)],
        ),
        (
            "one with an end has until then",
            vec![Post(0, Some(60))],
            vec![(0, Opened), (180, Resolved)],
        ),
        ("an end that has passed is none", vec![Post(0, Some(0))], vec![]),
        (
            "its sender ends it",
            vec![Post(0, None), Post(90, Some(80))],
            vec![(0, Opened), (210, Resolved)],
        ),
        (
            "Prometheus says the end for a quarter of an hour",
            vec![Post(0, Some(240)), Post(60, Some(59)), Post(120, Some(59)), Post(900, Some(59))],
            vec![(0, Opened), (180, Resolved)],
        ),
        (
            "the latest end counts",
            vec![Post(0, Some(600)), Post(60, Some(240))],
            vec![(0, Opened), (720, Resolved)],
        ),
        // Put off at 3480 to 3720 and half of the span more; what came after lay inside that.
        ("sent each minute it stays", vec![Each(0, 3_600)], vec![(0, Opened), (3_960, Resolved)]),
        (
            "back in its quiet time it never was away",
            vec![Post(0, None), Post(60, Some(60)), Post(120, None), Post(180, Some(180))],
            vec![(0, Opened), (300, Resolved)],
        ),
        (
            "back soon it is the same",
            vec![Post(0, Some(1)), Post(600, Some(601))],
            vec![(0, Opened), (121, Resolved), (600, Reopened), (721, Resolved)],
        ),
        (
            "back twice it flaps, and has to settle",
            vec![Post(0, Some(1)), Post(300, Some(301)), Post(600, Some(601))],
            vec![
                (0, Opened),
                (121, Resolved),
                (300, Reopened),
                (421, Resolved),
                (600, Flapping),
                (2_401, Resolved),
            ],
        ),
        (
            "back late it is another one",
            vec![Post(0, Some(1)), Post(3_000, Some(3_001))],
            vec![(0, Opened), (121, Resolved), (3_000, Opened), (3_121, Resolved)],
        ),
        (
            "a dead Weir hears nobody: whoever sends has 5 minutes after it is back",
            vec![Post(0, None), Restart(7_200), Post(7_400, None), Post(7_500, Some(7_490))],
            vec![(0, Opened), (7_620, Resolved)],
        ),
        (
            "also where the end would come right after the start",
            vec![Post(0, None), Restart(290), Post(560, None), Post(570, Some(570))],
            vec![(0, Opened), (690, Resolved)],
        ),
        (
            "and who does not send in those is over",
            vec![Post(0, None), Restart(7_200)],
            vec![(0, Opened), (7_620, Resolved)],
        ),
        (
            "so is who was cut off by a store that could not be written",
            vec![Post(0, None), Stuck(900), Post(1_100, None), Post(1_160, Some(1_160))],
            vec![(0, Opened), (1_280, Resolved)],
        ),
        (
            "a restart in the quiet time begins it anew",
            vec![Post(0, None), Post(60, Some(60)), Restart(120)],
            vec![(0, Opened), (240, Resolved)],
        ),
        (
            "an end far ahead outlives a restart",
            vec![Post(0, Some(36_000)), Restart(60)],
            vec![(0, Opened), (36_120, Resolved)],
        ),
    ] {
        let desk = told(&steps);
        assert_eq!(desk.told, expected, "{name}");
        assert!(
            desk.memory.load(at(0).steady).meta.iter().all(|(key, _)| key == "steady"),
            "{name}"
        );
    }
}

#[test]
fn what_is_only_sent_again_is_hardly_ever_written() {
    let desk = told(&[Each(0, 24 * 3_600)]);
    assert_eq!(desk.told.len(), 2, "{:?}", desk.told);
    // 1,441 posts: one turn in three minutes puts its end off.
    assert!((400..=500).contains(&desk.writes), "{}", desk.writes);

    // A value in its words that is another one each time costs not much more.
    let mut desk = Desk::open(Settings::default());
    for second in (0..24 * 3_600).step_by(60) {
        let mut one = posted("Slow", Some(second + 240));
        one.annotations.insert("summary".to_owned(), format!("p99 is {second} ms"));
        desk.post(second, vec![one]);
    }
    assert!((400..=600).contains(&desk.writes), "{}", desk.writes);
    let words = &desk.newest().members[0].annotations["summary"];
    let said: i64 = words.split(' ').nth(2).unwrap().parse().unwrap();
    assert!(said > 24 * 3_600 - 240, "{words}");
}

#[test]
fn an_incident_is_what_was_sent() {
    let mut desk = Desk::open(Settings::default());
    let key = JobKey("prod/etl".to_owned());
    let known = |labels: &Labels| (labels.get("job_name") == "etl").then(|| key.clone());
    let mut one = posted("Slow", None);
    one.labels.set("severity", "page");
    one.labels.set("job_name", "etl");
    one.starts_at = Some(Ts(DAY - 60_000));
    one.generator_url = Some("http://prom/graph".to_owned());
    one.annotations.insert("summary".to_owned(), "p99 is 1 s".to_owned());
    let sender = Sender { by: "prometheus", job: &known };
    let (_, stepped) = desk.incidents.hear(at(0), std::slice::from_ref(&one), sender);
    desk.keep(0, stepped);
    let stored = desk.memory.load(at(0).steady);
    for incident in [desk.newest(), stored.incidents.last().unwrap()] {
        assert_eq!(incident.subject, Subject::External(one.fingerprint()));
        assert_eq!((incident.severity, incident.rule.as_str()), (Severity::Warning, "Slow"));
        assert_eq!(incident.labels, one.labels, "nothing invented");
        assert_eq!(incident.routing_labels().get("severity"), "page", "as it was sent");
        assert_eq!(incident.job(), Some(&key));
        assert_eq!(incident.ui_url.as_deref(), Some("http://prom/graph"));
        assert_eq!(incident.external_name(), "Slow etl");
    }
    let told = desk.events.join("\n");
    for line in [
        "sent by prometheus, where it fires since 2026-11-20T23:59:00Z",
        "severity \"page\" is none of critical, warning and info: taken as a warning",
    ] {
        assert!(told.contains(line), "{told}");
    }

    // Other words at once, then not more often than half of resolve_timeout.
    let says = |desk: &Desk| desk.newest().members[0].annotations["summary"].clone();
    for (second, words, expected) in [(10, "b", "b"), (20, "c", "b"), (160, "d", "d")] {
        one.annotations.insert("summary".to_owned(), words.to_owned());
        desk.post(second, vec![one.clone()]);
        assert_eq!(says(&desk), expected, "{second}");
    }
    desk.pass(10_000);
    assert_eq!(desk.newest().end_reason, Some(EndReason::Recovered));
    assert!(desk.events.iter().any(|line| line.contains("no longer sent")), "{:?}", desk.events);
}

#[test]
fn there_is_room_for_so_many() {
    let inbound = InboundSettings { max_alerts: 2, ..InboundSettings::default() };
    let mut desk = Desk::open(Settings { inbound, ..Settings::default() });
    let all = || ["A", "B", "C"].map(|name| posted(name, None)).to_vec();
    assert_eq!(desk.post(0, all()), 1);
    assert_eq!(desk.post(10, all()), 1, "those that are known are still heard");
    assert_eq!(desk.told.len(), 2);
    desk.post(20, vec![posted("A", Some(20))]);
    let writes = desk.writes;
    assert_eq!(desk.post(30, vec![posted("C", None), posted("A", None)]), 1, "A is back too late");
    assert_eq!((desk.writes, desk.told.len()), (writes + 1, 3));
}

#[test]
fn what_a_person_closed_stays_closed_until_it_has_stopped() {
    let mut desk = Desk::open(Settings::default());
    desk.post(0, vec![posted("Slow", None)]);
    let word = Word { by: "ops", comment: "known" };
    let done = desk.incidents.close(at(10), 1, word).unwrap();
    desk.keep(10, done.stepped);
    for second in (60..600).step_by(60) {
        desk.post(second, vec![posted("Slow", None)]);
    }
    desk.restart(600);
    desk.post(610, vec![posted("Slow", None)]);
    assert_eq!(desk.told, [(0, Opened), (10, Resolved)]);
    desk.post(620, vec![posted("Slow", Some(620))]);
    desk.post(630, vec![posted("Slow", None)]);
    assert_eq!(desk.told.last(), Some(&(630, Reopened)));
}

#[test]
fn a_clock_that_was_far_ahead_keeps_nothing_open() {
    let mut desk = Desk::open(Settings::default());
    let year = 365 * 24 * 3_600;
    desk.post(year, vec![posted("Slow", Some(year + 600))]);
    // The machine's clock was set right, and so is the clock of the next process.
    desk.restart(100);
    assert!(desk.incidents.next_inbound() <= Some(at(700).steady));
}

proptest! {
    /// Whoever sends in time is never taken for over, whatever happens to Weir; and who stops is,
    /// within the time it may take.
    #[test]
    fn who_sends_stays_and_who_stops_goes(
        pauses in prop::collection::vec(1_i64..200, 1..60),
        ends in prop::collection::vec(prop::option::of(240_i64..400), 60),
        restarts in prop::collection::vec((0_usize..60, 1_i64..100_000), 0..4),
    ) {
        let mut desk = Desk::open(Settings::default());
        let mut second = 0;
        for (n, pause) in pauses.iter().enumerate() {
            second += pause;
            if let Some((_, down)) = restarts.iter().find(|(at, _)| *at == n) {
                // Down for long; whoever sends comes again within three minutes.
                second += down;
                desk.restart(second);
                second += pause;
            }
            let until = ends[n].map(|span| second + span);
            desk.post(second, vec![posted("Slow", until)]);
        }
        prop_assert_eq!(desk.told.iter().map(|told| told.1).collect::<Vec<_>>(), [Opened]);
        desk.pass(1_000_000);
        let over = desk.told.last().copied();
        let (at, reason) = over.unwrap();
        prop_assert_eq!(reason, Resolved);
        // The longest end, half of it more, and its quiet time; or what a restart gives.
        prop_assert!(at - second <= 400 + 300 + 120, "{} after the last post", at - second);
        prop_assert_eq!(desk.told.len(), 2);
    }

    /// What is left out of a post says nothing: with it, the same is decided and the same written.
    #[test]
    fn what_is_left_out_changes_nothing(
        posts in prop::collection::vec((0_i64..90, 0_usize..4, prop::option::of(-10_i64..600), 0_u8..3), 1..80),
    ) {
        let inbound = InboundSettings { max_alerts: 3, ..InboundSettings::default() };
        let settings = Settings { inbound, ..Settings::default() };
        let (mut thin, mut whole) = (Desk::open(settings.clone()), Desk::open(settings));
        let mut second = 0;
        for (pause, name, ends, words) in posts {
            second += pause;
            let mut one = posted(["A", "B", "C", "D"][name], ends.map(|span| second + span));
            one.annotations.insert("summary".to_owned(), words.to_string());
            let left_out = thin.post(second, vec![one.clone()]);
            whole.pass(second);
            let sender = Sender { by: "prometheus", job: &nobody };
            let (no_room, stepped) = whole.incidents.hear(at(second), &[one], sender);
            whole.keep(second, stepped);
            prop_assert_eq!(left_out, no_room);
        }
        thin.pass(100_000);
        whole.pass(100_000);
        prop_assert_eq!(&thin.told, &whole.told);
        prop_assert_eq!(thin.writes, whole.writes);
        let end = at(100_000).steady;
        prop_assert_eq!(thin.memory.load(end), whole.memory.load(end));
        // Nothing vanishes: whatever was opened is over in the end, and no row is left of it.
        prop_assert!(thin.incidents.iter().all(|i| !i.is_open()));
        prop_assert!(thin.memory.load(end).meta.iter().all(|(key, _)| key == "steady"));
    }
}
