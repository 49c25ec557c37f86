//! What Weir does about trouble: restarts.
//!
//! Decides, without a look at anything but what is known: whether a job is restarted, when, and from
//! which checkpoint. Whoever carries it out is a driver ([`drivers`]); whether a checkpoint is still
//! there, [`stores`] tell. Nothing else reaches out.

mod ask;
pub mod drivers;
mod follow;
mod guards;
mod holds;
mod perform;
mod plan;
mod restarts;
mod row;
mod say;
mod send;
mod settings;
pub mod stores;
#[cfg(test)]
pub(crate) mod testing;
mod verify;
mod words;
mod world;

pub(crate) use crate::model::{LookedUp, OfInventory, Order, Started, Stopped};
pub use ask::Asked;
pub use holds::{Hold, Weight};
pub use perform::{Drivers, Performer};
pub use restarts::{Paused, Restarts, Stepped};
pub use settings::{Limits, Mode, Policy, Settings};
pub use world::World;
