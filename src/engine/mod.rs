//! The engine: a synchronous, deterministic step, and the shell that performs its effects.

mod own;
mod picture;
mod run;
mod step;
mod view;

pub use run::{Health, InTrouble, Shell, ShellParts};
pub use step::{Effect, Engine, EngineSettings, Input};
pub use view::{ChannelView, JobView, RuleView, SourceView, View};
