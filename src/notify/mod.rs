//! When people are told, and what together with what; rendering; channels.
//!
//! The pipeline decides *when and together with what*; it is the only owner of "was this channel
//! already told". What is news is decided by [`crate::incidents`].
//!
//! Before it may be grouped, a notice is held while another incident explains it, while the calendar
//! of its route mutes it, or until the hour its route keeps it for (`hold`). `steps` writes down what held a
//! notice on its way; `summary` counts what happens and tells it when a receiver wants it.

mod acknowledge;
mod backoff;
mod budget;
mod cards;
pub mod channels;
mod compose;
mod delivery;
mod fallback;
mod flush;
mod hold;
mod inplace;
mod ledger;
mod live;
mod pipeline;
mod print;
mod reload;
pub mod render;
mod revise;
mod settings;
mod silenced;
mod standing;
mod steps;
pub mod summary;
#[cfg(test)]
mod testing;
mod view;
mod ways;

pub use compose::name_of;
pub use pipeline::{ChannelHealth, Composers, Flushed, Pipeline};
pub use settings::{
    Budget, ChannelPlan, Edits, Fallback, GroupBy, ReceiverPlan, Route, Settings, Storm,
};
/// Group key of a digest of what a route's `hold_until` kept.
pub(crate) const HELD_DIGEST: &str = "hold_until";

pub use view::{Affected, Compose, Composed, ItemView, Known, Language, MessageView};
pub use ways::{Step, Way};

#[cfg(test)]
mod pager_tests;
pub use summary::{SummaryAt, SummaryView};
