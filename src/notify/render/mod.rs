//! What people read: from a [`MessageView`](super::MessageView) to localised, escaped text.
//!
//! [`MessageData`] and [`ItemData`] are what templates see: flat, documented, built by pure
//! functions. [`Templates`] holds the shipped templates and a user's own ones. Text is escaped for
//! where it lands by the registry it is rendered in, so that a template cannot forget it.

mod build;
mod data;
mod doing;
pub mod escape;
mod headline;
mod held;
mod path;
pub(crate) mod probe;
mod samples;
mod summary;
mod table;
mod templates;
mod title;
mod when;
pub mod words;

pub use build::{Detail, message_data};
pub use data::{ItemData, MessageData};
pub use doing::words as doing;
pub use held::{held_kind, held_words};
pub use path::{Station, path};
pub use samples::{SAMPLES, sample};
pub use summary::{SummaryData, SummaryLine};
pub use templates::{Syntax, Templates};
pub use title::thread_subject;
pub use when::duration as age;
pub(crate) use when::rfc3339;
