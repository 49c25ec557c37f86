//! Ten thousand jobs in virtual time, shown as the Flink source shows them: counters, lag and the
//! job's own numbers at every look, those of vertices and `TaskManagers` every half minute. All of
//! them move, and hardly any is a round number: nothing of a series is smaller than it would be in
//! earnest.

use weir::model::{
    CheckpointStats, CheckpointSummary, ClusterObservation, Completeness, Counters, Demand,
    Failure, JobKey, JobState, Lag, MetricKey, Metrics, RunId, RunObservation, Seen, Snapshot,
    SourceClock, TaskCounts,
};

/// The source reads so often what nobody needs at every poll.
const SLOW_MS: i64 = 28_000;
/// Flink takes a checkpoint so often.
const CHECKPOINT_MS: i64 = 60_000;
/// One job in so many is far behind its input: its windows are looked at.
const BEHIND: usize = 10;

/// Looks at clusters of jobs; the same ones are moved on from look to look.
pub(crate) struct Clusters {
    looks: Vec<Snapshot>,
    seed: u64,
    slow_at: i64,
    checkpoint: i64,
}

impl Clusters {
    /// Jobs that began long ago, with every number the rules demand.
    pub(crate) fn new(clusters: usize, jobs: usize, demand: &Demand, now: i64) -> Clusters {
        let looks = (0..clusters).map(|c| look(c, jobs, demand, now)).collect();
        Clusters { looks, seed: 7, slow_at: 0, checkpoint: 0 }
    }

    /// All of them at a time: counters and numbers have moved.
    pub(crate) fn at(&mut self, now: i64) -> &[Snapshot] {
        let mut seed = self.seed;
        let mut dice = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let slow = now - self.slow_at >= SLOW_MS;
        let checkpoint = now / CHECKPOINT_MS != self.checkpoint;
        self.slow_at = if slow { now } else { self.slow_at };
        self.checkpoint = now / CHECKPOINT_MS;
        for look in &mut self.looks {
            look.clock = Some(SourceClock { now, offset_ms: 0 });
            let clusters = look.clusters.iter_mut().map(|c| &mut c.metrics);
            let runs = look.runs.iter_mut().enumerate().map(|(n, run)| {
                follow(run, now);
                if run.lag.fresh().is_some() {
                    let base = if n % BEHIND == 3 { 20_000.0 } else { 0.0 };
                    run.lag = Seen::Fresh(Lag { records: Some(base + dice(3_000) as f64) });
                }
                &mut run.metrics
            });
            let metrics: Vec<&mut Metrics> = clusters.chain(runs).collect();
            for (key, value) in metrics.into_iter().flatten() {
                let moves = match pace(key) {
                    Pace::Poll => true,
                    Pace::Slow => slow,
                    Pace::Checkpoint => checkpoint,
                };
                if moves {
                    *value = Seen::Fresh(400.0 + dice(200_000) as f64 / 997.0);
                } else if pace(key) == Pace::Slow {
                    *value = Seen::NotAsked;
                }
            }
        }
        self.seed = seed;
        &self.looks
    }
}

/// How often a number moves.
#[derive(PartialEq)]
enum Pace {
    Poll,
    Slow,
    Checkpoint,
}

fn pace(key: &MetricKey) -> Pace {
    let of = |scope: &str| key.0.starts_with(scope);
    if of("job/") && key.0.contains("Checkpoint") {
        Pace::Checkpoint
    } else if of("job/") || of("jobmanager/") || key.0.ends_with("/pendingRecords") {
        // Pending records are the lag, which is read at every poll.
        Pace::Poll
    } else {
        Pace::Slow
    }
}

/// A checkpoint a minute.
fn follow(run: &mut RunObservation, now: i64) {
    let id = (now / CHECKPOINT_MS) as u64;
    if let Seen::Fresh(counters) = &mut run.counters
        && counters.last_checkpoint_id != Some(id)
    {
        counters.last_checkpoint_id = Some(id);
        counters.completed_checkpoints = Some(id);
        counters.last_checkpoint_path = Some(path(&run.run.job_id, id));
        if let Seen::Fresh(stats) = &mut run.checkpoints {
            stats.completed = Some(id);
            stats.latest_completed = Some(CheckpointSummary {
                id,
                triggered_at: Some(now - now % 60_000),
                ended_at: Some(now - now % 60_000 + 400),
                path: Some(path(&run.run.job_id, id)),
                ..CheckpointSummary::default()
            });
        }
    }
}

fn path(job: &str, id: u64) -> String {
    format!("hdfs://nn/flink/checkpoints/{job}/chk-{id}")
}

fn look(cluster: usize, jobs: usize, demand: &Demand, now: i64) -> Snapshot {
    let name = format!("c{cluster:02}");
    let metrics = |of_cluster: bool| -> Metrics {
        let asked = demand.metrics.keys().filter(|q| q.scope.is_of_cluster() == of_cluster);
        asked.map(|query| (query.key(), Seen::Fresh(0.0))).collect()
    };
    Snapshot {
        completeness: Completeness::Complete,
        version: Some("1.20.5".to_owned()),
        clusters: vec![ClusterObservation {
            flink_cluster: name.clone(),
            taskmanagers: Some(20),
            slots_total: Some(200),
            slots_available: Some(0),
            jobmanager_cpu: Some(now),
            metrics: metrics(true),
            ..ClusterObservation::default()
        }],
        runs: (0..jobs).map(|n| run(&name, n, metrics(false), now)).collect(),
        ..Snapshot::failed(&name, "1", String::new(), false)
    }
}

/// Of a hundred jobs one is dead, and ten have had a failure lately.
fn run(cluster: &str, n: usize, metrics: Metrics, now: i64) -> RunObservation {
    let name = format!("orders-enrichment-{n:03}");
    let dead = n % 100 == 42;
    let failures = (0..u32::from(n.is_multiple_of(10) || dead)).map(|_| Failure {
        at: now + 1_000,
        task: Some("map (1/2) - execution #0".to_owned()),
        class: "com.acme.PoisonRecordException".to_owned(),
        message: "bad price in record 17 of partition 3".to_owned(),
        frame: Some("com.acme.Enrich.map(Enrich.java:42)".to_owned()),
        taskmanager: None,
        gave_up: dead,
    });
    let alive = |seen| if dead { Seen::NotAsked } else { seen };
    let counters =
        Counters { restarts: Some(0), failed_checkpoints: Some(0), ..Counters::default() };
    let stats = CheckpointStats {
        interval_ms: Some(60_000),
        timeout_ms: Some(600_000),
        periodic: Some(true),
        failed: Some(0),
        ..CheckpointStats::default()
    };
    RunObservation {
        key: JobKey::new(cluster, "", "", &name),
        cluster: cluster.to_owned(),
        flink_cluster: cluster.to_owned(),
        flink_job_name: name.clone(),
        name,
        run: RunId { start_time: now - 86_400_000, job_id: format!("{n:032x}") },
        state: if dead { JobState::Failed } else { JobState::Running },
        end_time: dead.then_some(now + 1_000),
        tasks: TaskCounts { total: 6, running: if dead { 0 } else { 6 }, ..TaskCounts::default() },
        counters: if dead { Seen::NotAsked } else { Seen::Fresh(counters) },
        checkpoints: if dead { Seen::NotAsked } else { Seen::Fresh(stats) },
        failures: Seen::Fresh(failures.collect()),
        lag: alive(Seen::Fresh(Lag { records: Some(0.0) })),
        batch: Seen::Fresh(false),
        metrics: if dead { Metrics::default() } else { metrics },
        ..RunObservation::default()
    }
}
