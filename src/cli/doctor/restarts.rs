//! Whether each entry under `restarts` could start its jobs, and each of `checkpoint_stores` answers.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Checkup, Health, fits};
use crate::actions::Policy;
use crate::actions::drivers::Sight;
use crate::actions::stores::{Look, Stores};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::engine::{Effect, Engine, Input, JobView, View};
use crate::model::{InventoryEntry, JobKey, Labels, Snapshot};

/// What the looks at all sources make of the jobs: inventories first, which name none.
pub(super) fn view(engine: &mut Engine, snapshots: impl Iterator<Item = Snapshot>) -> Arc<View> {
    let clock = SystemClock::anchored(None);
    let mut snapshots: Vec<Snapshot> = snapshots.collect();
    snapshots.sort_by_key(|snapshot| !snapshot.runs.is_empty());
    let mut view = Arc::default();
    for snapshot in snapshots {
        for effect in engine.step(clock.now(), Input::Snapshot(Box::new(snapshot))) {
            if let Effect::Publish(next) = effect {
                view = next;
            }
        }
    }
    view
}

/// Looks at all of it.
pub(super) async fn look_over(config: &Config, view: &View, wholly: bool) -> Vec<Checkup> {
    let policies = &config.restarts.policies;
    let mut found = Vec::new();
    let stores = Stores::build(&config.restarts.stores);
    let looks = app::each_driver(config).into_iter().map(async |(name, kind, driver)| {
        let of_entry = |health, says| Checkup {
            about: "restart",
            name: Some(name.clone()),
            kind: Some(kind),
            health,
            says,
        };
        let jobs = of_policy(policies, &name, view);
        let sights: Vec<Sight> = jobs.iter().map(|job| sight(job)).collect();
        let mut checkups: Vec<Checkup> = match driver {
            Err(error) => vec![of_entry(Health::Failed, error)],
            Ok(driver) => {
                let findings = driver.examine(&sights).await;
                let checkup = |finding| match finding {
                    Ok(says) => of_entry(Health::Ok, says),
                    Err(says) => of_entry(Health::Failed, says),
                };
                findings.into_iter().map(checkup).collect()
            }
        };
        if let Ok(stores) = &stores
            && let Some(why) = unseen(stores, &jobs).await
        {
            checkups.push(of_entry(Health::Note, why));
        }
        checkups
    });
    found.extend(join_all(looks).await.into_iter().flatten());
    match &stores {
        Ok(stores) => {
            for (prefix, finding) in stores.examine().await {
                let (health, says) = match finding {
                    Ok(says) => (Health::Ok, says),
                    Err(says) => (Health::Failed, says),
                };
                let name = Some(prefix);
                found.push(Checkup { about: "checkpoint_store", name, kind: None, health, says });
            }
        }
        Err(error) => found.push(Checkup {
            about: "checkpoint_store",
            name: None,
            kind: None,
            health: Health::Failed,
            says: error.to_string(),
        }),
    }
    let jobs: Vec<(&JobKey, &Labels)> =
        view.jobs.values().map(|job| (&job.key, &job.labels)).collect();
    found.extend(fits::fits(policies, &jobs, wholly));
    found
}

/// The jobs that go by the entry of this name.
fn of_policy<'v>(policies: &[Arc<Policy>], name: &str, view: &'v View) -> Vec<&'v JobView> {
    let goes_by = |job: &&Arc<JobView>| {
        let first = policies.iter().find(|policy| policy.is_about(&job.labels));
        first.is_some_and(|policy| policy.name == name)
    };
    view.jobs.values().filter(goes_by).map(Arc::as_ref).collect()
}

fn sight(job: &JobView) -> Sight {
    let inventory = job.labels.get(InventoryEntry::LABEL);
    Sight {
        job: job.key.clone(),
        job_name: job.name.clone(),
        cluster: job.cluster.clone(),
        namespace: job.namespace.clone(),
        inventory: job.inventory.as_ref().map(|_| inventory.to_owned()),
    }
}

/// Why nobody can tell whether the checkpoints of these jobs are there: by the newest of one of them.
async fn unseen(stores: &Stores, jobs: &[&JobView]) -> Option<String> {
    let newest = |job: &&JobView| job.last_checkpoint.as_ref().map(|last| last.path.clone());
    let (job, path) = jobs.iter().find_map(|job| Some((&job.key, newest(job)?)))?;
    match stores.look(&path).await {
        // One that is gone may have been followed by another one since.
        Look::There | Look::Gone => None,
        Look::Unknown(why) => Some(format!(
            "whether checkpoints are there is not known before a restart, as of {job}: {why}"
        )),
    }
}
