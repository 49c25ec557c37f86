//! When people are told, and what together with what; rendering; channels.

pub mod channels;
pub mod render;
mod settings;
mod view;

pub use settings::{Budget, ChannelPlan, GroupBy, ReceiverPlan, Route, Settings, Storm};
pub use view::{Compose, Composed, ItemView, Language, MessageView};
