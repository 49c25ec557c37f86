//! The engine: a synchronous, deterministic step, and the shell that performs its effects.

mod ask;
mod by_hand;
mod checkpoints;
mod command;
mod commander;
mod errands;
mod explain;
mod find;
mod guard;
mod inbound;
#[cfg(test)]
mod inventory_tests;
mod own;
mod picture;
mod record;
mod reload;
mod restart;
mod routes;
mod run;
mod schedule;
mod silence;
mod step;
mod taken;
mod view;
mod why;

pub use ask::{AskError, Asker};
pub use checkpoints::Checkpoints;
pub use commander::{CommandError, Commander};
pub use explain::{
    Answer, Counts, Explanation, MAX_EXPLANATIONS, OfIncident, Question, RuleReport,
};
pub use find::{NotFound, key_among};
pub use record::{base, outgoing};
pub use reload::Reload;
pub use routes::{RouteAnswer, RouteQuestion};
pub use run::{Health, InForce, Order, Shell, ShellParts, TroubleTeller};
pub use step::{Effect, Engine, EngineSettings, Input};
pub use view::{
    ChannelView, InventoryView, JobView, JobViews, RestartCounts, RuleView, SourceView, View,
    Waiting,
};
pub use why::{WhyAnswer, WhyQuestion};
