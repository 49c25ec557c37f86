//! When people are told, and what together with what; rendering; channels.
//!
//! The pipeline decides *when and together with what*; it is the only owner of "was this channel
//! already told". What is news is decided by [`crate::incidents`]. `steps` writes down what held a
//! notice on its way; `summary` counts what happens and tells it when a receiver wants it.

mod backoff;
mod budget;
pub mod channels;
mod compose;
mod delivery;
mod flush;
mod ledger;
mod pipeline;
mod reload;
pub mod render;
mod revise;
mod settings;
mod steps;
pub mod summary;
mod view;

pub use compose::name_of;
pub use pipeline::{ChannelHealth, Composers, Flushed, Pipeline};
pub use settings::{Budget, ChannelPlan, GroupBy, ReceiverPlan, Route, Settings, Storm};
pub use summary::{SummaryAt, SummaryView};
pub use view::{Compose, Composed, ItemView, Language, MessageView};
