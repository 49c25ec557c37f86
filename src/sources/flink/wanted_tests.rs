//! Which ids are meant, and one number out of many.

use super::*;

fn wish(scope: MetricScope, id: &str, across: Across) -> Wish {
    let query = MetricQuery { scope, id: id.to_owned(), across, vertices: Vertices::All };
    Wish::of(&query, Duration::ZERO)
}

const IDS: [&str; 8] = [
    "numRecordsInPerSecond",
    "Source__a.numRecordsInPerSecond",
    "Source__a.pendingRecords",
    "map.numRecordsInPerSecond",
    "Source__a.KafkaSourceReader.KafkaConsumer.records-lag-max",
    "Shuffle.Netty.Input.Buffers.inPoolUsage",
    "buffers.inPoolUsage",
    "busyTimeMsPerSecond",
];

#[test]
fn ids_are_chosen_as_meant() {
    for (scope, id, expected) in [
        (MetricScope::Vertex, "numRecordsInPerSecond", vec!["numRecordsInPerSecond"]),
        (
            MetricScope::Operator,
            "numRecordsInPerSecond",
            vec!["Source__a.numRecordsInPerSecond", "map.numRecordsInPerSecond"],
        ),
        (
            MetricScope::Operator,
            "Source__*.numRecordsInPerSecond",
            vec!["Source__a.numRecordsInPerSecond"],
        ),
        (MetricScope::Operator, "pendingRecords", vec!["Source__a.pendingRecords"]),
        (
            MetricScope::Operator,
            "KafkaSourceReader.KafkaConsumer.records-lag-max",
            vec!["Source__a.KafkaSourceReader.KafkaConsumer.records-lag-max"],
        ),
        (MetricScope::Operator, "records-lag-*", vec![IDS[4]]),
        (
            MetricScope::Vertex,
            "buffers.inPoolUsage|Shuffle.Netty.Input.Buffers.inPoolUsage",
            vec!["buffers.inPoolUsage"],
        ),
        (
            MetricScope::Vertex,
            "gone | Shuffle.Netty.Input.Buffers.inPoolUsage",
            vec!["Shuffle.Netty.Input.Buffers.inPoolUsage"],
        ),
        (MetricScope::Vertex, "b*y*PerSecond", vec!["busyTimeMsPerSecond"]),
        (MetricScope::Vertex, "busyTime", vec![]),
    ] {
        let wish = wish(scope, id, Across::Max);
        let chosen: Vec<&str> = wish.chosen(IDS.into_iter()).collect();
        assert_eq!(chosen, expected, "{scope:?} {id}");
    }
}

#[test]
fn stars_stand_for_anything() {
    for (pattern, text, fits) in [
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*c", "abc", true),
        ("a*b*c", "aXbYc", true),
        ("a*c", "ab", false),
        ("a*a", "a", false),
        ("a**a", "aa", true),
        ("订*", "订单", true),
        ("a", "ab", false),
    ] {
        assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
    }
}

#[test]
fn numbers_keep_the_digits_people_decide_by() {
    for (value, kept) in [
        (0.0, 0.0),
        (999_999.0, 999_999.0),
        (0.123_456, 0.1235),
        (997.512_3, 997.5),
        (123_456_789.0, 123_460_000.0),
        (-1.0, -1.0),
        (1.795_219_678_685e12, 1.7952e12),
    ] {
        assert_eq!(quantised(value).to_bits(), f64::to_bits(kept));
        assert_eq!(quantised(kept).to_bits(), f64::to_bits(kept), "rounding twice changes nothing");
    }
}

#[test]
fn what_is_not_there_yet_is_no_number() {
    for (id, value, seen) in [
        ("lastCheckpointDuration", -1.0, Seen::Unknown),
        ("Source__a.currentEmitEventTimeLag", -1.0, Seen::Unknown),
        ("currentInputWatermark", i64::MIN as f64, Seen::Unknown),
        ("busyTimeMsPerSecond", f64::NAN, Seen::Unknown),
        ("anything", -1.0, Seen::Fresh(-1.0)),
        ("lastCheckpointDuration", 42.0, Seen::Fresh(42.0)),
    ] {
        assert_eq!(read(id, value), seen, "{id}");
    }
}

#[test]
fn many_are_folded_into_one() {
    let of = |min, max, avg, sum| wire::Aggregate {
        min: Some(min),
        max: Some(max),
        avg: Some(avg),
        sum: Some(sum),
        id: None,
    };
    let (a, b) = (of(1.0, 5.0, 3.0, 6.0), of(0.0, 9.0, 6.0, 24.0));
    for (across, expected) in
        [(Across::Max, 9.0), (Across::Min, 0.0), (Across::Sum, 30.0), (Across::Avg, 5.0)]
    {
        let mut fold = Fold::default();
        fold.add(across, &a, 2);
        fold.add(across, &wire::Aggregate::default(), 9);
        fold.add(across, &b, 4);
        assert_eq!(fold.seen(across, "x"), Seen::Fresh(expected), "{across:?}");
    }
    assert_eq!(Fold::default().seen(Across::Max, "x"), Seen::Unknown);
}

#[test]
fn texts_tell_what_is_there_and_what_is_not() {
    let wishes = ["lastCheckpointDuration", "numRescales|numRestarts", "noSuch", "state"]
        .map(|id| wish(MetricScope::Job, id, Across::Max));
    let metric = |id: &str, value: &str| wire::Metric {
        id: Some(id.to_owned()),
        value: Some(value.to_owned()),
    };
    let answer = [
        metric("lastCheckpointDuration", "42"),
        metric("numRestarts", "7"),
        metric("state", "n/a"),
    ];
    let values = |answer: Option<&[wire::Metric]>| {
        let metrics = from_texts(&wishes, answer);
        wishes.iter().map(|w| metrics[&w.key].clone()).collect::<Vec<_>>()
    };
    let there = [Seen::Fresh(42.0), Seen::Fresh(7.0), Seen::NotApplicable, Seen::Unknown];
    assert_eq!(values(Some(&answer)), there);
    assert_eq!(values(None), [Seen::Unknown, Seen::Unknown, Seen::Unknown, Seen::Unknown]);
    assert_eq!(values(Some(&[])), values(None), "an empty answer says nothing");
}

#[test]
fn the_demand_is_compiled_into_paths() {
    let mut demand = Demand { lag: true, counters: true, ..Demand::default() };
    for (scope, id, span) in [
        (MetricScope::Job, "lastCheckpointDuration", 0),
        (MetricScope::Job, "numRestarts", 0),
        (MetricScope::Vertex, "busyTimeMsPerSecond", 60),
        (MetricScope::Vertex, "idleTimeMsPerSecond", 3600),
        (MetricScope::Jobmanager, "taskSlotsAvailable", 0),
        (MetricScope::Jobmanager, "Status.*.TimeMsPerSecond", 0),
    ] {
        let query =
            MetricQuery { scope, id: id.to_owned(), across: Across::Max, vertices: Vertices::All };
        demand.metrics.insert(query, Duration::from_secs(span));
    }
    let wanted = Wanted::of(&demand);
    assert!(wanted.job_path.ends_with(",lastCheckpointCompletedTimestamp,lastCheckpointDuration"));
    let often: Vec<bool> = wanted.vertex.iter().map(|w| w.often).collect();
    assert_eq!(often, [true, false, true], "a short window, a long one, and lag");
    assert_eq!(wanted.lag, Some(2));
    assert_eq!(
        wanted.pulse_path(&["Status.JVM.GC.TimeMsPerSecond".to_owned(), "other".to_owned()]),
        "jobmanager/metrics?get=Status.JVM.CPU.Time,taskSlotsAvailable,Status.JVM.GC.TimeMsPerSecond"
    );
    let mut metrics = Metrics::new();
    all_unknown(&wanted.vertex, &mut metrics);
    assert_eq!(metrics.len(), 2, "lag has its own place");
}
