//! The engine: a synchronous, deterministic step, and the shell that performs its effects.

mod view;

pub use view::{ChannelView, JobView, RuleView, SourceView, View};
