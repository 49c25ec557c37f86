//! Values that configuration files share: durations, sizes, secrets, values with their place.

mod at;
pub mod duration;
mod secret;
mod size;

pub use at::At;
pub(in crate::config) use at::MARKER;
pub use secret::{Secret, SecretError};
pub use size::ByteSize;
