//! YARN as a source: the ResourceManager lists Flink's applications, each is looked into by Flink's
//! own REST API (`sources::flink`), and where Flink is silent YARN's word has to do.
//!
//! A few requests per poll go to the ResourceManager, whatever the number of applications
//! (`master`, `ha`, `answer`). What its word on an application means is decided by `decide` and
//! `diagnostics`, what its jobs are called by `naming`, and whether the listing is to be believed by
//! `grace`: pure, all of them. `known` puts them together for one application, `look` for a poll.
//!
//! What cannot be seen is not news about a job: while no ResourceManager answers, or one has just
//! been restarted and does not list everything yet, the source is unreachable, and the jobs whose
//! JobManagers still answer are watched without it.

mod address;
mod answer;
mod app;
mod config;
mod decide;
mod diagnostics;
mod errand;
mod grace;
mod ha;
mod identity;
mod known;
mod look;
#[cfg(test)]
mod look_tests;
mod master;
mod naming;
mod ways;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::http::{HttpClient, HttpError};
use crate::model::{Demand, Snapshot, Time, Ts};

use super::flink::Wanted;
use super::{Allowance, Source};
use errand::{Clients, Errands, Reached};
use grace::Grace;
use known::Known;
use master::Masters;

pub use config::{JobManagersConfig, Via, YarnConfig};

/// The Flink applications of a YARN cluster.
#[derive(Debug)]
pub struct YarnSource {
    config: Arc<YarnConfig>,
    poller: String,
    timeout: Duration,
    /// Pages as people reach them.
    ui: String,
    masters: Masters,
    errands: Errands,
    grace: Grace,
    apps: BTreeMap<String, Entry>,
    /// What the jobs of applications are asked for, and what those of sessions.
    wanted: Arc<Wanted>,
    wanted_of_sessions: Arc<Wanted>,
    /// JobManagers answer through the proxy only.
    proxied: bool,
    /// Wall time of the last look that succeeded.
    listed_at: Option<Ts>,
    /// Not asked again before this time: why.
    hopeless: Option<(Ts, String)>,
    offset: Option<i64>,
    version: Option<String>,
}

/// An application, and its Flink as far as it was reached.
#[derive(Debug)]
struct Entry {
    known: Known,
    reached: Option<Reached>,
    /// The way by which it answered last.
    last: Option<ways::Way>,
}

impl YarnSource {
    /// A source for `config`. `allowance` holds where the source has none; `poller` names this
    /// process in its snapshots.
    ///
    /// # Errors
    /// When an address or a setting makes no sense, or certificates cannot be read.
    pub fn new(
        config: YarnConfig,
        allowance: impl Into<Allowance>,
        poller: &str,
    ) -> Result<YarnSource, HttpError> {
        if let Some((what, hint)) = config.problems().into_iter().next() {
            return Err(HttpError::Config { what, hint });
        }
        let allowance = allowance.into();
        let yarn = Arc::new(HttpClient::build(&config.http(allowance))?);
        let direct = HttpClient::build_for_many(&config.jobmanagers_http(allowance))?;
        let (timeout, proxied) = (yarn.timeout(), Arc::clone(&yarn));
        let config = Arc::new(config);
        let masters = Masters::new(Arc::clone(&config), yarn);
        let ui = config.ui_url.clone().unwrap_or_else(|| masters.first_web().to_owned());
        Ok(YarnSource {
            poller: poller.to_owned(),
            timeout,
            ui: ui.trim_end_matches('/').to_owned(),
            masters,
            errands: Errands::new(Clients { direct, proxied, poller: poller.to_owned() }),
            grace: Grace::new(config.grace()),
            apps: BTreeMap::new(),
            wanted: Arc::default(),
            wanted_of_sessions: Arc::default(),
            proxied: false,
            listed_at: None,
            hopeless: None,
            offset: None,
            version: None,
            config,
        })
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &YarnConfig {
        &self.config
    }
}

impl Source for YarnSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn poll<'a>(&'a mut self, demand: &'a Demand, now: Time) -> BoxFuture<'a, Snapshot> {
        self.look(demand, now).boxed()
    }
}
