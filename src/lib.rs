//! Weir: a monitoring and alerting sidecar for Apache Flink.
pub mod clock;
pub mod config;
pub mod engine;
pub mod incidents;
pub mod model;
pub mod notify;
pub mod sources;
pub mod store;
