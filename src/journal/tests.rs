//! What is written is read back; what is damaged is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::*;

fn base(from_start: bool) -> Base {
    let query = MetricQuery {
        scope: MetricScope::Vertex,
        id: "busyTimeMsPerSecond".to_owned(),
        across: Across::Max,
        vertices: Vertices::All,
    };
    let demand = Demand::of_metric(query, std::time::Duration::from_mins(5));
    let loaded = Loaded {
        installation: "w".to_owned(),
        jobs: vec![("prod/a".to_owned(), "{}".to_owned())],
        ..Loaded::default()
    };
    Base { version: "1".to_owned(), from_start, demand: (&demand).into(), loaded }
}

fn seen<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Seen<T>> {
    prop_oneof![
        Just(Seen::NotAsked),
        Just(Seen::Unknown),
        Just(Seen::NotApplicable),
        value.prop_map(Seen::Fresh),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("NaN differs from itself", |n| !n.is_nan()),
        (-1_000_i64..1_000_000).prop_map(|n| n as f64),
        Just(-0.0),
        Just(f64::MAX),
        Just((1_u64 << 53) as f64),
    ]
}

fn metrics() -> impl Strategy<Value = Metrics> {
    btree_map("[ab]".prop_map(|k| MetricKey(Arc::from(k))), seen(number()), 0..3)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,4}", "作业[业务]{0,2}", "chk-[0-9]{1,3}"]
}

prop_compose! {
    fn checkpoint()(
        id in 0_u64..4,
        times in (option::of(any::<i64>()), option::of(0_i64..9)),
        texts in (option::of(text()), option::of(text())),
        flags in any::<(bool, bool, bool)>(),
        acknowledged in option::of(0_u32..9),
    ) -> CheckpointSummary {
        CheckpointSummary {
            id,
            triggered_at: times.0,
            ended_at: times.1,
            path: texts.0,
            savepoint: flags.0,
            discarded: flags.1,
            failure: texts.1,
            stops_job: flags.2,
            acknowledged,
            subtasks: acknowledged.map(|n| n + 1),
            size: acknowledged.map(u64::from),
        }
    }
}

prop_compose! {
    fn stats()(
        numbers in (option::of(any::<i64>()), option::of(any::<u64>()), option::of(0_u64..3)),
        retained in option::of(any::<bool>()),
        one in option::of(checkpoint()),
        failed in vec(checkpoint(), 0..4),
        running in vec(checkpoint(), 0..3),
    ) -> CheckpointStats {
        CheckpointStats {
            interval_ms: numbers.0,
            restored: numbers.1,
            completed: numbers.2,
            retained_on_cancel: retained,
            retained_on_failure: retained.map(|on| !on),
            periodic: retained,
            latest_completed: one,
            recent_completed: failed.clone(),
            recent_failed: failed,
            in_progress: running,
            ..CheckpointStats::default()
        }
    }
}

prop_compose! {
    fn failure()(
        at in 0_i64..4,
        task in option::of(text()),
        texts in (text(), text()),
        gave_up in any::<bool>(),
    ) -> Failure {
        let (class, message) = texts;
        Failure { at, task, class, message, frame: None, taskmanager: None, gave_up }
    }
}

prop_compose! {
    fn run()(
        name in "[a-d]",
        id in (0_i64..3, "[xy]"),
        state in proptest::sample::select(JobState::ALL.to_vec()),
        numbers in (option::of(any::<i64>()), 0_u32..4, any::<u32>()),
        label in option::of(text()),
        counters in seen((option::of(0_u64..9), option::of(text()))),
        checkpoints in seen(stats()),
        failures in seen(vec(failure(), 0..4)),
        lag in seen(option::of(number())),
        batch in seen(any::<bool>()),
        metrics in metrics(),
        last in (any::<bool>(), option::of((text(), option::of(0_u64..9)))),
    ) -> RunObservation {
        let mut labels = Labels::default();
        labels.set("team", label.unwrap_or_default());
        RunObservation {
            key: JobKey::new("prod", "", "", &name),
            name,
            run: RunId { start_time: id.0, job_id: id.1 },
            state,
            end_time: numbers.0,
            tasks: TaskCounts { total: numbers.1, failed: numbers.2, ..TaskCounts::default() },
            labels,
            counters: match counters {
                Seen::Fresh((restarts, path)) => Seen::Fresh(Counters {
                    restarts,
                    last_checkpoint_path: path,
                    ..Counters::default()
                }),
                Seen::Unknown => Seen::Unknown,
                Seen::NotApplicable => Seen::NotApplicable,
                Seen::NotAsked => Seen::NotAsked,
            },
            checkpoints,
            failures,
            failures_truncated: last.0,
            lag: match lag {
                Seen::Fresh(records) => Seen::Fresh(Lag { records }),
                _ => Seen::NotAsked,
            },
            batch,
            metrics,
            waits: last.1.map(|(queue, most_mb)| PlatformWait {
                queue,
                most_mb,
                ..PlatformWait::default()
            }),
            ..RunObservation::default()
        }
    }
}

prop_compose! {
    fn snapshot()(
        source in "[pq]",
        how in 0_u8..5,
        said in text(),
        clock in option::of((any::<i64>(), -5_i64..5)),
        version in option::of(text()),
        frozen in any::<bool>(),
        clusters in vec(("[mn]", option::of(0_u32..3), metrics(), option::of(text())), 0..3),
        runs in vec(run(), 0..6),
        took_s in prop_oneof![Just(0), 0_u32..40],
    ) -> Snapshot {
        let completeness = match how {
            0 => Completeness::Partial { reason: said },
            1 => Completeness::Failed { error: said, starting: frozen },
            2 => Completeness::Unlisted { error: said, starting: frozen },
            _ => Completeness::Complete,
        };
        Snapshot {
            completeness,
            clock: clock.map(|(now, offset)| SourceClock { now, offset_ms: offset * 1_000 }),
            version,
            metrics_frozen: frozen,
            clusters: clusters
                .into_iter()
                .map(|(flink_cluster, taskmanagers, metrics, unseen)| ClusterObservation {
                    flink_cluster,
                    taskmanagers,
                    metrics,
                    unseen,
                    ..ClusterObservation::default()
                })
                .collect(),
            runs,
            took_ms: took_s * 1_000,
            ..Snapshot::failed(&source, "1", String::new(), false)
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        Just(SendOutcome::Delivered),
        (option::of(any::<u64>()), text())
            .prop_map(|(after_ms, error)| SendOutcome::Retry { after_ms, error }),
        text().prop_map(|error| SendOutcome::Rejected { error }),
        text().prop_map(|receipt| SendOutcome::Accepted { receipt }),
        text().prop_map(|error| SendOutcome::Gone { error }),
    ];
    prop_oneof![
        6 => snapshot().prop_map(|s| Event::Snapshot(Box::new(s))),
        1 => Just(Event::Deadline),
        1 => (any::<u64>(), outcome)
            .prop_map(|(message, outcome)| Event::Delivery { message, outcome }),
        1 => ("[a-z]{1,8}", text(), any::<u64>())
            .prop_map(|(id, comment, incident)| Event::Command(Box::new(Command {
                id,
                actor: "ops".to_owned(),
                what: Action::Ack { incident, comment },
            }))),
        1 => (any::<u64>(), text()).prop_map(|(restart, error)| Event::Acted {
            restart,
            told: Box::new(Told::Started(Started::Refused { error, unreadable: true })),
        }),
        1 => Just(Event::Reload(Box::new(base(true).demand.into()))),
    ]
}

fn write(writer: &mut Writer, time: Time, event: &Event) {
    match event {
        Event::Snapshot(snapshot) => writer.snapshot(time, snapshot),
        Event::Deadline => writer.deadline(time),
        Event::Delivery { message, outcome } => writer.delivery(time, *message, outcome),
        Event::Reload(demand) => writer.reload(time, demand),
        Event::Command(command) => writer.command(time, command),
        Event::Acted { restart, told } => writer.acted(time, *restart, told),
        Event::Base(_) | Event::Sent(_) => unreachable!("written by other means"),
    }
}

proptest! {
    /// Whatever is written, cut wherever, is read back.
    #[test]
    fn what_is_written_is_read(
        events in vec((event(), 0_i64..20_000, -50_i64..50, any::<bool>()), 1..30),
        start in -1_000_000_i64..2_000_000_000_000,
    ) {
        let mut time = Time::at(start);
        let mut writer = Writer::new(7, u64::MAX, time, &base(true));
        let mut written = vec![(time, Event::Base(Box::new(base(true))))];
        let mut chunks = Vec::new();
        for (event, later, apart, cut) in events {
            let steady = time.steady.shifted(later);
            time = Time { steady, wall: steady.shifted(apart) };
            write(&mut writer, time, &event);
            written.push((time, event));
            if cut {
                chunks.extend(writer.cut());
            }
        }
        chunks.extend(writer.cut());
        let mut file = file::MAGIC.to_vec();
        for chunk in &chunks {
            file::put(chunk, &mut file);
        }
        prop_assert_eq!(file::read(&file).unwrap(), (chunks.clone(), None));
        let mut reader = Reader::default();
        let mut read = Vec::new();
        for chunk in &chunks {
            let (events, error) = reader.read(chunk);
            prop_assert_eq!(error, None);
            read.extend(events);
        }
        prop_assert_eq!(read, written);
    }

    /// No bytes make a reader panic or use memory without bound.
    #[test]
    fn garbage_is_refused(
        bytes in vec(any::<u8>(), 0..300),
        flip in any::<(usize, u8)>(),
    ) {
        file::read(&bytes).ok();
        let mut from = super::bytes::Bytes(&bytes);
        let mut coder = super::coder::Coder::default();
        while coder.take(&mut from).is_ok() && !from.is_empty() {}
        // Damage that the checksum does not see.
        let mut writer = Writer::new(1, u64::MAX, Time::at(5), &base(true));
        writer.deadline(Time::at(6));
        let mut raw = Vec::new();
        let mut coder = super::coder::Coder::default();
        coder.put_base(Time::at(5), &base(true), &mut raw);
        coder.put_snapshot(Time::at(6), &sample(3), &mut raw);
        let at = flip.0 % raw.len();
        raw[at] ^= flip.1;
        let mut from = super::bytes::Bytes(&raw);
        let mut coder = super::coder::Coder::default();
        while coder.take(&mut from).is_ok() && !from.is_empty() {}
    }
}

fn sample(n: u64) -> Snapshot {
    let run = |name: &str| RunObservation {
        key: JobKey::new("prod", "", "", name),
        name: name.to_owned(),
        counters: Seen::Fresh(Counters { completed_checkpoints: Some(n), ..Counters::default() }),
        metrics: BTreeMap::from([(MetricKey(Arc::from("m")), Seen::Fresh(n as f64 / 3.0))]),
        ..RunObservation::default()
    };
    Snapshot {
        completeness: Completeness::Complete,
        runs: vec![run("a"), run("b")],
        ..Snapshot::failed("prod", "1", String::new(), false)
    }
}

fn three_pieces(segment: u64) -> Vec<HistoryChunk> {
    let mut writer = Writer::new(segment, u64::MAX, Time::at(0), &base(true));
    let mut chunks = Vec::new();
    for n in 0..3 {
        writer.snapshot(Time::at(n * 10_000), &sample(n as u64));
        chunks.extend(writer.cut());
    }
    chunks
}

type Harm = fn(&mut Vec<HistoryChunk>);

#[test]
fn damage_costs_the_rest_of_its_segment_and_is_named() {
    let damage: [(&str, Harm); 4] = [
        ("piece 1 of segment 1 is damaged (its checksum is wrong)", |chunks| {
            let last = chunks[1].body.len() - 1;
            chunks[1].body[last] ^= 1;
        }),
        ("piece 1 of segment 1 is damaged (it is too short)", |chunks| {
            chunks[1].body.truncate(3);
        }),
        ("segment 1 lacks its piece 1", |chunks| drop(chunks.remove(1))),
        ("written in format 9", |chunks| chunks[1].body[0] = 9),
    ];
    for (said, spoil) in damage {
        let mut chunks = three_pieces(1);
        spoil(&mut chunks);
        chunks.extend(three_pieces(2));
        let mut reader = Reader::default();
        let (mut events, mut errors) = (Vec::new(), Vec::new());
        for chunk in &chunks {
            let (more, error) = reader.read(chunk);
            events.push(more.len());
            errors.extend(error.map(|e| e.to_string()));
        }
        assert!(errors[0].contains(said), "{errors:?}");
        assert_eq!(events[events.len() - 3..], [2, 1, 1], "the next segment is whole");
        assert_eq!(events[0], 2);
        assert_eq!(events[1], 0);
    }
}

#[test]
fn foreign_and_newer_files_are_refused() {
    let foreign = file::read(b"SQLite format 3\0 and more").unwrap_err();
    assert!(foreign.to_string().contains("no history"));
    let mut newer = file::MAGIC.to_vec();
    *newer.last_mut().unwrap() = 2;
    assert_eq!(file::read(&newer).unwrap_err(), file::FileError::Newer(2));
    let mut cut = file::MAGIC.to_vec();
    file::put(&three_pieces(1)[0], &mut cut);
    cut.pop();
    assert_eq!(file::read(&cut).unwrap(), (Vec::new(), Some(file::FileError::CutOff)));
}

/// A look at which nothing moved takes a handful of bytes, however many jobs there are.
#[test]
fn what_did_not_change_costs_nothing() {
    let mut coder = super::coder::Coder::default();
    let mut look = sample(3);
    look.runs = (0..100)
        .map(|n| RunObservation {
            run: RunId { start_time: n, ..RunId::default() },
            ..look.runs[0].clone()
        })
        .collect();
    let sizes: Vec<usize> = (0..3)
        .map(|n| {
            let mut out = Vec::new();
            coder.put_snapshot(Time::at(n * 10_000), &look, &mut out);
            look.took_ms += 3;
            look.bytes += 1;
            out.len()
        })
        .collect();
    assert!(sizes[0] > 1_000, "{sizes:?}");
    assert_eq!(sizes[2], 7, "{sizes:?}");
}

/// A failed look, or facts not asked for at a poll, do not make the next ones dear.
#[test]
fn what_was_away_for_a_poll_is_still_known() {
    let mut coder = super::coder::Coder::default();
    let look = sample(3);
    let mut bare = look.clone();
    for run in &mut bare.runs {
        run.counters = Seen::NotAsked;
        run.metrics.clear();
    }
    let failed = Snapshot::failed("prod", "1", "refused".to_owned(), false);
    let mut size = |snapshot: &Snapshot, at: i64| {
        let mut out = Vec::new();
        coder.put_snapshot(Time::at(at), snapshot, &mut out);
        out.len()
    };
    size(&look, 0);
    size(&bare, 1);
    assert!(size(&look, 2) < 24);
    size(&failed, 3);
    assert!(size(&look, 4) < 14);
}

#[test]
fn pieces_are_written_in_time() {
    let mut writer = Writer::new(1, 100, Time::at(0), &base(true));
    assert!(!writer.is_due(Ts(29_000)) && writer.is_due(Ts(30_000)));
    let first = writer.cut().unwrap();
    assert_eq!((first.number, first.from_start), (0, true));
    assert_eq!(writer.cut(), None, "nothing waits");
    assert!(!writer.is_due(Ts(90_000)));
    writer.deadline(Time::at(100_000));
    assert!(!writer.is_due(Ts(129_000)) && writer.is_due(Ts(130_000)));
    let mut bytes = first.body.len() + writer.cut().unwrap().body.len();
    assert!(bytes > 100 && !writer.is_full(Ts(130_000)), "mostly its base");
    while bytes < 4 * first.body.len() {
        assert!(!writer.is_full(Ts(130_000)), "{bytes} bytes");
        writer.deadline(Time::at(130_000));
        bytes += writer.cut().unwrap().body.len();
    }
    assert!(writer.is_full(Ts(130_000)), "more than 100 bytes, and four bases");
    let mut next = writer.next(Time::at(130_000), &base(false));
    let chunk = next.cut().unwrap();
    assert_eq!((chunk.segment, chunk.number, chunk.from_start), (2, 0, false));
    let long = Writer::new(1, u64::MAX, Time::at(0), &base(true));
    assert!(!long.is_full(Ts(86_399_999)) && long.is_full(Ts(86_400_000)));
}

/// Pieces far larger than any window of the compressor.
#[test]
fn large_pieces_come_back() {
    let (mut packer, mut unpacker) = (super::pack::Packer::new(), super::pack::Unpacker::new());
    let mut seed = 1_u64;
    for size in [0, 1, 70, 40_000, 300_000, 3_000_000, 5] {
        for noisy in [false, true] {
            let byte = |n: usize| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if noisy { (seed >> 33) as u8 } else { (n / 1_000) as u8 }
            };
            let raw: Vec<u8> = (0..size).map(byte).collect();
            let body = packer.pack(&raw);
            assert!(unpacker.unpack(&body).unwrap() == raw, "{size} bytes, noisy: {noisy}");
        }
    }
}
