//! Plays scenarios on one release of Flink and judges them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::future;

use super::list::{self, Play, Scenario};
use super::stage::{Setting, Stage};
use super::verdict::{Act, Cell, Seen, judge};
use crate::testbed::{time, tools};

/// Longest one scenario may take; what is not done then has failed.
const LIMIT: Duration = Duration::from_mins(5);

/// How much later than two polls an alert is still waited for: a late one says more than a missed
/// one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Polls that must bring no further alert.
const SETTLE: u64 = 3;

/// Plays these scenarios: the sociable ones together, then the others one by one. Cells by name.
///
/// # Errors
/// When a scenario has no row. What goes wrong with Flink is in the cells.
pub(crate) async fn play(
    setting: &Setting,
    scenarios: &[&'static Scenario],
) -> Result<BTreeMap<&'static str, Cell>> {
    let mut cells = BTreeMap::new();
    let mut playable = Vec::new();
    for scenario in scenarios {
        let row = setting.expected.row(scenario.name)?;
        match row.not_applicable(&setting.version) {
            Some(why) => {
                cells.insert(scenario.name, Cell::NotApplicable(why.to_owned()));
            }
            None => playable.push(*scenario),
        }
    }
    let sociable: Vec<_> =
        playable.iter().copied().filter(|s| matches!(s.play, Play::Together(_))).collect();
    if !sociable.is_empty() {
        match together(setting, &sociable).await {
            Ok(played) => cells.extend(played),
            Err(error) => {
                let broken = Cell::Broken(format!("{error:#}"));
                told(setting, "shared cluster", &broken);
                cells.extend(sociable.iter().map(|s| (s.name, broken.clone())));
            }
        }
    }
    for scenario in playable {
        if let Play::Alone(..) = scenario.play {
            let played = alone(setting, scenario).await;
            let cell = played.unwrap_or_else(|error| Cell::Broken(format!("{error:#}")));
            told(setting, scenario.name, &cell);
            cells.insert(scenario.name, cell);
        }
    }
    Ok(cells)
}

async fn together(
    setting: &Setting,
    scenarios: &[&'static Scenario],
) -> Result<BTreeMap<&'static str, Cell>> {
    let stage = Stage::open(setting, &list::shared(scenarios.len())).await?;
    tools::note(&format!("{}: {} scenarios at once", setting.version, scenarios.len()));
    let on = &stage;
    let playing = scenarios.iter().copied().map(|scenario| async move {
        let Play::Together(play) = &scenario.play else { unreachable!("filtered") };
        let played = tokio::time::timeout(LIMIT, async {
            let act = play(on).await?;
            follow(setting, on, scenario, &act).await?;
            on.cancel(&act.jobs).await?;
            Ok(act)
        });
        let played = played.await.context("its time is over").and_then(|played| played);
        let seen = on.seen();
        match &played {
            Ok(act) => told(setting, scenario.name, &verdict(setting, scenario, act, &seen)),
            Err(error) => tools::note(&format!("{}: {error:#}", scenario.name)),
        }
        (scenario, played)
    });
    let played = future::join_all(playing).await;
    stage.polls(SETTLE).await?;
    let seen = stage.close().await?;
    let cells = played.into_iter().map(|(scenario, played)| {
        let cell = match played {
            // Judged at the very end: what came later counts too.
            Ok(act) => verdict(setting, scenario, &act, &seen),
            Err(error) => Cell::Broken(format!("{error:#}")),
        };
        (scenario.name, cell)
    });
    let mut cells: BTreeMap<_, _> = cells.collect();
    let cluster = seen.of_cluster();
    if !cluster.is_empty() {
        let why = format!("alerts of the shared cluster: {cluster:?}");
        cells.insert("shared-cluster", Cell::Broken(why));
    }
    Ok(cells)
}

async fn alone(setting: &Setting, scenario: &Scenario) -> Result<Cell> {
    let Play::Alone(wish, play) = &scenario.play else { unreachable!("filtered") };
    let mut stage = Stage::open(setting, &wish()).await?;
    let played = tokio::time::timeout(LIMIT, async {
        let act = play(&mut stage).await?;
        follow(setting, &stage, scenario, &act).await?;
        Ok(act)
    });
    let played = played.await.context("its time is over").and_then(|played| played);
    let seen = stage.close().await;
    Ok(verdict(setting, scenario, &played?, &seen?))
}

/// Waits until what must fire has fired, and then for what must not.
async fn follow(setting: &Setting, stage: &Stage, scenario: &Scenario, act: &Act) -> Result<()> {
    let row = setting.expected.row(scenario.name)?;
    let must = row.must(&setting.version);
    let wait = must.iter().map(|alert| setting.expected.wait(alert)).max().unwrap_or_default();
    let limit = wait + 2 * setting.poll + PATIENCE;
    let fired = time::wait_for("alerts", limit, || async {
        Ok(stage.seen().has(act, &setting.expected, must).then_some(()))
    });
    // A missed alert is the cell's business.
    fired.await.ok();
    // Where nothing must fire, and where others are waited for anyway, every rule gets the time to
    // make up its mind.
    let patient = must.is_empty() || matches!(scenario.play, Play::Together(_));
    let longest = if patient { setting.expected.longest_wait() } else { Duration::ZERO };
    let polls = longest.as_millis() / setting.poll.as_millis().max(1);
    stage.polls(u64::try_from(polls).unwrap_or(u64::MAX).saturating_add(SETTLE)).await
}

fn verdict(setting: &Setting, scenario: &Scenario, act: &Act, seen: &Seen) -> Cell {
    let row = match setting.expected.row(scenario.name) {
        Ok(row) => row,
        Err(error) => return Cell::Broken(format!("{error:#}")),
    };
    let must = row.must(&setting.version);
    let cell = Cell::Played(judge(row, must, act, seen, &setting.expected, setting.poll));
    if !cell.good() {
        tools::note(&format!("{}: {act:?}: {}", scenario.name, seen.about(act)));
    }
    cell
}

fn told(setting: &Setting, name: &str, cell: &Cell) {
    tools::note(&format!("{} {name}: {cell}", setting.version));
}
