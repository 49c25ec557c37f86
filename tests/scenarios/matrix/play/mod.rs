//! What is done to Flink, scenario by scenario, in families.

pub(crate) mod checkpoints;
pub(crate) mod data;
pub(crate) mod ends;
pub(crate) mod failures;
pub(crate) mod platform;
pub(crate) mod quiet;
pub(crate) mod starts;
