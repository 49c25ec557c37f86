//! Flink's `HistoryServer` as the last word on runs whose cluster is gone. It shows no jobs of its
//! own: what it says of a run goes into a snapshot under no key, and the tracker finds whose it is.

mod config;
mod memory;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::clock::{Clock, SystemClock};
use crate::http::{HttpClient, HttpError, Response};
use crate::model::{
    Completeness, Demand, Failure, JobKey, JobState, RunObservation, Seen, Snapshot, Time,
};

use super::flink::archive::{self, Ended};
use super::{Allowance, Settings as _, Shows, Source};
use memory::Memory;

pub use config::HistoryServerConfig;

const MIB: usize = 1024 * 1024;
/// Root causes read in one look.
const CAUSES: usize = 20;

/// A `HistoryServer`.
#[derive(Debug)]
pub struct HistorySource {
    config: HistoryServerConfig,
    poller: String,
    client: HttpClient,
    bases: Vec<String>,
    /// It said once what it is.
    known: bool,
    memory: Memory,
    stopwatch: SystemClock,
}

/// What a look cost.
#[derive(Debug, Default, Clone, Copy)]
struct Cost {
    requests: u32,
    bytes: u64,
}

impl HistorySource {
    /// A source for `config`. `allowance` holds where it has none of its own; `poller` names this
    /// process in its snapshots.
    ///
    /// # Errors
    /// When an address or a setting makes no sense, or certificates cannot be read.
    pub fn new(
        config: HistoryServerConfig,
        allowance: Allowance,
        poller: &str,
    ) -> Result<HistorySource, HttpError> {
        if let Some((what, hint)) = config.problems().into_iter().next() {
            return Err(HttpError::Config { what, hint });
        }
        let trim = |url: &String| url.trim_end_matches('/').to_owned();
        Ok(HistorySource {
            client: HttpClient::build(&config.http(allowance))?,
            poller: poller.to_owned(),
            bases: config.urls.iter().map(trim).collect(),
            known: false,
            memory: Memory::default(),
            stopwatch: SystemClock::anchored(None),
            config,
        })
    }

    async fn look(&mut self, demand: &Demand) -> Snapshot {
        let started = self.stopwatch.now().steady;
        let mut cost = Cost::default();
        let wanted: BTreeSet<&str> = demand.ends.iter().map(String::as_str).collect();
        let found = self.ask(&wanted, &mut cost).await;
        let took = self.stopwatch.now().steady.since(started);
        let blank = Snapshot::failed(&self.config.name, &self.poller, String::new(), false);
        let snapshot = match found {
            Ok(runs) => Snapshot { completeness: Completeness::Complete, runs, ..blank },
            Err(error) => Snapshot::failed(&self.config.name, &self.poller, error, false),
        };
        Snapshot {
            took_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
            requests: cost.requests,
            bytes: cost.bytes,
            ..snapshot
        }
    }

    /// What it says about the wanted runs. Asked for none, it is left alone once it is known to be
    /// what it should be.
    async fn ask(
        &mut self,
        wanted: &BTreeSet<&str>,
        cost: &mut Cost,
    ) -> Result<Vec<RunObservation>, String> {
        if !self.known {
            let (answer, base) = self.get("config", MIB, cost).await.map_err(|e| e.explain())?;
            if archive::is_history_server(&answer).map_err(|e| e.explain())? == Some(false) {
                return Err(format!(
                    "{base} is a JobManager, not a HistoryServer (make it a `flink` source)"
                ));
            }
            self.known = true;
        }
        self.memory.keep(wanted);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.get("jobs/overview", 64 * MIB, cost).await;
        let ended =
            listed.and_then(|(answer, _)| archive::ended(&answer, |id| wanted.contains(id)));
        let ended = ended.map_err(|error| error.explain())?;
        let mut runs = Vec::with_capacity(ended.len());
        let mut left = CAUSES;
        for one in ended {
            if one.state == JobState::Failed && self.memory.wants_cause(&one.run) {
                if left == 0 {
                    continue;
                }
                left -= 1;
                let path = format!("jobs/{}/exceptions", one.run.job_id);
                let answer = self.get(&path, 4 * MIB, cost).await;
                let read = answer.and_then(|(answer, _)| archive::failures(&answer));
                if let Err(error) = &read {
                    tracing::debug!(job_id = %one.run.job_id, %error, "no archived root cause");
                }
                self.memory.read(&one.run, read.ok());
            }
            if let Some(failures) = self.memory.word_on(&one.run, one.state) {
                runs.push(observation(one, failures));
            }
        }
        Ok(runs)
    }

    /// The first answer, and who gave it.
    async fn get(
        &self,
        path: &str,
        cap: usize,
        cost: &mut Cost,
    ) -> Result<(Response, String), HttpError> {
        let mut first = None;
        for base in &self.bases {
            cost.requests += 1;
            match self.client.get(&format!("{base}/{path}"), cap).await {
                Ok(answer) => {
                    cost.bytes += answer.body.len() as u64;
                    return Ok((answer, base.clone()));
                }
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or(HttpError::Config {
            what: "`urls` is empty".to_owned(),
            hint: "name the HistoryServer, such as http://history:8082".to_owned(),
        }))
    }
}

/// A run that ended, whoever's it is.
fn observation(ended: Ended, failures: Seen<Vec<Failure>>) -> RunObservation {
    RunObservation {
        key: JobKey::default(),
        flink_job_name: ended.name.clone(),
        name: ended.name,
        run: ended.run,
        state: ended.state,
        end_time: ended.end_time,
        failures,
        ..RunObservation::default()
    }
}

impl Source for HistorySource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn shows(&self) -> Shows {
        Shows::Ends
    }

    fn poll<'a>(&'a mut self, demand: &'a Demand, _: Time) -> BoxFuture<'a, Snapshot> {
        self.look(demand).boxed()
    }
}
