//! Command: a program of one's own gets the message, for whatever has no channel here. No shell is
//! between: the program is started with its arguments as they are written.
//!
//! Its standard input is the webhook's body (Alertmanager's version 4 with our fields), so that a
//! program is written once for both. Its exit code decides: 0 delivered, 75 (`EX_TEMPFAIL`) not now,
//! anything else refused, with the first line of its standard error as the reason.

mod facts;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::options::{BudgetConfig, TIMEOUT_BOUNDS, bounded, endpoint_hash};
use super::webhook::body;
use super::{BuildError, Channel, Parts, Settings};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};
use crate::program;

/// How long a program may take when nothing is configured.
const TIMEOUT: Duration = Duration::from_secs(30);
/// More alerts than that are counted.
const MAX_ALERTS: usize = 100;

/// Runs a program for each message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// The program and its arguments. There is no shell: nothing in them is expanded.
    pub argv: Vec<String>,
    /// Its environment besides `PATH`, `HOME` and `WEIR_*`; nothing else of Weir's is passed on.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: BTreeMap<String, SecretString>,
    /// Time limit, at most 2m; then it and all it started is killed. 30s if it is left out.
    pub timeout: Option<SignedDuration>,
    /// Also tell when it is over; yes if it is left out.
    pub send_resolved: Option<bool>,
    /// At most so many alerts in one body; the rest is counted in `truncatedAlerts`. 100 if it is
    /// left out.
    pub max_alerts: Option<usize>,
    /// Hard limit; none if it is left out.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn program(&self) -> Result<&str, BuildError> {
        program::check(&self.argv, &self.env)
            .map_err(|(what, hint)| BuildError(format!("{what} ({hint})")))
    }

    fn composer(&self, parts: &Parts) -> body::Composer {
        let max_alerts = self.max_alerts.unwrap_or(MAX_ALERTS);
        body::Composer { templates: Arc::clone(&parts.templates), max_alerts }
    }
}

fn check_exists(program: &str, path: Option<&OsStr>) -> Result<(), BuildError> {
    program::check_exists(program, path).map_err(BuildError)
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        self.budget.map(BudgetConfig::budget).into_iter().collect()
    }

    fn send_resolved(&self) -> bool {
        self.send_resolved.unwrap_or(true)
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        self.program()?;
        Ok(endpoint_hash("command", &self.argv.join("\0")))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        Ok(Box::new(self.composer(parts)))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        check_exists(self.program()?, std::env::var_os("PATH").as_deref())?;
        let program = run::Program {
            argv: self.argv.clone(),
            env: self.env.clone(),
            limit: bounded(self.timeout, TIMEOUT, TIMEOUT_BOUNDS),
            place: tokio::sync::Semaphore::new(1),
        };
        Ok(Box::new(Command { composer: self.composer(parts), program }))
    }
}

struct Command {
    composer: body::Composer,
    program: run::Program,
}

impl Channel for Command {
    fn composer(&self) -> &dyn Compose {
        &self.composer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        key: &'a str,
        _: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(async move {
            let facts = facts::of(message, key);
            self.program.run(&message.frozen.body, &facts).await
        })
    }
}
