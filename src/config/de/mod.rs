//! Values that configuration files share: durations, sizes, secrets, values with their place.

pub mod duration;
mod secret;
mod size;

pub use crate::yaml::At;
pub use secret::{Secret, SecretError};
pub use size::ByteSize;
