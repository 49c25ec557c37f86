//! The pure step alone, on snapshots the real source took of the fleet in virtual time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use weir::app;
use weir::engine::{Effect, Engine, Input, View};
use weir::model::{Loaded, Snapshot, Time};
use weir::notify::Composers;
use weir::notify::channels::{Parts, People};
use weir::notify::render::Templates;

use crate::scenario::Plan;
use crate::table::{Goal, Table, quantile, spread};
use crate::testbed::fleet::{Fleet, FleetOptions, Version};
use crate::testbed::time;

/// 2026-11-21.
const T0: i64 = 1_795_219_700_000;

/// Takes the looks, then plays them to an engine.
pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let fleet = Fleet::start(FleetOptions {
        checkpoint_interval_ms: Some(plan.checkpoints.as_millis() as i64),
        virtual_now_ms: Some(T0),
        ..FleetOptions::of(plan.clusters, plan.jobs_per_cluster, Version::V1_20)
    })
    .await?;
    let urls: Vec<String> = (0..plan.clusters).map(|c| fleet.url(c)).collect();
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("weir.yaml");
    std::fs::write(&file, plan.config(&urls, "http://127.0.0.1:1/hook"))?;
    let (config, _) = weir::config::load(&file, &weir::config::process_env)
        .map_err(|problems| anyhow!("{problems:?}"))?;
    let rules = app::read_rules(&config).map_err(|p| anyhow!("{p:?}"))?;
    let rule_count = rules.set.rules.len();
    let parts = Parts {
        templates: Arc::new(Templates::shipped()),
        sink: Arc::new(|_: &str| {}),
        people: People::default(),
    };
    let composers: Composers = app::channels(&config, &parts)?
        .into_iter()
        .map(|(id, channel)| (id, Arc::new(app::ComposedBy(channel)) as _))
        .collect();
    let loaded = Loaded { installation: "bench".to_owned(), ..Loaded::default() };
    let mut engine = Engine::new(app::engine_settings(&config), rules.set, composers, &loaded);

    let looks = record(plan, &fleet, &config, &engine).await?;
    let (mut took, mut written) = (Vec::new(), 0_usize);
    // The page holds the last picture while the next one is made.
    let mut shown = None;
    for (at, snapshot) in looks {
        let began = time::now();
        let effects = engine.step(Time::at(at), Input::Snapshot(Box::new(snapshot)));
        let used = time::since(began).as_secs_f64() * 1e6;
        shown = effects.iter().rev().find_map(published).or(shown);
        // The first two looks at every cluster fill the tables.
        if at >= T0 + 2 * plan.poll.as_millis() as i64 {
            took.push(used);
            written += effects.iter().filter(|e| matches!(e, Effect::Persist(_))).count();
        }
    }
    drop(shown);
    let median = quantile(&took, 0.5);
    let note = format!("{} µs; {} of {} wrote something", spread(&took), written, took.len());
    let what = format!("step of a {}-job snapshot", plan.jobs_per_cluster);
    table.row(&what, median, "µs", Goal::None, &note);
    let mean = took.iter().sum::<f64>() / took.len().max(1) as f64;
    let judged = (rule_count * plan.jobs_per_cluster) as f64;
    let note = format!("{rule_count} rules, whole step counted, mean {mean:.0} µs");
    table.row("rule evaluations", judged / mean * 1e6, "/s", Goal::None, &note);
    Ok(())
}

fn published(effect: &Effect) -> Option<Arc<View>> {
    if let Effect::Publish(view) = effect { Some(Arc::clone(view)) } else { None }
}

/// Looks at every cluster again and again, one poll interval of virtual time apart.
async fn record(
    plan: &Plan,
    fleet: &Fleet,
    config: &weir::config::Config,
    engine: &Engine,
) -> Result<Vec<(i64, Snapshot)>> {
    let mut sources = app::sources(config)?;
    let demand = engine.demand();
    let step = plan.poll / u32::try_from(plan.clusters)?;
    let mut looks = Vec::new();
    for round in 0..plan.looks {
        let base = T0 + round as i64 * plan.poll.as_millis() as i64;
        fleet.set_now(base);
        // All at once: the first look of each waits for its metrics to move.
        let polls = sources.iter_mut().enumerate().map(async |(index, source)| {
            let offset = step * u32::try_from(index).unwrap_or(0);
            let at = base + offset.as_millis() as i64;
            let limit = Duration::from_secs(20);
            let look = tokio::time::timeout(limit, source.poll(&demand, Time::at(at))).await;
            look.map(|snapshot| (at, snapshot))
        });
        for look in futures_util::future::join_all(polls).await {
            looks.push(look?);
        }
    }
    Ok(looks)
}
