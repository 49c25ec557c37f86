//! `weir watch --once`: two looks, a report, and an exit code.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Failure, output, report};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::engine::{Effect, Engine, Input};
use crate::model::{Demand, Loaded, Snapshot};
use crate::notify::Composers;
use crate::rules::RuleSet;
use crate::sources::Source;

/// The metric store of a cluster is filled by asking it: the second look sees what the first asked.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1_500);

pub(super) async fn run(config: Config, rules: RuleSet) -> Result<(), Failure> {
    crate::http::install_tls();
    let clock = SystemClock::anchored(None);
    let settings = app::engine_settings(&config);
    let mut engine = Engine::new(settings, rules, Composers::new(), &Loaded::default());
    let demand = engine.demand();
    let mut sources = app::sources(&config)?;
    let mut view = None;
    for look in 0..2 {
        if look > 0 {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        output::progress(&format!("looking at {} clusters …", sources.len()));
        for snapshot in look_at_all(&mut sources, &demand, &clock).await {
            for effect in engine.step(clock.now(), Input::Snapshot(Box::new(snapshot))) {
                if let Effect::Publish(next) = effect {
                    view = Some(next);
                }
            }
        }
    }
    output::end_progress();
    let view = view.unwrap_or_default();
    let report = report::health(&view, clock.now());
    output::say(&report.text);
    if report.needs_somebody { Err(Failure::Found) } else { Ok(()) }
}

async fn look_at_all(
    sources: &mut [Box<dyn Source>],
    demand: &Demand,
    clock: &SystemClock,
) -> Vec<Snapshot> {
    join_all(sources.iter_mut().map(|source| source.poll(demand, clock.now()))).await
}
