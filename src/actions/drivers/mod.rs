//! Drivers: how a job is started again. Each reads the proof of death once more just before it
//! sends anything, sends at most one order per call, and never tries again by itself.
//!
//! To add one: a file with a `Config` that implements `Settings`, its `mod` and its line in
//! `drivers!` below.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{LookedUp, OfInventory, Order, Started, Stopped};

mod command;
mod console;
mod dinky;
mod examine;
mod flink_jar;
mod flink_operator;
mod flink_rest;
mod gateway;
mod operator_examine;
mod operator_guard;
mod parts;
mod sql_gateway;
mod sql_script;
mod streampark;
#[cfg(test)]
mod testing;

pub use examine::{Finding, Sight};
pub use parts::{ApiAccess, FlinkAccess, KubernetesAccess, Parts};

/// How a job is started again. Bounded in time; a dropped future may have sent its order.
pub trait Driver: Send + Sync {
    /// Starts the job, once, if it is still dead. What is not known to have failed is `Unclear`.
    fn start<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Started>;

    /// Whether a former `start` with the same handle came to something.
    fn look_up<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, LookedUp>;

    /// Looks whether it could start jobs such as these; nothing is changed.
    fn examine<'a>(&'a self, jobs: &'a [Sight]) -> BoxFuture<'a, Vec<Finding>>;

    /// Stops the run `order.dead`, with a savepoint if that can be had in time, else without one.
    /// Called again with the same order, it does not begin anew.
    fn stop<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Stopped> {
        let error = format!("this driver cannot stop {}", order.job);
        Box::pin(std::future::ready(Stopped::Runs { error }))
    }

    /// Cancels the run of this id, which this restart has started.
    ///
    /// # Errors
    /// When it may run on; bounded, without secrets.
    fn cancel<'a>(
        &'a self,
        _order: &'a Order,
        job_id: &'a str,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready(Err(format!("this driver cannot cancel {job_id}"))))
    }
}

/// What the core has to know of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traits {
    /// It starts one program, whatever the job is called: its entry has to name one job.
    pub one_program: bool,
    /// Its handle is Flink's id of the new run: a second order of the same handle is refused.
    pub handle: bool,
    /// It can stop a run that is to be replaced.
    pub stops: bool,
    /// The platform restarts the job in place (an operator's resource): it need not be dead first.
    pub in_place: bool,
    /// It needs an inventory that knows the job.
    pub inventory: bool,
}

/// Why a driver cannot be built, with the way out; never with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

/// What the configuration of every kind of driver can tell.
pub(crate) trait Settings {
    /// What the core has to know.
    fn traits(&self) -> Traits;
    /// What is wrong beyond the shape, each with the way out.
    fn problems(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// The running driver.
    fn build(&self, parts: &Parts) -> Result<Arc<dyn Driver>, BuildError>;
}

/// The one list of drivers.
macro_rules! drivers {
    ($($(#[doc = $doc:literal])* $kind:ident => $variant:ident),* $(,)?) => {
        /// How a job is started again: the kind of driver and its configuration.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum DriverConfig {
            $($(#[doc = $doc])* $variant($kind::Config),)*
        }

        impl DriverConfig {
            /// All kinds, for error messages and documentation.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($kind)),*];

            /// Its kind, such as `flink_jar`.
            pub fn kind(&self) -> &'static str {
                match self { $(DriverConfig::$variant(_) => stringify!($kind),)* }
            }

            fn settings(&self) -> &dyn Settings {
                match self { $(DriverConfig::$variant(config) => config,)* }
            }
        }
    };
}

drivers! {
    /// Runs a jar on a session cluster, by Flink's REST API.
    flink_jar => FlinkJar,
    /// Asks the Flink Kubernetes Operator, by the resource the job is made of.
    flink_operator => FlinkOperator,
    /// Gives a job in SQL to a SQL Gateway, statement by statement.
    sql_gateway => SqlGateway,
    /// Starts a job of StreamPark by StreamPark.
    streampark => Streampark,
    /// Submits a task of Dinky by Dinky.
    dinky => Dinky,
    /// Runs a program, such as `flink`.
    command => Command,
}

impl DriverConfig {
    /// What the core has to know of it.
    pub fn traits(&self) -> Traits {
        self.settings().traits()
    }

    /// What is wrong with it beyond its shape: what, and the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        self.settings().problems()
    }

    /// Builds the running driver.
    ///
    /// # Errors
    /// When something in its configuration cannot be used; the text says what and the way out.
    pub fn build(&self, parts: &Parts) -> Result<Arc<dyn Driver>, BuildError> {
        self.settings().build(parts)
    }
}
