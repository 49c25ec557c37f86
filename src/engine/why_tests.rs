use super::*;
use crate::engine::Input;
use crate::engine::explain::tests::{Job, T0, WELL, engine_of, look, no_look};

const CONFIG: &str = "
sources:
  - flink: { name: prod, urls: [\"http://127.0.0.1:1\"] }
route:
  receiver: me
  routes: [{ matchers: ['severity=\"critical\"'], receiver: pager }]
receivers:
  - { name: me, channels: [console] }
  - { name: pager, channels: [] }
  - { name: quiet, delivery: shadow, channels: [console] }
";

fn why(
    looks: Vec<(Time, Input)>,
    second: i64,
    (receiver, rule): (Option<&str>, Option<&str>),
    language: Language,
) -> String {
    let mut engine = engine_of(CONFIG);
    for (time, input) in looks {
        engine.step(time, input);
    }
    let question = WhyQuestion {
        job: Some("a".to_owned()),
        receiver: receiver.map(str::to_owned),
        rule: rule.map(str::to_owned),
        language,
        zone: None,
    };
    match engine.why(Time::at(T0 + second * 1000), &question) {
        Ok(answer) => answer.reasons.join("\n"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_nearest_reason_comes_first() {
    let dead = Job { failed: true, ..WELL };
    let failing = Job { failures: &[30, 90], ..WELL };
    let well = || vec![look(0, &[WELL]), look(120, &[WELL])];
    let pending = || vec![look(0, &[WELL]), look(90, std::slice::from_ref(&dead))];
    let twice = vec![look(0, &[WELL]), look(120, std::slice::from_ref(&failing))];
    for (name, looks, second, asked, start, part) in [
        (
            "quiet",
            well(),
            125,
            (None, None),
            "no rule matched\n",
            "the routes send it to me, pager",
        ),
        (
            "nearest",
            twice,
            125,
            (None, None),
            "no rule matched\nnearest: Repeatedly",
            " (66 %): 2 f",
        ),
        (
            "pending",
            pending(),
            130,
            (None, Some("Failed")),
            "Failed is pending for job:prod/a: 40 s of 5 min",
            "",
        ),
        ("nobody", well(), 125, (Some("pager"), None), "no rule", "receiver pager has no channels"),
        (
            "shadow",
            well(),
            125,
            (Some("quiet"), None),
            "no rule",
            "the routes send it to me, pager, not to quiet",
        ),
        (
            "shadow",
            well(),
            125,
            (Some("quiet"), None),
            "no rule",
            "quiet only records: its delivery is shadow",
        ),
        (
            "unseen",
            vec![look(0, &[WELL]), no_look(60)],
            180,
            (None, None),
            "Weir cannot reach prod (2 min)",
            "",
        ),
        (
            "unknown",
            well(),
            1,
            (Some("mee"), None),
            "no receiver is named `mee`; did you mean me?",
            "",
        ),
        ("no rule", well(), 1, (None, Some("X")), "no rule is named `X`", ""),
    ] {
        let said = why(looks, second, asked, Language::En);
        assert!(said.starts_with(start) && said.contains(part), "{name}:\n{said}");
        assert!(name != "pending" || !said.contains("no rule matched"), "{said}");
    }
    let said = why(pending(), 130, (None, Some("Failed")), Language::Zh);
    assert!(said.starts_with("job:prod/a 的 Failed 待触发：40 秒 / 5 分钟"), "{said}");
    assert!(said.contains("路由将其发送给 me, pager"), "{said}");
}

#[test]
fn what_fires_names_its_incident_and_what_holds_it() {
    let dead = Job { failed: true, ..WELL };
    let later = vec![
        look(0, &[WELL]),
        look(90, std::slice::from_ref(&dead)),
        look(400, std::slice::from_ref(&dead)),
    ];
    let said = why(later, 400, (None, Some("Failed")), Language::En);
    assert!(said.starts_with("Failed fires for job:prod/a: incident #1\n"), "{said}");
    assert!(!said.contains("first look") && said.contains("the routes send it to me"), "{said}");
}

#[test]
fn a_source_that_was_never_seen_is_the_reason() {
    let engine = engine_of(CONFIG);
    let question = WhyQuestion::default();
    let answer = engine.why(Time::at(T0), &question).unwrap();
    assert_eq!(
        answer.reasons,
        ["Weir has not looked at prod yet: nothing is judged before that", "no rule matched"]
    );
    let question = WhyQuestion { job: Some("zzz".to_owned()), ..question };
    assert_eq!(
        engine.why(Time::at(T0), &question).unwrap_err().to_string(),
        "no job is named `zzz`"
    );
}
