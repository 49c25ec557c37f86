//! When people are told, and what together with what; rendering; channels.
//!
//! The pipeline decides *when and together with what*; it is the only owner of "was this channel
//! already told". What is news is decided by [`crate::incidents`].

mod backoff;
mod budget;
mod cards;
pub mod channels;
mod compose;
mod delivery;
mod flush;
mod inplace;
mod ledger;
mod live;
mod pipeline;
mod print;
mod reload;
pub mod render;
mod revise;
mod settings;
mod view;

pub use pipeline::{ChannelHealth, Composers, Flushed, Pipeline};
pub use settings::{Budget, ChannelPlan, Edits, GroupBy, ReceiverPlan, Route, Settings, Storm};
pub use view::{Compose, Composed, ItemView, Language, MessageView};
