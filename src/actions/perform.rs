//! Who does what restarts want done: the driver of each entry, and whoever can look for a path.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::drivers::Driver;
use super::stores::Stores;
use crate::model::{Errand, LookedUp, Started, Stopped, Task, Told};

/// Does one thing, bounded in time.
pub trait Performer: Send + Sync {
    /// Does it, and tells what came of it.
    fn perform<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Told>;
}

/// The drivers of a configuration, by the names of their entries.
pub struct Drivers {
    /// By entry.
    pub drivers: BTreeMap<String, Arc<dyn Driver>>,
    /// Whoever can look for a path.
    pub stores: Stores,
}

impl Performer for Drivers {
    fn perform<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Told> {
        let order = &errand.order;
        if let Task::Check(paths) = &errand.task {
            return self.stores.check_all(paths).map(Told::Checked).boxed();
        }
        let Some(driver) = self.drivers.get(&errand.policy) else {
            return std::future::ready(no_driver(errand)).boxed();
        };
        match &errand.task {
            Task::Check(_) => std::future::ready(Told::Expired).boxed(),
            Task::Start => driver.start(order).map(Told::Started).boxed(),
            Task::LookUp => driver.look_up(order).map(Told::LookedUp).boxed(),
            Task::Stop => driver.stop(order).map(Told::Stopped).boxed(),
            Task::Cancel(id) => {
                driver.cancel(order, id).map(|done| Told::Cancelled(done.err())).boxed()
            }
        }
    }
}

/// Its entry has just left the configuration.
fn no_driver(errand: &Errand) -> Told {
    let error = format!("`{}` has no driver", errand.policy);
    match &errand.task {
        Task::Check(_) => Told::Expired,
        Task::Start => Told::Started(Started::Refused { error, unreadable: false }),
        Task::LookUp => Told::LookedUp(LookedUp::Undecided { error }),
        Task::Stop => Told::Stopped(Stopped::Runs { error }),
        Task::Cancel(_) => Told::Cancelled(Some(error)),
    }
}
