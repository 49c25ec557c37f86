//! When people are told, and what together with what; rendering; channels.

pub mod channels;
mod view;

pub use view::{Compose, Composed, ItemView, Language, MessageView};
