//! Metrics by name: what rules ask for arrives, as Flink means it, and costs what was said.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use weir::clock::{Clock as _, SystemClock};
use weir::model::{Across, Demand, MetricQuery, MetricScope, Seen, Snapshot, Time, Vertices};
use weir::sources::Source as _;
use weir::sources::flink::{FlinkConfig, FlinkSource, cost};

use crate::testbed::control::Control;
use crate::testbed::fleet::{Fleet, FleetOptions, Kind, Version};
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::JobSpec;
use crate::testbed::tools;

const SOON: Duration = Duration::from_mins(2);
const T0: i64 = 1_795_219_703_000;

fn query(scope: MetricScope, vertices: Vertices, across: Across, id: &str) -> MetricQuery {
    MetricQuery { scope, id: id.to_owned(), across, vertices }
}

fn of_vertices(id: &str) -> MetricQuery {
    query(MetricScope::Vertex, Vertices::All, Across::Max, id)
}

fn of_sources(across: Across, id: &str) -> MetricQuery {
    query(MetricScope::Operator, Vertices::Sources, across, id)
}

fn of_cluster(scope: MetricScope, id: &str) -> MetricQuery {
    query(scope, Vertices::All, Across::Max, id)
}

fn demand(queries: &[&MetricQuery]) -> Demand {
    let mut demand = Demand { counters: true, ..Demand::default() };
    demand.metrics.extend(queries.iter().map(|q| ((*q).clone(), Duration::ZERO)));
    demand
}

fn source(url: &str) -> FlinkSource {
    let config = FlinkConfig::at("prod", vec![url.to_owned()]);
    FlinkSource::new(config, Duration::from_secs(5), "test").unwrap()
}

/// What a look says of it; `NotAsked` where it was not its turn.
fn seen(snapshot: &Snapshot, query: &MetricQuery) -> Seen<f64> {
    let metrics = if query.scope.is_of_cluster() {
        snapshot.clusters.first().map(|c| &c.metrics)
    } else {
        snapshot.runs.first().map(|r| &r.metrics)
    };
    metrics.and_then(|m| m.get(&query.key())).cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_rules_ask_for_is_what_they_get() -> Result<()> {
    for version in [Version::V1_20, Version::V2_2] {
        gets_what_is_asked(version).await.with_context(|| format!("{version:?}"))?;
    }
    Ok(())
}

async fn gets_what_is_asked(version: Version) -> Result<()> {
    let fleet = Fleet::start(FleetOptions::of(1, 1, version)).await?;
    fleet.set_load(0, 0, 900.0, 50.0);
    fleet.set_vertex_metric(0, 0, (1, "busyTimeMsPerSecond"), Some(999.0));
    fleet.set_job_metric(0, 0, "lastCheckpointDuration", "4711");
    fleet.set_taskmanager_metric(0, "Status.JVM.Memory.Heap.Used", Some(3e8));
    fleet.set_jobmanager_metric(0, "taskSlotsAvailable", 3.0);
    let busy = of_vertices("busyTimeMsPerSecond");
    let least = query(MetricScope::Vertex, Vertices::All, Across::Min, "busyTimeMsPerSecond");
    let of_source =
        query(MetricScope::Vertex, Vertices::Sources, Across::Max, "busyTimeMsPerSecond");
    let rate = of_sources(Across::Sum, "Source__*.numRecordsOutPerSecond");
    let none = of_sources(Across::Sum, "watermarkLag");
    let duration = query(MetricScope::Job, Vertices::All, Across::Max, "lastCheckpointDuration");
    let heap = of_cluster(MetricScope::Taskmanager, "Status.JVM.Memory.Heap.Used");
    let no_heap = of_cluster(MetricScope::Taskmanager, "Status.JVM.Memory.Heep.Used");
    let free = of_cluster(MetricScope::Jobmanager, "taskSlotsAvailable");
    let jm_heap = of_cluster(MetricScope::Jobmanager, "Status.*.Heap.Used");
    let all = [
        (&busy, Seen::Fresh(999.0)),
        (&least, Seen::Fresh(900.0)),
        (&of_source, Seen::Fresh(900.0)),
        (&rate, Seen::Fresh(200.0)),
        // It may still come: a source reports some numbers only once it has read something.
        (&none, Seen::Unknown),
        (&duration, Seen::Fresh(4711.0)),
        (&heap, Seen::Fresh(3e8)),
        (&no_heap, Seen::NotApplicable),
        (&free, Seen::Fresh(3.0)),
        (&jm_heap, Seen::Fresh(86_777_000.0)),
    ];
    let demand = demand(&all.each_ref().map(|(query, _)| *query));
    let mut source = source(&fleet.url(0));
    let first = source.poll(&demand, Time::at(T0)).await;
    for (query, expected) in &all {
        assert_eq!(seen(&first, query), *expected, "{}", query.key());
    }

    // What can wait is read every half minute, one call per vertex, at a turn of the job's own.
    let before = fleet.requests(Kind::SubtaskMetrics);
    let mut turns = 0;
    let mut absent = Vec::new();
    for n in 1..=30 {
        let look = source.poll(&demand, Time::at(T0 + n * 10_000)).await;
        absent.push(seen(&look, &none));
        turns += u32::from(seen(&look, &busy) != Seen::NotAsked);
        assert_eq!(seen(&look, &duration), Seen::Fresh(4711.0), "comes with the counters");
    }
    let calls = fleet.requests(Kind::SubtaskMetrics) - before;
    assert!((9..=11).contains(&turns), "{turns} turns in five minutes");
    absent.retain(|seen| *seen != Seen::NotAsked);
    assert_eq!(absent.last(), Some(&Seen::NotApplicable), "what never comes is not there");
    // `watermarkLag` is nowhere: looked for at first, and then every five minutes.
    let searches = 7 * 3;
    ensure!(calls <= u64::from(turns + 1) * 3 + searches, "{calls} calls in {turns} turns");
    assert_eq!(fleet.requests(Kind::TaskManagers), 0);

    // An id that goes away empties the whole answer: unknown, and then found out anew.
    fleet.set_vertex_metric(0, 0, (1, "busyTimeMsPerSecond"), None);
    let later = T0 + 310_000;
    let mut told = Vec::new();
    for n in 0..6 {
        let look = source.poll(&demand, Time::at(later + n * 10_000)).await;
        told.push(seen(&look, &busy));
    }
    told.retain(|seen| *seen != Seen::NotAsked);
    assert_eq!(told.last(), Some(&Seen::Fresh(900.0)), "{told:?}");
    assert!(!told.contains(&Seen::Fresh(999.0)), "{told:?}");
    let later = later + 60_000;

    // Nothing is believed of a metric store that stands still.
    fleet.freeze_metrics(0);
    let mut frozen = source.poll(&demand, Time::at(later)).await;
    for n in 1..=4 {
        frozen = source.poll(&demand, Time::at(later + n * 10_000)).await;
    }
    ensure!(frozen.metrics_frozen, "{frozen:?}");
    for query in [&busy, &rate, &duration, &heap, &free] {
        assert_eq!(seen(&frozen, query), Seen::Unknown, "{}", query.key());
    }
    Ok(())
}

#[tokio::test]
async fn a_demand_costs_what_was_said() -> Result<()> {
    let fleet = Fleet::start(FleetOptions::of(1, 20, Version::V1_20)).await?;
    let busy = of_vertices("busyTimeMsPerSecond");
    let rate = of_sources(Across::Sum, "Source__*.numRecordsOutPerSecond");
    let heap = of_cluster(MetricScope::Taskmanager, "Status.JVM.Memory.Heap.Used");
    let demand = demand(&[&busy, &rate, &heap]);
    let mut source = source(&fleet.url(0));
    source.poll(&demand, Time::at(T0)).await;
    let (mut requests, mut bytes) = (0, 0);
    for n in 1..=60 {
        let look = source.poll(&demand, Time::at(T0 + n * 10_000)).await;
        requests += look.requests;
        bytes += look.bytes;
    }
    let said = cost(&demand, Duration::from_secs(10));
    let expected = (
        said.requests_per_job.mul_add(20.0, said.requests_per_cluster),
        said.bytes_per_job.mul_add(20.0, said.bytes_per_cluster),
    );
    let measured = (f64::from(requests) / 60.0, bytes as f64 / 60.0);
    tools::note(&format!("said {expected:?}, measured {measured:?} requests and bytes per poll"));
    for (said, measured) in [(expected.0, measured.0), (expected.1, measured.1)] {
        ensure!((0.7..1.3).contains(&(measured / said)), "said {said}, measured {measured}");
    }
    Ok(())
}

#[tokio::test]
async fn a_real_flink_gives_its_metrics_by_name() -> Result<()> {
    gives_its_metrics(FlinkOptions::default()).await
}

#[tokio::test]
async fn a_real_flink_2_gives_its_metrics_by_name() -> Result<()> {
    gives_its_metrics(FlinkOptions::version("2.2.1")).await
}

async fn gives_its_metrics(options: FlinkOptions) -> Result<()> {
    let flink = Flink::start(options).await?;
    let control = Control::new(&flink.dir().join("control"))?;
    control.set_backlog(4711)?;
    let spec =
        JobSpec { parallelism: 2, records_per_second: 20, ..JobSpec::new("orders", &control) };
    let job_id = flink.submit(&spec).await?;
    flink.rest().wait_until_healthy(&job_id, SOON).await?;
    flink.rest().wait_for_checkpoints(&job_id, 1, SOON).await?;

    let busy = of_vertices("busyTimeMsPerSecond");
    let backpressured = of_vertices("backPressuredTimeMsPerSecond");
    let buffers = of_vertices("buffers.inPoolUsage|Shuffle.Netty.Input.Buffers.inPoolUsage");
    let rate = of_sources(Across::Sum, "Source__*.numRecordsOutPerSecond");
    let pending = of_sources(Across::Sum, "pendingRecords");
    let event_time = of_sources(Across::Max, "currentEmitEventTimeLag");
    let watermark = of_sources(Across::Max, "watermarkLag");
    let heap = of_cluster(MetricScope::Taskmanager, "Status.JVM.Memory.Heap.Used");
    let free = of_cluster(MetricScope::Jobmanager, "taskSlotsAvailable");
    let duration = query(MetricScope::Job, Vertices::All, Across::Max, "lastCheckpointDuration");
    let within = |query, from, to| (query, from, to);
    let all = [
        within(&busy, 0.0, 1000.0),
        within(&backpressured, 0.0, 1000.0),
        within(&buffers, 0.0, 1.0),
        // A mean of a minute that begins at zero.
        within(&rate, 10.0, 60.0),
        within(&pending, 4711.0, 4711.0),
        within(&heap, 1e6, 1e10),
        within(&free, 0.0, 100.0),
        within(&duration, 0.0, 60_000.0),
    ];
    let mut demand = demand(&all.each_ref().map(|(query, ..)| *query));
    demand.metrics.extend([&event_time, &watermark].map(|q| (q.clone(), Duration::ZERO)));
    let clock = SystemClock::anchored(None);
    let mut source = source(flink.rest().url());
    let looking = async {
        // What can wait has turns of its own: the last word on each counts.
        let mut last = std::collections::BTreeMap::new();
        loop {
            let look = source.poll(&demand, clock.now()).await;
            for query in demand.metrics.keys() {
                let seen = seen(&look, query);
                if seen != Seen::NotAsked {
                    last.insert(query.key(), seen);
                }
            }
            let good = |(query, from, to): &(&MetricQuery, f64, f64)| match last.get(&query.key()) {
                Some(Seen::Fresh(value)) => (*from..=*to).contains(value),
                _ => false,
            };
            // No time stamps and no watermarks in this job: -1 is no lag, and no id is none.
            let none = last.get(&event_time.key()) == Some(&Seen::Unknown)
                && last.get(&watermark.key()) == Some(&Seen::Unknown);
            if all.iter().all(good) && none {
                return format!("{last:?}");
            }
            tools::note(&format!("not yet: {last:?}"));
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    };
    let found = tokio::time::timeout(SOON, looking).await.context("not every metric came")?;
    tools::note(&found);
    flink.stop().await
}
