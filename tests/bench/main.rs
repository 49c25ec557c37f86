//! `cargo bench --bench fleet`: what Weir costs the cluster it watches and the machine it runs on,
//! and how long it takes from a failure to the message.
//!
//! Nothing is asserted: a table is printed with the goals beside the figures. CPU is quoted as a
//! ratio against a peer measured in the same seconds, a bare loop that fetches the same URLs at the
//! same rate: this machine's speed, and what else runs on it, drop out. The fleet, Weir and the
//! peer are processes of their own, so that their CPU times are separable. `--quick` takes a
//! minute, `history` measures the journal alone, `rules` the judging alone, `opening` ten thousand
//! incidents at once, `platforms` a ResourceManager with 5,000 applications, `restarts` how soon a job
//! runs again on a real Flink and what remembering checkpoints costs, `stories [PART OF A
//! TITLE]` what people get to read beside what Alertmanager
//! would send them; `--numbers FILE` writes that down. The fleet and the peer end when their stdin,
//! which this process holds, closes.
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

#[path = "../testbed/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "each binary uses a part of the test bed")]
mod testbed;

mod cost;
mod history;
mod latency;
mod numbers;
mod opening;
mod pack;
mod pack_jobs;
mod peer;
mod platforms;
mod restarts;
mod rounds;
mod scenario;
mod server;
mod step;
mod stories;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use scenario::Plan;
use table::Table;

/// The whole bench is given up after this long.
const LIMIT: Duration = Duration::from_mins(10);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match args.first().map(String::as_str) {
        Some(server::ROLE) => runtime.block_on(server::run()),
        Some(peer::ROLE) => runtime.block_on(peer::run()),
        Some(platforms::ROLE) => runtime.block_on(platforms::run()),
        Some(pack::ROLE) => pack::run(args.get(1..).unwrap_or_default()),
        first => {
            let quick = args.iter().any(|a| a == "--quick");
            let plan = if quick { Plan::quick() } else { Plan::full() };
            let mut table = Table::default();
            match first {
                Some("history") => history::measure(&plan, &mut table)?,
                Some("rules") => pack::measure(&plan, &mut table)?,
                Some("platforms") => {
                    return runtime.block_on(platforms::tell(numbers(&args).as_deref()));
                }
                Some("restarts") => {
                    return runtime.block_on(restarts::tell(numbers(&args).as_deref()));
                }
                Some("opening") => drop(runtime.block_on(opening::measure(&mut table))?),
                Some("stories") => {
                    let only = args.get(1).filter(|arg| !arg.starts_with("--"));
                    let page = numbers(&args);
                    return runtime.block_on(tell(only.map(String::as_str), page.as_deref()));
                }
                _ => {
                    let page = numbers(&args);
                    return bench_all(&runtime, plan, quick, page.as_deref());
                }
            }
            table.print();
            Ok(())
        }
    }
}

/// The file that what was found is written down in.
fn numbers(args: &[String]) -> Option<PathBuf> {
    let at = args.iter().position(|arg| arg == "--numbers")?;
    args.get(at + 1).map(PathBuf::from)
}

fn bench_all(
    runtime: &tokio::runtime::Runtime,
    plan: Plan,
    quick: bool,
    page: Option<&Path>,
) -> Result<()> {
    runtime.block_on(async {
        tokio::time::timeout(LIMIT, bench(plan)).await??;
        if quick {
            return Ok(());
        }
        platforms::tell(page).await?;
        restarts::tell(page).await?;
        match page {
            Some(page) => tell(None, Some(page)).await,
            None => Ok(()),
        }
    })
}

/// Plays the stories, and opens ten thousand incidents.
async fn tell(only: Option<&str>, page: Option<&Path>) -> Result<()> {
    let mut table = Table::default();
    let opening = opening::measure(&mut table).await?;
    table.print();
    let played = tokio::time::timeout(LIMIT, stories::play(only)).await??;
    stories::write(page, &played, &opening)
}

async fn bench(plan: Plan) -> Result<()> {
    let began = testbed::time::now();
    println!(
        "{} jobs in {} clusters, poll {:?}, checkpoints every {:?}; {} CPU rounds of {} polls, {} failures",
        plan.jobs(),
        plan.clusters,
        plan.poll,
        plan.checkpoints,
        plan.rounds,
        plan.polls_per_round,
        plan.failures,
    );
    let mut table = Table::default();
    // First of all, alone: the only figure that is wall time of this process itself.
    step::measure(&plan, &mut table).await?;
    pack::measure(&plan, &mut table)?;
    history::measure(&plan, &mut table)?;
    let dir = tempfile::tempdir()?;
    let (lean, lag) = (dir.path().join("lean"), dir.path().join("lag"));
    std::fs::create_dir(&lean)?;
    std::fs::create_dir(&lag)?;
    let mut scene = scenario::Scene::open(&plan, &lean, None).await?;
    let mut with_lag = scenario::Scene::open(&plan, &lag, Some(5_000)).await?;
    rounds::measure(&plan, &mut scene, &mut with_lag, &mut table).await?;
    with_lag.close().await?;
    latency::measure(&plan, &mut scene, &mut table).await?;
    rounds::after(&plan, &scene, &mut table).await?;
    scene.close().await?;
    rounds::store(&plan, &lean, &mut table)?;
    table.print();
    println!("took {:.0} s", testbed::time::since(began).as_secs_f64());
    Ok(())
}
