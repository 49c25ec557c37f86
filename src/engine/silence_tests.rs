//! Silences in the timeline of what they hit.

use super::*;
use crate::engine::explain::tests::{Job, T0, WELL, engine_of, look};
use crate::engine::{Effect, Input};
use crate::model::{Action, Command};

const CONFIG: &str = "
sources:
  - flink: { name: prod, urls: [\"http://127.0.0.1:1\"] }
route: { receiver: me }
receivers: [{ name: me, channels: [console] }]
";

fn lines(effects: Vec<Effect>) -> Vec<String> {
    let persisted = effects.into_iter().filter_map(|effect| match effect {
        Effect::Persist(changes) => Some(changes),
        _ => None,
    });
    let lines = persisted.flatten().filter_map(|change| match change {
        Change::Event { incident: 1, what, .. } => Some(what),
        _ => None,
    });
    lines.filter(|what| what.contains("silence #")).collect()
}

#[test]
fn what_begins_later_and_expires_by_itself_is_a_line_of_each_incident_it_hits() {
    let failing = Job { failed: true, ..WELL };
    let mut engine = engine_of(CONFIG);
    let mut step = |time: Time, input: Input| lines(engine.step(time, input));
    for (second, job) in [(0, &WELL), (60, &failing), (370, &failing)] {
        let (time, input) = look(second, std::slice::from_ref(job));
        step(time, input);
    }
    let at = |second: i64| T0 + second * 1_000;
    let order = |id: &str, starts_at: Option<Ts>, seconds: u64| {
        let wish = SilenceWish {
            job: None,
            matchers: vec!["job_name=a".to_owned()],
            only_work: false,
            maintenance: false,
            hold_restarts: false,
            starts_at,
            until: Until::After(seconds * 1_000),
            comment: "upgrade".to_owned(),
            preview: false,
        };
        let action = Action::Silence(Box::new(wish));
        Input::Command(Box::new(Command {
            id: id.to_owned(),
            actor: "ann".to_owned(),
            what: action,
        }))
    };
    let nothing: [&str; 0] = [];
    assert_eq!(step(Time::at(at(400)), order("later", Some(Ts(at(500))), 600)), nothing);
    assert_eq!(step(Time::at(at(499)), Input::Deadline), nothing);
    assert_eq!(
        step(Time::at(at(500)), Input::Deadline),
        ["silence #1 by ann begins, until 2023-11-14T22:31:40Z: upgrade"]
    );
    assert_eq!(step(Time::at(at(600)), Input::Deadline), nothing);
    assert_eq!(
        step(Time::at(at(700)), order("now", None, 100)),
        ["silence #2 by ann until 2023-11-14T22:26:40Z: upgrade"]
    );
    assert_eq!(step(Time::at(at(701)), Input::Deadline), nothing);
    assert_eq!(step(Time::at(at(800)), Input::Deadline), ["silence #2 expired"]);
    let end = Action::EndSilence { silence: 1, comment: String::new() };
    let end = Command { id: "end".to_owned(), actor: "bob".to_owned(), what: end };
    assert_eq!(step(Time::at(at(900)), Input::Command(Box::new(end))), ["silence #1 ended by bob"]);
    assert_eq!(step(Time::at(at(2_000)), Input::Deadline), nothing);
}
