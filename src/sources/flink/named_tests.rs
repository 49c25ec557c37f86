//! When numbers are looked for and read, and what answers say of them.

use std::time::Duration;

use super::*;
use crate::model::{
    Across, Demand, JobState, MetricQuery, MetricScope, RunId, TaskCounts, Vertices,
};

const HEALTHY: TaskCounts =
    TaskCounts { total: 2, running: 2, finished: 0, failed: 0, scheduled: 0, created: 0 };

fn query(scope: MetricScope, vertices: Vertices, id: &str) -> MetricQuery {
    MetricQuery { scope, id: id.to_owned(), across: Across::Max, vertices }
}

fn busy() -> MetricQuery {
    query(MetricScope::Vertex, Vertices::All, "busyTimeMsPerSecond")
}

fn row(state: JobState) -> Row {
    Row {
        run: RunId { start_time: 1, job_id: "a".to_owned() },
        name: "job".to_owned(),
        state,
        tasks: HEALTHY,
        end_time: None,
        last_modification: None,
        now: None,
        batch: None,
    }
}

fn listed(ids: &[&str]) -> Vec<wire::Aggregate> {
    let one = |id: &&str| wire::Aggregate { id: Some((*id).to_owned()), ..Default::default() };
    ids.iter().map(one).collect()
}

fn node(wanted: &Wanted, ids: &[&str]) -> Node {
    let mut node = Node { id: "v".to_owned(), is_source: true, parallelism: 2, ..Node::default() };
    node.choose(&wanted.vertex, &listed(ids));
    node
}

struct Story {
    memory: NamedMemory,
    wanted: Wanted,
    has: Vec<&'static str>,
}

impl Story {
    /// One poll whose calls succeed: what was read.
    fn poll(&mut self, at_s: i64, restarts: u64) -> NamedCalls {
        let now = Ts(at_s * 1000);
        let row = row(JobState::Running);
        let calls = self.memory.plan(&row, Some(restarts), &self.wanted, now);
        let nodes = calls.discover.then(|| vec![node(&self.wanted, &self.has)]);
        let look = NamedLook { calls, nodes, ..NamedLook::default() };
        self.memory.remember(&look, Some(restarts), "a", &self.wanted, now);
        calls
    }
}

fn story(demand: &Demand, has: &[&'static str]) -> Story {
    Story { memory: NamedMemory::default(), wanted: Wanted::of(demand), has: has.to_vec() }
}

#[test]
fn ids_are_found_once_and_what_can_wait_is_read_every_half_minute() {
    let mut demand = Demand { lag: true, ..Demand::default() };
    demand.metrics.insert(busy(), Duration::ZERO);
    let mut story = story(&demand, &["busyTimeMsPerSecond", "Source__a.pendingRecords"]);
    let first = story.poll(0, 0);
    assert_eq!(first, NamedCalls { discover: true, often: true, slow: true, waits: false });
    let mut slow = Vec::new();
    for at in (10..=300).step_by(10) {
        let calls = story.poll(at, 0);
        assert!(!calls.discover && calls.often, "lag is read at every poll");
        slow.extend(calls.slow.then_some(at));
    }
    assert!((9..=11).contains(&slow.len()), "{slow:?}");
    assert!(slow.windows(2).all(|w| w[1] - w[0] == 30), "{slow:?}");
    assert!(story.poll(310, 1).discover, "a restart");
    story.wanted.generation += 1;
    assert!(story.poll(320, 1).discover, "another demand");
}

#[test]
fn what_is_nowhere_yet_is_looked_for_again() {
    let demand = Demand { lag: true, ..Demand::default() };
    let mut story = story(&demand, &["busyTimeMsPerSecond"]);
    let found: Vec<i64> =
        (0..100).map(|n| n * 10).filter(|at| story.poll(*at, 0).discover).collect();
    assert_eq!(found, [0, 10, 20, 50, 80, 110, 140, 170, 470, 770]);
    story.has.push("Source__a.pendingRecords");
    assert!(story.poll(1080, 0).discover && !story.poll(1090, 0).discover);
}

/// The list of its vertices is refused, or too slow: asked for ever less often, and at once again
/// when it answered.
#[test]
fn a_list_that_fails_is_not_asked_for_at_every_poll() {
    let demand = Demand { lag: true, ..Demand::default() };
    let mut story = story(&demand, &["Source__a.pendingRecords"]);
    let row = row(JobState::Running);
    let mut asked = Vec::new();
    for at in (0..3_600).step_by(10) {
        let now = Ts(at * 1000);
        let calls = story.memory.plan(&row, Some(0), &story.wanted, now);
        if calls.discover {
            asked.push(at);
        } else {
            assert!(calls.waits && !calls.often && !calls.slow, "nothing to read at {at}");
        }
        let look = NamedLook { calls, failed: calls.discover, ..NamedLook::default() };
        story.memory.remember(&look, Some(0), "a", &story.wanted, now);
    }
    assert_eq!(asked[..7], [0, 10, 40, 100, 220, 460, 760]);
    assert!(asked.windows(2).skip(5).all(|w| w[1] - w[0] == 300), "{asked:?}");
    let next = asked.last().unwrap() + 300;
    assert!(story.poll(next, 0).discover);
    assert!(story.poll(next + 10, 0).often, "found");
    // What was found is read on while it cannot be looked for again.
    let plan = |story: &Story, at: i64| {
        story.memory.plan(&row, Some(1), &story.wanted, Ts((next + at) * 1000))
    };
    for (at, waits) in [(20, false), (30, false), (40, true)] {
        let calls = plan(&story, at);
        assert_eq!(calls.discover, !waits, "{at}");
        let look = NamedLook { calls, failed: calls.discover, ..NamedLook::default() };
        story.memory.remember(&look, Some(1), "a", &story.wanted, Ts((next + at) * 1000));
    }
    assert!(plan(&story, 50).often && !plan(&story, 50).waits);
}

#[test]
fn tasks_that_do_not_run_are_not_asked() {
    let demand = Demand { lag: true, ..Demand::default() };
    let wanted = Wanted::of(&demand);
    let plan = |row: &Row| NamedMemory::default().plan(row, None, &wanted, Ts(0));
    assert_eq!(plan(&row(JobState::Restarting)), NamedCalls::default());
    let waiting =
        Row { tasks: TaskCounts { running: 1, scheduled: 1, ..HEALTHY }, ..row(JobState::Running) };
    assert_eq!(plan(&waiting), NamedCalls::default());
    assert_eq!(
        NamedMemory::default().plan(&row(JobState::Running), None, &Wanted::default(), Ts(0)),
        NamedCalls::default(),
        "nobody asks"
    );
}

#[test]
fn jobs_do_not_all_have_their_turn_at_once() {
    let phases: std::collections::BTreeSet<u64> =
        (0..100).map(|n| phase(&format!("job{n}")).as_secs() / 10).collect();
    assert_eq!(phases.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_path_is_never_longer_than_flink_takes() {
    let ids: Vec<String> = (0..60).map(|n| format!("{}{n}.x", "订单".repeat(12))).collect();
    let paths = paths("vertices/v/subtasks/metrics", &ids, "max,sum");
    assert!(paths.len() > 3 && paths.iter().all(|p| p.len() < 3_700), "{}", paths.len());
    assert_eq!(paths.iter().map(|p| p.matches(".x").count()).sum::<usize>(), 60);
    assert!(super::paths("b", &[], "max").is_empty());
    assert_eq!(super::paths("b", &["a[1]".to_owned()], "max"), ["b?get=a%5B1%5D&agg=max"]);
}

#[test]
fn answers_are_folded_over_the_vertices_that_are_meant() {
    let mut demand = Demand { lag: true, ..Demand::default() };
    let of_sinks = query(MetricScope::Vertex, Vertices::Sinks, "busyTimeMsPerSecond");
    for query in [busy(), of_sinks.clone()] {
        demand.metrics.insert(query, Duration::ZERO);
    }
    let wanted = Wanted::of(&demand);
    let source = node(&wanted, &["busyTimeMsPerSecond", "Source__a.pendingRecords"]);
    let mut sink = Node { id: "s".to_owned(), is_sink: true, ..Node::default() };
    sink.choose(&wanted.vertex, &listed(&["busyTimeMsPerSecond"]));
    let path = source.paths("m", &wanted.vertex, true);
    assert_eq!(path, ["m?get=Source__a.pendingRecords,busyTimeMsPerSecond&agg=max,sum"]);
    assert_eq!(
        source.paths("m", &wanted.vertex, false),
        ["m?get=Source__a.pendingRecords&agg=sum"]
    );
    assert!(sink.paths("m", &wanted.vertex, false).is_empty(), "nothing for this poll");
    let number = |id: &str, max: f64, sum: f64| wire::Aggregate {
        id: Some(id.to_owned()),
        max: Some(max),
        sum: Some(sum),
        ..Default::default()
    };
    let of_source = vec![
        number("busyTimeMsPerSecond", 900.0, 1.0),
        number("Source__a.pendingRecords", 1.0, 7.0),
    ];
    let of_sink = vec![number("busyTimeMsPerSecond", 300.0, 1.0)];
    let nodes = [source, sink];
    let calls = NamedCalls { slow: true, often: true, ..NamedCalls::default() };
    let (metrics, lag) = fold(&wanted, &nodes, &[Some(of_source.clone()), Some(of_sink)], calls);
    assert_eq!(metrics[&busy().key()], Seen::Fresh(900.0));
    assert_eq!(metrics[&of_sinks.key()], Seen::Fresh(300.0));
    assert_eq!(lag, Seen::Fresh(Lag { records: Some(7.0) }));

    let (metrics, lag) = fold(&wanted, &nodes, &[Some(of_source.clone()), None], calls);
    assert_eq!(metrics[&busy().key()], Seen::Unknown, "half of them is no answer");
    assert!(lag.fresh().is_some(), "the other vertex has nothing to do with it");

    let quick = NamedCalls { slow: false, ..calls };
    let (metrics, lag) = fold(&wanted, &nodes, &[Some(of_source), None], quick);
    assert!(metrics.is_empty() && lag.fresh().is_some());

    let bare = [node(&wanted, &["numBytesIn"])];
    let (metrics, lag) = fold(&wanted, &bare, &[Some(Vec::new())], calls);
    assert_eq!((&metrics[&busy().key()], lag), (&Seen::NotApplicable, Seen::NotApplicable));
    let blank = [node(&wanted, &[])];
    let (metrics, lag) = fold(&wanted, &blank, &[Some(Vec::new())], calls);
    assert_eq!((&metrics[&busy().key()], lag), (&Seen::Unknown, Seen::Unknown), "not yet");
}
