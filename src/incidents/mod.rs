//! Incidents: that something is news, and for whom.

mod settings;

pub use settings::Settings;
