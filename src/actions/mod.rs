//! What Weir does about trouble: restarts.
//!
//! Decides, without a look at anything but what is known: whether a job is restarted, when, and from
//! which checkpoint. Whoever carries it out is a driver ([`drivers`]); whether a checkpoint is still
//! there, [`stores`] tell. Nothing else reaches out.

pub mod drivers;
mod errand;
pub mod stores;

pub use errand::{Errand, LookedUp, OfInventory, Order, Started, Stopped, Task, Told};
