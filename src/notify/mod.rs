//! When people are told, and what together with what; rendering; channels.
//!
//! The pipeline decides *when and together with what*; it is the only owner of "was this channel
//! already told". What is news is decided by [`crate::incidents`].
//!
//! Before it may be grouped, a notice is held while another incident explains it, while the calendar
//! of its route mutes it, or until the hour its route keeps it for (`hold`).

mod backoff;
mod budget;
pub mod channels;
mod compose;
mod delivery;
mod flush;
mod hold;
mod ledger;
mod pipeline;
mod reload;
pub mod render;
mod revise;
mod settings;
mod view;
mod ways;

pub use pipeline::{ChannelHealth, Composers, Flushed, Pipeline};
pub use settings::{Budget, ChannelPlan, GroupBy, ReceiverPlan, Route, Settings, Storm};
/// Group key of a digest of what a route's `hold_until` kept.
pub(crate) const HELD_DIGEST: &str = "hold_until";

pub use view::{Affected, Compose, Composed, ItemView, Language, MessageView};
pub use ways::{Step, Way};
