//! Judging ten thousand jobs by a whole pack of rules, and the memory that takes per job: by the
//! shipped rules, by these and all optional ones, and by one rule of every kind.
//!
//! A process of its own per pack: its memory is that of the facts and the alerts alone. Virtual
//! time runs until every series any rule looks back on is full.

use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use weir::model::{Demand, Loaded, Snapshot, Time};
use weir::rules::{LabelBook, OPTIONAL, RuleSet, RuleSource, Rules, SHIPPED, parse};
use weir::tracker::Tracker;

use crate::cost::memory_mb;
use crate::pack_jobs::Clusters;
use crate::scenario::Plan;
use crate::table::{Goal, Table, quantile, spread};
use crate::testbed::time;

/// First argument of the process.
pub(crate) const ROLE: &str = "--as-pack";

const SHIPPED_PACK: &str = "shipped pack";
/// 2026-11-21.
const T0: i64 = 1_795_219_700_000;
const CLUSTERS: usize = 100;
const JOBS: usize = 100;
const POLL_MS: i64 = 10_000;
/// The finely kept past is 70 minutes, and is filled poll by poll.
const FINE_MS: i64 = 75 * 60_000;
/// Series have 64 buckets. Of long ones each gets so many samples: with more it is not larger.
const BUCKETS: i64 = 64;
const SAMPLES: i64 = 6;
/// While they are filled, judged so seldom: it is the series that are filled.
const JUDGED_EVERY: usize = 30;
/// Bytes of a job with the whole shipped pack demanded: 12 KB.
const MOST_BYTES: f64 = 12_000.0;

/// What the process found.
#[derive(Serialize, Deserialize)]
struct Found {
    rules: usize,
    /// Judgements of one round.
    judgements: usize,
    alerts: usize,
    metrics: usize,
    /// CPU seconds of each round: taking in, judging.
    rounds: Vec<(f64, f64)>,
    /// Bytes of tracker and rules per job.
    bytes: f64,
}

/// All packs.
pub(crate) fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    for pack in [SHIPPED_PACK, "every kind", "all packs"] {
        let rounds = plan.looks.to_string();
        let child = Command::new(std::env::current_exe()?).args([ROLE, pack, &rounds]).output()?;
        let said = String::from_utf8_lossy(&child.stdout);
        let found: Found = serde_json::from_str(&said)
            .with_context(|| format!("{said}{}", String::from_utf8_lossy(&child.stderr)))?;
        let jobs = (CLUSTERS * JOBS) as f64;
        let judged: Vec<f64> = found.rounds.iter().map(|r| r.1).collect();
        let taken: Vec<f64> = found.rounds.iter().map(|r| r.0 / jobs * 1e6).collect();
        let speed = |took: f64| found.judgements as f64 / took;
        let speeds: Vec<f64> = judged.iter().map(|took| speed(*took)).collect();
        let note = format!(
            "{} rules, {} jobs, {} alerts, one core; min / median / max {}",
            found.rules,
            CLUSTERS * JOBS,
            found.alerts,
            spread(&speeds)
        );
        let what = format!("rule evaluations, {pack}");
        // Of all rounds together: the system counts in ticks, of which a round takes a handful.
        let total = speed(judged.iter().sum::<f64>() / judged.len().max(1) as f64);
        table.row(&what, total, "/s", Goal::AtLeast(1e6), &note);
        let what = format!("taking in a job, {pack}");
        table.row(&what, quantile(&taken, 0.5), "µs", Goal::None, &spread(&taken));
        let note = format!("facts and alerts, {} metrics by name, all series full", found.metrics);
        let what = format!("memory per job, {pack}");
        table.row(&what, found.bytes, "B", Goal::AtMost(MOST_BYTES), &note);
    }
    Ok(())
}

/// The process: prints what it found.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let pack = args.first().context("which pack?")?;
    let rounds = args.get(1).context("how many rounds?")?.parse()?;
    let found = find(rules(pack)?, rounds)?;
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

fn rules(pack: &str) -> Result<RuleSet> {
    let texts = match pack {
        SHIPPED_PACK => SHIPPED.to_vec(),
        "all packs" => [SHIPPED, OPTIONAL].concat(),
        "every kind" => vec![("every_kind.yaml", include_str!("every_kind.yaml"))],
        other => bail!("no pack {other}"),
    };
    let sources: Vec<RuleSource<'_>> =
        texts.iter().map(|(file, text)| RuleSource { file, text }).collect();
    parse(&sources).map_err(|problems| anyhow!("{problems:?}"))
}

fn find(set: RuleSet, rounds: usize) -> Result<Found> {
    let demand = set.demand();
    let rule_count = set.rules.len();
    let about_jobs = set.rules.iter().filter(|rule| rule.is_about_jobs()).count();
    let mut clusters = Clusters::new(CLUSTERS, JOBS, &demand, T0);
    // Once, so that all strings of the looks themselves are there.
    clusters.at(T0);
    let before = memory_mb(std::process::id(), "VmRSS")?;

    let mut tracker = Tracker::default();
    tracker.set_demand(&demand);
    let (mut rules, _) = Rules::restore(set, LabelBook::default(), &Loaded::default());
    let mut now = T0;
    for (n, step) in filling(&demand).into_iter().enumerate() {
        now += step;
        let (at, looks) = (Time::at(now), clusters.at(now));
        if n < JUDGED_EVERY || n.is_multiple_of(JUDGED_EVERY) {
            turn(at, looks, &mut tracker, &mut rules);
        } else {
            for look in looks {
                drop(tracker.step(at, look));
            }
        }
    }
    let after = memory_mb(std::process::id(), "VmRSS")?;
    let mut took = Vec::new();
    for _ in 0..rounds {
        now += POLL_MS;
        took.push(turn(Time::at(now), clusters.at(now), &mut tracker, &mut rules));
    }
    let jobs = CLUSTERS * JOBS;
    Ok(Found {
        rules: rule_count,
        judgements: about_jobs * jobs,
        alerts: rules.alerts().count(),
        metrics: demand.metrics.len(),
        rounds: took,
        bytes: (after - before) * 1024.0 * 1024.0 / jobs as f64,
    })
}

/// Steps of time that fill every bucket of every series.
fn filling(demand: &Demand) -> Vec<i64> {
    let longest = demand.metrics.values().max().map_or(0, |span| span.as_millis() as i64);
    let few =
        |span: i64| vec![span / BUCKETS / SAMPLES; (BUCKETS * SAMPLES + 3 * SAMPLES) as usize];
    let coarse = if longest > FINE_MS { few(longest) } else { Vec::new() };
    [vec![POLL_MS; 12], coarse, vec![POLL_MS; (FINE_MS / POLL_MS) as usize]].concat()
}

/// One look at every cluster; CPU seconds of taking all of them in, and of judging all of them.
fn turn(at: Time, looks: &[Snapshot], tracker: &mut Tracker, rules: &mut Rules) -> (f64, f64) {
    let began = cpu();
    let folded: Vec<_> = looks.iter().map(|look| (&look.source, tracker.step(at, look))).collect();
    let between = cpu();
    for (source, folded) in &folded {
        drop(rules.step(at, tracker, source, folded));
    }
    (between - began, cpu() - between)
}

/// CPU seconds of this thread; what else runs on the machine does not count.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = stat.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    match spent {
        Some(nanos) if nanos > 0.0 => nanos / 1e9,
        _ => time::epoch_ms() as f64 / 1e3,
    }
}
