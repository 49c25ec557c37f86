//! What people get to read when things go wrong: each story is played to the real Weir, and its
//! events go as alerts to the real Alertmanager, both in front of a bot with a vendor's limits.
//!
//! Time runs faster for both alike: the polls, every wait and interval of either, and the stories.
//! What is not scaled (the vendor's limits, the machine's own work) is said on the page.

mod feed;
mod page;
mod plot;
mod relay;
mod stage;
mod told;

use std::path::Path;

use anyhow::Result;

pub(crate) use page::write;
pub(crate) use plot::Plot;
pub(crate) use told::Outcome;

use crate::testbed::alertmanager;
use stage::Stage;

/// What a run found: a story and its outcome.
pub(crate) struct Played {
    pub(crate) peer: std::result::Result<String, String>,
    pub(crate) outcomes: Vec<(Plot, Outcome)>,
}

/// Plays all stories, or those whose title has this in it. Those that last longest are played beside
/// the short ones, which follow each other.
pub(crate) async fn play(only: Option<&str>) -> Result<Played> {
    let unpacked = alertmanager::unpacked().await;
    let peer = unpacked.as_ref().ok().map(std::path::PathBuf::as_path);
    let wanted = |plot: &Plot| only.is_none_or(|part| plot.title().contains(part));
    let lanes: [Vec<Plot>; 3] = [
        vec![Plot::Outage],
        vec![Plot::Unreachable],
        vec![Plot::CrashLoop, Plot::Flapping, Plot::Applications, Plot::Planned],
    ];
    let lanes = lanes.map(|lane| async move {
        let mut outcomes = Vec::new();
        for plot in lane.into_iter().filter(wanted) {
            outcomes.push((plot, one(plot, peer).await?));
        }
        anyhow::Ok(outcomes)
    });
    let mut outcomes: Vec<(Plot, Outcome)> =
        futures_util::future::try_join_all(lanes).await?.into_iter().flatten().collect();
    outcomes.sort_by_key(|(plot, _)| *plot);
    let version = outcomes.iter().find_map(|(_, o)| o.peer_version.clone());
    let peer = match unpacked {
        Ok(_) => Ok(version.unwrap_or_default()),
        Err(error) => Err(format!("{error:#}")),
    };
    Ok(Played { peer, outcomes })
}

async fn one(plot: Plot, peer: Option<&Path>) -> Result<Outcome> {
    let stage = Stage::open(plot, peer).await?;
    let marks = plot.play(&stage).await?;
    stage.settle(plot).await?;
    let outcome = stage.outcome(plot, marks).await?;
    stage.close().await?;
    Ok(outcome)
}
