use super::*;
use serde_json::json;

fn answer() -> Explained {
    let item = |subject: &str, alert: &str, more: serde_json::Value| {
        let mut item = json!({
            "subject": subject, "job": subject.strip_prefix("job:"), "group": "g", "alert": alert,
            "severity": "critical", "kind": "k", "aspect": "failure", "for_seconds": 60,
            "keep_firing_for_seconds": 0, "truth": "false", "state": "inactive", "since": null,
            "fires_at": null, "kept_until": null, "near": null, "values": {}, "words": "",
            "excluded_by": null, "incident": null
        });
        let more = more.as_object().unwrap().clone();
        item.as_object_mut().unwrap().extend(more);
        item
    };
    let firing = json!({
        "truth": "true", "state": "firing", "since": "2026-08-23T14:00:00.25Z", "near": 1.0,
        "words": "the job is FAILED; true while it is FAILED", "values": { "state": "FAILED" },
        "incident": { "id": 7, "state": "open", "inhibited_by": 3 }
    });
    let pending = json!({
        "truth": "true", "state": "pending", "since": "2026-08-23T14:19:30Z", "near": 1.0,
        "fires_at": "2026-08-23T14:20:30Z", "words": "the limit is 10 min"
    });
    let near = json!({ "near": 0.999, "words": "2 failures\nwithin 30 min" });
    let unknown = json!({ "truth": "unknown", "words": "no look yet" });
    let never = json!({ "truth": "n/a", "words": "no lag", });
    let excluded = json!({ "truth": "n/a", "excluded_by": "team=\"ro\"" });
    serde_json::from_value(json!({
        "at": "2026-08-23T14:20:00Z",
        "counts": { "firing": 1, "pending": 1, "not_true": 2, "unknown": 1, "not_applicable": 1,
                    "excluded": 1 },
        "explanations": [
            item("job:prod/a", "JobFailed", firing),
            item("job:prod/a", "Stalled", pending),
            item("job:prod/a", "Repeatedly", near),
            item("job:prod/a", "Missing", json!({ "words": "the job is in the listing" })),
            item("job:prod/a", "Slow", unknown),
            item("job:prod/a", "Lag", never),
            item("job:prod/a", "OfTeam", excluded),
        ]
    }))
    .unwrap()
}

#[test]
fn one_job_for_people() {
    assert_eq!(
        one(&answer(), false),
        "job:prod/a
  firing   JobFailed (critical)  true since 2026-08-23T14:00:00Z (20 min ago); incident #7 open, muted by #3
      the job is FAILED; true while it is FAILED
  pending  Stalled (critical)  true since 2026-08-23T14:19:30Z (30 s ago); fires 2026-08-23T14:20:30Z (in 30 s) if still true
      the limit is 10 min
  99 %     Repeatedly (critical)
      2 failures within 30 min
  no       Missing (critical)
      the job is in the listing
  unknown  Slow (critical)
      no look yet
  n/a: Lag
  kept out by matchers: OfTeam"
    );
    let with_values = one(&answer(), true);
    assert!(with_values.contains("\n      state=\"FAILED\"\n"), "{with_values}");
    assert!(with_values.contains("n/a      Lag (critical)"), "{with_values}");
}

#[test]
fn what_is_nearest_as_a_table() {
    assert_eq!(
        nearest(&answer(), false),
        "1 firing, 1 pending, 2 not true, 1 unknown, 2 n/a
near     job     rule        what would change it
firing   prod/a  JobFailed   true since 2026-08-23T14:00:00Z (20 min ago); incident #7 open, muted by #3; the job is FAILED; true while it is FAILED
pending  prod/a  Stalled     true since 2026-08-23T14:19:30Z (30 s ago); fires 2026-08-23T14:20:30Z (in 30 s) if still true; the limit is 10 min
99 %     prod/a  Repeatedly  2 failures within 30 min"
    );
    let nothing = Explained { explanations: Vec::new(), ..answer() };
    assert!(nearest(&nothing, false).ends_with("\nnothing is near to firing"));
}
