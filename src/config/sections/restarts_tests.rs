use super::*;
use crate::yaml;

fn read(text: &str) -> (Restarts, Vec<String>) {
    let mut findings = Findings::new("t.yaml");
    let raw = yaml::read(text, &mut findings).unwrap_or_default();
    let built = build(raw, LimitsConfig::default(), &IntervalBook::new(), &mut findings);
    let said = findings.finish::<()>(None).unwrap_err();
    (built, said.iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_not_written_is_careful() {
    let (built, said) = read(
        r#"
- name: orders
  matchers: ['job_name="orders"', 'cluster="prod"']
  driver: { flink_jar: { jar: orders.jar } }
"#,
    );
    assert_eq!(said, [""; 0]);
    let policy = &built.policies[0];
    assert_eq!(policy.mode, Mode::DryRun);
    assert!(!policy.start_empty && !policy.replace);
    assert_eq!(policy.alerts, ["JobFailed", "JobMissing"]);
    assert_eq!((policy.attempts, policy.per), (3, Duration::from_hours(1)));
    assert_eq!(policy.initial, Duration::from_secs(30));
    assert_eq!(policy.wait(0), Duration::from_secs(30));
    assert_eq!(policy.wait(2), Duration::from_mins(2));
    assert_eq!(policy.wait(30), Duration::from_mins(10));
    assert_eq!(built.limits, Limits { concurrent: 2, per_cluster: 1 });
    assert_eq!(policy.driver, "flink_jar");
}

#[test]
fn mistakes_are_told_with_their_place_and_the_way_out() {
    let (_, said) = read(
        r#"
- { name: a, matchers: ['cluster="prod"'], driver: { flink_jar: { jar: orders.jar } } }
- { name: a, matchers: ['job_name=~"x|y"'], attempts: { max: 0 }, driver: { flink_jar: { jar: a/b.jar } } }
- { name: c, matchers: [], never_on: ["("], same_cause: 0, driver: { flink_jar: { jar: x.jar } } }
- { name: d, matchers: ['job_name="d"'], mode: automatically, driver: { flink_jar: { jar: x.jar } } }
- { name: e, matchers: ['job_name="e"'], driver: { helicopter: {} } }
- { name: f, matchers: ['job_name="f"'], active_time_intervals: [office], driver: { flink_jar: { jar: x.jar } } }
"#,
    );
    insta::assert_snapshot!(said.join("\n"));
}
