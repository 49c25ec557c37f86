//! When people are told, and what together with what; rendering; channels.
//!
//! The pipeline decides *when and together with what*; it is the only owner of "was this channel
//! already told". What is news is decided by [`crate::incidents`].
//!
//! A notice on its way, a sentence for each stage:
//!
//! 1. `pipeline`: news of an incident become a notice for each channel the routes (`ways`) name.
//! 2. `escalate`: what nobody acknowledges for long becomes a notice for the next receiver, too;
//!    `acknowledge` ends that, and marks it where it is kept open elsewhere.
//! 3. `hold`: it waits while another incident explains it, a silence or the calendar of its route
//!    mutes it, or until the hour its route keeps it for; the first that holds is its reason.
//! 4. `flush`: what may speak waits for its group (`groups`), becomes part of a `storm` when there is
//!    too much of it, and of a digest when its endpoint's `budget` was used up.
//! 5. `inplace`: where the channel can edit what it sent, news change the message that told of the
//!    incident; `live` shows there what is no news.
//! 6. `compose`: what is due becomes one message with frozen bytes; the `ledger` keeps who was told.
//! 7. `outbox` picks the message that is tried next, `delivery` takes the answer, until it is taken
//!    or given up (`backoff`); `fallback` moves what a broken channel cannot tell; `revise` takes
//!    care of what waits at a reload.
//! 8. `standing`: machines that forget are told again, as long as it holds.
//! 9. `steps` writes down what held a notice; `summary` counts what happens and tells it regularly.

mod acknowledge;
mod backoff;
mod budget;
mod cards;
pub mod channels;
mod closed;
mod compose;
mod delivery;
mod escalate;
mod escalations;
mod fallback;
mod flush;
mod groups;
mod hold;
mod inplace;
mod ledger;
mod links;
mod live;
mod outbox;
mod pipeline;
mod print;
mod reload;
pub mod render;
mod revise;
mod settings;
mod silenced;
mod standing;
mod steps;
mod storm;
pub mod summary;
#[cfg(test)]
mod testing;
mod view;
mod ways;

pub use compose::name_of;
pub use links::{About, GOOD_FOR, Link, LinkKey};
pub use pipeline::{ChannelHealth, Composers, Flushed, Pipeline};
pub use settings::{
    Budget, ChannelPlan, Edits, Escalation, Fallback, GroupBy, ReceiverPlan, Route, Settings, Storm,
};
/// Group key of a digest of what a route's `hold_until` kept.
pub(crate) const HELD_DIGEST: &str = "hold_until";

pub use view::{Affected, Compose, Composed, ItemView, Known, Language, MessageView};
pub use ways::{Onward, Step, Way};

#[cfg(test)]
mod pager_tests;
pub use summary::{SummaryAt, SummaryView};
