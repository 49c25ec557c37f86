//! The engine: a synchronous, deterministic step, and the shell that performs its effects.

mod guard;
mod own;
mod picture;
mod record;
mod reload;
mod run;
mod step;
mod view;

pub use record::{base, outgoing};
pub use reload::Reload;
pub use run::{Health, Order, Shell, ShellParts, TroubleTeller};
pub use step::{Effect, Engine, EngineSettings, Input};
pub use view::{ChannelView, JobView, JobViews, RuleView, SourceView, View};
